"""The points of a space: how many ways there are to decide, which comes where, and all in order.

A decision inside an option that another decision did not take is not asked for, and leaves that
share a name are one decision; both are counted exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.domain import Choice, Domain, Interval, Label
from nas.tree import walk

Choose = Callable[[Domain, list[int]], Label]


class Points:
    """The ways to decide what a template leaves open, in the order of its leaves and of their
    options. `size` is how many there are; infinite where an interval has no step."""

    def __init__(self, template: Any) -> None:
        self.open = [domain for _, domain in active(template)]
        self.every = {domain.name: domain for _, domain in undecided(template)}
        self.flat = not any(isinstance(d, Choice) and nested(d) for d in self.open)
        self._groups = [(group, _count(group, {})) for group in groups(self.open)]
        self.size = math.prod(ways for _, ways in self._groups)
        self._names = list(dict.fromkeys(domain.name for domain in self.open))
        self._domains = {domain.name: domain for domain in reversed(self.open)}

    def decisions(self, index: int) -> dict[str, Label]:
        """The decisions of the way number `index`, from 0; ValueError outside."""
        self._finite()
        if not 0 <= index < self.size:
            raise ValueError(f"the space has the points 0 to {self.size - 1:,}, not {index:,}")
        if self.flat:
            made: dict[str, Label] = {}
            for name in reversed(self._names):
                domain = self._domains[name]
                index, at = divmod(index, int(options(domain)))
                made[name] = label(domain, at)
            return {name: made[name] for name in self._names}
        left = 0

        def choose(domain: Domain, ways: list[int]) -> Label:
            nonlocal left
            if len(ways) == 1:
                at, left = divmod(left, ways[0])
                return label(domain, at)
            for at, under in enumerate(ways):
                if left < under:
                    return label(domain, at)
                left -= under
            raise AssertionError

        made: dict[str, Label] = {}
        for group, ways in reversed(self._groups):
            index, left = divmod(index, int(ways))
            made |= _descend(group, choose)
        return {name: made[name] for name in self.every if name in made}

    def positions(self, start: int, stop: int) -> dict[str, NDArray[Any]]:
        """The positions (N,), decision by decision, of the ways from `start` to `stop`; 0 where a
        way does not decide."""
        if self.flat:
            left, made = np.arange(start, stop), dict[str, NDArray[Any]]()
            for name in reversed(self._names):
                left, made[name] = np.divmod(left, int(options(self._domains[name])))
            return made
        ways = [self.decisions(index) for index in range(start, stop)]
        return {
            name: np.array([position(d, way[name]) if name in way else 0 for way in ways])
            for name, d in self.every.items()
        }

    def index(self, decisions: Mapping[str, Label]) -> int:
        """The number of the way with these decisions; KeyError where one is missing."""
        self._finite()
        found = 0

        def choose(domain: Domain, ways: list[int]) -> Label:
            nonlocal found
            at = int(position(domain, decisions[domain.name]))
            found += ways[0] * at if len(ways) == 1 else sum(ways[:at])
            return decisions[domain.name]

        whole = 0
        for group, ways in self._groups:
            found = 0
            _descend(group, choose)
            whole = whole * int(ways) + found
        return whole

    def _finite(self) -> None:
        if self.size == math.inf:
            raise ValueError(
                "a space with an interval that has no step is not numbered; give steps"
            )


def active(tree: Any, path: str = "") -> Iterator[tuple[str, Domain]]:
    """The domains of a template with their paths, without those inside options."""
    for place, value in walk(tree, path):
        if isinstance(value, Choice | Interval):
            yield place, value


def undecided(tree: Any, path: str = "") -> Iterator[tuple[str, Domain]]:
    """Every domain of a template with its path, those inside options too."""
    for place, domain in active(tree, path):
        yield place, domain
        if isinstance(domain, Choice):
            for option in domain.options:
                yield from undecided(option.value, place)


def options(domain: Domain) -> int | float:
    """How many options a domain has."""
    if isinstance(domain, Choice):
        return len(domain.options)
    if domain.step is None:
        return math.inf
    return math.floor((domain.high - domain.low) / domain.step + 1e-9) + 1


def label(domain: Domain, at: int) -> Label:
    """The label of the option at a position."""
    return domain.labels[at] if isinstance(domain, Choice) else domain.at(at)


def position(domain: Domain, label: Label) -> int | float:
    """The position of a label; of an interval's, in steps from its low end, and the number itself
    where it has none."""
    if isinstance(domain, Choice):
        return domain.labels.index(str(label))
    if domain.step is None:
        return float(label)
    return round((float(label) - domain.low) / domain.step)


def _descend(open_: list[Domain], choose: Choose) -> dict[str, Label]:
    """Asks `choose` for each decision in turn, with the number of ways below each option, or only
    one number where it is the same below all."""
    decided: dict[str, Label] = {}
    left = open_
    while left:
        first = left[0]
        if isinstance(first, Choice) and (nested(first) or _elsewhere(first, left)):
            ways = [below(left, {**decided, first.name: name}) for name in first.labels]
        else:
            ways = [below(left, {**decided, first.name: label(first, 0)})]
        decided[first.name] = choose(first, [int(number) for number in ways])
        left = [d for domain in left for d in still_open(domain, decided)]
    return decided


def below(open_: list[Domain], decided: Mapping[str, Label]) -> int | float:
    """How many ways there are to decide what these domains leave open once some are decided."""
    return _count([d for domain in open_ for d in still_open(domain, decided)], decided)


def _elsewhere(choice: Choice, open_: Iterable[Domain]) -> bool:
    """Whether the same decision also decides an option that holds further ones."""
    return any(d.name == choice.name and isinstance(d, Choice) and nested(d) for d in open_)


def _count(active: list[Domain], decided: Mapping[str, Label]) -> int | float:
    """Ways to decide these domains, some names being decided: group by group of names that meet
    in one option or one name, and inside a group option by option."""
    total = 1
    for group in groups(active):
        first = next((d for d in group if isinstance(d, Choice) and nested(d)), None)
        if first is None or isinstance(first, Interval):
            total *= options(group[0])
            continue
        total *= sum(below(group, {**decided, first.name: name}) for name in first.labels)
    return total


def still_open(domain: Domain, known: Mapping[str, Label]) -> Iterator[Domain]:
    """The domains still undecided where this one stands."""
    if domain.name not in known:
        yield domain
    elif isinstance(domain, Choice):
        for _, inner in active(domain.value(known[domain.name])):
            yield from still_open(inner, known)


def nested(domain: Choice) -> bool:
    """Whether an option holds decisions of its own."""
    return any(True for option in domain.options for _ in active(option.value))


def groups(active: list[Domain]) -> list[list[Domain]]:
    """Domains that share a name, or hold one that another has: each group is decided by itself."""
    found: list[tuple[set[str], list[Domain]]] = []
    for domain in active:
        names = {domain.name}
        if isinstance(domain, Choice):
            names |= {d.name for option in domain.options for _, d in undecided(option.value)}
        merged, members = names, [domain]
        apart: list[tuple[set[str], list[Domain]]] = []
        for known, held in found:
            if known & names:
                merged, members = merged | known, held + members
            else:
                apart.append((known, held))
        found = [*apart, (merged, members)]
    return [members for _, members in found]
