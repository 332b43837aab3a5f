import math

import numpy as np
import pytest
from scipy import stats

from nas import SearchSpace, googlenet, versus
from nas.ablation import arms
from nas.designs import fraction
from nas.outlook import aliased, instead, outlook
from nas.statistics import noncentrality, visible
from nas.study import Ablation
from search_spaces import tiny

twelve = SearchSpace(
    googlenet,
    {
        f"network.inception_{place}.{branch}": versus(off=None)
        for place in ("3a", "4a", "4e", "5a")
        for branch in ("conv3x3", "conv5x5", "pool_proj")
    },
)


def test_one_out_sees_what_its_paired_tests_do():
    found = outlook(Ablation(), twelve)
    assert (found.arms, found.seeds, found.family) == (14, 8, 12)
    assert found.effect == visible(8, 12)


def test_a_table_that_is_read_twice_sees_a_little_less():
    once, twice = (
        outlook(Ablation(seeds=range(6), looks=looks), twelve) for looks in ((), (6, 10))
    )
    assert twice.effect == visible(6, 12, level=0.0291) > once.effect


def test_a_factorial_of_twelve_sees_effects_three_times_smaller_for_the_same_runs():
    """Statistics of an ablation, point 10: 12 factors in 32 arms x 3 seeds, 13 arms x 8 seeds see
    2.8 times smaller effects each by itself, and more so at the family's level."""
    one_out = outlook(Ablation(), twelve)
    factorial = outlook(Ablation(design="factorial"), twelve, 3)
    assert (factorial.arms, factorial.family) == (33, 12)
    assert one_out.effect / factorial.effect == pytest.approx(3.37, abs=0.01)
    alone = noncentrality(62, 1) * math.sqrt(2 / 96)
    assert visible(8) / alone == pytest.approx(2.8, abs=0.05)


def test_four_of_five_simulated_factorials_show_the_effect_that_is_stated():
    family, seeds, draws = 4, 4, 20_000
    found = outlook(Ablation(design="factorial"), tiny.parts, seeds)
    signs = 2 * np.array(fraction(family)) - 1
    runs = len(signs)
    rng = np.random.default_rng(0)
    # The noise of one run has sd 1, so that the difference of two has sqrt(2).
    scores = rng.normal(size=(draws, runs, seeds)) + rng.normal(size=(draws, 1, seeds))
    scores += (found.effect * math.sqrt(2) * signs[:, 0] / 2)[None, :, None]
    effect = (scores.mean(2) * signs[:, 0]).sum(1) * 2 / runs
    rest = scores - scores.mean(1, keepdims=True) - scores.mean(2, keepdims=True)
    rest += scores.mean((1, 2), keepdims=True)
    free = (runs - 1) * (seeds - 1)
    error = np.sqrt((rest**2).sum((1, 2)) / free) * 2 / math.sqrt(runs * seeds)
    seen = (effect / error > stats.t.isf(0.025 / family, free)).mean()
    assert seen == pytest.approx(0.8, abs=0.03)


def test_the_other_designs_are_given_as_many_runs():
    found = {each.design: each for each in instead(Ablation(), tiny.parts, 48)}
    assert set(found) == {"one_in", "one_factor", "pairs", "factorial"}
    for each in found.values():
        assert 2 <= each.seeds == 48 // each.arms
        assert each.effect > 0
    assert found["factorial"].effect < outlook(Ablation(), tiny.parts).effect
    assert found["pairs"].effect > outlook(Ablation(), tiny.parts).effect


def test_a_design_of_the_same_arms_is_not_offered():
    two = tiny.parts.restrict({"aux heads": ["off", "4a"]})
    assert "one_factor" not in [each.design for each in instead(Ablation(), two, 48)]


def test_designs_that_cannot_be_are_not_offered():
    found = [each.design for each in instead(Ablation(design="one_factor"), tiny.kernels, 88)]
    assert found == []


def test_the_aliases_of_a_factorial_are_printed_in_words():
    lines = arms(Ablation(design="factorial"), tiny.parts)
    assert aliased(lines)[0] == "no 5x5 branches x no pool branches = no aux heads x no batch norm"
    assert len(aliased(lines)) == 3
    assert aliased(arms(Ablation(), tiny.parts)) == ()
