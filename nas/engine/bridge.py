"""Between plan, sampler, budget and database: what runs next, and what becomes of a report.

A proposal that the budget refuses, that is not valid or that ran before is written down and costs
nothing. The sampler is made anew for each number, from the history alone, so that there is no
sampler state to lose.
"""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from optuna.distributions import BaseDistribution

from nas.base import failpoints
from nas.base.errors import OutOfReach, StudyStopped
from nas.base.wording import one_line
from nas.engine.clocks import Clocks
from nas.experiment.cost import Cost, cost
from nas.experiment.experiment import Experiment, rebuilt
from nas.networks.layers import to_plain
from nas.plan.plans import Plan, Search
from nas.plan.samplers.sampler import Ask, NothingLeft
from nas.plan.steps import REFUSALS, Draw, Run, at_rung, concerns, is_exhausted, propose, total
from nas.plan.study import StudySpec
from nas.runs.failures import ATTEMPTS, RETRIES, SAME_FAILURES, Failure, TimeLimit
from nas.runs.history import History
from nas.runs.optuna_trials import stored
from nas.runs.record import (
    OVER,
    REFUSED,
    Epoch,
    Origin,
    Record,
    Role,
    Seeds,
    Settings,
    State,
    run_key,
    seeds,
)
from nas.store.writing import Ledger, contradicted, new_epochs
from nas.train.worker import Job, Report, checkpoints
from nas.tree.domain import Label
from nas.tree.tree import fingerprint, to_json

BATCH = 1.0
"""Seconds: curves are committed at most so often, but at the end of a run."""
NOTED = ("mult_adds_fvcore", "protocol", "predictions", "weights", "test")
"""What a report says of a run that is stored as it is."""


class Bridge:
    """The one writer of a study: asks, admits, records, tells; for some of its plans, or all."""

    def __init__(
        self,
        study: StudySpec,
        ledger: Ledger,
        history: Sequence[Record],
        settings: Settings,
        folder: Path,
        plans: tuple[Plan, ...] | None = None,
    ) -> None:
        self.study, self.ledger = study, ledger
        self.settings, self.folder = settings, folder
        self.plans = plans or study.plans
        self.records = History((record.number, record) for record in history)
        self.records.free = ledger.free
        self._adopted = [self.records[number] for number in sorted(self._running)]
        self._retried: Counter[int] = Counter()
        self._lost: Counter[int] = Counter()
        self.clocks = Clocks(study.resources.trial_seconds)
        self._began = time.monotonic()
        self.draining = False
        self.exhausted = is_exhausted(history)
        self._waiting = False
        self._memory: dict[str, Any] = {}
        for record in history:
            # A driver may have been killed between the two.
            if record.state in OVER:
                self._forget(record.number)

    def next(self) -> Job | Literal["wait", "done"]:
        """The next run, already in the database; or that there is nothing to do now, or ever.

        Raises NothingFits when no candidate fits the budget.
        """
        if self.draining or self.out_of_time:
            return "wait" if self.running else "done"
        while self._adopted:
            record = self._adopted.pop(0)
            times = record.attempts + 1
            if times > ATTEMPTS + len(record.curve):
                why = f"begun {record.attempts} times, and each time its worker or driver died"
                self._tell(record, "failed", f"{why}; {len(record.curve)} epochs were made")
                continue
            self.ledger.attempt(record.number, times)
            return self._job(self._keep(record, attempts=times))
        while not self._waiting:
            step = propose(self.study, self.records, self.exhausted, self.plans)
            if isinstance(step, Run):
                which = (step.role, step.experiment, step.decisions, step.seeds)
                labels = {"change": step.change, "kind": step.kind, "crops": step.crops}
                return self._job(self._begin(*self._record(*which, **labels)))
            if isinstance(step, Draw):
                record = self._draw(step.search)
                if record is not None:
                    return self._job(record)
                continue
            if step == "done":
                return "done"
            self._waiting = True
        return "wait"

    def report(self, report: Report) -> bool:
        """Writes a worker's report down; whether the run is over.

        Raises StudyStopped after the same failure five times or ten failures in a row, OutOfReach
        when the disk is full.
        """
        failpoints.reach("after_report")
        number = report["number"]
        record = self.records[number]
        if record.state != "running":
            return True
        if "halt" in report:
            raise OutOfReach(
                f"{report['halt']}: a checkpoint could not be written into {self.folder}; free "
                "some space, and the same command goes on"
            )
        try:
            epochs = [Epoch(**epoch) for epoch in report["epochs"]]
        except TypeError as error:
            return self.failed(number, "deterministic", f"a report that is no epoch's: {error}")
        self.clocks.hear(number, epochs)
        record = self._noted(self._extended(record, epochs), report)
        if "failure" in report:
            why = report.get("reason", "")
            return self.failed(number, report["failure"], why, report.get("constraint"))
        if "outcome" in report:
            self._tell(record, report["outcome"], report.get("reason"))
            return True
        rung = at_rung(self.study, self.records, record)
        if rung is not None and rung.reason is not None:
            self._tell(record, "stopped", rung.reason)
            return True
        if rung is not None:
            self.ledger.rung(number, record.curve[-1])
        self.flush(BATCH)
        return False

    def _extended(self, record: Record, epochs: list[Epoch]) -> Record:
        """The run with the epochs of its curve that are new, or other than they were."""
        first = contradicted(record.curve, epochs)
        if first is not None:
            self.ledger.cut(record.number, first)
            record = self._keep(record, curve=record.curve[: first - 1])
        fresh = new_epochs(record.curve, epochs)
        if fresh:
            self._lost.clear()
            self.ledger.add_epochs(record.number, fresh)
            record = self._keep(record, curve=(*record.curve, *fresh), score=fresh[-1].accuracy)
        return record

    def _noted(self, record: Record, report: Report) -> Record:
        """The run with what a report says beside its epochs."""
        notes = {key: report.get(key) for key in NOTED if key in report}
        if notes:
            self.ledger.note(record.number, **notes)
        if "origin" in report:
            self.ledger.place(record.number, Origin(**report["origin"]))
        kept = {key: notes[key] for key in ("mult_adds_fvcore", "test") if key in notes}
        return self._keep(record, **kept) if kept else record

    def flush(self, every: float = 0.0) -> None:
        """Commits what the workers told, unless that was less than `every` seconds ago."""
        self.ledger.flush(every)
        failpoints.reach("after_flush")

    def settle(self) -> int:
        """Commits what waits, and, unless only some plans were run, how many runs they train: that
        many."""
        self.flush()
        planned = self.planned
        if self.plans == self.study.plans:
            self.ledger.settle(planned)
        return planned

    def failed(
        self, number: int, failure: Failure, reason: str, constraint: str | None = None
    ) -> bool:
        """What becomes of a run that failed, by the class of its failure; True, for it is over for
        its worker.

        Raises StudyStopped after the same failure five times or ten failures in a row.
        """
        record = self.records[number]
        if record.state != "running":
            return True
        if self.clocks.over(number):
            # A worker that is stuck is ended with all that it was going to say.
            failure, reason, constraint = "resource", one_line(TimeLimit()), "seconds"
        if failure == "resource":
            excess = {**record.excess, constraint or "memory": 1.0}
            self._tell(self._keep(record, excess=excess), "exceeded", reason)
        elif failure == "infrastructure":
            self._lost[number] += 1
            self._adopted.append(record)
            if self._lost[number] >= SAME_FAILURES:
                raise StudyStopped(f"{SAME_FAILURES} times without an epoch in between: {reason}")
        elif failure == "transient" and self._retried[number] < RETRIES:
            self._retried[number] += 1
            self._adopted.append(record)
        else:
            self._tell(record, "failed", reason)
        return True

    @property
    def met(self) -> bool:
        """Whether nothing is left to do."""
        step = propose(self.study, self.records, self.exhausted, self.plans)
        return step == "done" and not self._adopted

    @property
    def planned(self) -> int:
        """How many runs the plans train: known when they are met, since a search may have trained
        what an ablation asks for, and may leave fewer to confirm."""
        if not self.met:
            return total(self.study, self.plans)
        return sum(
            number
            for (role, state), number in self.records.counts.items()
            if concerns(self.plans, role) and state not in REFUSED
        )

    @property
    def out_of_time(self) -> bool:
        """Whether the study's time limit is over: nothing more is begun."""
        limit = self.study.resources.study_seconds
        return limit is not None and time.monotonic() - self._began > limit

    @property
    def running(self) -> int:
        """How many runs are at the workers."""
        return len(self.at_work)

    @property
    def at_work(self) -> set[int]:
        """The numbers of the runs at the workers."""
        return {*self._running} - {record.number for record in self._adopted}

    @property
    def _running(self) -> list[int]:
        numbers = self.records.running
        return [n for n in numbers if concerns(self.plans, self.records[n].role)]

    def _draw(self, search: Search) -> Record | None:
        """A candidate that was admitted and begun; None when there is none left to propose."""
        try:
            while self.records.refused < REFUSALS:
                record = self._admit(search, search.sampler.suggest(self._ask(search)))
                if record.state == "running":
                    return record
            return self._admit(search, self._ask(search).random())
        except NothingLeft:
            self.exhausted = True
            self.ledger.note(max(self.records), exhausted=True)
            self.ledger.flush()
            return None

    def _ask(self, search: Search) -> Ask:
        roles = ("reference", "candidate")
        number = self.records.free
        return Ask(
            space=self.study.space,
            budget=self.study.budget,
            history=tuple(r for r in self.records.values() if r.role in roles),
            number=number,
            rng=np.random.default_rng([search.sampler.seed, number]),
            is_trained=lambda experiment: bool(self._known(experiment, seeds(search.seed))),
            memory=self._memory,
        )

    def _admit(self, search: Search, decisions: Mapping[str, Label]) -> Record:
        """Writes a proposal down: running if it is a network, new and within the budget."""
        space, seed = self.study.space, seeds(search.seed)
        try:
            candidate = space.at(decisions)
            excess = space.excess(candidate, self.study.budget)
        except ValueError as error:
            return self._refuse(decisions, seed, str(error))
        state: State = "running"
        experiment, reason = candidate.experiment, None
        before = self._known(experiment, seed)
        if before is not None:
            state, reason = "duplicate", f"the same run as trial {before.number}"
        over = [name for name, share in excess.items() if share > 0]
        if over and self.study.budget:
            limits = self.study.budget.explain(experiment, space.baseline.experiment)
            state, reason = "infeasible", "; ".join(limits[name] for name in over)
        score = before.score if before and before.state in OVER else None
        record, layers = self._record(
            "candidate", experiment, candidate.decisions, seed,
            state=state, reason=reason, excess=excess, score=score,
        )  # fmt: skip
        return self._begin(record, layers, *stored(self.study.space.domains, decisions))

    def _refuse(self, decisions: Mapping[str, Label], seed: Seeds, why: str) -> Record:
        """Writes down a proposal that is not valid: it has decisions, and nothing to count."""
        baseline = self.study.space.baseline.experiment
        record = Record(
            number=-1,
            role="candidate",
            state="infeasible",
            candidate_id=fingerprint(dict(decisions)),
            network_id="",
            experiment={},
            decisions=dict(decisions),
            seeds=seed,
            epochs=baseline.recipe.fidelity.epochs,
            reason=f"not valid: {why}",
            excess={"valid": 1.0},
        )
        return self._begin(record, (), *stored(self.study.space.domains, decisions))

    def _known(self, experiment: Experiment, seed: Seeds) -> Record | None:
        # What failed is for `nas retry`: the sampler would propose it for ever.
        alike = self.records.alike(run_key(experiment, seed))
        return next((r for r in alike if r.state not in REFUSED), None)

    def _record(
        self,
        role: Role,
        experiment: Experiment,
        decisions: Mapping[str, Label],
        seed: Seeds,
        **labels: Any,
    ) -> tuple[Record, Sequence[Cost]]:
        """A run of an experiment, and what each of its layers costs."""
        budget = self.study.budget
        spent = cost(experiment, budget and budget.image_size, by="layer")
        excess = budget.excess(experiment, self.study.space.baseline.experiment) if budget else {}
        record = Record(
            number=-1,
            role=role,
            state="running",
            candidate_id=experiment.candidate_id,
            network_id=experiment.network_id,
            experiment=to_json(experiment),
            decisions=dict(decisions),
            seeds=seed,
            epochs=experiment.recipe.fidelity.epochs,
            mult_adds=spent.mult_adds,
            params=spent.params,
            params_aux=spent.params_aux,
            activations=spent.activations,
            excess=excess,
            started=time.time(),
        )
        return dataclasses.replace(record, **labels), spent.rows

    def _begin(
        self,
        record: Record,
        layers: Sequence[Cost],
        params: Mapping[str, Any] = MappingProxyType({}),
        distributions: Mapping[str, BaseDistribution] = MappingProxyType({}),
    ) -> Record:
        attempts = int(record.state == "running")
        record = self._keep(record, number=self.records.free, attempts=attempts)
        costs = [{k: v for k, v in vars(layer).items() if k != "rows"} for layer in layers]
        self.ledger.begin(record, params, distributions, costs)
        failpoints.reach("after_ask")
        return record

    def _tell(self, record: Record, state: State, reason: str | None) -> None:
        failpoints.reach("before_tell")
        last = record.curve[-1] if record.curve else None
        excess = record.excess if state == "exceeded" else None
        self.ledger.tell(record.number, state, reason, last, excess)
        failpoints.reach("after_tell", record.number, state, record.score)
        record = self._keep(record, state=state, reason=reason, ended=time.time())
        self._forget(record.number)
        self._waiting = False
        if state == "failed" and (why := self.records.endless(reason)):
            raise StudyStopped(why)

    def _forget(self, number: int) -> None:
        for path in checkpoints(self.folder, number):
            path.unlink(missing_ok=True)

    def _keep(self, record: Record, **changes: Any) -> Record:
        changed = dataclasses.replace(record, **changes)
        self.records.keep(changed.number, changed)
        return changed

    def _job(self, record: Record) -> Job:
        self._waiting = False
        self.clocks.give(record.number)
        experiment = rebuilt(record.experiment, record.network_id)
        size = self.study.budget.image_size if self.study.budget else None
        return {
            "number": record.number,
            "layers": to_plain(experiment.trained_layers),
            "counted": to_plain(experiment.layers(size)),
            "recipe": to_json(experiment.recipe),
            "seeds": dataclasses.asdict(record.seeds),
            "settings": dataclasses.asdict(self.settings),
            "folder": str(self.folder),
            "crops": record.crops,
            "seconds": self.study.resources.trial_seconds,
        }
