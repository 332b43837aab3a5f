"""The points of a space: how many ways there are to decide, which comes where, and all in order.

A decision inside an option that another decision did not take is not asked for, and leaves that
share a name are one decision; both are counted exactly.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.tree.domain import Domain, Label
from nas.tree.tree import walk

Choose = Callable[[Domain, list[int]], Label]
NOTHING: Mapping[str, Label] = {}


class Points:
    """The ways to decide what a template leaves open, in the order of its leaves and of their
    options. `size` is how many there are; infinite where an interval has no step."""

    def __init__(self, template: Any) -> None:
        self.open = [domain for _, domain in active(template)]
        self.every = {domain.name: domain for _, domain in undecided(template)}
        self.flat = not any(domain.nested for domain in self.open)
        self._inner: dict[int, tuple[Domain, frozenset[str]]] = {}
        self._parts = [(group, self.count(group)) for group in self.groups(self.open)]
        self.size = math.prod(ways for _, ways in self._parts)

    def decisions(self, index: int) -> dict[str, Label]:
        """The decisions of the way number `index`, from 0; ValueError outside."""
        self.require_finite()
        if not 0 <= index < self.size:
            raise ValueError(f"the space has the points 0 to {self.size - 1:,}, not {index:,}")
        decided: dict[str, Label] = {}
        for group, ways in reversed(self._parts):
            index, at = divmod(index, int(ways))
            decided |= self._way(group, at)
        return {name: decided[name] for name in self.every if name in decided}

    def positions(self, start: int, stop: int) -> dict[str, NDArray[Any]]:
        """The positions (N,), decision by decision, of the ways from `start` to `stop`; 0 where a
        way does not decide."""
        positions = {name: np.zeros(stop - start, np.intp) for name in self.every}
        left = np.arange(start, stop)
        for group, ways in reversed(self._parts):
            left, at = np.divmod(left, int(ways))
            numbers, at = np.unique(at, return_inverse=True)
            for name, column in self._tabled(group, numbers.tolist()).items():
                positions[name] = column[at]
        return positions

    def _tabled(self, group: list[Domain], ways: list[int]) -> dict[str, NDArray[Any]]:
        decided = [self._way(group, at) for at in ways]
        names = dict.fromkeys(name for way in decided for name in way)
        return {
            name: np.array([self.every[name].position(way[name]) if name in way else 0
                            for way in decided])
            for name in names
        }  # fmt: skip

    def index(self, decisions: Mapping[str, Label]) -> int:
        """The number of the way with these decisions; ValueError where one is missing."""
        self.require_finite()
        below = 0

        def choose(domain: Domain, ways: list[int]) -> Label:
            nonlocal below
            if domain.name not in decisions:
                raise ValueError(
                    f"the candidate does not decide {domain.name!r}, as the space does"
                )
            at = int(domain.position(decisions[domain.name]))
            below += ways[0] * at if len(ways) == 1 else sum(ways[:at])
            return decisions[domain.name]

        whole = 0
        for group, ways in self._parts:
            below = 0
            self._descend(group, choose)
            whole = whole * int(ways) + below
        return whole

    def reached(self, decisions: Mapping[str, Label]) -> dict[str, Label]:
        """The decisions that are asked for where these stand, the canonical ones where there are
        none."""
        reached: dict[str, Label] = {}

        def ask(open_: Iterable[Domain]) -> None:
            for domain in open_:
                label = reached.setdefault(domain.name, decisions.get(domain.name, domain.default))
                if domain.nested:
                    ask(inner for _, inner in active(domain.value(label)))

        ask(self.open)
        return reached

    def require_finite(self) -> None:
        """Raises ValueError where the points cannot be numbered."""
        if self.size == math.inf:
            raise ValueError(
                "a space with an interval that has no step is not numbered; give steps"
            )

    def groups(
        self,
        open_: Iterable[Domain],
        decided: Mapping[str, Label] = NOTHING,
        never: frozenset[str] = frozenset(),
    ) -> list[list[Domain]]:
        """Domains that share a name, or hold one that another has: each group is decided by itself.
        Names that are decided, or `never` asked for, join nothing."""
        groups: list[tuple[frozenset[str], list[Domain]]] = []
        for domain in open_:
            merged, members = self._names(domain) - decided.keys() - never, [domain]
            apart: list[tuple[frozenset[str], list[Domain]]] = []
            for names, others in groups:
                if names & merged or others[0].name == domain.name:
                    merged, members = merged | names, others + members
                else:
                    apart.append((names, others))
            groups = [*apart, (merged, members)]
        return [members for _, members in groups]

    def shared(
        self, group: list[Domain], decided: Mapping[str, Label], never: frozenset[str] = frozenset()
    ) -> Domain | None:
        """The decision that most of a group's domains share; None for one decision by itself."""
        own = dict.fromkeys(domain.name for domain in group)
        if len(own) == 1:
            return None
        names: Counter[str] = Counter()
        for name in own:
            parts = (self._names(domain) for domain in group if domain.name == name)
            # In an order of their own: of names that are as common the first met counts.
            names.update(sorted(frozenset[str]().union(*parts) - decided.keys() - never))
        return self.every[names.most_common(1)[0][0]]

    def count(
        self,
        open_: list[Domain],
        decided: Mapping[str, Label] = NOTHING,
        never: frozenset[str] = frozenset(),
    ) -> int | float:
        """Ways to decide these domains, some names being decided and some never asked for.

        A name that several domains of a group share is decided first, so that they come apart; the
        ways in which nothing asks for it are then counted once for each option, and are one.
        """
        total = 1
        for group in self.groups(open_, decided, never):
            name = group[0].name
            common = self.shared(group, decided, never)
            if common is not None:
                ways = self.under(group, common, decided, never)
                idle = self.count(group, decided, never | {common.name})
                if math.isinf(common.size):
                    total *= math.inf if ways[0] > idle else idle
                else:
                    every = ways[0] * common.size if len(ways) == 1 else sum(ways)
                    total *= every - (common.size - 1) * idle
            elif name in never:
                return 0
            elif any(domain.nested for domain in group):
                total *= sum(self.under(group, group[0], decided, never))
            else:
                total *= group[0].size
        return total

    def under(
        self,
        open_: list[Domain],
        domain: Domain,
        decided: Mapping[str, Label],
        never: frozenset[str] = frozenset(),
    ) -> list[int | float]:
        """The ways that are left under each option of a decision; one number where they are the
        same under all."""
        name = domain.name
        within = (top for top in open_ if name in self._names(top))
        alike = (each for top in within for _, each in undecided(top) if each.name == name)
        labels = domain.labels if any(each.nested for each in alike) else (domain.default,)
        ways: list[int | float] = []
        for label in labels:
            known = {**decided, name: label}
            ways.append(self.count(still_open(open_, known), known, never))
        return ways

    def _names(self, domain: Domain) -> frozenset[str]:
        if id(domain) not in self._inner:
            names = frozenset(inner.name for _, inner in undecided(domain))
            self._inner[id(domain)] = (domain, names)
        return self._inner[id(domain)][1]

    def _way(self, group: list[Domain], at: int) -> dict[str, Label]:
        left = at

        def choose(domain: Domain, ways: list[int]) -> Label:
            nonlocal left
            if len(ways) == 1:
                at, left = divmod(left, ways[0])
                return domain.label(at)
            for at, under in enumerate(ways):
                if left < under:
                    return domain.label(at)
                left -= under
            raise AssertionError

        return self._descend(group, choose)

    def _descend(self, open_: list[Domain], choose: Choose) -> dict[str, Label]:
        """Asks `choose` for each decision in turn, with the number of ways below each option, or
        only one number where it is the same below all."""
        decided: dict[str, Label] = {}
        left = open_
        while left:
            first = left[0]
            ways = self.under(left, first, decided)
            decided[first.name] = choose(first, [int(number) for number in ways])
            left = still_open(left, decided)
        return decided


def active(tree: Any, path: str = "") -> Iterator[tuple[str, Domain]]:
    """The domains of a template with their paths, without those inside options."""
    for place, value in walk(tree, path):
        if isinstance(value, Domain):
            yield place, value


def undecided(tree: Any, path: str = "") -> Iterator[tuple[str, Domain]]:
    """Every domain of a template with its path, those inside options too."""
    for place, domain in active(tree, path):
        yield place, domain
        for value in domain.values:
            yield from undecided(value, place)


def still_open(open_: Iterable[Domain], known: Mapping[str, Label]) -> list[Domain]:
    """The domains still undecided where these stand."""
    left: list[Domain] = []
    for domain in open_:
        if domain.name not in known:
            left.append(domain)
        elif domain.nested:
            inner = (each for _, each in active(domain.value(known[domain.name])))
            left += still_open(inner, known)
    return left
