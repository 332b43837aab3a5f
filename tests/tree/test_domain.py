import math

import pytest

from nas import Conv, between, choice, scaled, subsets, versus
from nas.tree.domain import Axis, Choice, Interval


def bound(axis, old, name="leaf"):
    assert isinstance(axis, Axis)
    return axis.bind(axis.name or name, old)


@pytest.mark.parametrize(
    ("axis", "old", "labels", "default", "ordered", "off"),
    [
        (choice(1, 2, 4), 2, ("1", "2", "4"), "2", True, None),
        (choice(4, 2, 1), 2, ("4", "2", "1"), "2", False, None),
        (choice(0.1, 0.5), 0.5, ("0.1", "0.5"), "0.5", True, None),
        (choice("lrn", "batch"), "lrn", ("lrn", "batch"), "lrn", False, None),
        (choice("crops", None), "crops", ("crops", "off"), "crops", False, "off"),
        (choice(False, True), False, ("False", "True"), "False", False, None),
        (choice(("4a",), ()), ("4a",), ("4a", "off"), "4a", False, "off"),
        (versus(3, "3+3"), 5, ("canonical", "3", "3+3"), "canonical", False, None),
        (versus(off=None), Conv(width=8), ("canonical", "off"), "canonical", False, "off"),
        (
            versus("flip", off=None),
            "crops",
            ("canonical", "flip", "off"),
            "canonical",
            False,
            "off",
        ),
        (versus(0.25, 0.5, 0.75), 0.5, ("canonical", "0.25", "0.75"), "canonical", False, None),
        (versus(0.25, 0.5, name="r"), 0.5, ("canonical", "0.25", "0.5"), "canonical", False, None),
        (
            versus(less=lambda w: w // 2, more=96),
            64,
            ("canonical", "less", "more"),
            "canonical",
            False,
            None,
        ),
        (
            versus(3, half=lambda w: w // 2, off=1),
            8,
            ("canonical", "3", "half", "off"),
            "canonical",
            False,
            "off",
        ),
        (versus(same=lambda w: w, more=96), 64, ("canonical", "more"), "canonical", False, None),
        (versus(off="none"), "lrn", ("canonical", "off"), "canonical", False, "off"),
        (scaled(1, 0.5, 1.25), 64, ("0.5", "1", "1.25"), "1", True, None),
        (subsets("a", "b"), ("b",), ("off", "a", "b", "a+b"), "b", False, "off"),
        (subsets("a", "b", upto=1), (), ("off", "a", "b"), "off", False, "off"),
    ],
)
def test_a_bound_axis_has_these_options(axis, old, labels, default, ordered, off):
    domain = bound(axis, old)
    assert isinstance(domain, Choice)
    assert (domain.labels, domain.default) == (labels, default)
    assert (domain.ordered, domain.off) == (ordered, off)
    assert domain.value(domain.default) == old


@pytest.mark.parametrize(
    ("old", "factor", "width"), [(128, "0.75", 96), (1, "0.25", 1), (3, "0.25", 1), (10, "0.25", 2)]
)
def test_a_scaled_width_is_rounded_and_at_least_one(old, factor, width):
    assert bound(scaled(0.25, 0.75, 1), old).value(factor) == width


def test_one_to_two_aux_heads_over_eight_places_are_37_options():
    places = ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a")
    domain = bound(subsets(*places, upto=2), ("4d", "4a"))
    assert len(domain.labels) == 37
    assert domain.default == "4a+4d"
    assert domain.value("3a+5a") == ("3a", "5a")


def test_a_tied_versus_keeps_each_leafs_own_canonical_value():
    axis = versus(0.5, name="ratio")
    first, second = bound(axis, 0.75), bound(axis, 0.5)
    assert first.labels == second.labels == ("canonical", "0.5")
    assert (first.value("canonical"), second.value("canonical")) == (0.75, 0.5)


def test_a_labelled_function_gives_each_tied_leaf_a_value_of_its_own():
    axis = versus(half=lambda width: width // 2, same=lambda width: width, name="widths")
    first, second = bound(axis, 64), bound(axis, 96)
    assert first.labels == second.labels == ("canonical", "half", "same")
    assert (first.value("half"), second.value("half")) == (32, 48)
    assert (first.default, first.value("same")) == ("canonical", 64)


def test_an_interval_of_integers_goes_in_steps_of_one():
    domain = bound(between(8, 64), 32)
    assert domain == Interval(name="leaf", low=8, high=64, step=1, default=32)
    assert [domain.value(8), domain.value(64)] == [8, 64]


@pytest.mark.parametrize("label", [7, 65, "32", math.nan])
def test_an_interval_refuses_what_lies_outside(label):
    with pytest.raises(ValueError, match=r"leaf lies between 8 and 64, not"):
        bound(between(8, 64), 32).value(label)


def test_an_interval_refuses_what_is_off_its_steps():
    domain = bound(between(0.0, 1.0, step=0.25), 0.5)
    assert domain.value(0.75) == 0.75
    with pytest.raises(ValueError, match=r"step"):
        domain.value(0.3)


@pytest.mark.parametrize("old", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
def test_a_canonical_value_on_a_step_is_accepted_whatever_its_last_bit(old):
    assert bound(between(0.1, 0.7, step=0.1), old).default == old


def test_a_choice_names_the_options_it_has():
    with pytest.raises(ValueError, match=r"leaf has no option '3'; it has 1, 2"):
        bound(choice(1, 2), 1).value("3")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: choice(1), "two options or more"),
        (lambda: scaled(1), "two options or more"),
        (lambda: scaled(0, 1), "factors above 0, not 0"),
        (lambda: scaled(-0.5, 1), "factors above 0, not -0.5"),
        (lambda: versus(), "needs an alternative or off="),
        (lambda: versus(len), "versus.. needs a label for the function .*len.*: LABEL=FUNCTION"),
        (lambda: between(2, 1), "needs low < high, not 2 and 1"),
        (lambda: between(0.0, 1.0, log=True), "needs low above 0, not 0.0"),
        (lambda: between(0.0, 1.0, step=0), "step"),
        (lambda: between(0.0, 1.0, step=-0.5), "step"),
        (lambda: subsets("a", "b", "a"), "an item twice"),
        (lambda: subsets("a", "b", upto=0), "upto"),
    ],
)
def test_a_domain_that_cannot_be_is_refused_where_it_is_written(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("axis", "old", "message"),
    [
        (choice(1, 2), 3, "leaf: the canonical value 3 is not among 1, 2"),
        (choice(1, 1), 1, "leaf has the option 1 twice"),
        (versus(canonical=3), 8, "leaf has the option canonical twice"),
        (versus(none=lambda w: Conv(width=w - 8)), 8, "leaf: Conv.width must be 1 or more, not 0"),
        (scaled(0.5, 2), 8, "leaf: scaled.. needs the canonical factor 1"),
        (scaled(0.5, 1), None, "stands for a width, and leaf is None"),
        (scaled(0.5, 1), 0.5, "stands for a width, and leaf is 0.5"),
        (scaled(0.5, 1), True, "stands for a width, and leaf is True"),
        (between(1, 4), 5, "leaf: the canonical value 5 is not between 1 and 4"),
        (between(0.0, 1.0, step=0.25), 0.4, "the canonical value 0.4 is not on a step of 0.25"),
        (between(0.1, 1.0), None, "leaf: the canonical value None is not"),
        (subsets("3a", "3b"), ("4a",), "leaf: the canonical value 4a is not among"),
        (subsets("3a", "3b", upto=1), ("3a", "3b"), r"the canonical value 3a\+3b is not among"),
    ],
)
def test_a_domain_without_the_canonical_value_is_refused(axis, old, message):
    with pytest.raises(ValueError, match=message):
        bound(axis, old)


@pytest.mark.parametrize(
    ("axis", "old", "size", "stored"),
    [
        (choice(1, 2, 4), 2, 3, [0, 1, 2]),
        (versus("flip", off=None), "crops", 3, ["canonical", "flip", "off"]),
        (scaled(1, 0.5, 1.25), 64, 3, [0, 1, 2]),
        (between(8, 10), 9, 3, [8, 9, 10]),
        (between(0.1, 0.7, step=0.2), 0.3, 4, [0.1, 0.3, 0.5, 0.7]),
    ],
)
def test_a_label_a_position_and_what_is_stored_are_one_decision(axis, old, size, stored):
    domain = bound(axis, old)
    labels = [domain.label(position) for position in range(domain.size)]
    assert domain.size == size
    assert [domain.position(label) for label in labels] == list(range(size))
    assert [domain.stored(label) for label in labels] == stored
    assert [domain.read(value) for value in stored] == labels


def test_the_position_of_an_interval_without_steps_is_the_number_itself():
    domain = bound(between(0.1, 0.7), 0.3)
    assert (domain.size, domain.label(0.25), domain.position(0.25)) == (math.inf, 0.25, 0.25)
