"""What scores consist of, architecture and seed, and how alike two scores rank candidates.

Scores are in percent, but nothing here depends on it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # its parts load when they are first asked for; scipy.stats takes a second
from numpy.typing import NDArray
from scipy import special

from nas.stats.paired import LEVEL, ROUNDING

RESAMPLES = 2_000
RANKED = 5
"""Candidates from which resampling some says anything of others."""


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
    where all scores of a kind are equal. Below 5 candidates, and where they rank all alike or all
    the other way, which each resample would do too, there is no interval."""

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
    value, low, high = float(_spearman(pairs)), math.nan, math.nan
    if n >= RANKED and abs(value) < 1 - ROUNDING:
        drawn = np.random.default_rng(0).integers(0, n, (RESAMPLES, n))
        low, high = np.nanquantile(_spearman(pairs[:, drawn]), [LEVEL / 2, 1 - LEVEL / 2])
    return RankCorrelation(n=n, value=value, low=float(low), high=float(high))


def _spearman(pairs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spearman's correlations (...) of pairs (2, ..., n)."""
    ranks = scipy.stats.rankdata(pairs, axis=-1)
    ranks = ranks - ranks.mean(-1, keepdims=True)
    spreads = np.sqrt((ranks**2).sum(-1))
    with np.errstate(invalid="ignore"):
        return (ranks[0] * ranks[1]).sum(-1) / (spreads[0] * spreads[1])
