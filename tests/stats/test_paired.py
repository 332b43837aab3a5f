import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from nas.stats.paired import holm, paired, verdict, visible, wilson

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
    assert holm([]).size == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_never_lowers_a_p_and_keeps_the_order(ps):
    adjusted = holm(ps)
    assert all(after >= before - 1e-12 for before, after in zip(ps, adjusted, strict=True))
    order = np.argsort(ps, kind="stable")
    assert all(np.diff(np.array(adjusted)[order]) >= -1e-12)


@pytest.mark.parametrize(
    ("delta", "p", "p_margin", "inside", "said"),
    [
        (0.1, 0.01, 0.01, True, "equivalent"),
        (0.1, 0.2, 0.04, False, "inconclusive"),
        (1.0, 0.01, 0.9, False, "better"),
        (-1.0, 0.01, math.nan, False, "worse"),
        (-1.0, 0.06, math.nan, False, "inconclusive"),
        (1.0, math.nan, math.nan, False, "inconclusive"),
    ],
)
def test_the_verdict_is_equivalent_first_then_better_or_worse(delta, p, p_margin, inside, said):
    assert verdict(delta, p, p_margin, inside=inside) == said


def test_a_planned_looks_level_decides_in_place_of_the_usual_one():
    assert verdict(1.0, 0.03, math.nan, inside=False) == "better"
    assert verdict(1.0, 0.03, math.nan, inside=False, level=0.0291) == "inconclusive"


def test_families_in_an_array_are_adjusted_each_by_itself():
    ps = np.random.default_rng(0).random((5, 7))
    assert holm(ps) == pytest.approx(np.array([holm(row) for row in ps]))


def test_certainty_needs_a_spread_or_a_resolution():
    found = paired([1.0, 2.0], [2.0, 3.0], margin=2.0)
    assert (found.delta, found.sd) == (1.0, 0.0)
    untold = (found.low, found.high, found.p, found.p_margin, found.standardised)
    assert all(map(math.isnan, untold))
    assert paired([1.0, 2.0], [2.0, 3.0], resolution=0.25).p < 0.2
    rounded = paired([0.1, 0.2, 0.3], [0.2, 0.3, 0.4])  # apart in their last bits
    assert math.isnan(rounded.p)
    assert paired([1.0, 2.0], [1.0, 2.0]).beats_unpaired == 0.5


def test_a_fresh_run_is_compared_with_those_of_the_other_seeds_and_a_tie_counts_half():
    rng = np.random.default_rng(0)
    base, variant = rng.integers(0, 5, (2, 7)).astype(float)
    wins = [
        (v > b) + (v == b) / 2 for i, v in enumerate(variant) for j, b in enumerate(base) if i != j
    ]
    assert paired(base, variant).beats_unpaired == pytest.approx(np.mean(wins))
    # Always a little better on the same seed is no more than the luck of the seed on another.
    assert paired([10.0, 20.0, 30.0], [10.1, 20.2, 30.1]).beats_unpaired == 0.5
    assert math.isnan(paired([1.0], [2.0]).beats_unpaired)


def test_many_runs_are_compared_without_holding_all_pairs():
    rng = np.random.default_rng(0)
    found = paired(*rng.normal(size=(2, 200_000)))
    assert found.beats_unpaired == pytest.approx(0.5, abs=0.01)


def test_the_standardised_effect_is_in_standard_deviations_of_the_differences():
    found = paired(BASELINE, VARIANT)
    assert found.standardised == pytest.approx(
        np.mean(found.differences) / np.std(found.differences, ddof=1)
    )


@pytest.mark.parametrize(("hits", "draws"), [(0, 6), (3, 8), (8, 8)])
def test_the_share_of_seeds_won_has_wilsons_interval(hits, draws):
    known = stats.binomtest(hits, draws).proportion_ci(0.95, method="wilson")
    assert wilson(hits, draws) == pytest.approx((known.low, known.high))


@pytest.mark.parametrize(("n", "family"), [(2, 1), (6, 1), (6, 24), (10, 12), (30, 200)])
def test_the_smallest_visible_effect_has_its_power_by_scipys_noncentral_t(n, family):
    effect = visible(n, family)
    bound = stats.t.isf(0.05 / family / 2, n - 1)
    assert stats.nct.sf(bound, n - 1, effect * math.sqrt(n)) == pytest.approx(0.8, abs=1e-3)


def test_the_smallest_visible_effect_is_not_what_statsmodels_says_at_small_levels():
    assert visible(6, 24) == pytest.approx(2.97, abs=0.005)
    assert visible(1) == math.inf
