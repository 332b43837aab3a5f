"""What to do next: a pure function of a study and of the records so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from nas.ablation import arms
from nas.domain import Label
from nas.experiment import Experiment
from nas.record import Record, Role, Seeds, seeds
from nas.study import Ablation, Search, Study

SPENT = ("running", "complete", "stopped", "diverged")


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run to be made: an experiment on a seed, and what it is for."""

    role: Role
    experiment: Experiment
    seeds: Seeds
    decisions: Mapping[str, Label] = field(default_factory=dict[str, Label])
    change: str | None = None
    kind: str | None = None

    @property
    def key(self) -> tuple[str, int, Seeds]:
        return (self.experiment.candidate_id, self.experiment.recipe.fidelity.epochs, self.seeds)


@dataclass(frozen=True, kw_only=True)
class Draw:
    """A candidate that the sampler is to propose, for this search."""

    search: Search


Step = Run | Draw | Literal["wait", "done"]


def propose(study: Study, records: Sequence[Record], exhausted: bool = False) -> Step:
    """The next thing to do. "wait": nothing until a running trial ends; "done": nothing more.

    `exhausted` says that the space has no candidate left that fits and is new.
    """
    waiting = False
    for plan in study.plans:
        if isinstance(plan, Search):
            step = _search(study, plan, records, exhausted)
        else:
            step = _ablation(study, plan, records)
        if step == "wait":
            waiting = True
        elif step != "done":
            return step
    return "wait" if waiting else "done"


@dataclass(frozen=True, kw_only=True)
class Rung:
    """A comparison that a run has come to: `reason` says why it stops; None lets it go on."""

    reason: str | None = None


def at_rung(study: Study, records: Sequence[Record], record: Record) -> Rung | None:
    """What becomes of a candidate that just ended an epoch; None where nothing is compared.

    Asynchronous successive halving from the stored curves alone, so that a restart decides alike.
    """
    halving = study.search.scheduler if study.search else None
    epoch = len(record.curve)
    if record.role != "candidate" or halving is None:
        return None
    if epoch not in halving.rungs(record.epochs):
        return None
    rivals = [r for r in records if r.role in ("candidate", "reference") and len(r.curve) >= epoch]
    reached = sorted((r.curve[epoch - 1].accuracy for r in rivals), reverse=True)
    own = record.curve[epoch - 1].accuracy
    kept = len(reached) // halving.factor
    if kept == 0 or own >= reached[kept - 1]:
        return Rung()
    return Rung(reason=f"epoch {epoch}: {own:.2f} %, outside the best {kept} of {len(reached)}")


def total(study: Study) -> int:
    """How many runs the plan trains in all; runs that two plans share count once."""
    keys: set[object] = set()
    drawn = 0
    for plan in study.plans:
        if isinstance(plan, Search):
            keys.add(_reference(study, plan).key)
            drawn += plan.trials - 1
        else:
            keys |= {run.key for run in _runs(study, plan)}
    return len(keys) + drawn


def _search(study: Study, search: Search, records: Sequence[Record], exhausted: bool) -> Step:
    reference = _reference(study, search)
    if not any(record.key == reference.key for record in records):
        return reference
    candidates = [r for r in records if r.role == "candidate" and r.state in SPENT]
    if len(candidates) + 1 < search.trials and not exhausted:
        return Draw(search=search)
    return "wait" if any(record.state == "running" for record in records) else "done"


def _ablation(study: Study, ablation: Ablation, records: Sequence[Record]) -> Step:
    # A run that a search stopped early does not answer an ablation; one that failed is not retried.
    known = {r.key for r in records if r.state in ("running", "complete", "diverged", "failed")}
    for run in _runs(study, ablation):
        if run.key not in known:
            return run
    return "wait" if any(record.state == "running" for record in records) else "done"


def _reference(study: Study, search: Search) -> Run:
    baseline = study.space.baseline
    return Run(
        role="reference",
        experiment=baseline.experiment,
        decisions=baseline.decisions,
        seeds=seeds(search.seed),
    )


def _runs(study: Study, ablation: Ablation) -> list[Run]:
    """Every run of an ablation, seed by seed, so that an unfinished one is already paired."""
    made = [
        (at, Run(
            role=arm.role,
            experiment=arm.experiment,
            seeds=seed,
            change=arm.change,
            kind=arm.kind,
        ))
        for arm in arms(ablation, study.space)
        for at, seed in enumerate(arm.seeds)
    ]  # fmt: skip
    return [run for _, run in sorted(made, key=lambda pair: pair[0])]
