import itertools
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nas import (
    Budget,
    Plain,
    SearchSpace,
    between,
    choice,
    edit,
    googlenet,
    scaled,
    tiny_googlenet,
    versus,
)
from nas.base.errors import NothingFits
from nas.space.draws import draw, labels
from search_spaces import googlenet as spaces
from search_spaces import tiny
from tests.space.test_space import conditional, small_spaces, tied
from tests.strategies import assignments

WIDTH = "network.inception_3a.conv3x3.width"
nested = SearchSpace(
    tiny_googlenet,
    {
        "network.inception_3a": versus(Plain(width=64), off=None),
        "network.inception_3a.conv3x3.width": scaled(0.5, 1, 2),
        "network.inception_3a.conv5x5": versus(off=None),
        "network.inception_4a.conv1x1.width": scaled(0.5, 1),
    },
)
"""Options that weigh differently: one way below "plain" and below "off", six below the module."""


@given(small_spaces(), st.data())
def test_index_and_candidate_invert_each_other(space, data):
    index = data.draw(st.integers(0, int(space.points.size) - 1))
    assert space.points.index(space.points.decisions(index)) == index
    candidate = space.candidate(index)
    assert space.index_of(candidate) == index
    assert space.candidate(space.index_of(candidate)) == candidate


@pytest.mark.parametrize("space", [conditional, tied, tiny.parts, nested])
def test_the_enumeration_has_every_valid_candidate_once_and_in_order(space):
    found = list(space.enumerate())
    assert len(found) == space.size
    indices = [space.index_of(candidate) for candidate in found]
    assert indices == sorted(set(indices))
    ways = {tuple(sorted(decisions.items())) for decisions in assignments(space)}
    assert len(ways) == space.points.size
    assert {tuple(sorted(c.decisions.items())) for c in found} <= ways


def test_an_enumeration_goes_on_where_it_is_told_to():
    whole = list(conditional.enumerate())
    assert list(conditional.enumerate(5)) == whole[5:]
    assert list(conditional.enumerate(2, 4)) == whole[2:4]


def test_an_enumeration_is_lazy_and_refuses_what_is_too_large():
    first = list(itertools.islice(tiny.widths.enumerate(0, 10_000_000), 3))
    assert [tiny.widths.index_of(candidate) for candidate in first] == [0, 1, 2]
    with pytest.raises(
        ValueError, match=r"has 2,542,620,639,232 points, too many .* or restrict\(\) it"
    ):
        spaces.by_stage.enumerate()


def test_points_of_a_space_of_10_to_the_32_are_numbered_exactly():
    space = spaces.by_module
    size = 507_125_154_572_101_787_726_846_304_976_896
    assert space.points.size == size
    for index in (0, 1, 10**30, size - 1):
        assert space.points.index(space.points.decisions(index)) == index
    with pytest.raises(ValueError, match="has the points 0 to"):
        space.points.decisions(size)


def test_a_space_with_reals_is_not_numbered():
    space = SearchSpace(googlenet, {"network.dropout": between(0.1, 0.5)})
    with pytest.raises(ValueError, match="interval that has no step is not numbered; give steps"):
        space.points.decisions(0)


@pytest.mark.parametrize("space", [conditional, tied, tiny.parts, nested])
@pytest.mark.parametrize("budget", [None, Budget(mult_adds=(1.0, 1e12)), "tight"])
def test_samples_are_uniform_over_what_is_valid_and_fits(space, budget):
    if budget == "tight":
        costs = sorted(c for c in map(mult_adds, space.enumerate()))
        budget = Budget(mult_adds=float(costs[len(costs) // 2]))
    expected = [c for c in space.enumerate() if fits(space, c, budget)]
    counts = dict.fromkeys((space.index_of(c) for c in expected), 0)
    drawn = itertools.islice(space.fitting(np.random.default_rng(5), budget), 40 * len(counts))
    for candidate in drawn:
        counts[space.index_of(candidate)] += 1
    assert stats.chisquare(list(counts.values())).pvalue > 1e-4


def mult_adds(candidate):
    return sum(layer.mult_adds for layer in candidate.experiment.layers() if not layer.aux)


def fits(space, candidate, budget):
    return all(over <= 0 for over in space.excess(candidate, budget).values())


def test_bytes_that_would_favour_the_first_options_are_drawn_again():
    space = SearchSpace(
        tiny_googlenet, {WIDTH: choice(*range(1, 101), 128), "recipe.lr": choice(0.1, 0.2, 0.3)}
    )
    drawn = draw(space.points, space.domains, np.random.default_rng(1), 101_000)
    for name, number in ((WIDTH, 101), ("recipe.lr", 3)):
        counts = np.bincount(drawn[name], minlength=number)
        assert len(counts) == number
        assert stats.chisquare(counts).pvalue > 1e-4


def test_intervals_are_drawn_over_their_steps_their_reals_or_their_logarithm():
    space = SearchSpace(
        tiny_googlenet,
        {WIDTH: between(64, 1088, step=2), "network.dropout": between(0.1, 0.5),
         "recipe.lr": between(0.01, 1.0, log=True), "recipe.batch_size": between(8, 512, log=True)},
    )  # fmt: skip
    drawn = draw(space.points, space.domains, np.random.default_rng(2), 20_000)
    rows = [labels(drawn, space.domains, at) for at in range(20_000)]
    assert {row[WIDTH] % 2 for row in rows} == {0}
    assert (
        stats.kstest([row["network.dropout"] for row in rows], stats.uniform(0.1, 0.4).cdf).pvalue
        > 1e-4
    )
    logs = np.log10([row["recipe.lr"] for row in rows])
    assert stats.kstest(logs, stats.uniform(-2, 2).cdf).pvalue > 1e-4
    sizes = [row["recipe.batch_size"] for row in rows]
    assert (min(sizes), max(sizes)) == (8, 512)
    assert all(isinstance(size, int) for size in sizes)
    assert abs(np.median(sizes) - 64) < 4
    space.at(rows[0]).experiment.layers()


def test_where_next_to_nothing_fits_it_stops_and_names_the_nearest(monkeypatch):
    monkeypatch.setattr("nas.space.fitting.DRAWS", 2_000)
    narrow = Budget(mult_adds=(300_001.0, 300_002.0))
    said = (
        r"none of [\d,]+ random candidates fits the budget of 300,001 to 300,002 mult-adds "
        r"\(nearest met: [\d,]+ below, [\d,]+ above\)"
    )
    with pytest.raises(NothingFits, match=said):
        tiny.widths.sample(np.random.default_rng(0), narrow)


def test_where_nothing_drawn_keeps_the_rules_no_cost_is_the_nearest(monkeypatch):
    monkeypatch.setattr("nas.space.fitting.DRAWS", 2_000)

    def canonical(tree):
        """No width differs from the canonical one."""
        own = tiny_googlenet.network
        return [
            getattr(getattr(tree.network, module), branch).width
            == getattr(getattr(own, module), branch).width
            for module in ("inception_3a", "inception_4a", "inception_5a")
            for branch in ("conv1x1", "conv3x3", "conv5x5", "pool_proj")
        ]

    space = SearchSpace(tiny.widths.canonical, tiny.widths.edits, where=(canonical,))
    with pytest.raises(NothingFits, match=r"400,000 mult-adds \(nearest met: none valid\)"):
        space.sample(np.random.default_rng(0), Budget(mult_adds=400_000))


def test_a_band_is_sampled_inside():
    band = Budget(mult_adds=(1.49e9, 1.5e9))
    rng = np.random.default_rng(4)
    for candidate in itertools.islice(spaces.by_stage.fitting(rng, band), 20):
        assert 1.49e9 <= mult_adds(candidate) <= 1.5e9


@given(st.integers(0, 2**32 - 1))
def test_a_mutation_stays_in_the_space_and_changes_one_decision(seed):
    rng = np.random.default_rng(seed)
    candidate = nested.sample(rng)
    changed = nested.mutate(candidate, rng)
    changed.experiment.layers()
    assert nested.at(changed.decisions) == changed
    shared = set(candidate.decisions) & set(changed.decisions)
    assert sum(candidate.decisions[name] != changed.decisions[name] for name in shared) == 1


def test_a_point_without_a_valid_change_says_so(monkeypatch):
    space = SearchSpace(tiny_googlenet, {"network.inception_3a.conv5x5": versus(off=None)})
    monkeypatch.setattr("nas.space.space.MUTATIONS", 0)
    with pytest.raises(ValueError, match="random changes of the candidate is valid"):
        space.mutate(space.baseline, np.random.default_rng(0))


SHARED = {
    "network.inception_3[ab]": versus(off=None),
    "network.inception_3[ab].conv5x5": versus(off=None),
    "network.inception_3[ab].conv5x5.width": scaled(0.5, 1, 2, name="w"),
    "network.inception_4a.conv5x5": versus(off=None, name="late"),
    "network.inception_4a.conv5x5.width": scaled(0.5, 1, 2, name="w"),
}
"""A width that three branches share, each of which may be gone."""


def test_a_decision_that_many_droppable_branches_share_is_counted_once_and_at_once():
    branches = "network.inception_*.conv[35]x[35]"
    space = SearchSpace(
        googlenet, {branches: versus(off=None), f"{branches}.width": scaled(0.5, 1, name="w")}
    )
    assert space.points.size == 2 * (2**18 - 1) + 1
    for index in (0, 1, 12_345, space.points.size - 1):
        assert space.points.index(space.points.decisions(index)) == index
    drawn = draw(space.points, space.domains, np.random.default_rng(0), 1000)
    assert 0.4 < drawn["w"].mean() < 0.6


def test_processes_draw_the_same_points_whatever_their_strings_hash_to():
    script = (
        "import numpy as np; from search_spaces.inception_table import table;"
        "print(table.sample(np.random.default_rng(0)).decisions)"
    )
    drawn = {
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60,
            env=os.environ | {"PYTHONHASHSEED": seed},
        ).stdout
        for seed in "123"
    }  # fmt: skip
    assert len(drawn) == 1


def test_a_shared_decision_that_nothing_asks_for_weighs_one():
    space = SearchSpace(googlenet, SHARED)
    ways = [tuple(sorted(way.items())) for way in assignments(space)]
    assert space.points.size == len(set(ways)) == len(ways)
    positions = space.points.positions(0, len(ways))
    again = [space.at(labels(positions, space.domains, at)).decisions for at in range(len(ways))]
    assert {tuple(sorted(way.items())) for way in again} == set(ways)
    drawn = draw(space.points, space.domains, np.random.default_rng(0), 6000)
    met = [space.at(labels(drawn, space.domains, at)).decisions for at in range(6000)]
    counts = [sum(tuple(sorted(m.items())) == way for m in met) for way in sorted(ways)]
    assert stats.chisquare(counts).pvalue > 0.001


def test_an_interval_without_steps_leaves_the_other_decisions_as_they_are():
    branch = "network.inception_3a.conv5x5"
    space = SearchSpace(
        googlenet,
        {
            branch: versus(off=None),
            f"{branch}.width": scaled(*(at / 4 for at in range(1, 8))),
            "recipe.lr": between(0.01, 0.1, log=True),
        },
    )
    drawn = draw(space.points, space.domains, np.random.default_rng(0), 20_000)
    assert abs((drawn[branch] == 1).mean() - 1 / 8) < 0.01
    with pytest.raises(ValueError, match="an interval that has no step is not numbered; give ste"):
        space.enumerate(0, 10)


def test_the_whole_numbers_of_a_log_interval_weigh_their_own_share_at_the_ends_too():
    path = "network.inception_3a.conv1x1.width"
    space = SearchSpace(googlenet, {path: between(62, 66, log=True)})
    drawn = draw(space.points, space.domains, np.random.default_rng(0), 20_000)[path]
    assert np.abs(np.bincount(drawn) / 20_000 - 0.2).max() < 0.02


def test_an_interval_whose_ends_are_no_decimals_has_its_ends_and_its_canonical_value():
    path = "network.inception_3b.conv3x3.ratio"
    space = SearchSpace(googlenet, {path: between(1 / 3, 1.0, step=1 / 6)})
    met = [
        candidate.experiment.network.inception_3b.conv3x3.ratio for candidate in space.enumerate()
    ]
    assert met == pytest.approx([1 / 3, 1 / 2, 2 / 3, 5 / 6, 1])
    baseline = space.candidate(space.index_of(space.baseline))
    assert baseline.experiment == space.baseline.experiment


def test_an_interval_without_steps_may_be_shared_by_branches_that_are_dropped():
    branch = "network.inception_[34]a.conv5x5"
    space = SearchSpace(
        edit(tiny_googlenet, {f"{branch}.ratio": 0.5}),
        {branch: versus(off=None), f"{branch}.ratio": between(0.1, 0.9, name="ratio")},
    )
    assert space.size == math.inf
    drawn = list(itertools.islice(space.fitting(np.random.default_rng(0)), 40))
    off = [list(candidate.decisions.values()).count("off") for candidate in drawn]
    ratios = {candidate.decisions.get("ratio") for candidate in drawn}
    assert set(off) == {0, 1, 2}
    assert len(ratios - {None}) == sum(count < 2 for count in off)
