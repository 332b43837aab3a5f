"""Paired comparisons and their families: numbers in, frozen values out.

Scores are in percent and differences in percentage points, but nothing here depends on it. What the
words mean and what was simulated of them is told in docs/statistics.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special  # not scipy.stats, which takes a second to load

LEVEL = 0.05
ROUNDING = 1e-12
"""Differences of floats that are equal differ by about so much of the scores."""
POWER = 0.8
Verdict = Literal["better", "worse", "equivalent", "inconclusive"]


@dataclass(frozen=True, kw_only=True)
class Student:
    """The mean of n differences (..., n), along the last axis: its standard error, its 95 %
    interval and its two-sided p by Student's t, each (...). Differences without any spread tell
    nothing of how sure they are: their interval and p are NaN."""

    mean: NDArray[np.float64]
    error: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    p: NDArray[np.float64]


def student(differences: ArrayLike, resolution: float = 0.0) -> Student:
    """Student's t of two differences or more.

    `resolution` is the metric's step (100 / images for an accuracy in percent): the spread is taken
    to be at least that, so that equal differences claim no certainty.
    """
    given = np.asarray(differences, float)
    n = given.shape[-1]
    mean = given.mean(-1)
    spread = np.where(np.ptp(given, -1) == 0, 0.0, given.std(-1, ddof=1))
    error = np.maximum(spread, resolution) / math.sqrt(n)
    half = special.stdtrit(n - 1, 1 - LEVEL / 2) * np.where(error == 0, math.nan, error)
    return Student(
        mean=mean, error=error, low=mean - half, high=mean + half, p=2 * _tail(abs(mean), error, n)
    )


def outside(found: Student, n: int, margin: float) -> NDArray[np.float64]:
    """The p (...) of a mean that is not within +-margin: the larger of two one-sided t-tests
    (Schuirmann 1987)."""
    return np.maximum(
        _tail(margin - found.mean, found.error, n), _tail(margin + found.mean, found.error, n)
    )


def _tail(distance: Any, error: Any, n: int) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(error == 0, math.nan, special.stdtr(n - 1, -distance / error))


@dataclass(frozen=True, kw_only=True)
class Paired:
    """A variant against a baseline on the same n seeds. What n, or no spread at all, does not allow
    is NaN.

    delta, sd: mean and standard deviation of the differences; low, high: the mean's 95 % Student-t
    interval, p two-sided; p_margin: the p of not being within the margin. wins: seeds on which the
    variant is better, and wins_low to wins_high the 95 % interval (Wilson) of the share of seeds on
    which it is. standardised: delta / sd. beats_unpaired: the chance that a fresh run of the
    variant beats a fresh run of the baseline on another seed, a tie counting half. correlation: of
    the two over seeds, which is what the pairing wins.
    """

    n: int
    delta: float
    sd: float
    low: float
    high: float
    p: float
    p_margin: float
    wins: int
    wins_low: float
    wins_high: float
    standardised: float
    beats_unpaired: float
    correlation: float
    differences: tuple[float, ...]


def paired(
    baseline: Sequence[float],
    variant: Sequence[float],
    *,
    resolution: float = 0.0,
    margin: float | None = None,
    higher_is_better: bool = True,
) -> Paired:
    """Compares two samples of length n, pair by pair.

    `resolution` is the metric's step, the least that the spread of the differences is taken to be;
    `higher_is_better` says which way a seed is won, and differences keep their sign. Raises
    ValueError when the lengths differ.
    """
    if len(baseline) != len(variant):
        raise ValueError(f"pairs need equal lengths, not {len(baseline)} and {len(variant)}")
    base, other = np.asarray(baseline, float), np.asarray(variant, float)
    differences = other - base
    n = len(differences)
    if n and np.ptp(differences) <= ROUNDING * np.abs([base, other]).max():
        differences = np.full(n, differences.mean())
    sign = 1 if higher_is_better else -1
    wins = int((sign * differences > 0).sum())
    delta = float(differences.mean()) if n else math.nan
    sd = low = high = p = p_margin = correlation = math.nan
    if n >= 2:
        found = student(differences, resolution)
        low, high, p = float(found.low), float(found.high), float(found.p)
        sd = float(found.error) * math.sqrt(n)
        if margin is not None:
            p_margin = float(outside(found, n, margin))
        if base.std() > 0 and other.std() > 0:
            correlation = float(np.corrcoef(base, other)[0, 1])
    wins_low, wins_high = wilson(wins, n)
    return Paired(
        n=n,
        delta=delta,
        sd=sd,
        low=low,
        high=high,
        p=p,
        p_margin=p_margin,
        wins=wins,
        wins_low=wins_low,
        wins_high=wins_high,
        standardised=delta / sd if sd else math.nan,
        beats_unpaired=_beats(sign * base, sign * other) if n else math.nan,
        correlation=correlation,
        differences=tuple(map(float, differences)),
    )


def _beats(base: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    n = len(base)
    if n < 2:
        return math.nan
    ordered = np.sort(base)
    beaten = np.searchsorted(ordered, other) + np.searchsorted(ordered, other, side="right")
    same = 1 + np.sign(other - base)  # a seed's own pair is no other seed
    return float((beaten - same).sum() / (2 * n * (n - 1)))


def holm(ps: ArrayLike) -> NDArray[np.float64]:
    """Holm's adjustment (1979) of families of p-values (..., m), along the last axis; a NaN stays
    NaN and counts for nothing.

    statsmodels' multipletests gives the same and collects garbage at each call, 60 ms.
    """
    given = np.asarray(ps, float)
    order = np.argsort(given, -1)  # NaN last
    known = np.count_nonzero(~np.isnan(given), -1, keepdims=True)
    steps = np.take_along_axis(given, order, -1) * (known - np.arange(given.shape[-1]))
    made = np.empty_like(given)
    adjusted = np.minimum(np.maximum.accumulate(steps, -1), 1)
    np.put_along_axis(made, order, adjusted, -1)
    return made


def verdict(
    delta: float,
    p_holm: float,
    p_margin_holm: float,
    *,
    inside: bool,
    level: float = LEVEL,
    higher_is_better: bool = True,
) -> Verdict:
    """What may be said of a difference at the family's level.

    Equivalent comes first: a difference that is surely inside the margin, with its whole interval
    (`inside`), is no finding, even if it is surely not zero. "Not significant" alone is
    inconclusive.
    """
    if inside and p_margin_holm < level:
        return "equivalent"
    if p_holm < level:
        return "better" if (delta > 0) == higher_is_better else "worse"
    return "inconclusive"


def visible(n: int, family: int = 1, power: float = POWER, level: float = LEVEL) -> float:
    """The smallest effect that n pairs show with this power at the level of a family of tests, in
    standard deviations of the differences; infinite below two pairs."""
    return noncentrality(n - 1, family, power, level) / math.sqrt(n) if n > 1 else math.inf


@cache
def noncentrality(free: int, family: int, power: float = POWER, level: float = LEVEL) -> float:
    """How many standard errors an effect must be away from zero to be shown with this power, by a
    two-sided t-test with these degrees of freedom at level / family.

    What is significant with the wrong sign does not count. The noncentral t is scipy's; that of
    statsmodels' TTestPower is wrong at small levels.
    """
    bound = special.stdtrit(free, 1 - level / family / 2)
    return float(special.nctdtrinc(free, 1 - power, bound))


def wilson(hits: int, draws: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927) of which `hits` of `draws` were seen; NaN for no
    draw."""
    if not draws:
        return math.nan, math.nan
    z2 = float(special.ndtri(1 - LEVEL / 2)) ** 2
    centre = (hits + z2 / 2) / (draws + z2)
    half = math.sqrt(z2 * (hits * (draws - hits) / draws + z2 / 4)) / (draws + z2)
    return max(0.0, centre - half), min(1.0, centre + half)
