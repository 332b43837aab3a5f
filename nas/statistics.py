"""Paired comparisons, their corrections and their verdicts: numbers in, frozen values out.

Scores are in percent and differences in percentage points, but nothing here depends on it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy  # its parts load when they are first asked for; scipy.stats takes a second
from scipy import special

LEVEL = 0.05
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
