"""StudySpec: a question, a space, a budget and a plan, as pure values."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from nas.experiment.cost import Budget
from nas.experiment.experiment import CLASSES, Experiment
from nas.experiment.recipe import Fidelity
from nas.runs.record import Seeds, seeds, spelled
from nas.runs.scores import Crops
from nas.space.rules import identity
from nas.space.space import Candidate, SearchSpace
from nas.tree.domain import Label
from nas.tree.tree import Node, classes_in, edit, fingerprint, require_types, to_json

Design = Literal["one_out", "one_in", "one_factor", "pairs", "factorial", "path", "grid", "streams"]
Kind = Literal["raw", "matched", "control", "retuned"]


@dataclass(frozen=True, kw_only=True)
class TPE(Node):
    """Optuna's tree-structured Parzen estimator, after `startup` random candidates."""

    seed: int = 0
    startup: int = 10


@dataclass(frozen=True, kw_only=True)
class ASHA(Node):
    """Asynchronous successive halving (Li et al. 2020): at grace_period, grace_period * factor, ...
    epochs a run goes on if it is in the best 1/factor of those that got there."""

    grace_period: int = 1
    factor: int = 3

    def check(self) -> None:
        if self.grace_period < 1 or self.factor < 2:
            raise ValueError("ASHA needs grace_period of 1 or more and factor of 2 or more")

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """The epochs before the last at which runs are compared."""
        made: list[int] = []
        rung = self.grace_period
        while rung < epochs:
            made.append(rung)
            rung *= self.factor
        return tuple(made)


@dataclass(frozen=True, kw_only=True)
class Median(Node):
    """The median stopping rule (Golovin et al. 2017, sec. 3.2.2): from epoch grace_period on a run
    goes on while its best epoch is not below the median of the mean accuracies that the complete
    runs had up to there; none is stopped before `startup` runs are complete."""

    grace_period: int = 1
    startup: int = 5

    def check(self) -> None:
        if self.grace_period < 1 or self.startup < 1:
            raise ValueError("Median needs grace_period and startup of 1 or more")

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """The epochs before the last at which runs are compared."""
        return tuple(range(self.grace_period, epochs))


@dataclass(frozen=True, kw_only=True)
class Search:
    """Proposes candidates within the budget and trains each once, on one training seed.

    `trials` counts the reference (the baseline, which runs first) and every candidate that was
    trained, early-stopped ones too; what the budget refuses costs nothing and is not counted.
    """

    trials: int
    sampler: TPE = TPE()
    scheduler: ASHA | Median | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        require_types(self)
        if self.trials < 1:
            raise ValueError(f"Search.trials must be 1 or more, not {self.trials}")


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """Changes the baseline, with the same seeds for every arm (docs/ablations.md).

    design, over the decisions of `over` (default: the study's space):
    one_out: each that can be off, off. one_in: all that can be off are; each restored alone.
    one_factor: every label of every decision. pairs: each change of two levels, and each two.
    factorial: a two-level fraction of resolution IV. path: from the baseline to the decisions `to`,
    one after the other as they are given. grid: every combination. streams changes no decision: of
    the baseline's seeds only one stream varies, or all but one.

    kinds: "raw" makes the change and no more. "matched" gives what it saved back by width.
    "control" is the baseline at the cost of the raw change. "retuned" gives each arm the best of
    `rates` times the recipe's learning rate first. A change that moves no cost is raw.

    looks: the numbers of seeds at which the table is read, where more are to be added later.
    margin: differences inside +-margin percentage points count as equivalent; None claims none.
    resolution: the score's step, which is one validation image where it is an accuracy.
    most: the arms above which a design is refused.
    """

    design: Design = "one_out"
    over: SearchSpace | None = None
    kinds: tuple[Kind, ...] = ("raw",)
    seeds: Iterable[int | Seeds] = tuple(range(8))
    looks: tuple[int, ...] = ()
    margin: float | None = None
    resolution: float | None = None
    to: Mapping[str, Label] | None = field(default=None, hash=False)
    rates: tuple[float, ...] = (0.3, 1.0, 3.0)
    most: int = 64

    def __post_init__(self) -> None:
        if isinstance(self.seeds, int):
            raise ValueError(f"Ablation.seeds takes seeds such as range(6), not {self.seeds}")
        require_types(self)
        object.__setattr__(self, "seeds", tuple(self.seeds))
        given = [seeds(seed) for seed in self.seeds]
        if len(set(given)) < 2 or len(set(given)) < len(given):
            raise ValueError(f"an Ablation needs 2 different seeds or more, not {spelled(given)}")
        if not self.kinds or len(set(self.kinds)) < len(self.kinds):
            raise ValueError(f"Ablation.kinds takes each kind once, not {self.kinds!r}")
        if "control" in self.kinds and "raw" not in self.kinds:
            raise ValueError("the kind 'control' is held against 'raw': give kinds of both")
        if len(set(self.rates)) < 2 or 1 not in self.rates or min(self.rates) <= 0:
            raise ValueError(
                "Ablation.rates takes factors of the learning rate above 0, two or more and 1 "
                f"among them, not {self.rates!r}"
            )
        if (self.design == "path") != bool(self.to):
            raise ValueError(
                "to= says where a path goes: {decision: label}, as `nas best STUDY -f json` lists "
                f"them; the design is {self.design!r} and to= is {self.to!r}"
            )
        if self.looks and (
            self.looks[0] < 2
            or len(given) not in self.looks
            or list(self.looks) != sorted(set(self.looks))
        ):
            raise ValueError(
                "Ablation.looks are rising numbers of seeds, from 2 on, that of seeds= among them, "
                f"not {self.looks!r} with {len(given)} seeds"
            )
        if self.margin is not None and not self.margin > 0:
            raise ValueError(f"Ablation.margin must be above 0 points, not {self.margin:g}")
        if self.resolution is not None and not self.resolution >= 0:
            raise ValueError(f"Ablation.resolution must be 0 or more, not {self.resolution:g}")


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """Trains the baseline and the `top` best candidates of the finished search on `seeds` seeds
    that nothing else uses, and scores each once on the test split, after its last epoch.

    fidelity: how much training each gets; None: the recipe's epochs on all of the training images
    at their full size. crops: views of an image whose predictions are averaged, 1, 10 or 144.
    """

    top: int = 3
    seeds: int = 5
    fidelity: Fidelity | None = None
    crops: Crops = 1

    def __post_init__(self) -> None:
        require_types(self)
        if self.top < 0 or self.seeds < 1:
            raise ValueError(
                "a Confirmation needs top of 0 or more and seeds of 1 or more, not "
                f"top={self.top} and seeds={self.seeds}"
            )

    def at(self, experiment: Experiment) -> Experiment:
        """The experiment with the training that a confirmation gives it."""
        full = dataclasses.replace(experiment.recipe.fidelity, share=1.0, image_size=None)
        return edit(experiment, {"recipe.fidelity": self.fidelity or full})


@dataclass(frozen=True, kw_only=True)
class Pilot:
    """Trains each candidate on each seed. `nas.engine.pilot` makes it, into a study of its own."""

    candidates: tuple[Candidate, ...]
    seeds: tuple[int, ...]


Plan = Search | Ablation | Confirmation | Pilot
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
        if not self.name or not all(c.isalnum() or c in "_-" for c in self.name):
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
        rules: dict[str, Any] = {
            "template": to_json(self.space.template),
            "budget": to_json(self.budget) if self.budget else None,
            "sampler": to_json(self.search.sampler) if self.search else None,
        }
        if self.space.where:
            rules["where"] = sorted(identity(rule) for rule in self.space.where)
        if not CLASSES.keys() >= classes_in(self.space.template).keys():
            rules["network"] = self.space.canonical.network_id
        return f"{self.name}@{fingerprint(rules)[:8]}"
