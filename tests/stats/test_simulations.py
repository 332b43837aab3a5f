"""What docs/statistics.md claims, simulated; each share with the Monte-Carlo error of its draws."""

import csv
import math

import numpy as np
import pytest
from scipy import special

from nas.plan.designs import fraction
from nas.results.factorial import factor_interactions, factors
from nas.stats.looks import LEVELS, look_level, smallest
from nas.stats.paired import holm, outside, student, visible
from nas.stats.sign_flip import sign_flip
from nas.stats.two_way import two_way
from tests.examples import sample
from tests.specimens import GOLDEN

TABLES = 4_000
STEP = 0.25  # points: one of the 400 validation images of digits


def agrees(hits, expected, slack=0.0):
    """Whether a share of simulated cases is the expected one, to four standard errors."""
    error = math.sqrt(expected * (1 - expected) / np.size(hits))
    return abs(np.mean(hits) - expected) <= slack + 4 * error


def at_most(hits, bound):
    return np.mean(hits) <= bound + 4 * math.sqrt(bound * (1 - bound) / np.size(hits))


def covers(differences, true, resolution=0.0):
    found = student(differences, resolution)
    return (found.low <= true) & (true <= found.high)


def seeds(change):
    """The accuracies (S,) of real runs on digits, in percent (golden/digits_seeds.py)."""
    with (GOLDEN / "digits_seeds.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["change"] == change]
    return np.array([float(row["accuracy"]) for row in sorted(rows, key=lambda r: int(r["seed"]))])


@pytest.mark.parametrize("n", [3, 6, 8, 10])
def test_the_t_interval_covers_95_of_100_differences_of_normal_noise(n):
    drawn = np.random.default_rng(n).normal(0.3, 0.4, (50_000, n))
    assert agrees(covers(drawn, 0.3), 0.95)


@pytest.mark.parametrize("n", [6, 8, 10])
def test_the_t_interval_covers_about_95_of_100_differences_of_real_seeds(n):
    rng = np.random.default_rng(n)
    base, variant = seeds("baseline"), seeds("no batch norm")
    apart, drawn = variant - base, rng.integers(0, len(base), (50_000, n))
    assert agrees(covers(apart[drawn], apart.mean(), STEP), 0.95, slack=0.015)
    other = rng.integers(0, len(base), (50_000, n))
    assert agrees(covers(base[drawn] - base[other], 0.0, STEP), 0.95, slack=0.015)


@pytest.mark.parametrize(
    ("noise", "true", "covered"),
    [
        (lambda rng, shape: rng.exponential(size=shape), 1.0, 0.894),
        (lambda rng, shape: rng.lognormal(size=shape), math.exp(0.5), 0.829),
        # One run in ten diverges, to the 10 % of guessing from 98 %.
        (
            lambda rng, shape: np.where(rng.random(shape) < 0.1, -88.0, rng.normal(0, 0.5, shape)),
            -8.8,
            0.570,
        ),
    ],
    ids=["skewed", "very skewed", "one in ten diverges"],
)
def test_skew_and_diverged_runs_take_from_the_coverage_at_8_seeds_what_is_stated(
    noise, true, covered
):
    drawn = noise(np.random.default_rng(8), (50_000, 8))
    assert agrees(covers(drawn, true), covered, slack=0.002)


def null_rows(rows, n, rng, draws=TABLES):
    """Differences (draws, rows, n) of variants that are the baseline, which they share."""
    return rng.normal(size=(draws, rows, n)) - rng.normal(size=(draws, 1, n))


@pytest.mark.parametrize("n", [6, 10])
def test_of_20_null_rows_some_look_different_in_half_of_the_tables_and_with_holm_in_5_of_100(n):
    p = student(null_rows(20, n, np.random.default_rng(n))).p
    assert 0.4 < np.mean(p.min(-1) < 0.05) < 0.6
    assert at_most(holm(p).min(-1) < 0.05, 0.05)


@pytest.mark.parametrize("n", [6, 10])
def test_12_null_rows_of_real_seeds_give_a_false_difference_in_at_most_5_of_100_tables(n):
    rng, base = np.random.default_rng(n), seeds("baseline")
    rows, shared = (base[rng.integers(0, len(base), (TABLES, k, n))] for k in (12, 1))
    assert at_most(holm(student(rows - shared, STEP).p).min(-1) < 0.05, 0.05)


def test_of_20_rows_at_the_margin_one_seems_equivalent_in_64_of_100_tables_and_with_holm_in_5():
    rng, margin = np.random.default_rng(0), 2.0
    found = student(margin + rng.normal(size=(TABLES, 20, 8)))
    p = outside(found, 8, margin)
    assert agrees(p.min(-1) < 0.05, 1 - 0.95**20)
    assert at_most((holm(p) < 0.05).any(-1), 0.05)
    sharing = student(margin + null_rows(20, 8, rng))
    assert at_most((holm(outside(sharing, 8, margin)) < 0.05).any(-1), 0.05)


@pytest.mark.parametrize(("n", "family"), [(6, 1), (6, 12), (8, 5), (10, 12)])
def test_the_smallest_visible_effect_is_seen_in_80_of_100_cases(n, family):
    drawn = np.random.default_rng(n).normal(visible(n, family), 1, (50_000, n))
    found = student(drawn)
    assert agrees((found.p < 0.05 / family) & (found.mean > 0), 0.8)


@pytest.mark.parametrize(("n", "power"), [(6, 0.30), (8, 0.56), (10, 0.79)])
def test_an_effect_of_one_and_a_half_deviations_among_12_rows_is_seen_as_often_as_stated(n, power):
    drawn = np.random.default_rng(n).normal(size=(TABLES, 12, n))
    drawn[:, 0] += 1.5
    assert agrees(holm(student(drawn).p)[:, 0] < 0.05, power, slack=0.01)


@pytest.mark.parametrize("looks", [*LEVELS, (4, 8)])
def test_planned_looks_keep_the_level_in_all(looks):
    found = np.concatenate(list(smallest(looks, 100_000, np.random.default_rng(1))))
    assert agrees(found < look_level(looks), 0.05)


@pytest.mark.parametrize(("shared", "errs"), [(False, 0.056), (True, 0.05)])
def test_a_family_at_the_levels_of_its_looks_errs_a_little_more_than_one_change(shared, errs):
    rng, looks = np.random.default_rng(7), (6, 10)
    drawn = rng.normal(size=(5 * TABLES, 20, looks[-1]))
    if shared:
        drawn -= rng.normal(size=(5 * TABLES, 1, looks[-1]))
    smallest_p = np.min([student(drawn[..., :n]).p.min(-1) for n in looks], 0)
    assert agrees(20 * smallest_p < look_level(looks), errs, slack=0.003)


def test_six_seeds_and_then_ten_at_the_usual_level_err_in_8_of_100_cases():
    found = np.concatenate(list(smallest((6, 10), 100_000, np.random.default_rng(1))))
    assert agrees(found < 0.05, 0.084, slack=0.002)


def test_the_sign_flip_check_errs_in_at_most_5_of_100_tables():
    rng = np.random.default_rng(3)
    found = [np.min(sign_flip(table)) < 0.05 for table in null_rows(8, 7, rng, 1_000)]
    assert at_most(found, 0.05)


def test_the_two_way_interval_covers_new_seeds_and_new_images_where_that_of_seeds_does_not():
    """Images differ in how hard they are, and in what the variant gains on them; runs differ too.
    Five seeds, 400 images."""
    rng, gained = np.random.default_rng(4), 1.5
    for spread, alone in ((0.0, 0.81), (0.25, 0.92)):
        covered: list[bool] = []
        by_seeds: list[bool] = []
        varied = 2 + spread**2  # what a run's logit varies by over images, seeds and chance
        true = 100 * (
            special.ndtr(1.7 / math.sqrt(varied + gained**2))
            - special.ndtr(1.5 / math.sqrt(varied))
        )
        for _ in range(1_000):
            hard, gain = rng.normal(1.5, 1, 400), rng.normal(0.2, gained, 400)
            run = rng.normal(0, spread, (2, 5, 1)) + rng.normal(size=(2, 5, 400))
            base, variant = hard + run[0] > 0, hard + gain + run[1] > 0
            apart = 100 * (variant.mean(1) - base.mean(1))
            covered.append(abs(apart.mean() - true) <= two_way(base, variant))
            by_seeds.append(bool(covers(apart, true)))
        assert 0.92 < np.mean(covered) < 0.98
        assert agrees(by_seeds, alone, slack=0.02)


def planted(interaction, rng, count=4, seeds=3, varies=0.0):
    """A fraction of factors a, b, ...: `a` is worth 1 point, `a` with `b` this much more, and each
    something else on each seed, with this standard deviation."""
    names = "abcdefgh"[:count]
    own = {name: rng.normal(0, varies, seeds) for name in names}
    samples = []
    for run in fraction(count):
        parts = tuple(name for name, high in zip(names, run, strict=True) if high)
        worth = ("a" in parts) + interaction * ({"a", "b"} <= {*parts})
        scores = 90 + worth + rng.normal(0, 0.2, seeds) + sum(own[name] for name in parts)
        role = "change" if parts else "baseline"
        samples.append(sample("run " + "".join(parts), scores, role, parts=parts))
    return samples


def test_a_planted_interaction_is_found_and_its_alias_named():
    (first, *others) = factor_interactions(planted(2.0, np.random.default_rng(5)))
    assert (first.first, first.second, first.aliases) == ("a", "b", "c x d")
    assert first.low < 2.0 < first.high
    assert first.verdict == "better"
    assert {row.verdict for row in others} == {"inconclusive"}
    assert [row.aliases for row in others] == ["b x d", "b x c"]


@pytest.mark.parametrize("varies", [0.0, 0.2])
def test_factors_keep_their_level_and_their_intervals_where_effects_vary_by_the_seed_too(varies):
    rng, false, covered = np.random.default_rng(6), [], []
    for _ in range(400):
        _, *rows = factors(planted(0.0, rng, varies=varies))
        first, *null = rows
        covered.append(first.low <= 1.0 <= first.high)
        false.append(any(row.verdict != "inconclusive" for row in null))
    assert agrees(covered, 0.95)
    assert at_most(false, 0.05)
