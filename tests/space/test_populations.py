from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas import (
    AuxHead,
    Budget,
    Conv,
    Experiment,
    Layer,
    Node,
    Plain,
    SearchSpace,
    Tape,
    choice,
    cost,
    edit,
    googlenet,
    scaled,
    small_googlenet,
    subsets,
    tiny_googlenet,
    versus,
)  # fmt: skip
from nas.space.draws import draw, labels
from nas.space.populations import NAMES
from search_spaces import googlenet as spaces
from search_spaces import small, tiny
from tests.space.test_space import conditional, tied
from tests.strategies import wide_open

odd = SearchSpace(
    googlenet,
    {
        **{
            f"network.inception_{p}": versus(Plain(width=100), off=None) for p in ("3b", "4b", "5a")
        },
        **{
            f"network.inception_4a.{b}": versus(off=None) for b in ("conv1x1", "conv3x3", "conv5x5")
        },
        "network.inception_4a.pool_proj": versus(Conv(width=None), off=None),
        "network.inception_4c.conv3x3.ratio": versus(0.25, off=None),
        "network.inception_4d.pool_proj.width": versus(100, off=None),
        "network.inception_4e.conv5x5.kernel": versus(3, "3+3", 7),
        "network.inception_3a.shortcut": versus(True),
        "network.inception_4d.shortcut": versus(True),
        "network.inception_4a.repeat": choice(1, 2, 3),
        "network.stem.kind": versus("separable", "deep", "small"),
        "network.normalization": versus("batch", off="none"),
        "network.head.pooling": versus("flatten"),
        "network.head.hidden": versus(256, 512),
        "network.dropout_at": subsets("stage3", "head"),
        "network.aux_after": subsets("3b", "4a", "4b", "4d", "5a", upto=2),
        "network.aux_head": versus(AuxHead(kernel=3, stride=2, conv=64, hidden=100)),
        "network.width": choice(0.5, 0.77, 1.0),
        "network.stem.conv7x7": scaled(0.5, 1),
    },
)
"""Everything that changes which layers there are, at once; some points are no network."""


def check(space, positions, image_size=None):
    """Each candidate's own cost is the population's, to the unit; where it is no network, too."""
    found = space.costs(positions, image_size)
    for at in range(len(found.valid)):
        decisions = labels(positions, space.domains, at)
        try:
            spent = cost(space.at(decisions).experiment, image_size)
        except ValueError:
            assert not found.valid[at], decisions
            continue
        assert found.valid[at], decisions
        for name in NAMES:
            assert getattr(found, name)[at] == getattr(spent, name), (name, decisions)
    return found


@pytest.mark.parametrize(
    "space",
    [spaces.by_stage, spaces.by_module, spaces.branches, spaces.tricks, small.by_stage,
     small.branches, tiny.widths, tiny.parts, odd, wide_open, conditional, tied],
)  # fmt: skip
def test_a_population_costs_what_its_candidates_do_to_the_unit(space):
    rng = np.random.default_rng(1)
    check(space, draw(space.points, space.domains, rng, 40))


@given(st.integers(0, 2**32 - 1))
def test_a_population_of_odd_networks_costs_what_they_do(seed):
    check(odd, draw(odd.points, odd.domains, np.random.default_rng(seed), 8))


def test_points_that_are_no_network_are_marked_and_some_are():
    drawn = draw(odd.points, odd.domains, np.random.default_rng(0), 160)
    found = check(odd, drawn)
    assert 0 < (~found.valid).sum() < 40
    tight = small.branches  # at 28 pixels no aux head is decided, but all branches may go
    assert not tight.costs({name: np.ones(1, int) for name in tight.domains}).valid[0]


def test_a_population_is_counted_for_other_images_and_in_parts(monkeypatch):
    drawn = draw(spaces.by_stage.points, spaces.by_stage.domains, np.random.default_rng(2), 30)
    whole = check(spaces.by_stage, drawn, image_size=160)
    monkeypatch.setattr("nas.space.validity.CHUNK", 7)
    parts = spaces.by_stage.costs(drawn, 160)
    assert np.array_equal(whole.mult_adds, parts.mult_adds)


def test_the_aux_heads_that_do_not_fit_are_no_network_where_they_are_attached():
    base = edit(small_googlenet, {"network.aux_after": ("4a",)})
    space = SearchSpace(base, {"network.aux_after": subsets("4a", "5a", upto=2)})
    found = space.costs({"network.aux_after": np.arange(4)})
    assert space.domains["network.aux_after"].labels == ("off", "4a", "5a", "4a+5a")
    assert found.valid.tolist() == [True, True, False, False]


@dataclass(frozen=True, kw_only=True)
class Straight(Node):
    """A network of a user's own that lists its layers and knows nothing of populations."""

    width: int = 8

    def layers(self, shape: tuple[int, ...], classes: int) -> tuple[Layer, ...]:
        if self.width == 13:
            raise ValueError("13 is no width")
        tape = Tape(shape)
        x = tape.average_pool("pool", tape.conv("conv", tape.image, self.width, 3))
        tape.linear("classifier", x, classes)
        return tuple(tape.layers)


def test_a_users_network_is_counted_one_by_one():
    space = SearchSpace(
        Experiment(network=Straight(), recipe=tiny_googlenet.recipe),
        {"network.width": choice(8, 12, 13)},
    )
    found = check(space, {"network.width": np.array([0, 1, 2, 0])})
    assert found.valid.tolist() == [True, True, False, True]
    assert space.size == 2


@dataclass(frozen=True, kw_only=True)
class Grouped(Node):
    """A network of a user's own that is recorded for one candidate or for many at once."""

    width: int = 8

    def layers(self, shape: tuple[int, ...], classes: int) -> tuple[Layer, ...]:
        tape = Tape(shape)
        self.record_on(tape, classes)
        return tuple(tape.layers)

    def record_on(self, tape: Tape, classes: int) -> None:
        x = tape.conv("first", tape.image, tape.number(self.width), 3)
        x = tape.conv("second", x, 8, 3, groups=4)
        tape.linear("classifier", tape.average_pool("pool", x), classes)


def test_groups_that_do_not_divide_the_channels_are_no_network():
    space = SearchSpace(
        Experiment(network=Grouped(), recipe=tiny_googlenet.recipe),
        {"network.width": choice(6, 8, 12)},
    )
    found = check(space, {"network.width": np.array([0, 1, 2])})
    assert found.valid.tolist() == [False, True, True]


def test_what_fits_is_what_the_budget_says_of_each():
    space, budget = tiny.widths, Budget(mult_adds=(2e5, 4e5), params=25_000)
    drawn = draw(space.points, space.domains, np.random.default_rng(3), 60)
    fits = space.fit(drawn, budget)
    for at in range(60):
        candidate = space.at(labels(drawn, space.domains, at))
        assert fits[at] == all(over <= 0 for over in space.excess(candidate, budget).values())
    assert 0 < fits.sum() < 60


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda p: p | {"network.inception_3a.conv5x5": np.array([9])},
            "positions lie between",
        ),
        (lambda p: p | {"network.inception_3a.conv5x5": np.array([-1])}, "positions lie between 0"),
        (lambda p: {k: v for k, v in p.items() if "kernel" not in k}, "one array of positions for"),
        (lambda p: p | {"network.inception_3a.conv5x5": np.array([0, 1])}, "all of one length"),
    ],
)
def test_a_population_that_is_none_is_refused(change, message):
    positions = {name: np.array([0]) for name in conditional.domains}
    with pytest.raises(ValueError, match=message):
        conditional.costs(change(positions))


def test_what_does_not_fit_the_smaller_images_of_a_fidelity_is_not_valid():
    base = edit(small_googlenet, {"network.aux_after": ("3a",), "recipe.fidelity.image_size": 16})
    space = SearchSpace(base, {"network.aux_after": subsets("3a", "4a")})
    assert space.costs({"network.aux_after": np.arange(4)}).valid.tolist() == [
        True, True, False, False,
    ]  # fmt: skip
    assert space.size == len(list(space.enumerate())) == 2
