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

from nas.tree.domain import Choice, Domain, Interval, Label
from nas.tree.tree import walk

Choose = Callable[[Domain, list[int]], Label]
NOTHING: Mapping[str, Label] = {}


class Points:
    """The ways to decide what a template leaves open, in the order of its leaves and of their
    options. `size` is how many there are; infinite where an interval has no step."""

    def __init__(self, template: Any) -> None:
        self.open = [domain for _, domain in active(template)]
        self.every = {domain.name: domain for _, domain in undecided(template)}
        self.flat = not any(nested(domain) for domain in self.open)
        self._inner: dict[int, tuple[Domain, frozenset[str]]] = {}
        self._parts = [(group, self.count(group)) for group in self.groups(self.open)]
        self.size = math.prod(ways for _, ways in self._parts)

    def decisions(self, index: int) -> dict[str, Label]:
        """The decisions of the way number `index`, from 0; ValueError outside."""
        self.require_finite()
        if not 0 <= index < self.size:
            raise ValueError(f"the space has the points 0 to {self.size - 1:,}, not {index:,}")
        made: dict[str, Label] = {}
        for group, ways in reversed(self._parts):
            index, at = divmod(index, int(ways))
            made |= self._way(group, at)
        return {name: made[name] for name in self.every if name in made}

    def positions(self, start: int, stop: int) -> dict[str, NDArray[Any]]:
        """The positions (N,), decision by decision, of the ways from `start` to `stop`; 0 where a
        way does not decide."""
        made = {name: np.zeros(stop - start, np.intp) for name in self.every}
        left = np.arange(start, stop)
        for group, ways in reversed(self._parts):
            left, at = np.divmod(left, int(ways))
            met, at = np.unique(at, return_inverse=True)
            for name, filled in self._tabled(group, met.tolist()).items():
                made[name] = filled[at]
        return made

    def _tabled(self, group: list[Domain], ways: list[int]) -> dict[str, NDArray[Any]]:
        decided = [self._way(group, at) for at in ways]
        names = dict.fromkeys(name for way in decided for name in way)
        return {
            name: np.array([position(self.every[name], way[name]) if name in way else 0
                            for way in decided])
            for name in names
        }  # fmt: skip

    def index(self, decisions: Mapping[str, Label]) -> int:
        """The number of the way with these decisions; ValueError where one is missing."""
        self.require_finite()
        found = 0

        def choose(domain: Domain, ways: list[int]) -> Label:
            nonlocal found
            if domain.name not in decisions:
                raise ValueError(
                    f"the candidate does not decide {domain.name!r}, as the space does"
                )
            at = int(position(domain, decisions[domain.name]))
            found += ways[0] * at if len(ways) == 1 else sum(ways[:at])
            return decisions[domain.name]

        whole = 0
        for group, ways in self._parts:
            found = 0
            self._descend(group, choose)
            whole = whole * int(ways) + found
        return whole

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
        found: list[tuple[frozenset[str], list[Domain]]] = []
        for domain in open_:
            merged, members = self._names(domain) - decided.keys() - never, [domain]
            apart: list[tuple[frozenset[str], list[Domain]]] = []
            for known, held in found:
                if known & merged or held[0].name == domain.name:
                    merged, members = merged | known, held + members
                else:
                    apart.append((known, held))
            found = [*apart, (merged, members)]
        return [members for _, members in found]

    def shared(
        self, group: list[Domain], decided: Mapping[str, Label], never: frozenset[str] = frozenset()
    ) -> Domain | None:
        """The decision that most of a group's domains share; None for one decision by itself."""
        own = dict.fromkeys(domain.name for domain in group)
        if len(own) == 1:
            return None
        met: Counter[str] = Counter()
        for name in own:
            parts = (self._names(domain) for domain in group if domain.name == name)
            met.update(frozenset[str]().union(*parts) - decided.keys() - never)
        return self.every[met.most_common(1)[0][0]]

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
                number = options(common)
                if math.isinf(number):
                    total *= math.inf if ways[0] > idle else idle
                else:
                    total *= _sum(ways, number) - (number - 1) * idle
            elif name in never:
                return 0
            elif any(nested(domain) for domain in group):
                total *= sum(self.under(group, group[0], decided, never))
            else:
                total *= options(group[0])
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
        if any(nested(choice) for choice in self._called(open_, domain.name)):
            labels = [label(domain, at) for at in range(int(options(domain)))]
        else:
            labels = [label(domain, 0)]
        return [self._below(open_, {**decided, domain.name: one}, never) for one in labels]

    def _below(
        self, open_: list[Domain], decided: Mapping[str, Label], never: frozenset[str]
    ) -> int | float:
        return self.count(still_open(open_, decided), decided, never)

    def _called(self, open_: Iterable[Domain], name: str) -> Iterator[Choice]:
        """The choices of this name, wherever under these domains they stand."""
        for domain in open_:
            if isinstance(domain, Choice) and name in self._names(domain):
                if domain.name == name:
                    yield domain
                for option in domain.options:
                    yield from self._called([d for _, d in active(option.value)], name)

    def _names(self, domain: Domain) -> frozenset[str]:
        if id(domain) not in self._inner:
            names = {domain.name}
            if isinstance(domain, Choice):
                names |= {d.name for option in domain.options for _, d in undecided(option.value)}
            self._inner[id(domain)] = (domain, frozenset(names))
        return self._inner[id(domain)][1]

    def _way(self, group: list[Domain], at: int) -> dict[str, Label]:
        left = at

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


def _sum(ways: list[int | float], number: int | float) -> int | float:
    return ways[0] * number if len(ways) == 1 else sum(ways)


def still_open(open_: Iterable[Domain], known: Mapping[str, Label]) -> list[Domain]:
    """The domains still undecided where these stand."""
    made: list[Domain] = []
    for domain in open_:
        if domain.name not in known:
            made.append(domain)
        elif isinstance(domain, Choice):
            inner = (d for _, d in active(domain.value(known[domain.name])))
            made += still_open(inner, known)
    return made


def nested(domain: Domain) -> bool:
    """Whether an option holds decisions of its own."""
    return isinstance(domain, Choice) and any(
        True for option in domain.options for _ in active(option.value)
    )
