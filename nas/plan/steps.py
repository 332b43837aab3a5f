"""What to do next: a pure function of a study and of the records so far."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from statistics import median
from typing import Any, Literal

from nas.experiment.experiment import Experiment
from nas.plan.arms import BASELINE, Arm
from nas.plan.plans import Ablation, Confirmation, Median, Pilot, Plan, Search
from nas.plan.study import StudySpec
from nas.plan.tuning import settled
from nas.runs.history import History
from nas.runs.record import OVER, Key, Record, Role, Seeds, State, run_key, seeds
from nas.runs.scores import Crops
from nas.tree.domain import Label

SPENT: tuple[State, ...] = ("running", *OVER)
KNOWN = ("running", "complete", "diverged", "exceeded", "failed")
"""What another plan need not run: not what a search stopped early; what failed is not retried."""
REFUSALS = 64
"""Refusals in a row after which a candidate is drawn from what fits, or the search ends."""
FRESH = 20_000_003
"""Seeds of confirmations count from here, above those of the A/A control."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run to be made: an experiment on a seed, and what it is for."""

    role: Role
    experiment: Experiment
    seeds: Seeds
    decisions: Mapping[str, Label] = field(default_factory=dict[str, Label])
    change: str | None = None
    kind: str | None = None
    crops: Crops | None = None

    @property
    def key(self) -> Key:
        return run_key(self.experiment, self.seeds, self.crops)


@dataclass(frozen=True, kw_only=True)
class Draw:
    """A candidate that the sampler is to propose, for this search."""

    search: Search


Step = Run | Draw | Literal["wait", "done"]


def propose(
    study: StudySpec,
    records: Sequence[Record] | History,
    exhausted: bool = False,
    plans: Sequence[Plan] | None = None,
) -> Step:
    """The next thing to do for some of the study's plans, or for all. "wait": nothing until a
    running trial ends; "done": nothing more.

    `exhausted` says that the space has no candidate left that fits and is new.
    """
    history = _history(records)
    waiting = False
    for plan in sorted(plans or study.plans, key=lambda plan: isinstance(plan, Confirmation)):
        if isinstance(plan, Search):
            step = _search(study, plan, history, exhausted)
        elif isinstance(plan, Confirmation):
            step = _confirmation(study, plan, history, exhausted)
        else:
            step = _first_missing(plan, _runs(study, plan, list(history.values())), history)
        if step == "wait":
            waiting = True
        elif step != "done":
            return step
    return "wait" if waiting else "done"


@dataclass(frozen=True, kw_only=True)
class Rung:
    """A comparison that a run has come to: `reason` says why it stops; None lets it go on."""

    reason: str | None = None


def _history(records: Sequence[Record] | History) -> History:
    return records if isinstance(records, History) else History(enumerate(records))


def at_rung(study: StudySpec, records: Sequence[Record] | History, record: Record) -> Rung | None:
    """What becomes of a candidate that just ended an epoch; None where nothing is compared.

    From the stored curves alone, so that a restart decides alike.
    """
    scheduler = study.search.scheduler if study.search else None
    epoch = len(record.curve)
    if record.role != "candidate" or scheduler is None:
        return None
    if epoch not in scheduler.rungs(record.epochs):
        return None
    history = _history(records)
    if isinstance(scheduler, Median):
        return _median(scheduler, history.means(epoch), record)
    reached = history.reached(epoch)
    own = record.curve[epoch - 1].accuracy
    kept = len(reached) // scheduler.factor
    if kept == 0 or own >= reached[-kept]:
        return Rung()
    return Rung(reason=f"epoch {epoch}: {own:.2f} %, outside the best {kept} of {len(reached)}")


def _median(scheduler: Median, means: Sequence[float], record: Record) -> Rung:
    if len(means) < scheduler.startup:
        return Rung()
    best, middle = max(e.accuracy for e in record.curve), median(means)
    if best >= middle:
        return Rung()
    return Rung(
        reason=f"epoch {len(record.curve)}: {best:.2f} % at best, below {middle:.2f} %, the median "
        f"of the means of {len(means)} complete runs so far"
    )


def total(study: StudySpec, plans: Sequence[Plan] | None = None) -> int:
    """How many runs some of the study's plans train, or all; runs that two share count once.

    It is the most: a retuned arm that keeps the recipe's own rate shares its runs too.
    """
    keys: set[object] = set()
    apart = 0
    for plan in study.plans if plans is None else plans:
        if isinstance(plan, Search):
            keys.add(_reference(study, plan).key)
            apart += plan.trials - 1
        elif isinstance(plan, Confirmation):
            apart += confirmations(plan)
        else:
            keys |= {run.key for run in _runs(study, plan)}
            if isinstance(plan, Ablation):  # the runs that wait for their learning rate
                apart += sum(len(arm.seeds) for arm in study.arms if arm.options)
    return len(keys) + apart


def confirmations(plan: Confirmation) -> int:
    """How many runs a confirmation trains; each reads the test split once."""
    return (1 + plan.top) * plan.seeds


def concerns(plans: Sequence[Plan], role: Role) -> bool:
    """Whether runs of this role belong to one of these plans."""
    confirms = role == "confirmation"
    return any(isinstance(plan, Confirmation) == confirms for plan in plans)


def ranked(records: Iterable[Record]) -> list[Record]:
    """The search's candidates within the budget that were trained to the end, the best first."""
    found = [
        (-r.score, r.number, r)
        for r in records
        if r.role == "candidate"
        and r.state == "complete"
        and r.score is not None
        and all(over <= 0 for over in r.excess.values())
    ]
    return [record for *_, record in sorted(found, key=lambda each: each[:2])]


def require_searched(study: StudySpec, records: Sequence[Record], exhausted: bool) -> None:
    """ValueError unless the study's confirmation can take its candidates from the records."""
    search, confirmation = study.search, study.confirmation
    if not search or not confirmation or not confirmation.top:
        return
    if not _searched(search, _history(records), exhausted):
        tried = [r for r in records if r.role in ("reference", "candidate") and r.state in SPENT]
        over = sum(record.state != "running" for record in tried)
        instead = f", or say --trials {over} to take it as it is" if over > 1 else ""
        raise ValueError(
            f"{study.name}: a confirmation takes the best of a finished search, and {over} of "
            f"{search.trials} trials are over; finish it with `nas run`{instead}"
        )
    if not ranked(records):
        raise ValueError(
            f"{study.name}: no candidate of the search was trained to its end within the budget; "
            "top=0 (--top 0) confirms the baseline alone"
        )


def is_exhausted(records: Iterable[Record]) -> bool:
    """Whether the search ended because nothing was left to propose."""
    return any(record.exhausted for record in records)


def _searched(search: Search, history: History, exhausted: bool) -> bool:
    running = history.counts["candidate", "running"]
    # The reference comes first, so that it is over where a candidate is.
    over = history.count("candidate", SPENT) - running
    return over + 1 >= search.trials or (exhausted and not running)


def _search(study: StudySpec, search: Search, history: History, exhausted: bool) -> Step:
    reference = _reference(study, search)
    if not history.alike(reference.key):
        return reference
    if history.count("candidate", SPENT) + 1 < search.trials and not exhausted:
        return Draw(search=search)
    return _rest(search, history)


def _confirmation(
    study: StudySpec, confirmation: Confirmation, history: History, exhausted: bool
) -> Step:
    if confirmation.top and study.search and not _searched(study.search, history, exhausted):
        return "wait"
    runs = _fresh_runs(study, confirmation, list(history.values()))
    return _first_missing(confirmation, runs, history)


def _first_missing(plan: Plan, runs: Sequence[Run], history: History) -> Step:
    def known(run: Run) -> bool:
        return any(record.state in KNOWN for record in history.alike(run.key))

    return next((run for run in runs if not known(run)), None) or _rest(plan, history)


def _rest(plan: Plan, history: History) -> Literal["wait", "done"]:
    going = any(concerns([plan], history[number].role) for number in history.running)
    return "wait" if going else "done"


def _reference(study: StudySpec, search: Search) -> Run:
    baseline = study.space.baseline
    return Run(
        role="reference",
        experiment=baseline.experiment,
        decisions=baseline.decisions,
        seeds=seeds(search.seed),
    )


def _runs(study: StudySpec, plan: Ablation | Pilot, records: Sequence[Record] = ()) -> list[Run]:
    """Every run of a plan that is known by now, seed by seed, so that an unfinished one is already
    paired; what a retuned arm is, its tuning must have said before."""
    if isinstance(plan, Pilot):
        return [
            Run(
                role="pilot",
                experiment=candidate.experiment,
                decisions=candidate.decisions,
                seeds=seeds(seed),
            )
            for seed in plan.seeds
            for candidate in plan.candidates
        ]
    made = [each for arm in study.arms for each in _of_arm(arm, records)]
    return [run for _, run in sorted(made, key=lambda pair: pair[0])]


def _of_arm(arm: Arm, records: Sequence[Record]) -> list[tuple[int, Run]]:
    """The runs of an arm, each with its place among those of the others."""

    def runs(role: Role, experiment: Experiment, seeds: Sequence[Seeds], first: int):
        told: dict[str, Any] = {"role": role, "change": arm.change, "kind": arm.kind}
        return [
            (at, Run(experiment=experiment, seeds=seed, **told))
            for at, seed in enumerate(seeds, first)
        ]

    if not arm.options:
        return runs(arm.role, arm.experiment, arm.seeds, 0)
    ids = [option.candidate_id for option in arm.options]
    best = settled(ids, arm.tuning, records)
    found = () if best is None else runs(arm.role, arm.options[ids.index(best)], arm.seeds, 0)
    first = -len(arm.tuning)
    tuned = (runs("tuning", option, arm.tuning, first) for option in arm.options)
    return [*itertools.chain.from_iterable(tuned), *found]


def _fresh_runs(
    study: StudySpec, confirmation: Confirmation, records: Sequence[Record]
) -> list[Run]:
    """Every run of a confirmation, seed by seed, the same seeds for all."""
    chosen = {BASELINE: study.space.baseline.experiment}
    for record in ranked(records)[: confirmation.top]:
        chosen[f"trial {record.number}"] = study.space.at(record.decisions).experiment
    return [
        Run(
            role="confirmation",
            experiment=confirmation.at(experiment),
            seeds=seed,
            change=f"{name} confirmed",
            crops=confirmation.crops,
        )
        for seed in _fresh(study, confirmation.seeds, records)
        for name, experiment in chosen.items()
    ]


def _fresh(study: StudySpec, count: int, records: Sequence[Record]) -> list[Seeds]:
    """Seeds that neither search nor ablation nor A/A uses."""
    used = {record.seeds for record in records if record.role != "confirmation"}
    if study.search:
        used.add(seeds(study.search.seed))
    used |= {seed for arm in study.arms for seed in (*arm.seeds, *arm.tuning)}
    taken = {number for seed in used for number in astuple(seed)}
    free = (number for number in itertools.count(FRESH) if number not in taken)
    return [seeds(number) for number in itertools.islice(free, count)]
