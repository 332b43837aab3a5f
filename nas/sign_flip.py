"""The exact sign-flip test of several paired contrasts at once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nas.statistics import LEVEL

EXACT = 16
"""Seeds up to which all flips are tried; beyond, as many random ones are."""


def sign_flip(
    differences: Sequence[Sequence[float]], resolution: float = 0.0
) -> NDArray[np.float64]:
    """The p (m,) of m contrasts on n seeds, adjusted for their number: differences (m, n), NaN
    where a seed is missing; NaN where the test says nothing.

    If nothing matters, each seed's differences might as well have the other sign, all of a seed's
    at once, for they share a baseline. A contrast's p is the share of all such flips whose largest
    |t| of any contrast is at least its own (max-T of Westfall and Young 1993). It is never below
    2 / 2^n, so with fewer than `least()` seeds it cannot say anything.
    """
    given = np.asarray(differences, float)
    known = ~np.isnan(given)
    if not known.any():
        return np.full(len(given), math.nan)
    n, used = known.sum(1), known.any(0)
    values = np.where(known, given, 0.0)[:, used]
    signs = _signs(values.shape[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = signs @ values.T / n
        spread = np.sqrt(np.maximum(((values**2).sum(1) - n * mean**2) / (n - 1), 0))
        t = np.abs(mean) / np.maximum(spread, resolution) * np.sqrt(n)
    enough = n >= least()
    t = np.where(np.isnan(t) | ~enough, 0.0, t)
    # Sums in another order differ in their last bits.
    reached = t.max(1, keepdims=True) >= t[0] * (1 - 1e-9)
    return np.where(enough, reached.mean(0), math.nan)


def least() -> int:
    """The seeds from which the smallest possible p, 2 / 2^n, is below the level."""
    return math.ceil(math.log2(2 / LEVEL))


def _signs(n: int) -> NDArray[np.float64]:
    """Flips (k, n) of the signs of n seeds, none flipped first. The first seed is never flipped,
    for |t| is the same when all are."""
    if n <= EXACT:
        bits = np.arange(2 ** (n - 1))[:, None] >> np.arange(n - 1) & 1
        return np.hstack([np.ones((len(bits), 1)), 1.0 - 2 * bits])
    drawn = np.random.default_rng(0).choice([-1.0, 1.0], (2 ** (EXACT - 1), n))
    drawn[0] = 1
    return drawn
