import math

import numpy as np
import pytest
from scipy import special

from nas.stats.two_way import two_way


def test_without_a_spread_over_images_it_is_the_paired_t_interval():
    """Each run differs on images of its own choice: no image is harder than another."""
    rng = np.random.default_rng(0)
    base = np.ones((6, 2_000), bool)
    variant = rng.random((6, 2_000)) < np.array([0.9, 0.8, 0.7, 0.85, 0.75, 0.8])[:, None]
    apart = 100 * (variant.mean(1) - 1)
    half = special.stdtrit(5, 0.975) * apart.std(ddof=1) / math.sqrt(6)
    assert two_way(base, variant) == pytest.approx(half, rel=0.02)


def test_runs_that_are_all_alike_still_have_the_images_uncertainty():
    answers = np.arange(400) < 60
    base, variant = np.ones((5, 400), bool), np.tile(~answers, (5, 1))
    known = 1.96 * 100 * math.sqrt(0.15 * 0.85 / 400)
    assert two_way(base, variant) == pytest.approx(known, rel=0.02)
    assert two_way(base, variant, resolution=9.0) > known


def test_ten_thousand_images_alone_carry_four_tenths_of_a_point():
    rng = np.random.default_rng(1)
    base, variant = np.ones(10_000, bool), rng.random(10_000) > 0.04
    tiled = (np.tile(each, (20, 1)) for each in (base, variant))
    assert two_way(*tiled) == pytest.approx(0.4, abs=0.03)


def test_it_is_near_the_bootstrap_over_seeds_and_images():
    rng = np.random.default_rng(2)
    gain, run = rng.normal(0.2, 1, 300), rng.normal(0, 0.3, (2, 30, 1))
    base = 1.5 + run[0] + rng.normal(size=(30, 300)) > 0
    variant = 1.5 + gain + run[1] + rng.normal(size=(30, 300)) > 0
    apart = 100 * (variant.astype(float) - base)
    seeds, images = (rng.multinomial(k, [1 / k] * k, 4_000) / k for k in apart.shape)
    low, high = np.quantile(((seeds @ apart) * images).sum(1), [0.025, 0.975])
    assert two_way(base, variant) == pytest.approx((high - low) / 2, rel=0.12)


def test_one_seed_has_no_interval_and_two_equal_networks_have_one_of_no_width():
    assert math.isnan(two_way(np.ones((1, 9), bool), np.ones((1, 9), bool)))
    assert two_way(np.ones((3, 9), bool), np.ones((3, 9), bool)) == 0


def test_it_is_never_narrower_than_that_over_the_seeds_alone():
    rng = np.random.default_rng(3)
    for _ in range(50):
        base, variant = rng.random((2, 2, 100)) < 0.97
        apart = 100 * (variant.mean(1) - base.mean(1))
        half = special.stdtrit(1, 0.975) * apart.std(ddof=1) / math.sqrt(2)
        assert two_way(base, variant) >= half * (1 - 1e-9)
