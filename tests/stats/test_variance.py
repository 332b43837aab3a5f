import math

import numpy as np
import pytest
from scipy import stats

from nas.stats.variance import best_of, components, rank_correlation

SHROUT_AND_FLEISS = [  # table 2 of their paper: six targets, four judges
    [9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7],
]  # fmt: skip


def pilots(number, n, k, candidate, seed, rng):
    """Simulated scores (number, n, k); a seed moves all candidates by two points as well."""
    worth = rng.normal(0, candidate, (number, n, 1))
    shared = rng.normal(0, 2, (number, 1, k))
    return 90 + worth + shared + rng.normal(0, seed, (number, n, k))


def test_the_intraclass_correlation_is_that_of_the_papers_example():
    found = components(SHROUT_AND_FLEISS)
    assert (found.n, found.k) == (6, 4)
    assert found.icc == pytest.approx(0.7148, abs=5e-5)
    assert (found.low, found.high) == pytest.approx((0.342, 0.946), abs=1e-3)


def test_known_components_of_variance_are_found_whatever_a_seed_does_to_all_alike():
    (scores,) = pilots(1, 4000, 4, 0.5, 1.0, np.random.default_rng(0))
    found = components(scores)
    assert found.candidate_sd == pytest.approx(0.5, rel=0.1)
    assert found.seed_sd == pytest.approx(1.0, rel=0.03)
    assert found.icc == pytest.approx(0.2, abs=0.03)
    assert found.low < 0.2 < found.high


@pytest.mark.parametrize("candidate", [0.0, 0.5, 2.0])
def test_the_interval_of_the_intraclass_correlation_covers_it_in_95_of_100_pilots(candidate):
    true, rng = candidate**2 / (candidate**2 + 1), np.random.default_rng(1)
    found = [components(scores) for scores in pilots(3000, 8, 2, candidate, 1.0, rng)]
    covered = np.mean([each.low <= true <= each.high for each in found])
    # Of nothing, only the upper end can err: a negative lower end is 0.
    assert covered == pytest.approx(0.975 if candidate == 0 else 0.95, abs=0.015)


def test_scores_equal_on_all_seeds_are_taken_to_vary_by_the_metrics_step():
    equal = [[90.0, 90.0], [91.0, 91.0], [92.0, 92.0]]
    assert components(equal).icc == 1.0
    assert components(equal, resolution=0.5).seed_sd == 0.5
    assert components(equal, resolution=0.5).icc < 1.0
    nothing = components([[90.0, 90.0]] * 3, resolution=0.5)
    assert (nothing.icc, nothing.low, nothing.candidate_sd) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("scores", [[], [[1.0, 2.0]], [[1.0], [2.0]], [[1.0, 2.0], [1.0]]])
def test_variances_need_two_candidates_on_the_same_two_seeds(scores):
    with pytest.raises(ValueError, match="two candidates or more, each on the same two seeds"):
        components(scores)


@pytest.mark.parametrize(
    ("n", "largest"), [(1, 0.0), (2, 0.5642), (10, 1.5388), (100, 2.5076), (1000, 3.2414)]
)
def test_the_best_of_many_is_as_far_out_as_tables_of_order_statistics_have_it(n, largest):
    assert best_of(n) == pytest.approx(largest, abs=1e-4)


def test_the_best_by_score_is_worth_the_share_of_its_lead_that_is_architecture():
    rng = np.random.default_rng(2)
    worth = rng.normal(0, 0.5, (20_000, 12))
    chosen = (worth + rng.normal(0, 1.0, worth.shape)).argmax(1)
    gained = worth[np.arange(len(worth)), chosen].mean()
    expected = math.hypot(0.5, 1.0) * best_of(12) * 0.2
    assert gained == pytest.approx(expected, rel=0.03)


def test_a_rank_correlation_is_scipys_with_ties_and_has_an_interval_around_it():
    first, second = [1, 2, 2, 3, 5, 8, 8, 9], [2, 1, 3, 3, 8, 5, 9, 7]
    found = rank_correlation(first, second)
    assert found.value == pytest.approx(stats.spearmanr(first, second).statistic)
    assert found.low < found.value < found.high <= 1


def test_equal_scores_have_no_ranks_to_correlate():
    found = rank_correlation([1.0, 1.0, 1.0], [1.0, 2.0, 3.0])
    assert all(map(math.isnan, (found.value, found.low, found.high)))
    with pytest.raises(ValueError, match="3 candidates or more in both, not 2 and 2"):
        rank_correlation([1.0, 2.0], [1.0, 2.0])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([1, 2, 3, 4], [1, 3, 2, 4]),
        ([1, 2, 3, 4, 5], [2, 3, 4, 5, 6]),
        ([1, 2, 3, 4, 5], [5, 4, 3, 2, 1]),
    ],
)
def test_few_candidates_and_the_same_ranks_have_no_interval(first, second):
    found = rank_correlation(first, second)
    assert not math.isnan(found.value)
    assert all(map(math.isnan, (found.low, found.high)))


def test_the_interval_of_a_rank_correlation_covers_it_in_most_samples():
    rng, covered = np.random.default_rng(3), 0
    true = 6 / math.pi * math.asin(0.7 / 2)  # Spearman's, of two normals of correlation 0.7
    for _ in range(200):
        one, other = rng.normal(size=(2, 24))
        found = rank_correlation(one, 0.7 * one + math.sqrt(1 - 0.7**2) * other)
        covered += found.low <= true <= found.high
    assert 0.88 <= covered / 200 <= 0.99
