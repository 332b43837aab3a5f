"""ablate: the designs, the engine and the report for a function of one's own."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from nas.base.wording import near
from nas.data.datasets import DATASETS, Data
from nas.experiment.experiment import Experiment
from nas.experiment.recipe import Fidelity, Recipe
from nas.experiment.subject import Config
from nas.plan.plans import Ablation, Design
from nas.space.space import Candidate, SearchSpace
from nas.study import Study, drive
from nas.tree.domain import Choice, Domain, Label, Option
from nas.tree.tree import Node, edit, to_json

if TYPE_CHECKING:
    from pandas import DataFrame

    from nas.train.worker import Job, Report

Function = Callable[[Any, int], float]
FINE = 10**9
"""So many images would give scores without visible steps."""
AS_IS = "as is"


def ablate(
    function: Function,
    baseline: Any,
    changes: Mapping[str, Any],
    *,
    seeds: Iterable[int] = range(8),
    name: str = "ablate",
    question: str = "What does each change do?",
    design: Design = "one_out",
    looks: tuple[int, ...] = (),
    margin: float | None = None,
    resolution: float = 0.0,
    higher_is_better: bool = True,
    storage: str | None = None,
) -> DataFrame:
    """Runs `function(config, seed)`, which gives a score, for a baseline and each change of it on
    the same seeds, and gives the table of effects, in the score's own units. higher_is_better:
    False for a loss or an error, of which the lower is better.

    baseline: a dict, a dataclass or a nas.Node. changes: {what it is called: the values it sets, or
    a function from a config to another}; of a Node, the edits of `nas.edit`. A change counts as
    "off" in the designs of an Ablation, where matched and retuned have no meaning. resolution: the
    score's step, such as 100 / images for an accuracy in percent: without it differences that are
    all equal are inconclusive.

    Each run is stored as NAME@HASH of the baseline when it ends; the same call goes on where it
    stopped, and `nas effects NAME`, `nas report NAME` read it. A function that is not what it was,
    another design, and other seeds (more may follow) want another name. It runs in this process,
    one call at a time. Raises ValueError for a stored name with another design or other seeds, and
    for a change that changes nothing, is another over again, or sets what there is not.
    docs/ablations.md has an example.
    """
    space = Changes(_experiment(function, baseline, higher_is_better), changes, config=baseline)
    plan = Ablation(design=design, seeds=seeds, looks=looks, margin=margin, resolution=resolution)
    study = Study(name=name, question=question, space=space, plan=plan)

    def work(job: Job) -> _Call:
        return _Call(function, space, job)

    if drive(study, storage, local=True, work=work).interrupted:
        raise KeyboardInterrupt
    return study.effects(storage)


@dataclass(frozen=True, eq=False)
class Changes(SearchSpace):
    """A space whose decisions are changes, made or not, of a configuration of any kind."""

    config: Any = None
    _made: dict[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        if not isinstance(cast(Any, self.edits), Mapping):
            raise ValueError(
                f"changes are {{what it is called: the values it sets}}, not {self.edits!r}"
            )
        if not self.edits:
            raise ValueError("ablate() needs a change: {what it is called: the values it sets}")
        for change in self.edits:
            if self.at({change: change}).experiment == self.canonical:
                raise ValueError(f"the change {change!r} changes nothing in the baseline")
        self.at({})

    @cached_property
    def template(self) -> Experiment:
        return self.canonical

    @cached_property
    def domains(self) -> dict[str, Domain]:
        return {
            change: Choice(
                name=change,
                options=(Option(label=AS_IS, value=False), Option(label=change, value=True)),
                default=AS_IS,
                off=change,
            )
            for change in self.edits
        }

    def at(self, decisions: Mapping[str, Label]) -> Candidate:
        config = self.config
        for change, given in self.edits.items():
            if decisions.get(change, AS_IS) != AS_IS:
                config = _changed(config, change, given)
        made = _config(config, self.canonical.subject.higher_is_better)
        self._made[made.name] = config
        return Candidate(
            experiment=dataclasses.replace(self.canonical, network=made), decisions=dict(decisions)
        )

    def check(self, candidate: Candidate) -> None:
        pass

    def called(self, job: Job) -> Any:
        """The configuration of a job; ValueError for one of a change that was taken out."""
        name = job["layers"][0]["name"]
        if name not in self._made:
            raise ValueError("the change of this run is not among the changes any more")
        return self._made[name]


class _Call:
    """A job under way: one call of the function."""

    def __init__(self, function: Function, space: Changes, job: Job) -> None:
        self.function, self.space, self.job = function, space, job

    def step(self) -> Report:
        from nas.base.wording import one_line
        from nas.runs.failures import classified, constraint

        began = time.monotonic()
        report: Report = {"number": self.job["number"], "epochs": []}
        try:
            score = float(self.function(self.space.called(self.job), self.job["seeds"]["init"]))
        except Exception as error:
            report["failure"], report["reason"] = classified(error), one_line(error)
            report["constraint"] = constraint(error)
            return report
        if not math.isfinite(score):
            report["outcome"], report["reason"] = "diverged", f"the score was {score}"
            return report
        told = dict.fromkeys(("train_loss", "train_accuracy", "loss", "lr"), math.nan)
        seconds = time.monotonic() - began
        report["epochs"] = [
            told | {"epoch": 1, "accuracy": score, "seconds": seconds, "images_per_second": 0.0}
        ]
        report["outcome"] = "complete"
        return report


def _experiment(function: Function, baseline: Any, higher_is_better: bool) -> Experiment:
    """The baseline as the root of a tree: its network is the configuration, its data set is none
    but the function's name."""
    words = "".join(c if c.isalnum() else "_" for c in getattr(function, "__name__", "function"))
    if words in DATASETS:
        words += "_"
    data = Data(name=words, classes=FINE, image_size=1, validation=FINE, source=f"ablate:{words}")
    recipe = Recipe(dataset=data, image_size=1, fidelity=Fidelity(epochs=1))
    return Experiment(network=_config(baseline, higher_is_better), recipe=recipe)


def _config(config: Any, higher_is_better: bool) -> Config:
    plain = isinstance(config, Node) or not dataclasses.is_dataclass(config)
    try:
        values = to_json(config) if plain else dataclasses.asdict(cast(Any, config))
        text = json.dumps(values, sort_keys=True, allow_nan=False)
        return Config(values=text, higher_is_better=higher_is_better)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"a configuration is stored as JSON, and this one cannot be: {error}"
        ) from None


def _changed(config: Any, change: str, given: Any) -> Any:
    if callable(given):
        return given(config)
    if isinstance(config, Node):
        return edit(config, given)
    if isinstance(config, Mapping):
        have = list(cast("Mapping[str, Any]", config))
    elif dataclasses.is_dataclass(config):
        have = [each.name for each in dataclasses.fields(config)]
    else:
        raise ValueError(
            f"a baseline is a dict, a dataclass or a nas.Node, not a {type(config).__name__}; give "
            "changes that are functions from one to another"
        )
    if not isinstance(given, Mapping):
        raise ValueError(
            f"the change {change!r} is the values that it sets, {{name: value}}, or a function "
            f"from a config to another, not {given!r}"
        )
    for key in cast("Mapping[str, Any]", given):
        if key not in have:
            raise ValueError(
                f"the change {change!r} sets {key!r}, and the baseline has {', '.join(have)}"
                f"{near(key, have)}"
            )
    if isinstance(config, Mapping):
        return {**config, **given}
    return dataclasses.replace(cast(Any, config), **given)
