"""Plans: how a question is answered, by a search, an ablation, a confirmation or a pilot."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

from nas.experiment.experiment import Experiment
from nas.experiment.recipe import Fidelity
from nas.plan.samplers.gp import GP
from nas.plan.samplers.sampler import Sampler
from nas.runs.record import Seeds, seeds, spelled
from nas.runs.scores import Crops
from nas.space.space import Candidate, SearchSpace
from nas.tree.domain import Label
from nas.tree.tree import Node, edit, require_types

Design = Literal["one_out", "one_in", "one_factor", "pairs", "factorial", "path", "grid", "streams"]
Kind = Literal["raw", "matched", "control", "retuned"]


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
    sampler: Sampler = GP()
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
        object.__setattr__(self, "seeds", tuple(map(seeds, self.seeds)))
        count = len(self.paired)
        if count < 2 or len(set(self.paired)) < count:
            raise ValueError(
                f"an Ablation needs 2 different seeds or more, not {spelled(self.paired)}"
            )
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
            or count not in self.looks
            or list(self.looks) != sorted(set(self.looks))
        ):
            raise ValueError(
                "Ablation.looks are rising numbers of seeds, from 2 on, that of seeds= among them, "
                f"not {self.looks!r} with {count} seeds"
            )
        if self.margin is not None and not self.margin > 0:
            raise ValueError(f"Ablation.margin must be above 0 points, not {self.margin:g}")
        if self.resolution is not None and not self.resolution >= 0:
            raise ValueError(f"Ablation.resolution must be 0 or more, not {self.resolution:g}")

    @property
    def paired(self) -> tuple[Seeds, ...]:
        """The seeds, each as its streams, which is how `seeds` holds them too."""
        return cast("tuple[Seeds, ...]", self.seeds)


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
