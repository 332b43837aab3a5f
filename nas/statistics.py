"""Comparisons, variances and ranks, with their intervals: numbers in, frozen values out.

Scores are in percent and differences in percentage points, but nothing here depends on it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy  # its parts load when they are first asked for; scipy.stats takes a second
from numpy.typing import NDArray
from scipy import special

LEVEL = 0.05
RESAMPLES = 2_000
Verdict = Literal["better", "worse", "equivalent", "inconclusive"]


@dataclass(frozen=True, kw_only=True)
class Paired:
    """A variant against a baseline on the same n seeds: mean difference with its 95 % Student-t
    interval, two-sided p, the p of non-equivalence within a margin, seeds won, and the correlation
    of the two over seeds. What n does not allow is NaN."""

    n: int
    delta: float
    low: float
    high: float
    p: float
    p_margin: float
    wins: int
    correlation: float
    differences: tuple[float, ...]


def paired(
    baseline: Sequence[float],
    variant: Sequence[float],
    *,
    resolution: float = 0.0,
    margin: float | None = None,
) -> Paired:
    """Compares two samples of length n, pair by pair.

    `resolution` is the metric's step (100 / images for an accuracy in percent): the spread of the
    differences is taken to be at least that, so that equal differences claim no certainty.
    `margin`: two one-sided t-tests (Schuirmann 1987) against +-margin.
    Raises ValueError when the lengths differ.
    """
    if len(baseline) != len(variant):
        raise ValueError(f"pairs need equal lengths, not {len(baseline)} and {len(variant)}")
    base, other = np.asarray(baseline, float), np.asarray(variant, float)
    differences = other - base
    n = len(differences)
    delta = float(differences.mean()) if n else math.nan
    low = high = p = p_margin = correlation = math.nan
    if n >= 2:
        error = max(float(differences.std(ddof=1)), resolution) / math.sqrt(n)
        half = float(special.stdtrit(n - 1, 1 - LEVEL / 2)) * error
        low, high = delta - half, delta + half
        p = _p(abs(delta), error, n, sides=2)
        if margin is not None:
            p_margin = max(_p(margin - delta, error, n), _p(margin + delta, error, n))
        if base.std() > 0 and other.std() > 0:
            correlation = float(np.corrcoef(base, other)[0, 1])
    return Paired(
        n=n,
        delta=delta,
        low=low,
        high=high,
        p=p,
        p_margin=p_margin,
        wins=int((differences > 0).sum()),
        correlation=correlation,
        differences=tuple(map(float, differences)),
    )


def _p(distance: float, error: float, n: int, sides: int = 1) -> float:
    if error == 0:
        return 1.0 if distance <= 0 else 0.0
    return float(sides * special.stdtr(n - 1, -distance / error))


def holm(ps: Sequence[float]) -> tuple[float, ...]:
    """Holm's adjustment (1979) of a family's p-values; a NaN stays NaN and counts for nothing.

    statsmodels' multipletests gives the same and collects garbage at each call, 60 ms.
    """
    given = np.asarray(ps, float)
    made = np.full(len(given), math.nan)
    order = np.argsort(given)[: np.count_nonzero(~np.isnan(given))]
    steps = given[order] * np.arange(len(order), 0, -1)
    made[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return tuple(map(float, made))


def visible(n: int, family: int = 1, power: float = 0.8) -> float:
    """The smallest effect that n pairs show with this power at the level of a family of tests, in
    standard deviations of the differences; infinite below two pairs.

    Two-sided paired t-test at 0.05 / family, the noncentral t of scipy (statsmodels' TTestPower is
    wrong at small levels).
    """
    if n < 2:
        return math.inf
    bound = float(scipy.stats.t.isf(LEVEL / family / 2, n - 1))

    def missing(effect: float) -> float:
        # A significant difference of the wrong sign does not show the effect.
        return float(scipy.stats.nct.sf(bound, n - 1, effect * math.sqrt(n))) - power

    most = 1.0
    while missing(most) < 0:
        most *= 1.5
    return float(scipy.optimize.root_scalar(missing, bracket=(0, most)).root)


def wilson(hits: int, draws: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927) of which `hits` of `draws` were seen."""
    found = scipy.stats.binomtest(hits, draws).proportion_ci(1 - LEVEL, method="wilson")
    return float(found.low), float(found.high)


def verdict(delta: float, p_holm: float, p_margin_holm: float) -> Verdict:
    """What may be said of a difference at the family's level.

    Equivalent comes first: a difference that is surely inside the margin is no finding, even if it
    is surely not zero. "Not significant" alone is inconclusive.
    """
    if p_margin_holm < LEVEL:
        return "equivalent"
    if p_holm < LEVEL:
        return "better" if delta > 0 else "worse"
    return "inconclusive"


@dataclass(frozen=True, kw_only=True)
class Components:
    """What the scores of n candidates on k seeds consist of: their mean, the standard deviation of
    what the candidates are worth, that of a run around it, and the first's share of both variances
    (intraclass correlation) with its 95 % interval."""

    n: int
    k: int
    mean: float
    candidate_sd: float
    seed_sd: float
    icc: float
    low: float
    high: float

    @property
    def total_sd(self) -> float:
        """The standard deviation of candidates' scores on one seed."""
        return math.hypot(self.candidate_sd, self.seed_sd)


def components(scores: Sequence[Sequence[float]], *, resolution: float = 0.0) -> Components:
    """Splits the variance of scores (n, k), a row a candidate and a column a seed.

    Random effects by the mean squares. All candidates share the seeds, as in a search, so what a
    seed does to all alike is no noise of their ranking: the intraclass correlation is ICC(3,1) of
    Shrout and Fleiss (1979) with their interval by F. Negative estimates are 0. `resolution`, the
    metric's step, is the least that a seed's standard deviation is taken to be.
    Raises ValueError below two candidates or seeds, or when a score is missing.
    """
    if len({len(row) for row in scores}) != 1 or len(scores) < 2 or len(scores[0]) < 2:
        raise ValueError(
            "variances need the scores of two candidates or more, each on the same two seeds or "
            f"more, not {' + '.join(str(len(row)) for row in scores) or 'none'}"
        )
    given = np.asarray(scores, float)
    n, k = given.shape
    residual = given - given.mean(1, keepdims=True) - given.mean(0) + given.mean()
    free = (n - 1, (n - 1) * (k - 1))
    noise = max(float((residual**2).sum()) / free[1], resolution**2)
    between = k * float(given.mean(1).var(ddof=1))
    f = between / noise if noise else math.inf
    bounds = (
        f,
        f / float(special.fdtri(*free, 1 - LEVEL / 2)),
        f * float(special.fdtri(*free[::-1], 1 - LEVEL / 2)),
    )
    icc, low, high = (1.0 if r == math.inf else max(0.0, (r - 1) / (r + k - 1)) for r in bounds)
    return Components(
        n=n,
        k=k,
        mean=float(given.mean()),
        candidate_sd=math.sqrt(max(0.0, (between - noise) / k)),
        seed_sd=math.sqrt(noise),
        icc=icc,
        low=low,
        high=high,
    )


def best_of(n: int) -> float:
    """The expected largest of n standard normal draws."""

    def density(x: float) -> float:
        return x * n * math.exp(-(x**2) / 2) / math.sqrt(2 * math.pi) * special.ndtr(x) ** (n - 1)

    return float(scipy.integrate.quad(density, -9, 9)[0])


@dataclass(frozen=True, kw_only=True)
class RankCorrelation:
    """Spearman's correlation of two scores of n candidates, with its 95 % bootstrap interval; NaN
    where all scores of a kind are equal."""

    n: int
    value: float
    low: float
    high: float


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> RankCorrelation:
    """How alike two scores rank the same candidates; ties get their mean rank.

    The interval is the percentiles over resampled candidates, of which some draws have no ranks.
    Raises ValueError when the lengths differ or are below 3.
    """
    n = len(first)
    if n != len(second) or n < 3:
        raise ValueError(
            f"a rank correlation needs 3 candidates or more in both, not {n} and {len(second)}"
        )
    pairs = np.array([first, second], float)
    drawn = np.random.default_rng(0).integers(0, n, (RESAMPLES, n))
    found = _spearman(pairs[:, drawn])
    low, high = math.nan, math.nan
    if not np.isnan(found).all():
        low, high = np.nanquantile(found, [LEVEL / 2, 1 - LEVEL / 2])
    return RankCorrelation(n=n, value=float(_spearman(pairs)), low=float(low), high=float(high))


def _spearman(pairs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spearman's correlations (...) of pairs (2, ..., n)."""
    ranks = scipy.stats.rankdata(pairs, axis=-1)
    ranks = ranks - ranks.mean(-1, keepdims=True)
    spreads = np.sqrt((ranks**2).sum(-1))
    with np.errstate(invalid="ignore"):
        return (ranks[0] * ranks[1]).sum(-1) / (spreads[0] * spreads[1])
