import math

import numpy as np
import pytest
from scipy import stats

from nas import SearchSpace, googlenet, versus
from nas.plan.arms import arms
from nas.plan.designs import fraction
from nas.plan.plans import Ablation
from nas.plan.power import outlook
from nas.stats.paired import visible
from search_spaces import tiny

twelve = SearchSpace(
    googlenet,
    {
        f"network.inception_{place}.{branch}": versus(off=None)
        for place in ("3a", "4a", "4e", "5a")
        for branch in ("conv3x3", "conv5x5", "pool_proj")
    },
)


def sight(plan, space, seeds=None):
    return outlook(plan, arms(plan, space), seeds)


def test_one_out_sees_what_its_paired_tests_do():
    found = sight(Ablation(), twelve)
    assert (found.arms, found.seeds, found.family) == (14, 8, 12)
    assert found.effect == visible(8, 12)


def test_a_table_that_is_read_twice_sees_a_little_less():
    once, twice = (sight(Ablation(seeds=range(6), looks=looks), twelve) for looks in ((), (6, 10)))
    assert twice.effect == visible(6, 12, level=0.0291) > once.effect


def test_a_factorial_of_twelve_sees_effects_three_times_smaller_for_the_same_runs():
    """12 factors in 32 arms x 3 seeds, 13 arms x 8 seeds."""
    one_out = sight(Ablation(), twelve)
    factorial = sight(Ablation(design="factorial"), twelve, 3)
    assert (factorial.arms, factorial.family) == (33, 12)
    assert one_out.effect / factorial.effect == pytest.approx(3.18, abs=0.01)


def test_simulated_factorials_show_the_effect_that_is_stated_in_76_of_100_cases():
    """In 80 where no factor is judged by its own seeds; 5 of 100 are without need."""
    family, seeds, draws = 4, 4, 20_000
    found = sight(Ablation(design="factorial"), tiny.parts, seeds)
    signs = 2 * np.array(fraction(family)) - 1
    rng = np.random.default_rng(0)
    # The noise of one run has sd 1, so that the difference of two has sqrt(2).
    scores = rng.normal(size=(draws, len(signs), seeds)) + rng.normal(size=(draws, 1, seeds))
    scores += (found.effect * math.sqrt(2) * signs[:, 0] / 2)[None, :, None]
    contrasts = np.einsum("af,das->dfs", signs, scores) * 2 / len(signs)
    own = contrasts.var(2, ddof=1)
    free = np.array([[seeds - 1], [family * (seeds - 1)]])
    errors = np.sqrt(np.array([own[:, 0], own.mean(1)]) / seeds)
    seen = contrasts[:, 0].mean(1) / errors > stats.t.isf(0.025 / family, free)
    alone = own[:, 0] / own[:, 1:].mean(1) > stats.f.isf(0.05, seeds - 1, free[1] - free[0])
    assert seen[1].mean() == pytest.approx(0.8, abs=0.01)
    assert np.where(alone, *seen).mean() == pytest.approx(0.766, abs=0.01)
