from itertools import combinations

import numpy as np
import pytest

from nas import PLACES, SearchSpace, between, choice, scaled, subsets, versus
from nas.experiment import presets
from nas.plan.designs import aliases, fraction, settings, start
from nas.plan.plans import Ablation
from search_spaces import googlenet, tiny
from tests.specimens import quick

FIVE, AUX, NORM = "network.inception_3a.conv5x5", "network.aux_after", "network.normalization"
three = SearchSpace(
    quick, {FIVE: versus(off=None), AUX: subsets("3a", "4a"), NORM: versus("lrn", off="none")}
)
many = SearchSpace(
    presets.googlenet,
    {
        f"network.inception_{place}.{leaf}": other
        for place in PLACES
        for leaf, other in {
            "conv1x1.width": scaled(0.5, 1),
            "conv3x3.width": scaled(0.5, 1),
            "conv5x5.width": scaled(0.5, 1),
            "pool_proj.width": scaled(0.5, 1),
            "conv3x3.ratio": versus(0.3),
            "conv5x5.ratio": versus(0.3),
        }.items()
    },
)


def made(space=three, **values):
    return settings(Ablation(**values), space.domains)


def decisions(space=three, **values):
    return [dict(setting.decisions) for setting in made(space, **values)]


def test_one_out_takes_each_away_alone():
    assert decisions() == [{FIVE: "off"}, {AUX: "off"}, {NORM: "off"}]


def test_one_in_puts_each_back_alone():
    plan = Ablation(design="one_in")
    off = {FIVE: "off", AUX: "off", NORM: "off"}
    assert start(plan, three.domains) == off
    assert decisions(design="one_in") == [
        off | {FIVE: "canonical"},
        off | {AUX: "3a+4a"},
        off | {NORM: "canonical"},
    ]


def test_one_factor_takes_every_label_of_every_decision():
    assert decisions(design="one_factor") == [
        {FIVE: "off"},
        {AUX: "off"},
        {AUX: "3a"},
        {AUX: "4a"},
        {NORM: "lrn"},
        {NORM: "off"},
    ]


def test_pairs_are_the_single_changes_and_each_two():
    found = made(design="pairs")
    assert [len(setting.decisions) for setting in found] == [1, 1, 1, 2, 2, 2]
    assert found[3].name == "3a: no 5x5 branch + no aux heads"
    assert found[3].parts == (found[0].name, found[1].name)


def test_a_grid_is_every_combination_but_the_baseline():
    found = decisions(design="grid")
    assert len(found) == 2 * 4 * 3 - 1
    assert len({tuple(sorted(each.items())) for each in found}) == len(found)
    assert {} not in found


def test_a_path_goes_one_change_at_a_time_in_the_order_given():
    found = made(design="path", to={NORM: "lrn", FIVE: "off", AUX: "3a+4a"})
    assert [dict(setting.decisions) for setting in found] == [
        {NORM: "lrn"},
        {NORM: "lrn", FIVE: "off"},
    ]
    assert [setting.name for setting in found] == [
        "step 1: lrn instead of batch normalization",
        "step 2: 3a: no 5x5 branch",
    ]


@pytest.mark.parametrize("factors", range(1, 33))
def test_the_fraction_is_of_resolution_four(factors):
    """No main effect is another's or that of two factors together; the first run is the baseline."""
    runs = 2 * np.array(fraction(factors)) - 1
    assert len(runs) < 4 * factors or factors == 1
    assert (runs[0] == -1).all()
    assert (runs.sum(0) == 0).all()
    assert (runs.T @ runs == len(runs) * np.eye(factors)).all()
    for first, second in combinations(range(factors), 2):
        assert (runs.T @ (runs[:, first] * runs[:, second]) == 0).all()


def test_the_factorials_runs_are_named_by_yates_and_their_changes():
    found = made(googlenet.activations, design="factorial")
    assert len(found) == 15
    assert found[0].name == "run df"
    assert found[0].parts == (
        "stage 4: no 5x5 branch activation",
        "stage 5: no 5x5 branch activation",
    )
    assert len({setting.name for setting in found}) == 15


def test_twelve_factors_take_32_runs():
    twelve = SearchSpace(
        googlenet.branches.canonical,
        {f"network.inception_{at}.{b}": versus(off=None) for at in ("3a", "4a", "5a")
         for b in ("conv1x1", "conv3x3", "conv5x5", "pool_proj")},
    )  # fmt: skip
    assert len(made(twelve, design="factorial")) == 31


def test_the_aliases_of_a_half_fraction_are_its_pairs():
    factors = ("a", "b", "c", "d")
    runs = [[f for f, high in zip(factors, run, strict=True) if high] for run in fraction(4)]
    groups = ({"".join(sorted(pair)) for pair in group} for group in aliases(runs))
    assert sorted(map(sorted, groups)) == [
        ["ab", "cd"],
        ["ac", "bd"],
        ["ad", "bc"],
    ]


def test_a_full_factorial_and_pairs_alias_nothing():
    full = [[f for f, high in zip("abc", run, strict=True) if high] for run in fraction(3)]
    assert aliases(full) == ()
    pairs = [(), *combinations("abcd", 1), *combinations("abcd", 2)]
    assert aliases(pairs) == ()


def test_a_decision_without_an_off_label_has_its_only_other_level():
    two = SearchSpace(quick, {"network.head.pooling": versus("flatten"), AUX: versus(off=())})
    assert decisions(two, design="factorial")[-1] == {"network.head.pooling": "flatten", AUX: "off"}


@pytest.mark.parametrize(
    ("space", "values", "message"),
    [
        (SearchSpace(quick, {"recipe.lr": choice(0.1, 0.2)}), {}, "one_out needs a decision that can be off .* the space has recipe.lr"),
        (SearchSpace(quick, {"recipe.lr": between(0.1, 0.2)}), {"design": "grid"}, r"recipe.lr is an interval.*: give choice\(...\)"),
        (tiny.kernels, {"design": "pairs"}, r"has several levels, 3, 7, 3\+3 beside the canonical canonical.*restrict"),
        (three, {"design": "path", "to": {"no": "off"}}, "to= has no decision 'no' in"),
        (three, {"design": "path", "to": {FIVE: "none"}}, "has no option 'none'; it has canonical, off"),
        (three, {"design": "path", "to": {FIVE: "canonical"}}, "a path goes somewhere"),
        (three, {"most": 2}, "the design one_out has 3 arms beside the baseline, more than 2: .* most=3"),
        (tiny.widths, {"design": "grid"}, "the design grid has 67,108,863 arms beside the baseline, more than 64"),
        (googlenet.branches, {"design": "pairs"}, "the design pairs has 666 arms"),
        (googlenet.branches, {"design": "factorial"}, "the design factorial has 127 arms"),
        (many, {"design": "factorial", "most": 127}, "by 52 letters, and there are 54: choose some"),
    ],
)  # fmt: skip
def test_what_a_design_cannot_take_is_refused_before_anything_is_made(space, values, message):
    with pytest.raises(ValueError, match=message):
        made(space, **values)
