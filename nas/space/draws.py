"""Uniformly random points of a space, as the positions of a population."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from nas.space.numbering import Points, active, still_open, undecided
from nas.space.populations import Positions
from nas.tree.domain import Domain, Label


def draw(
    points: Points, domains: Mapping[str, Domain], rng: Generator, count: int
) -> dict[str, NDArray[Any]]:
    """The positions (N,) of `count` uniformly random points, for each decision."""
    if points.flat:
        return independent(domains, rng, count)
    positions: dict[str, NDArray[Any]] = {name: np.zeros(count, np.intp) for name in domains}
    _fill(points, points.open, {}, np.arange(count), rng, positions)
    return positions


def _fill(
    points: Points,
    open_: list[Domain],
    decided: Mapping[str, Label],
    rows: NDArray[np.intp],
    rng: Generator,
    positions: dict[str, NDArray[Any]],
) -> None:
    """Draws what these domains leave open, for some rows of a population. An option that holds
    decisions of its own weighs as much as there are ways below it."""
    for group in points.groups(open_, decided):
        common = points.shared(group, decided)
        if common is None and not any(domain.nested for domain in group):
            _put(positions, rows, independent({group[0].name: group[0]}, rng, len(rows)))
            continue
        first = common or group[0]
        ways, left = points.under(group, first, decided), rows
        if math.isinf(first.size) or any(map(math.isinf, ways)):
            # Where there are uncountably many ways, each decision is drawn by itself.
            every = (each for domain in group for _, each in undecided(domain))
            apart = {each.name: each for each in every if each.name not in decided}
            _put(positions, rows, independent(apart, rng, len(rows)))
            continue
        while len(left):
            if len(ways) == 1:
                at = independent({first.name: first}, rng, len(left))[first.name]
                some = [(first.default, np.ones(len(left), bool))]
            else:
                shares = np.cumsum([number / sum(ways) for number in ways])[:-1]
                at = np.searchsorted(shares, rng.random(len(left)), side="right")
                some = [(first.label(number), at == number) for number in np.unique(at)]
            _put(positions, left, {first.name: at})
            for chosen, here in some:
                known = {**decided, first.name: chosen}
                _fill(points, still_open(group, known), known, left[here], rng, positions)
            # A point that does not ask for the shared decision came once for each of its options.
            again = rng.random(len(left)) >= 1 / first.size
            left = left[again & ~_asked(group, first.name, left, positions)]


def _asked(
    open_: Iterable[Domain], name: str, rows: NDArray[np.intp], positions: Positions
) -> NDArray[np.bool_]:
    """Which of the rows ask for a decision."""
    asked = np.zeros(len(rows), bool)
    for domain in open_:
        if domain.name == name:
            return np.ones(len(rows), bool)
        if domain.nested:
            for number, value in enumerate(domain.values):
                here = positions[domain.name][rows] == number
                inner = [each for _, each in active(value)]
                if inner and here.any():
                    asked[here] |= _asked(inner, name, rows[here], positions)
    return asked


def _put(positions: dict[str, NDArray[Any]], rows: NDArray[np.intp], drawn: Positions) -> None:
    for name, column in drawn.items():
        if column.dtype.kind == "f":
            positions[name] = positions[name].astype(float, copy=False)
        positions[name][rows] = column


def labels(positions: Positions, domains: Mapping[str, Domain], at: int) -> dict[str, Label]:
    """The labels of the point number `at` of some."""
    return {name: domain.label(positions[name][at]) for name, domain in domains.items()}


def independent(
    domains: Mapping[str, Domain], rng: Generator, count: int
) -> dict[str, NDArray[Any]]:
    """Random positions (N,) of each domain by itself."""
    # One stream of bytes for all decisions of up to 256 options: one call, not one for each.
    few = [name for name, domain in domains.items() if _is_few(domain)]
    words = -(-len(few) * count // 8)
    drawn = rng.integers(0, 2**64 - 1, words, np.uint64, endpoint=True).view(np.uint8)
    rows = iter(drawn[: len(few) * count].reshape(len(few), count))
    positions: dict[str, NDArray[Any]] = {}
    for name, domain in domains.items():
        if _is_few(domain):
            positions[name] = _modulo(next(rows), int(domain.size), rng)
        elif domain.log or math.isinf(domain.size):
            positions[name] = _reals(domain, rng, count)
        else:
            positions[name] = rng.integers(0, int(domain.size), count)
    return positions


def _is_few(domain: Domain) -> bool:
    return domain.size <= 256 and not domain.log


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
    low, high = domain.values
    if not domain.log:
        return rng.uniform(low, high, count)
    # A whole number stands for all that rounds to it, the two ends too.
    half = 0.0 if math.isinf(domain.size) else 0.5
    drawn = np.exp(rng.uniform(math.log(low - half), math.log(high + half), count))
    if not half:
        return drawn
    return np.clip(np.rint(drawn), low, high).astype(np.intp) - int(low)
