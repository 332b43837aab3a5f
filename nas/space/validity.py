"""Which points of a space are valid, and what they cost: one at a time and many at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.experiment.cost import cost
from nas.experiment.experiment import Experiment
from nas.space import rules
from nas.space.draws import labels
from nas.space.numbering import Points
from nas.space.populations import Buildable, Costs, Positions, Undecided, costs, join, one
from nas.space.rules import Asked, Rule
from nas.tree.domain import Domain, Label

CHUNK = 16384
"""Candidates that are counted at a time: as many as fit the cache."""


class Census:
    """Counts the candidates of a template: `at` makes the experiment of some decisions. A candidate
    is valid where it is a network and keeps the rules of `where`."""

    def __init__(
        self,
        template: Experiment,
        domains: Mapping[str, Domain],
        where: tuple[Rule, ...],
        at: Callable[[Mapping[str, Label]], Experiment],
    ) -> None:
        self.template, self.domains, self.where, self.at = template, domains, where, at
        self.points, self.baseline = Points(template), at({})

    def experiment(self, decisions: Mapping[str, Label]) -> Experiment:
        """The experiment with these decisions; ValueError where it is not valid."""
        experiment = self.at(decisions)
        self.check(experiment, decisions)
        return experiment

    def check(self, experiment: Experiment, decisions: Mapping[str, Label]) -> None:
        """Raises ValueError where the experiment of these decisions is not valid."""
        experiment.layers()
        if not self.where:
            return
        if self.at_once:
            asked = self._asked(self.point(decisions), 1)
        else:
            asked = Asked(experiment=experiment, shape=experiment.shape, classes=experiment.classes)
        for rule in self.where:
            if not rules.holds(rule, asked)[0]:
                raise ValueError(f"it breaks the space's rule {rules.sentence(rule)}")

    def require_rules(self) -> None:
        """Raises ValueError where a rule cannot be asked of some option."""
        if not (self.where and self.at_once):
            return
        every = [(name, label) for name, d in self.domains.items() for label in d.labels]
        rows = [{}, *({name: label} for name, label in every)]
        points = [self.point(row) for row in rows]
        joined = {name: np.concatenate([point[name] for point in points]) for name in self.domains}
        asked = self._asked(joined, len(rows))
        for rule in self.where:
            rules.holds(rule, asked)

    def costs(self, positions: Positions, image_size: int | None = None) -> Costs:
        """What the candidates of a population cost, and which of them are valid."""
        count = len(next(iter(positions.values())))
        parts = [
            {name: held[at : at + CHUNK] for name, held in positions.items()}
            for at in range(0, count, CHUNK)
        ]
        count_some = self._together if self.at_once else self._apart
        counted = [count_some(part, image_size) for part in parts]
        return counted[0] if len(counted) == 1 else join(counted)

    @cached_property
    def at_once(self) -> bool:
        """Whether many candidates are counted in one go. A network without `record_on`, and a space
        that decides over the image size or over whole networks, is counted one by one."""
        if not isinstance(self.template.network, Buildable):
            return False
        if not isinstance(getattr(self.template.recipe, "image_size", None), int):
            return False
        try:
            self._count(self.point({}), 1)
        except Undecided:
            return False
        return True

    def _together(self, positions: Positions, image_size: int | None) -> Costs:
        count = len(next(iter(positions.values())))
        trained, recipe = self._asked(positions, count), self.baseline.recipe
        spent = self._count(positions, count, image_size)
        holds = [spent.valid, *(rules.holds(rule, trained) for rule in self.where)]
        for side in {recipe.image_size, recipe.trained_size} - {image_size or recipe.image_size}:
            holds.append(self._count(positions, count, side).valid)
        if len(holds) == 1:
            return spent
        return dataclasses.replace(spent, valid=np.logical_and.reduce(holds))

    def _count(self, positions: Positions, count: int, image_size: int | None = None) -> Costs:
        shape = self._asked(positions, count, image_size).shape
        return costs(self.template.network, shape, self.baseline.classes, positions, count)

    def _apart(self, positions: Positions, image_size: int | None) -> Costs:
        def count(at: int) -> Costs:
            try:
                decisions = labels(positions, self.domains, at)
                return one(cost(self.experiment(decisions), image_size))
            except ValueError:
                return one(None)

        return join([count(at) for at in range(len(next(iter(positions.values()))))])

    def _asked(self, positions: Positions, count: int, image_size: int | None = None) -> Asked:
        channels, *_ = self.baseline.shape
        side = image_size or self.baseline.recipe.image_size
        return Asked(
            experiment=self.template,
            shape=(channels, side, side),
            classes=self.baseline.classes,
            positions=positions,
            count=count,
        )

    def point(self, decisions: Mapping[str, Label]) -> dict[str, NDArray[Any]]:
        """The population of one point; what it does not decide stands as in the baseline."""
        return {
            name: np.array([domain.position(decisions.get(name, domain.default))])
            for name, domain in self.domains.items()
        }
