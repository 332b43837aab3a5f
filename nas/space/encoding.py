"""A candidate as a flat row of numbers, for surrogate models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from nas.space.numbering import active
from nas.tree.domain import Domain
from nas.tree.tree import Node, walk

Column = tuple[str, str, Callable[[Any], float]]
"""A column's name, the path of its leaf, and the number that a leaf's value is written as."""


def columns(template: Any) -> list[Column]:
    """The columns for every leaf that a template leaves open, those of a structure that may be
    dropped too: one for a number, one for each item of a tuple, one for each name. A leaf that is
    always the same where it is there has a column only if it tells whether its structure is
    there; a structure without such a leaf has a column of its own."""
    held: dict[str, list[Any]] = {}
    first: set[str] = set()
    for site, domain in active(template):
        for path, value in _leaves(domain, site):
            values = held.setdefault(path, [])
            if not any(_same(value, known) for known in values):
                values.append(value)
        first |= _firsts(domain, site)
    every: list[Column] = []
    for path, values in held.items():
        if len(values) > 1 or path in first:
            every += _columns(path, values)
    return every + [(f"{path} there", path, _there) for path in sorted(first - held.keys())]


def encode(columns: list[Column], tree: Any) -> NDArray[np.float64]:
    """The row (D,) of a tree; 0 where it has no such leaf."""
    leaves = dict(walk(tree))
    return np.array([change(leaves.get(path)) for _, path, change in columns], float)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every leaf that may stand at a place or under it."""
    if isinstance(value, Domain):
        for inner in value.values:
            yield from _leaves(inner, path)
    elif isinstance(value, Node):
        for place, leaf in walk(value, path):
            if not isinstance(leaf, Node):
                yield from _leaves(leaf, place)
    elif value is not None:
        yield path, value


def _firsts(domain: Domain, site: str) -> set[str]:
    """For each structure that may stand at a site, or under it, the path that tells whether it is
    there: that of a number that is never 0 or missing, or else its own."""
    first: set[str] = set()
    for value in domain.values:
        if isinstance(value, Node):
            leaves = walk(value, site)
            first.add(next((path for path, leaf in leaves if _is_sure(leaf)), site))
            for path, inner in active(value, site):
                first |= _firsts(inner, path)
        elif value is not None:
            first.add(site)
    return first


def _is_sure(leaf: Any) -> bool:
    if isinstance(leaf, Domain):
        return all(map(_is_sure, leaf.values))
    return isinstance(leaf, int | float) and not isinstance(leaf, bool) and leaf > 0


def _there(value: Any) -> float:
    return float(value is not None)


def _columns(path: str, values: list[Any]) -> Iterator[Column]:
    if all(isinstance(value, int | float) for value in values):
        yield path, path, _number
    elif all(isinstance(value, tuple) for value in values):
        for item in sorted({str(item) for value in values for item in value}):
            yield f"{path}:{item}", path, _has(item)
    else:
        for value in values:
            yield f"{path}={value}", path, _is(value)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _has(item: str) -> Callable[[Any], float]:
    return lambda value: float(isinstance(value, tuple) and item in map(str, cast(Any, value)))


def _is(known: Any) -> Callable[[Any], float]:
    return lambda value: float(_same(value, known))


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other
