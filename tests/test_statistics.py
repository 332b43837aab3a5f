import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from nas.statistics import holm, paired, verdict

BASELINE = [98.5, 98.0, 98.75, 98.25, 98.5, 99.0]
VARIANT = [96.0, 96.5, 97.25, 95.0, 95.75, 96.5]


def test_the_interval_and_p_are_those_of_scipys_paired_t_test():
    found = paired(BASELINE, VARIANT)
    known = stats.ttest_rel(VARIANT, BASELINE)
    interval = known.confidence_interval(0.95)
    assert found.delta == pytest.approx(np.mean(VARIANT) - np.mean(BASELINE))
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.p == pytest.approx(known.pvalue)


def test_the_p_of_non_equivalence_is_the_larger_of_two_one_sided_t_tests():
    found = paired(BASELINE, [score + 0.1 for score in BASELINE[::-1]], margin=1.0)
    differences = np.array(found.differences)
    lower = stats.ttest_1samp(differences, -1.0, alternative="greater").pvalue
    upper = stats.ttest_1samp(differences, 1.0, alternative="less").pvalue
    assert found.p_margin == pytest.approx(max(lower, upper))


def test_equal_differences_claim_no_more_than_the_metrics_resolution_allows():
    found = paired([90.0, 91.0, 92.0], [90.25, 91.25, 92.25], resolution=0.25)
    half = stats.t.ppf(0.975, 2) * 0.25 / math.sqrt(3)
    assert (found.low, found.high) == pytest.approx((0.25 - half, 0.25 + half))
    assert found.p > 0.05


def test_one_pair_has_a_difference_but_no_interval_and_no_p():
    found = paired([90.0], [91.0])
    assert found.delta == 1.0
    assert all(map(math.isnan, (found.low, found.high, found.p, found.correlation)))


def test_ties_are_not_won():
    assert paired([1.0, 2.0, 3.0], [1.0, 3.0, 2.0]).wins == 1


def test_unequal_lengths_are_refused_with_both_of_them():
    with pytest.raises(ValueError, match="not 2 and 3"):
        paired([1.0, 2.0], [1.0, 2.0, 3.0])


def test_holm_gives_the_textbooks_numbers():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))


@pytest.mark.parametrize("n", [1, 5, 12])  # multipletests collects garbage at each call
def test_holm_is_what_statsmodels_gives(n):
    ps = np.random.default_rng(n).choice(20, n) / 20  # with ties, of which some are zero
    assert holm(ps) == pytest.approx(multipletests(ps, method="holm")[1])


def test_a_contrast_without_p_counts_for_nothing_in_the_family():
    assert holm([0.01, math.nan, 0.02])[0] == pytest.approx(0.02)
    assert math.isnan(holm([0.01, math.nan])[1])
    assert holm([]) == ()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_never_lowers_a_p_and_keeps_the_order(ps):
    adjusted = holm(ps)
    assert all(after >= before - 1e-12 for before, after in zip(ps, adjusted, strict=True))
    order = np.argsort(ps, kind="stable")
    assert all(np.diff(np.array(adjusted)[order]) >= -1e-12)


@pytest.mark.parametrize(
    ("delta", "p", "p_margin", "said"),
    [
        (0.1, 0.01, 0.01, "equivalent"),
        (1.0, 0.01, 0.9, "better"),
        (-1.0, 0.01, math.nan, "worse"),
        (-1.0, 0.06, math.nan, "inconclusive"),
        (1.0, math.nan, math.nan, "inconclusive"),
    ],
)
def test_the_verdict_is_equivalent_first_then_better_or_worse(delta, p, p_margin, said):
    assert verdict(delta, p, p_margin) == said


def test_the_interval_covers_the_true_difference_in_95_percent_of_tables():
    rng = np.random.default_rng(0)
    draws = 4000
    base = rng.normal(98, 0.5, (draws, 6))
    variant = base - 0.3 + rng.normal(0, 0.4, (draws, 6))
    found = [paired(a, b) for a, b in zip(base, variant, strict=True)]
    covered = np.mean([row.low <= -0.3 <= row.high for row in found])
    error = math.sqrt(0.95 * 0.05 / draws)
    assert abs(covered - 0.95) < 4 * error


def test_twenty_null_rows_give_a_false_difference_in_at_most_5_percent_of_tables():
    rng = np.random.default_rng(1)
    tables, false = 500, 0
    for _ in range(tables):
        base = rng.normal(98, 0.5, 8)
        ps = [paired(base, rng.normal(98, 0.5, 8)).p for _ in range(20)]
        false += min(holm(ps)) < 0.05
    assert false / tables < 0.05 + 3 * math.sqrt(0.05 * 0.95 / tables)
