"""What of a space fits a budget: random candidates, the share that fits, the cheapest there is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from nas.census import CHUNK, Census
from nas.cost import Bound, Budget, Cost, cost
from nas.domain import Choice, Domain, Label
from nas.errors import NothingFits
from nas.points import options
from nas.population import Costs
from nas.sampling import draw, labels

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
    census: Census, rng: Generator, budget: Budget | None = None
) -> Iterator[dict[str, Label]]:
    """The decisions of random candidates without end, uniform over what is valid and fits.

    Points are drawn uniformly and kept where they fit, thousands at a time. Raises NothingFits
    when no candidate fits, and names the least cost there is; ValueError when none of many draws
    fits, or none is valid.
    """
    count, missed = FIRST, 0
    while True:
        drawn = draw(census.points, census.domains, rng, count)
        fits = within(census, census.costs(drawn, budget and budget.image_size), budget)
        if not fits.any():
            missed += count
            if missed >= DRAWS:
                raise _nothing(census, budget, missed)
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
    """Raises NothingFits, with the least cost there is, when no candidate fits the budget."""
    known = cost(census.experiment({}), budget.image_size)
    for limit in _bounds(census, budget):
        if getattr(known, limit.name) <= limit.most:
            continue
        least = getattr(cheapest(census, limit.name, budget.image_size), limit.name)
        if least > limit.most:
            raise NothingFits(
                f"nothing fits the budget of {limit.most:,.0f} {limit.name.replace('_', '-')}: "
                f"the least that a candidate of this space costs is {least:,}; raise the "
                "budget, or give the space smaller options"
            )


def cheapest(census: Census, name: str = "mult_adds", image_size: int | None = None) -> Cost:
    """The least `name` (mult_adds, params, activations) found: from the baseline and from the
    cheapest of many random candidates, each decision in turn is set to its cheapest option
    until none makes the network cheaper."""
    drawn = draw(census.points, census.domains, np.random.default_rng(0), CHEAPEST)
    spent = census.costs(drawn, image_size)
    ranked = np.argsort(np.where(spent.valid, getattr(spent, name), np.inf))[:STARTS]
    starts = [labels(drawn, census.domains, int(at)) for at in ranked if spent.valid[at]]
    found = [_descend(census, start, name, image_size) for start in ({}, *starts)]
    return min(found, key=lambda spent: getattr(spent, name))


def _descend(
    census: Census, decisions: Mapping[str, Label], name: str, image_size: int | None
) -> Cost:
    here = dict(decisions)
    best = cost(census.experiment(here), image_size)
    better = True
    while better:
        better = False
        for decision, domain in census.domains.items():
            for label in _some(domain):
                try:
                    spent = cost(census.experiment({**here, decision: label}), image_size)
                except ValueError:
                    continue
                if getattr(spent, name) < getattr(best, name):
                    here, best, better = {**here, decision: label}, spent, True
    return best


def _some(domain: Domain) -> Iterable[Label]:
    """The labels of a domain; of one with very many, its ends and some between."""
    if isinstance(domain, Choice):
        return domain.labels
    if domain.step is None:
        return (domain.low, domain.high)
    count = int(options(domain))
    return [domain.at(step) for step in sorted({*range(0, count, -(-count // 16)), count - 1})]


def _bounds(census: Census, budget: Budget | None) -> tuple[Bound, ...]:
    return budget.bounds(census.experiment({})) if budget else ()


def _nothing(census: Census, budget: Budget | None, missed: int) -> Exception:
    """Why nothing was found: nothing valid, no candidate that fits at all, or too few."""
    if budget is None:
        return ValueError(
            f"none of {missed:,} random points is valid: a network that keeps the rules"
        )
    try:
        require_fit(census, budget)
    except NothingFits as error:
        return error
    drawn = draw(census.points, census.domains, np.random.default_rng(0), CHUNK)
    spent = census.costs(drawn, budget.image_size)
    said: list[str] = []
    for limit in _bounds(census, budget):
        values = getattr(spent, limit.name)[spent.valid]
        under, over = values[values < limit.least], values[values > limit.most]
        near = [f"{under.max():,.0f} below"] if len(under) else []
        near += [f"{over.min():,.0f} above"] if len(over) else []
        said.append(f"{limit} (nearest met: {', '.join(near) or 'inside'})")
    return ValueError(
        f"none of {missed:,} random candidates fits the budget of {' and '.join(said)}; widen "
        "it, or give the space other options"
    )
