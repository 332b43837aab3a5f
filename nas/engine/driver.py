"""run(study): Ray Tune carries, Optuna proposes and remembers.

What was done and what is left is read from the database at every start.
"""

from __future__ import annotations

import dataclasses
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import optuna
from optuna.storages import RDBStorage

from nas.base import failpoints
from nas.base.errors import OutOfReach
from nas.base.paths import default_url, home
from nas.data.catalogue import prepare
from nas.engine.bridge import Bridge
from nas.engine.machine import Machine, Notice
from nas.engine.ray_tune import Tick, carry
from nas.plan.description import describe
from nas.plan.plans import Plan
from nas.plan.registration import continued, registered
from nas.plan.steps import concerns, is_exhausted, require_searched, total
from nas.plan.study import StudySpec
from nas.runs.history import History
from nas.runs.record import (
    OVER,
    REFUSED,
    Record,
    Settings,
    State,
    StudyRecord,
)
from nas.store.database import connect
from nas.store.lease import hold
from nas.store.reading import records, size, study_names, study_record
from nas.store.writing import Ledger
from nas.train.worker import Job, Report, Trial


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a run of a study stands, or of those of its plans that are run: `changed` is the run
    that was heard of, `began` when by time.monotonic(), `done_before` how many runs were over."""

    study: StudyRecord
    history: History
    plans: tuple[Plan, ...]
    began: float
    done_before: int = 0
    changed: Record | None = None

    @property
    def records(self) -> list[Record]:
        """The runs of these plans."""
        return [record for record in self.history.values() if concerns(self.plans, record.role)]

    @property
    def states(self) -> Counter[State]:
        """How many runs of these plans are in which state."""
        made = Counter[State]()
        for (role, state), number in self.history.counts.items():
            if concerns(self.plans, role):
                made[state] += number
        return made


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a run: the study's full name, whether it was interrupted, whether the search
    ended because no new candidate fits, and whether the study's time limit was over before its
    plan was met."""

    full_name: str
    interrupted: bool
    exhausted: bool
    out_of_time: bool = False


MANY = 1000
"""Trials that take a while to be read."""

Watch = Callable[[Progress], None]


class Step(Protocol):
    """A job under way: it is stepped until its report ends it."""

    def step(self) -> Report: ...


Work = Callable[[Job], Step]


def run(
    study: StudySpec,
    url: str | None = None,
    *,
    address: str | None = None,
    local: bool = False,
    only: Plan | None = None,
    watch: Watch = lambda progress: None,
    notice: Notice = lambda text: None,
    work: Work = Trial,
) -> Outcome:
    """Runs a study until its plan is met, or `only` one of its plans; goes on where an earlier run
    stopped.

    `address` is a running Ray cluster's; `local` runs in this process, one trial at a time, without
    Ray; there `work` may do something else with a job than train. Raises ValueError for a plan that
    cannot be met and for data that cannot be had, before anything runs or is written; and NasError:
    StorageError, StudyHeld, NoResources, NothingFits, StudyStopped.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    described = describe(study)
    plans = (only,) if only else study.plans
    if study.search in plans and study.budget:
        study.space.require_fit(study.budget)
    if work is Trial:
        prepare(described.baseline.recipe.data, notice)
    folder = home() / study.full_name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutOfReach(
            f"{home()} cannot be written: {error.strerror}; set $NAS_HOME to a folder of yours"
        ) from error
    with (
        connect(url or default_url()) as storage,
        hold(storage.engine, study.full_name) as lease,
    ):
        study, stored, history = _before(study, storage, plans, notice)
        with Machine(study.resources, address, local, notice, folder) as machine:
            failpoints.reach("after_lease")
            asked = registered(describe(study), stored, history)
            ledger = Ledger(storage, asked, lease.incarnation, revision(), notice)
            asked = study_record(storage, study.full_name)
            settings = _settings(study, machine, history)
            bridge = Bridge(study, ledger, history, settings, folder, plans)
            start = Progress(
                study=dataclasses.replace(asked, planned=_planned(study, bridge)),
                history=bridge.records,
                plans=bridge.plans,
                began=time.monotonic(),
            )
            before = sum(start.states[state] for state in OVER)
            start = dataclasses.replace(start, done_before=before)

            def heed() -> None:
                if lease.stop == "now":
                    raise KeyboardInterrupt
                if lease.stop == "drain" and not bridge.draining:
                    bridge.draining = True
                    notice("asked to stop: the trials under way end first")

            def tick(number: int | None = None) -> None:
                heed()
                changed = None if number is None else bridge.records[number]
                watch(dataclasses.replace(start, changed=changed))

            watch(start)
            try:
                if local:
                    _local(bridge, tick, heed, work)
                else:
                    carry(bridge, machine, tick, heed)
                interrupted = bridge.draining and not bridge.met
            except KeyboardInterrupt:
                interrupted = True
            bridge.flush()
            ended = dataclasses.replace(asked, planned=_planned(study, bridge))
            if bridge.plans == study.plans:
                ledger.settle(ended.planned)
            watch(dataclasses.replace(start, study=ended))
    return Outcome(
        full_name=study.full_name,
        interrupted=interrupted,
        exhausted=bridge.exhausted,
        out_of_time=bridge.out_of_time and not bridge.met,
    )


def _before(
    study: StudySpec, storage: RDBStorage, plans: tuple[Plan, ...], notice: Notice
) -> tuple[StudySpec, StudyRecord | None, list[Record]]:
    """The study as an earlier run of it goes on, what that one asked, and its runs. ValueError for
    plans that need a search which is not over."""
    others = [name for name in study_names(storage) if name.partition("@")[0] == study.name]
    stored = study_record(storage, study.full_name) if study.full_name in others else None
    number = size(storage, study.full_name) if stored else 0
    if number >= MANY:
        notice(f"reading {number:,} trials of before")
    history = records(storage, study.full_name) if stored else []
    if foreign := number - len(history):
        notice(
            f"another program's trials in {study.full_name} are left as they are, and count for "
            f"nothing: {foreign} of {number}"
        )
    study = continued(study, stored)
    if study.search not in plans:
        require_searched(study, history, is_exhausted(history))
    if others and study.full_name not in others:
        notice(
            f"{study.full_name} is a new study: its network, space, budget or sampler is not that "
            f"of {others[-1]}, whose runs are kept"
        )
    return study, stored, history


def _planned(study: StudySpec, bridge: Bridge) -> int:
    """How many runs the plans train: known when they are met, since a search may have trained what
    an ablation asks for, and may leave fewer to confirm."""
    if not bridge.met:
        return total(study, bridge.plans)
    return sum(
        number
        for (role, state), number in bridge.records.counts.items()
        if concerns(bridge.plans, role) and state not in REFUSED
    )


def _settings(study: StudySpec, machine: Machine, history: list[Record]) -> Settings:
    """What the study's runs train with: what its first run did, so that they can be compared."""
    asked, measured = machine.settings, study.resources.precision == "auto"
    first = next((record.protocol for record in history if record.protocol), None)
    if first is None:
        return machine.measured(study.space.baseline.experiment) if measured else asked
    kept = first.settings(asked.device)
    if kept != asked and not measured:
        machine.notice(
            f"the trials run with {kept}, as this study's first did, and not with {asked}: they "
            "could not be compared; give the study another name to change that"
        )
    return kept


def revision() -> str | None:
    """The git revision of the folder that a study is run in; None where there is none."""
    try:
        words = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
        told = subprocess.run(words, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return told.stdout.strip()


def _local(bridge: Bridge, tick: Tick, heed: Callable[[], None], work: Work) -> None:
    while True:
        job = bridge.next()
        if job == "done" or job == "wait":
            return
        trial, over = work(job), False
        while not over:
            heed()
            report = trial.step()
            over = bridge.report(report)
            tick(report["number"])
