"""What of a space fits a budget: random candidates, the share that fits, the cheapest there is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from nas.base.errors import NothingFits
from nas.experiment.cost import Bound, Budget, cost
from nas.space.draws import draw, labels
from nas.space.populations import Costs, Positions
from nas.space.validity import CHUNK, Census
from nas.tree.domain import Domain, Label

FIRST = 64
"""Candidates that are drawn at first, enough for one sample; then twice as many, up to CHUNK."""
DRAWS = 100_000
"""Draws without a fit after which sampling within a budget gives up."""
CHEAPEST, STARTS = 2048, 4
"""Random candidates that are looked at for the cheapest, and how many of them are improved."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """Of so many random points, how many are valid, and how many of them fit a budget."""

    draws: int
    valid: int
    fitting: int


def fitting(
    census: Census, rng: Generator, budget: Budget | None = None, first: int = FIRST
) -> Iterator[dict[str, Label]]:
    """The decisions of random candidates without end, uniform over what is valid and fits.

    Points are drawn uniformly and kept where they fit, `first` of them, then thousands at a time.
    Raises NothingFits when no candidate fits, or none of very many draws, and names the nearest
    costs; ValueError when none is valid.
    """
    count, missed = first, 0
    while True:
        drawn = draw(census.points, census.domains, rng, count)
        spent = census.costs(drawn, budget and budget.image_size)
        fits = within(census, spent, budget)
        if not fits.any():
            missed += count
            if missed >= DRAWS:
                raise _nothing(census, budget, missed, spent)
        for at in np.flatnonzero(fits):
            missed = 0
            yield labels(drawn, census.domains, int(at))
        count = min(2 * count, CHUNK)


def within(census: Census, spent: Costs, budget: Budget | None) -> NDArray[np.bool_]:
    """Which (N,) of some costs are valid and within the budget."""
    fits = spent.valid.copy()
    for limit in _bounds(census, budget):
        values = getattr(spent, limit.name)
        fits &= (values >= limit.least) & (values <= limit.most)
    return fits


def share(census: Census, rng: Generator, budget: Budget | None, draws: int) -> Share:
    """How many of `draws` random points are valid, and how many of them fit the budget."""
    valid = fits = 0
    for at in range(0, draws, CHUNK):
        drawn = draw(census.points, census.domains, rng, min(CHUNK, draws - at))
        spent = census.costs(drawn, budget and budget.image_size)
        valid += int(spent.valid.sum())
        fits += int(within(census, spent, budget).sum())
    return Share(draws=draws, valid=valid, fitting=fits)


def require_fit(census: Census, budget: Budget) -> None:
    """Raises NothingFits, with the least cost there is, when no candidate fits the budget.

    In a large space with rules the least cannot be known: there only sampling gives up.
    """
    if census.where and not _is_small(census):
        return
    known = cost(census.experiment({}), budget.image_size)
    for limit in _bounds(census, budget):
        if getattr(known, limit.name) <= limit.most:
            continue
        least = cheapest(census, limit.name, budget.image_size)
        if least > limit.most:
            raise NothingFits(
                f"nothing fits the budget of {limit.most:,.0f} {limit.name.replace('_', '-')}: "
                f"the least that a candidate of this space costs is {least:,}; raise the "
                "budget, or give the space smaller options"
            )


def cheapest(census: Census, name: str = "mult_adds", image_size: int | None = None) -> int:
    """The least `name` (mult_adds, params, activations) of all candidates, where they are few.

    Of many it is the least found: from the baseline and from the cheapest of some random ones,
    each decision is set to its cheapest option, again and again until none makes it cheaper.
    """
    points = census.points
    if _is_small(census):
        whole = points.positions(0, int(points.size))
        return int(_cost(census, whole, name, image_size).min())
    drawn = draw(points, census.domains, np.random.default_rng(0), CHEAPEST)
    baseline = census.point({})
    starts = {key: np.concatenate([baseline[key], held]) for key, held in drawn.items()}
    spent = _cost(census, starts, name, image_size)
    best = [_row(starts, int(at)) for at in (0, *np.argsort(spent)[:STARTS])]
    return int(min(_descend(census, start, name, image_size) for start in best))


def _is_small(census: Census) -> bool:
    return census.points.size <= CHUNK and census.at_once


def _descend(
    census: Census, here: Mapping[str, NDArray[Any]], name: str, image_size: int | None
) -> float:
    """The cost after setting decisions to their cheapest options while that helps."""
    spent = _cost(census, here, name, image_size)[0]
    changes = [
        {decision: np.array([domain.position(label)])}
        for decision, domain in census.domains.items()
        for label in _some(domain)
    ]
    while True:
        rows = [{**here, **change} for change in changes]
        together = dict(here)
        tried = {key: np.concatenate([row[key] for row in rows]) for key in here}
        costs = _cost(census, tried, name, image_size)
        # Of each decision the cheapest comes last.
        for at in reversed(np.argsort(costs, kind="stable")):
            together |= changes[at] if costs[at] < spent else {}
        # All at once where that is a candidate, or else the best alone.
        for row in (together, rows[int(np.argmin(costs))]):
            now = _cost(census, row, name, image_size)[0]
            if now < spent:
                here, spent = row, now
                break
        else:
            return spent


def _cost(
    census: Census, positions: Positions, name: str, image_size: int | None
) -> NDArray[np.float64]:
    """What the candidates of a population cost; infinite where they are not valid."""
    spent = census.costs(positions, image_size)
    return np.where(spent.valid, getattr(spent, name), np.inf)


def _row(positions: Positions, at: int) -> dict[str, NDArray[Any]]:
    return {name: held[at : at + 1] for name, held in positions.items()}


def _some(domain: Domain) -> Iterable[Label]:
    """The labels of a domain; of one with very many, its ends and some between."""
    if domain.labels or math.isinf(domain.size):
        return domain.labels or domain.values
    count = int(domain.size)
    return [domain.label(at) for at in sorted({*range(0, count, -(-count // 16)), count - 1})]


def _bounds(census: Census, budget: Budget | None) -> tuple[Bound, ...]:
    return budget.bounds(census.experiment({})) if budget else ()


def _nothing(census: Census, budget: Budget | None, missed: int, spent: Costs) -> Exception:
    """Why nothing was found: nothing valid, no candidate that fits at all, or too few."""
    if budget is None:
        return ValueError(
            f"none of {missed:,} random points is valid: a network that keeps the rules"
        )
    try:
        require_fit(census, budget)
    except NothingFits as error:
        return error
    limits: list[str] = []
    for limit in _bounds(census, budget):
        values = np.sort(getattr(spent, limit.name)[spent.valid])
        under, over = values[values < limit.least], values[values > limit.most]
        near = [f"{under[-1]:,.0f} below"] if len(under) else []
        near += [f"{over[0]:,.0f} above"] if len(over) else []
        if len(values) and limit.most < values[0]:
            least = cheapest(census, limit.name, budget.image_size)
            near = [f"{least:,} by going down from the cheapest met", *near]
        met = ", ".join(near) or ("inside" if len(values) else "none valid")
        limits.append(f"{limit} (nearest met: {met})")
    return NothingFits(
        f"none of {missed:,} random candidates fits the budget of {' and '.join(limits)}; widen "
        "it, or give the space other options"
    )
