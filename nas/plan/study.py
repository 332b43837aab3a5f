"""StudySpec: a question, a space, a budget and a plan, as pure values."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self

from nas.base.paths import is_name
from nas.experiment.cost import Budget
from nas.experiment.experiment import CLASSES
from nas.plan.arms import Arm, arms
from nas.plan.plans import Ablation, Confirmation, Plan, Search
from nas.plan.samplers.gp import GP
from nas.plan.samplers.sampler import Sampler
from nas.plan.samplers.tpe import TPE
from nas.space.identity import identity, identity_before
from nas.space.rules import Rule
from nas.space.space import SearchSpace
from nas.tree.tree import Node, classes_in, fingerprint, require_types, to_json

LONGEST_NAME = 100
"""Bytes: a folder and rows of the database are named by it, with a hash."""


@dataclass(frozen=True, kw_only=True)
class Resources(Node):
    """What one trial gets: CPU threads, and GPUs (a fraction shares one). `concurrent` limits
    how many run at once; None runs as many as fit.

    trial_seconds ends a trial that takes longer: its state is "exceeded", and the sampler learns of
    it. study_seconds: after so long a start begins no further trial and ends when those under way
    have; the same command goes on.

    precision "auto": the fastest of a few settings (precision, memory format, fused or not,
    threads) is measured on the baseline before the first run, and all runs of the study keep to it.
    """

    cpus: int = 1
    gpus: float = 0.0
    concurrent: int | None = None
    precision: Literal["float32", "bfloat16", "auto"] = "float32"
    trial_seconds: float | None = None
    study_seconds: float | None = None

    def check(self) -> None:
        for name in ("trial_seconds", "study_seconds"):
            limit = getattr(self, name)
            if limit is not None and limit <= 0:
                raise ValueError(f"Resources.{name} must be above 0 seconds, not {limit:g}")
        if self.cpus < 1 or self.gpus < 0 or (self.concurrent is not None and self.concurrent < 1):
            raise ValueError(
                "Resources needs cpus of 1 or more, gpus of 0 or more, concurrent of 1 or more"
            )


@dataclass(frozen=True, kw_only=True)
class StudySpec:
    """What is asked, of which space, within which budget, and how it is answered: `nas.Study`
    without what it does."""

    name: str
    question: str
    space: SearchSpace
    plan: Plan | tuple[Plan, ...]
    budget: Budget | None = None
    resources: Resources = Resources()

    def __post_init__(self) -> None:
        require_types(self)
        if not is_name(self.name):
            raise ValueError(f"a study's name has letters, digits, _ and - only, not {self.name!r}")
        if len(self.name.encode()) > LONGEST_NAME:
            raise ValueError(
                f"a study's name has at most {LONGEST_NAME} bytes in UTF-8, not {self.name}"
            )
        kinds = [type(plan) for plan in self.plans]
        if not kinds or len(set(kinds)) < len(kinds):
            raise ValueError(
                f"{self.name}: a study has a Search, an Ablation, a Confirmation, or one of each; "
                "make several studies of it"
            )
        for plan in self.plans:
            over = plan.over if isinstance(plan, Ablation) else None
            if over and over.baseline.experiment != self.space.baseline.experiment:
                raise ValueError(
                    f"{self.name}: the ablation's space has another baseline than the study's; "
                    "move it with over=SPACE.around(BASELINE)"
                )
        if self.confirmation:
            self.confirmation.at(self.space.baseline.experiment)
            if self.confirmation.top and not self.search:
                raise ValueError(
                    f"{self.name} has no Search, so no best candidates to confirm; top=0 (--top 0) "
                    "confirms the baseline alone"
                )

    @property
    def plans(self) -> tuple[Plan, ...]:
        return self.plan if isinstance(self.plan, tuple) else (self.plan,)

    @property
    def search(self) -> Search | None:
        return next((plan for plan in self.plans if isinstance(plan, Search)), None)

    @property
    def ablation(self) -> Ablation | None:
        return next((plan for plan in self.plans if isinstance(plan, Ablation)), None)

    @property
    def confirmation(self) -> Confirmation | None:
        return next((plan for plan in self.plans if isinstance(plan, Confirmation)), None)

    @cached_property
    def arms(self) -> tuple[Arm, ...]:
        """The arms of the ablation, none without one; raises ValueError as `arms` does."""
        return arms(self.ablation, self.space) if self.ablation else ()

    def confirming(self, top: int | None = None, seeds: int | None = None) -> Self:
        """The study with a Confirmation of these numbers; those not given are its own's, or the
        defaults."""
        given = {"top": top, "seeds": seeds}
        told = {name: number for name, number in given.items() if number is not None}
        plan = dataclasses.replace(self.confirmation or Confirmation(), **told)
        others = (each for each in self.plans if not isinstance(each, Confirmation))
        return dataclasses.replace(self, plan=(*others, plan))

    def with_trials(self, trials: int) -> Self:
        """The study with another total of search trials; ValueError when it searches nothing."""
        if self.search is None:
            raise ValueError(f"{self.name} has no Search: --trials says how many trials one makes")
        plans = tuple(
            dataclasses.replace(plan, trials=trials) if plan is self.search else plan
            for plan in self.plans
        )
        return dataclasses.replace(self, plan=plans)

    @property
    def full_name(self) -> str:
        """NAME@hash: where the study lives. A changed template, rule, budget or sampler is a new
        study, and so is a network of one's own that is built otherwise; trials, plans and resources
        may change within one. So may an ablation's changes and kinds, which then say so, and its
        seeds may grow; other seeds or another design of one that has begun want another name."""
        return self._named(identity)

    @property
    def full_names(self) -> tuple[str, ...]:
        """The names that the study may be stored under, that of today first: its rules had other
        identities before, and a search another sampler where it names none."""
        identities = (identity, identity_before) if self.space.where else (identity,)
        # The sampler of a search that names none was TPE before.
        samplers = (GP(), TPE()) if self.search and self.search.sampler == GP() else (None,)
        return tuple(self._named(each, sampler) for sampler in samplers for each in identities)

    def _named(self, identity: Callable[[Rule], str], sampler: Sampler | None = None) -> str:
        sampler = sampler or (self.search.sampler if self.search else None)
        decides: dict[str, Any] = {
            "template": to_json(self.space.template),
            "budget": to_json(self.budget) if self.budget else None,
            "sampler": to_json(sampler) if sampler else None,
        }
        if self.space.where:
            decides["where"] = sorted(identity(rule) for rule in self.space.where)
        if not CLASSES.keys() >= classes_in(self.space.template).keys():
            decides["network"] = self.space.canonical.network_id
        return f"{self.name}@{fingerprint(decides)[:8]}"
