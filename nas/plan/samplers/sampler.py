"""Sampler: what a search tries next; Ask: what it is told for it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.random import Generator

from nas.base.errors import NothingFits
from nas.experiment.cost import Budget
from nas.experiment.experiment import Experiment
from nas.runs.record import REFUSED, Record
from nas.space.draws import independent, labels
from nas.space.space import COUNTED, Candidate, SearchSpace, beside
from nas.tree.domain import Domain, Label
from nas.tree.tree import Node, fingerprint

DRAWS = 64
"""Random candidates that were all trained before a small space is gone through."""
STEP = 0.1
"""How far a near number of an interval lies, as a standard deviation in shares of its range."""
Decisions = Mapping[str, Label]


class NothingLeft(Exception):
    """No candidate was found that fits the budget and is new."""


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What a sampler is told: the space, the budget, the runs so far, the number of the trial that
    it is asked for, and random numbers that this number and the sampler's seed decide.

    `history` holds the search's runs, the oldest first, the reference with them. `memory` is kept
    from one suggestion to the next: only what comes of the history again may be in it.
    """

    space: SearchSpace
    budget: Budget | None
    history: tuple[Record, ...]
    number: int
    rng: Generator
    is_trained: Callable[[Experiment], bool]
    memory: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def tried(self) -> list[Record]:
        """The runs that were trained or are being trained."""
        return [record for record in self.history if record.state not in (*REFUSED, "failed")]

    @property
    def scored(self) -> list[Record]:
        """The runs that are over and have a score, the best first: one that was stopped early comes
        behind all that went further."""
        over = [r for r in self.tried if r.state in ("complete", "stopped") and r.score is not None]
        return sorted(over, key=lambda r: (-len(r.curve), -(r.score or 0.0), r.number))

    def random(self) -> Decisions:
        """A new candidate's decisions, uniform over what fits the budget. Raises NothingLeft where
        none was found, NothingFits where none could ever be."""
        for _ in range(DRAWS):
            try:
                candidate = self.space.sample(self.rng, self.budget)
            except (ValueError, NothingFits) as error:
                if not any(record.role == "candidate" for record in self.tried):
                    raise NothingFits(str(error)) from None
                raise NothingLeft(str(error)) from None
            if not self.is_trained(candidate.experiment):
                return candidate.decisions
        return self._walked()

    def _walked(self) -> Decisions:
        """The first new candidate of a small space, from a random place on."""
        size = self.space.points.size
        if size > COUNTED:
            raise NothingLeft(
                f"{DRAWS} random candidates within the budget had all been trained before; of the "
                f"space's {size:,} points others may be left"
            )
        start = int(self.rng.integers(int(size)))
        for first, last in ((start, int(size)), (0, start)):
            for candidate in self.space.enumerate(first, last):
                if self._is_within(candidate) and not self.is_trained(candidate.experiment):
                    return candidate.decisions
        raise NothingLeft("every candidate within the budget was trained")

    def _is_within(self, candidate: Candidate) -> bool:
        excess = self.space.excess(candidate, self.budget)
        return all(share <= 0 for share in excess.values())

    def pool(self, count: int) -> Sequence[Decisions]:
        """Random decisions that fit the budget, uniform; new or not."""
        try:
            return self.space.decisions(self.rng, self.budget, count)
        except (ValueError, NothingFits):
            return []

    def neighbours(self, *points: Decisions) -> list[Decisions]:
        """The decisions one step away from some that fit the budget, in random order; new or not.
        A number of an interval without steps goes to two near it."""
        near: list[Decisions] = [
            {**decisions, name: other}
            for decisions in points
            for name, label in decisions.items()
            for other in self._beside(self.space.domains[name], label)
        ]
        return self._fitting(near)

    def mutations(self, decisions: Decisions, count: int) -> list[Decisions]:
        """Decisions of which a random one is drawn anew, those that fit the budget; new or not."""
        names = list(decisions)
        changed: list[Decisions] = []
        for at in self.rng.integers(len(names), size=count):
            domain = {names[at]: self.space.domains[names[at]]}
            other = labels(independent(domain, self.rng, 1), domain, 0)
            if other[names[at]] != decisions[names[at]]:
                changed.append({**decisions, **other})
        return self._fitting(changed, shuffled=False)

    def _fitting(self, many: list[Decisions], shuffled: bool = True) -> list[Decisions]:
        if not many:
            return []
        fits = self.space.fit(self.space.positions(many), self.budget)
        order = self.rng.permutation(len(many)) if shuffled else range(len(many))
        return [self.space.reached(many[at]) for at in order if fits[at]]

    def _beside(self, domain: Domain, label: Label) -> Iterable[Label]:
        if not math.isinf(domain.size):
            return beside(domain, label)
        low, high = map(float, domain.values)
        if domain.log:
            low, high = math.log(low), math.log(high)
        here = math.log(float(label)) if domain.log else float(label)
        moved = np.clip(here + (high - low) * self.rng.normal(0, STEP, 2), low, high)
        return [float(number) for number in (np.exp(moved) if domain.log else moved)]

    def fits(self, decisions: Decisions) -> bool:
        """Whether the candidate of some decisions is valid and within the budget."""
        return bool(self.space.fit(self.space.positions([decisions]), self.budget)[0])

    def is_new(self, decisions: Decisions) -> bool:
        """Whether the candidate of some decisions was never trained."""
        known = self.key(self.space.reached(decisions)) in self._tried
        return not known and not self.is_trained(self.space.at(decisions).experiment)

    @cached_property
    def _tried(self) -> set[Hashable]:
        """The runs' decisions, for which no candidate has to be made to know them again."""
        return {self.key(record.decisions) for record in self.tried}

    def first_new(self, many: Iterable[Decisions]) -> Decisions:
        """The first of some that is new, or else a random candidate."""
        new: Iterator[Decisions] = (one for one in many if self.is_new(one))
        return next(new, None) or self.random()

    @staticmethod
    def key(decisions: Decisions) -> Hashable:
        """What tells decisions apart."""
        return tuple(sorted(decisions.items()))


@dataclass(frozen=True, kw_only=True)
class Sampler(Node, ABC):
    """What proposes the candidates of a search. One of your own is a frozen dataclass with
    `suggest`; docs/search.md has one.

    The first `startup` candidates are drawn at random, uniformly over what fits the budget.
    """

    seed: int = 0
    startup: int = 10

    @abstractmethod
    def suggest(self, ask: Ask) -> Decisions:
        """The decisions of the candidate to train next, from what it is told alone: asked again
        after a restart it says the same. What is not valid, over the budget or was trained before
        is refused, and after 64 refusals in a row a random candidate is taken."""

    def rng(self, number: int) -> Generator:
        """The random numbers for a trial of this number."""
        return np.random.default_rng(int(fingerprint([self.seed, number])[:8], 16))

    def is_starting(self, ask: Ask) -> bool:
        """Whether too few candidates have been tried to learn from."""
        return sum(record.role == "candidate" for record in ask.tried) < self.startup
