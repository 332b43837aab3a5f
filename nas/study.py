"""Study: a question, a space, a budget and a plan, as pure values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nas.cost import Budget
from nas.record import Seeds, seeds
from nas.rules import identity
from nas.space import SearchSpace
from nas.tree import Node, fingerprint, require_types, to_json

if TYPE_CHECKING:
    from pandas import DataFrame

    from nas.engine import Outcome

Kind = Literal["raw"]


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
class Search:
    """Proposes candidates within the budget and trains each once, on one training seed.

    `trials` counts the reference (the baseline, which runs first) and every candidate that was
    trained, early-stopped ones too; what the budget refuses costs nothing and is not counted.
    """

    trials: int
    sampler: TPE = TPE()
    scheduler: ASHA | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        require_types(self)
        if self.trials < 1:
            raise ValueError(f"Search.trials must be 1 or more, not {self.trials}")


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """Changes the baseline one thing at a time, with the same seeds for every arm.

    one_out: each decision of `over` (default: the study's space) that can be off, off.
    margin: differences inside +-margin percentage points count as equivalent; None claims none.
    """

    design: Literal["one_out"] = "one_out"
    over: SearchSpace | None = None
    kinds: tuple[Kind, ...] = ("raw",)
    seeds: Iterable[int | Seeds] = tuple(range(8))
    margin: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.seeds, int):
            raise ValueError(f"Ablation.seeds takes seeds such as range(6), not {self.seeds}")
        require_types(self)
        object.__setattr__(self, "seeds", tuple(self.seeds))
        if self.design != "one_out" or not self.kinds or set(self.kinds) - {"raw"}:
            raise ValueError(
                "an Ablation knows the design 'one_out' and kinds of 'raw', not "
                f"{self.design!r} and {self.kinds!r}"
            )
        given = [seeds(seed) for seed in self.seeds]
        if len(set(given)) < 2 or len(set(given)) < len(given):
            raise ValueError(f"an Ablation needs 2 different seeds or more, not {given}")
        if self.margin is not None and self.margin <= 0:
            raise ValueError(f"Ablation.margin must be above 0 points, not {self.margin:g}")


Plan = Search | Ablation


@dataclass(frozen=True, kw_only=True)
class Resources(Node):
    """What one trial gets: CPU threads, and GPUs (a fraction shares one). `concurrent` limits
    how many run at once; None runs as many as fit.

    precision "auto": the fastest of a few settings (precision, memory format, fused or not,
    threads) is measured on the baseline before the first run, and all runs of the study keep to it.
    """

    cpus: int = 1
    gpus: float = 0.0
    concurrent: int | None = None
    precision: Literal["float32", "bfloat16", "auto"] = "float32"

    def check(self) -> None:
        if self.cpus < 1 or self.gpus < 0 or (self.concurrent is not None and self.concurrent < 1):
            raise ValueError(
                "Resources needs cpus of 1 or more, gpus of 0 or more, concurrent of 1 or more"
            )


@dataclass(frozen=True, kw_only=True)
class Study:
    """What is asked, of which space, within which budget, and how it is answered."""

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
        kinds = [type(plan) for plan in self.plans]
        if not kinds or len(set(kinds)) < len(kinds):
            raise ValueError(
                f"{self.name}: a study has one Search, one Ablation, or one of each; "
                "make several studies of it"
            )
        for plan in self.plans:
            over = plan.over if isinstance(plan, Ablation) else None
            if over and over.baseline.experiment != self.space.baseline.experiment:
                raise ValueError(
                    f"{self.name}: the ablation's space has another baseline than the study's; "
                    "move it with over=SPACE.around(BASELINE)"
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

    def run(
        self, storage: str | None = None, *, address: str | None = None, local: bool = False
    ) -> Outcome:
        """Runs the plan, or goes on with it, as `nas run` does.

        `storage` is the database's URL (default: the file under $NAS_HOME), `address` a running Ray
        cluster's; `local` runs in this process, one trial at a time. Raises ValueError for a plan
        that cannot be met, and nas.errors.NasError.
        """
        from nas import desk

        return desk.run(self, storage, address=address, local=local)

    def effects(self, storage: str | None = None) -> DataFrame:
        """The ablation table, a row a change: mean and sd in percent, delta with its 95 % interval
        in percentage points, p, p after Holm, seeds won, verdict, cost.

        Raises nas.errors.NothingToReport where the database has no run of the study.
        """
        from nas import desk

        return desk.effects(self, storage)

    def trials(self, storage: str | None = None) -> DataFrame:
        """Every run, a row each: role, state, seed, score in percent, cost, seconds.

        Raises nas.errors.NothingToReport where the database has no run of the study.
        """
        from nas import desk

        return desk.trials(self, storage)

    def report(self, storage: str | None = None, folder: Path | None = None) -> Path:
        """Writes the report into a folder (default: $NAS_HOME/site); the path of its first page.

        Raises nas.errors.NothingToReport where the database has no run of the study, ValueError
        where the folder holds something else.
        """
        from nas import desk

        return desk.report(self, storage, folder)

    @property
    def full_name(self) -> str:
        """NAME@hash: where the study lives. A changed template, rule, budget or sampler is a new
        study; trials, seeds, plans and resources may change within one."""
        rules: dict[str, Any] = {
            "template": to_json(self.space.template),
            "budget": to_json(self.budget) if self.budget else None,
            "sampler": to_json(self.search.sampler) if self.search else None,
        }
        if self.space.where:
            rules["where"] = sorted(identity(rule) for rule in self.space.where)
        return f"{self.name}@{fingerprint(rules)[:8]}"
