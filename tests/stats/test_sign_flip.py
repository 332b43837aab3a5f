import itertools
import math

import numpy as np
import pytest
from scipy import stats

from nas.stats.sign_flip import least, sign_flip


def test_one_contrast_has_the_p_of_scipys_permutation_test():
    differences = np.random.default_rng(0).normal(0.5, 1, 9)
    known = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=math.inf,
        alternative="two-sided",
    )  # fmt: skip
    assert sign_flip([differences]) == pytest.approx([known.pvalue])


def test_contrasts_are_flipped_together_and_adjusted_by_the_largest_t_of_all():
    given = np.random.default_rng(1).normal(0.4, 1, (3, 6))

    def t(rows):
        return np.abs(stats.ttest_1samp(rows, 0, axis=1).statistic)

    flips = np.array(list(itertools.product([1, -1], repeat=6)))
    largest = np.array([t(given * flip).max() for flip in flips])
    assert sign_flip(given) == pytest.approx([(largest >= one - 1e-9).mean() for one in t(given)])


def test_the_smallest_p_is_2_in_2_to_the_n_however_many_contrasts_there_are():
    given = 5 + np.random.default_rng(2).normal(0, 0.1, (8, 6))
    assert min(sign_flip(given)) == pytest.approx(2 / 2**6)


def test_too_few_seeds_say_nothing():
    assert least() == 6
    assert np.isnan(sign_flip([[1.0] * 5])).all()
    assert sign_flip([]).size == 0
    assert np.isnan(sign_flip([[], []])).all()


def test_a_missing_seed_is_missing_for_its_contrast_alone():
    full = np.random.default_rng(3).normal(3, 1, 8)
    holed = np.where(np.arange(8) == 2, math.nan, full)
    alone = sign_flip([holed[~np.isnan(holed)]])
    assert sign_flip([holed]) == pytest.approx(alone)
    few = np.where(np.arange(8) < 4, full, math.nan)
    p = sign_flip([full, few])
    assert p[0] == pytest.approx(sign_flip([full])[0])
    assert math.isnan(p[1])


def test_many_seeds_are_flipped_at_random():
    given = np.random.default_rng(4).normal(0.4, 1, 30)
    assert sign_flip([given]) == pytest.approx([stats.ttest_1samp(given, 0).pvalue], abs=0.01)


def test_flips_that_do_not_fit_at_once_are_made_in_parts(monkeypatch):
    given = np.random.default_rng(4).normal(0.4, 1, (2, 30))
    whole = sign_flip(given)
    monkeypatch.setattr("nas.stats.sign_flip.AT_ONCE", 30 * 1000)
    assert sign_flip(given) == pytest.approx(whole, abs=0.01)
