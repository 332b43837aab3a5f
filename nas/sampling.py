"""Uniformly random points of a space, as the positions of a population."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from nas.domain import Choice, Domain, Label
from nas.points import Points, below, groups, label, nested, options, still_open
from nas.population import Positions


def draw(
    points: Points, domains: Mapping[str, Domain], rng: Generator, count: int
) -> dict[str, NDArray[Any]]:
    """The positions (N,) of `count` uniformly random points, for each decision."""
    if points.flat or points.size == math.inf:
        return independent(domains, rng, count)
    made = {name: np.zeros(count, np.intp) for name in domains}
    _fill(points.open, {}, np.arange(count), rng, made)
    return made


def _fill(
    open_: list[Domain],
    decided: Mapping[str, Label],
    rows: NDArray[np.intp],
    rng: Generator,
    made: dict[str, NDArray[Any]],
) -> None:
    """Draws what these domains leave open, for some rows of a population. An option that holds
    decisions of its own weighs as much as there are ways below it."""
    for group in groups(open_):
        holder = next((d for d in group if isinstance(d, Choice) and nested(d)), None)
        if holder is None:
            for name, drawn in independent({d.name: d for d in group}, rng, len(rows)).items():
                made[name][rows] = drawn
            continue
        known = [{**decided, holder.name: name} for name in holder.labels]
        ways = [int(below(group, some)) for some in known]
        shares = np.cumsum([weight / sum(ways) for weight in ways])[:-1]
        at = np.searchsorted(shares, rng.random(len(rows)), side="right")
        made[holder.name][rows] = at
        for number, some in enumerate(known):
            left = [d for domain in group for d in still_open(domain, some)]
            if left and (at == number).any():
                _fill(left, some, rows[at == number], rng, made)


def labels(positions: Positions, domains: Mapping[str, Domain], at: int) -> dict[str, Label]:
    """The labels of the point number `at` of some."""
    made: dict[str, Label] = {}
    for name, domain in domains.items():
        value = positions[name][at]
        numbered = isinstance(domain, Choice) or domain.step is not None
        made[name] = label(domain, int(value)) if numbered else float(value)
    return made


def independent(
    domains: Mapping[str, Domain], rng: Generator, count: int
) -> dict[str, NDArray[Any]]:
    """Random positions (N,) of each domain by itself."""
    # One stream of bytes for all decisions of up to 256 options: one call, not one for each.
    few = [name for name, domain in domains.items() if _is_few(domain)]
    words = -(-len(few) * count // 8)
    drawn = rng.integers(0, 2**64 - 1, words, np.uint64, endpoint=True).view(np.uint8)
    rows = iter(drawn[: len(few) * count].reshape(len(few), count))
    made: dict[str, NDArray[Any]] = {}
    for name, domain in domains.items():
        if _is_few(domain):
            made[name] = _modulo(next(rows), int(options(domain)), rng)
        elif isinstance(domain, Choice) or (domain.step and not domain.log):
            made[name] = rng.integers(0, int(options(domain)), count)
        else:
            made[name] = _reals(domain, rng, count)
    return made


def _is_few(domain: Domain) -> bool:
    return options(domain) <= 256 and (isinstance(domain, Choice) or not domain.log)


def _modulo(drawn: NDArray[np.uint8], number: int, rng: Generator) -> NDArray[np.uint8]:
    """Random bytes as positions below `number`, each as likely; drawn again where they are not."""
    even = 256 // number * number
    if even < 256:
        over = np.flatnonzero(drawn >= even)
        while len(over):
            drawn[over] = rng.integers(0, 256, len(over), np.uint8)
            over = over[drawn[over] >= even]
    return drawn if number == 256 else np.remainder(drawn, np.uint8(number), out=drawn)


def _reals(domain: Domain, rng: Generator, count: int) -> NDArray[Any]:
    assert not isinstance(domain, Choice)
    if not domain.log:
        return rng.uniform(domain.low, domain.high, count)
    drawn = np.exp(rng.uniform(math.log(domain.low), math.log(domain.high), count))
    return np.rint(drawn - domain.low).astype(np.intp) if domain.step else drawn
