"""A Gaussian process over decisions: an ordinal and Hamming kernel, the costs beside."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.spatial.distance import cdist
from scipy.stats import norm, rankdata

from nas.space.populations import Costs
from nas.space.space import SearchSpace
from nas.tree.domain import Domain, Label

Floats = NDArray[np.float64]
FEW = 64
"""Options up to which an ordered decision has a column for each; one of more has its number."""
COSTS = ("mult_adds", "params")
TYPICAL = 2.4
"""How far two random candidates lie from each other, by the prior, in lengths of the kernel."""
NOISE = 0.1
"""The noise by the prior, as a share of the signal's variance."""
STEPS = 25
"""Steps of the marginal likelihood's ascent."""


class Encoding:
    """Candidates as rows whose weighted L1 distance is the kernel's: an ordered decision lies as
    far apart as its positions do, from 0 to 1; two other options lie 1 apart, two sets the share
    of items by which they differ; what one of two does not decide is 1. Each of the costs lies
    apart as its rank in a `sample` of the space does."""

    def __init__(self, space: SearchSpace, sample: Costs) -> None:
        self.space = space
        tables = [_table(domain) for domain in space.domains.values()]
        self._tables = dict(zip(space.domains, tables, strict=True))
        self._sorted = {name: np.sort(getattr(sample, name)) for name in COSTS}
        widths = [table.shape[1] for table in tables] + [1] * len(COSTS)
        self.group = np.repeat(np.arange(len(widths)), widths)
        """Which of the distances (G) each column (C,) belongs to."""
        self.groups = len(widths)

    def rows(self, points: Sequence[Mapping[str, Label]], costs: Costs) -> Floats:
        """The rows (N, C) of some points."""
        columns: list[Floats] = []
        for name, table in self._tables.items():
            domain = self.space.domains[name]
            if len(table) == 1:
                columns.append(np.array([_share(domain, point.get(name)) for point in points]))
                continue
            at = [domain.position(point[name]) if name in point else -1 for point in points]
            columns.append(table[np.array(at, np.intp)])
        for name, ranked in self._sorted.items():
            at = np.searchsorted(ranked, getattr(costs, name)) / len(ranked)
            columns.append(at[:, None])
        return np.concatenate(columns, axis=1)


def _table(domain: Domain) -> Floats:
    """The columns of each position (P + 1, C), the last row those of a decision not come to."""
    if domain.size > FEW and domain.ordered:
        return np.zeros((1, 2))
    size = int(domain.size)
    sets = domain.values
    if domain.ordered:
        body = np.tri(size, size - 1, -1) / (size - 1)
    elif all(isinstance(value, tuple) for value in sets):
        items = sorted({str(item) for value in sets for item in cast(Any, value)})
        held = [[str(item) in map(str, cast(Any, value)) for item in items] for value in sets]
        body = np.array(held, float) / len(items)
    else:
        body = np.eye(size) / 2
    there = np.full((size, 1), 0.5)
    return np.vstack([np.hstack([body, there]), np.zeros((1, body.shape[1] + 1))])


def _share(domain: Domain, label: Label | None) -> tuple[float, float]:
    """Where a number lies between the ends of its interval, and that it is there."""
    if label is None:
        return 0.0, 0.0
    at = float(domain.position(label))
    low, high = map(float, domain.values if math.isinf(domain.size) else (0, domain.size - 1))
    if domain.log and math.isinf(domain.size):
        at, low, high = math.log(at), math.log(low), math.log(high)
    return (at - low) / (high - low), 0.5


def normal_scores(keys: Sequence[Any]) -> Floats:
    """The quantiles (N,) of a normal distribution at the ranks of some values."""
    order = {key: at for at, key in enumerate(sorted(set(keys)))}
    ranks = rankdata([order[key] for key in keys])
    return np.asarray(norm.ppf((ranks - 0.5) / len(ranks)), np.float64)


@dataclass(frozen=True)
class Kernel:
    """exp(-sum of weights times distances), and the noise as a share of the signal."""

    weights: Floats
    noise: float

    def between(self, encoding: Encoding, some: Floats, others: Floats) -> Floats:
        """The kernel (N, M) of two sets of rows."""
        weights = self.weights[encoding.group]
        return np.exp(-_distances(some * weights, others * weights))


def _distances(some: Floats, others: Floats) -> Floats:
    return cdist(some, others, "cityblock").astype(np.float64, copy=False)


def fitted(encoding: Encoding, rows: Floats, scores: Floats) -> Kernel:
    """The kernel of the highest marginal likelihood times a prior, log-normal with a spread of e
    for each weight and the noise; the signal's variance is integrated at its best value."""
    count, groups = len(rows), encoding.groups
    parts = [
        _distances(rows[:, encoding.group == group], rows[:, encoding.group == group])
        for group in range(groups)
    ]
    apart = np.array(parts)
    middle = np.log(np.r_[np.full(groups, TYPICAL / groups), NOISE])

    def loss(logs: Floats) -> tuple[float, Floats]:
        weights, noise = np.exp(logs[:-1]), math.exp(logs[-1])
        signal = np.exp(-np.tensordot(weights, apart, 1))
        lower = cholesky(signal + noise * np.eye(count), lower=True)
        told = cho_solve((lower, True), scores)
        inverse = cho_solve((lower, True), np.eye(count))
        variance = float(scores @ told) / count
        slope = (inverse - np.outer(told, told) / variance) / 2
        away = logs - middle
        value = count / 2 * math.log(variance) + float(np.log(np.diag(lower)).sum())
        gradient = np.r_[-np.tensordot(apart, slope * signal, 2) * weights, np.trace(slope) * noise]
        return value + float(away @ away) / 2, gradient + away

    bounds = [(-8.0, 3.0)] * groups + [(-7.0, 1.0)]
    found = minimize(
        loss, middle, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": STEPS}
    )
    return Kernel(np.exp(found.x[:-1]), float(math.exp(found.x[-1])))


class Posterior:
    """What a kernel makes of some scores (N,)."""

    def __init__(self, encoding: Encoding, kernel: Kernel, rows: Floats, scores: Floats) -> None:
        self.encoding, self.kernel, self.rows = encoding, kernel, rows
        own = kernel.between(encoding, rows, rows) + kernel.noise * np.eye(len(rows))
        self._lower = cholesky(own, lower=True)
        self._told = cho_solve((self._lower, True), scores)
        self._variance = float(scores @ self._told) / len(scores)

    def at(self, rows: Floats) -> tuple[Floats, Floats]:
        """The means and standard deviations (M,) of the true scores at some rows."""
        near = self.kernel.between(self.encoding, self.rows, rows)
        known = solve_triangular(self._lower, near, lower=True)
        left = np.maximum(1 - (known**2).sum(0), 1e-9)
        return near.T @ self._told, np.sqrt(self._variance * left)


def expected_improvement(means: Floats, spreads: Floats, best: float) -> Floats:
    """How much a score is expected to be above `best` (Jones et al. 1998, eq. 15)."""
    away = (means - best) / spreads
    return spreads * (away * norm.cdf(away) + norm.pdf(away))
