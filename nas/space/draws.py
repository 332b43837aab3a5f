"""Uniformly random points of a space, as the positions of a population."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from nas.space.numbering import Points, active, label, nested, options, still_open, undecided
from nas.space.populations import Positions
from nas.tree.domain import Choice, Domain, Label


def draw(
    points: Points, domains: Mapping[str, Domain], rng: Generator, count: int
) -> dict[str, NDArray[Any]]:
    """The positions (N,) of `count` uniformly random points, for each decision."""
    if points.flat:
        return independent(domains, rng, count)
    made = {name: np.zeros(count, np.intp) for name in domains}
    _fill(points, points.open, {}, np.arange(count), rng, made)
    return made


def _fill(
    points: Points,
    open_: list[Domain],
    decided: Mapping[str, Label],
    rows: NDArray[np.intp],
    rng: Generator,
    made: dict[str, NDArray[Any]],
) -> None:
    """Draws what these domains leave open, for some rows of a population. An option that holds
    decisions of its own weighs as much as there are ways below it."""
    for group in points.groups(open_, decided):
        common = points.shared(group, decided)
        if common is None and not any(nested(domain) for domain in group):
            for name, drawn in independent({group[0].name: group[0]}, rng, len(rows)).items():
                _put(made, name, rows, drawn)
            continue
        first = common or group[0]
        ways, left = points.under(group, first, decided), rows
        if math.isinf(options(first)) or any(map(math.isinf, ways)):
            # Where there are uncountably many ways, each decision is drawn by itself.
            names = {d.name: d for d in _everywhere(group) if d.name not in decided}
            for name, drawn in independent(names, rng, len(rows)).items():
                _put(made, name, rows, drawn)
            continue
        while len(left):
            if len(ways) == 1:
                at = independent({first.name: first}, rng, len(left))[first.name]
                some = [(label(first, 0), np.ones(len(left), bool))]
            else:
                shares = np.cumsum([number / sum(ways) for number in ways])[:-1]
                at = np.searchsorted(shares, rng.random(len(left)), side="right")
                some = [(label(first, int(number)), at == number) for number in np.unique(at)]
            _put(made, first.name, left, at)
            for chosen, here in some:
                known = {**decided, first.name: chosen}
                _fill(points, still_open(group, known), known, left[here], rng, made)
            # A point that does not ask for the shared decision came once for each of its options.
            again = rng.random(len(left)) >= 1 / options(first)
            left = left[again & ~_asked(group, first.name, left, made)]


def _asked(
    open_: Iterable[Domain], name: str, rows: NDArray[np.intp], made: Mapping[str, NDArray[Any]]
) -> NDArray[np.bool_]:
    """Which of the rows ask for a decision."""
    found = np.zeros(len(rows), bool)
    for domain in open_:
        if domain.name == name:
            return np.ones(len(rows), bool)
        if isinstance(domain, Choice) and nested(domain):
            for number, option in enumerate(domain.options):
                here = made[domain.name][rows] == number
                inner = [d for _, d in active(option.value)]
                if inner and here.any():
                    found[here] |= _asked(inner, name, rows[here], made)
    return found


def _everywhere(open_: Iterable[Domain]) -> Iterator[Domain]:
    for domain in open_:
        yield domain
        if isinstance(domain, Choice):
            for option in domain.options:
                yield from (inner for _, inner in undecided(option.value))


def _put(
    made: dict[str, NDArray[Any]], name: str, rows: NDArray[np.intp], drawn: NDArray[Any]
) -> None:
    if drawn.dtype.kind == "f" and made[name].dtype.kind != "f":
        made[name] = made[name].astype(float)
    made[name][rows] = drawn


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
    # A whole number stands for all that rounds to it, the two ends too.
    half = 0.5 if domain.step else 0.0
    drawn = np.exp(rng.uniform(math.log(domain.low - half), math.log(domain.high + half), count))
    if not domain.step:
        return drawn
    return np.clip(np.rint(drawn), domain.low, domain.high).astype(np.intp) - int(domain.low)
