"""What carries a study's runs, this process or Ray, and what it has to do with: a session."""

from __future__ import annotations

import dataclasses
import time
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from nas.base.wording import one_line
from nas.engine.bridge import Bridge
from nas.engine.machine import Notice, here, measure, require_room, settings
from nas.experiment.experiment import Experiment
from nas.networks.layers import to_plain
from nas.plan.plans import Plan
from nas.plan.steps import concerns
from nas.plan.study import Resources
from nas.runs.failures import classified, constraint
from nas.runs.history import History
from nas.runs.record import OVER, Record, Settings, State, StudyRecord
from nas.store.lease import Lease
from nas.train.worker import Job, Report
from nas.tree.tree import to_json


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
        counts = Counter[State]()
        for (role, state), number in self.history.counts.items():
            if concerns(self.plans, role):
                counts[state] += number
        return counts


Watch = Callable[[Progress], None]


class Session:
    """One run of a study, as its executor sees it: jobs out, reports in. The watcher is told of
    each, and what is asked of the driver meanwhile is heeded."""

    def __init__(
        self, study: StudyRecord, bridge: Bridge, lease: Lease, watch: Watch, notice: Notice
    ) -> None:
        self.bridge, self.notice = bridge, notice
        self._study, self._lease, self._watch = study, lease, watch
        self._progress = Progress(
            study=dataclasses.replace(study, planned=bridge.planned),
            history=bridge.records,
            plans=bridge.plans,
            began=time.monotonic(),
        )
        done = sum(self._progress.states[state] for state in OVER)
        self._progress = dataclasses.replace(self._progress, done_before=done)
        watch(self._progress)

    def heed(self) -> None:
        """Does what was asked of the driver: ends by KeyboardInterrupt, or begins nothing more."""
        if self._lease.stop == "now":
            raise KeyboardInterrupt
        if self._lease.stop == "drain" and not self.bridge.draining:
            self.bridge.draining = True
            self.notice("asked to stop: the trials under way end first")

    def next(self) -> Job | Literal["wait", "done"]:
        """The next run, already in the database; or that there is nothing to do now, or ever."""
        job = self.bridge.next()
        self._tell(None)
        return job

    def report(self, report: Report) -> bool:
        """Takes a worker's report; whether the run is over."""
        over = self.bridge.report(report)
        self._tell(report["number"])
        return over

    def lost(self, number: int, error: BaseException) -> None:
        """Takes the news that a run's worker died."""
        why = f"worker lost: {one_line(error)}"
        self.bridge.failed(number, classified(error), why, constraint(error))
        self._tell(number)

    def end(self) -> None:
        """Writes down what waits, and tells how many runs there are in the end."""
        study = dataclasses.replace(self._study, planned=self.bridge.settle())
        self._watch(dataclasses.replace(self._progress, study=study))

    def _tell(self, number: int | None) -> None:
        self.heed()
        changed = None if number is None else self.bridge.records[number]
        self._watch(dataclasses.replace(self._progress, changed=changed))


class Executor(AbstractContextManager["Executor"]):
    """What runs the trials, checked before the first is asked for and given back at the end.
    `settings` are what a trial trains with, unless they are measured."""

    settings: Settings

    def __init__(self, notice: Notice) -> None:
        self.notice = notice

    @abstractmethod
    def carry(self, session: Session) -> None:
        """Runs the session's jobs until it has no more; raises what goes wrong in the driver."""

    def measured(self, baseline: Experiment) -> Settings:
        """The fastest settings for the baseline, measured where the trials run; told once."""
        job = {
            "layers": to_plain(baseline.trained_layers),
            "recipe": to_json(baseline.recipe),
            "device": self.settings.device,
            "cpus": self.settings.threads,
        }
        best, why = self._measure(job)
        self.notice(why)
        return Settings(**best)

    def _measure(self, job: dict[str, Any]) -> tuple[dict[str, Any], str]:
        return measure(job)


class Step(Protocol):
    """A job under way: it is stepped until its report ends it."""

    def step(self) -> Report: ...


Work = Callable[[Job], Step]


class InProcess(Executor):
    """This process, one trial at a time; `work` is what is done with a job."""

    def __init__(self, resources: Resources, notice: Notice, work: Work) -> None:
        super().__init__(notice)
        self.settings = settings(resources, require_room(resources, (here(),), notice))
        self._work = work

    def __exit__(self, *_: object) -> None:
        pass

    def carry(self, session: Session) -> None:
        while not isinstance(job := session.next(), str):
            trial, over = self._work(job), False
            while not over:
                session.heed()
                over = session.report(trial.step())
