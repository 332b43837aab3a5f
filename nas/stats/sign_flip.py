"""The exact sign-flip test of several paired contrasts at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from nas.stats.paired import LEVEL

EXACT = 16
"""Seeds up to which all flips are tried; beyond, as many random ones are."""
AT_ONCE = 2**22
"""Signs that are held at once."""


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
    squares, enough = (values**2).sum(1), n >= least()

    def t(signs: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = signs @ values.T / n
            spread = np.sqrt(np.maximum((squares - n * mean**2) / (n - 1), 0))
            found = np.abs(mean) / np.maximum(spread, resolution) * np.sqrt(n)
        return np.where(np.isnan(found) | ~enough, 0.0, found)

    # Sums in another order differ in their last bits.
    own = t(np.ones((1, values.shape[1]))) * (1 - 1e-9)
    reached, flips = np.zeros(len(given)), 0
    for signs in _signs(values.shape[1]):
        reached += (t(signs).max(1, keepdims=True) >= own).sum(0)
        flips += len(signs)
    return np.where(enough, reached / flips, math.nan)


def least() -> int:
    """The seeds from which the smallest possible p, 2 / 2^n, is below the level."""
    return math.ceil(math.log2(2 / LEVEL))


def _signs(n: int) -> Iterator[NDArray[np.float64]]:
    """Flips (k, n) of the signs of n seeds, some at a time, none flipped first. The first seed is
    never flipped where all flips are tried, for |t| is the same when all are."""
    if n <= EXACT:
        bits = np.arange(2 ** (n - 1))[:, None] >> np.arange(n - 1) & 1
        yield np.hstack([np.ones((len(bits), 1)), 1.0 - 2 * bits])
        return
    yield np.ones((1, n))
    rng, left = np.random.default_rng(0), 2 ** (EXACT - 1) - 1
    while left:
        size = min(left, max(1, AT_ONCE // n))
        yield 2.0 * rng.integers(0, 2, (size, n), np.int8) - 1
        left -= size
