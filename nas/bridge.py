"""Between plan, sampler, budget and database: what runs next, and what becomes of a report.

A proposal that the budget refuses, that is not valid or that ran before is written down and costs
nothing. The sampler is made anew for each number, from the history alone, so that there is no
sampler state to lose.
"""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from optuna.distributions import BaseDistribution

from nas.cost import cost
from nas.domain import Label
from nas.errors import NothingFits, OutOfReach, StudyStopped
from nas.experiment import CLASSES, Experiment
from nas.plans import REFUSALS, Draw, Run, at_rung, concerns, is_exhausted, propose
from nas.record import Epoch, Record, Role, Seeds, Settings, State, run_key, seeds
from nas.sampler import Mirror, distribution, stored
from nas.storage import Ledger, new_epochs
from nas.study import Plan, Search, Study
from nas.tree import fingerprint, from_json, to_json
from nas.trial import Job, Report, checkpoint_path

SAME_FAILURES = 5
LOST_RETRIES = 2


class Bridge:
    """The one writer of a study: asks, admits, records, tells; for some of its plans, or all."""

    def __init__(
        self,
        study: Study,
        ledger: Ledger,
        history: list[Record],
        settings: Settings,
        folder: Path,
        plans: tuple[Plan, ...] | None = None,
    ) -> None:
        self.study, self.ledger = study, ledger
        self.settings, self.folder = settings, folder
        self.plans = plans or study.plans
        self.records = {record.number: record for record in history}
        self._adopted = [record for record in self.concerned if record.state == "running"]
        self._lost: Counter[int] = Counter()
        self.exhausted = is_exhausted(history)
        self._waiting = False
        self._mirror = Mirror(study, history)

    def next(self) -> Job | Literal["wait", "done"]:
        """The next run, already in the database; or that there is nothing to do now, or ever.

        Raises NothingFits when no candidate fits the budget.
        """
        if self._adopted:
            return self._job(self._adopted.pop(0))
        while not self._waiting:
            step = propose(self.study, list(self.records.values()), self.exhausted, self.plans)
            if isinstance(step, Run):
                record = self._record(step.role, step.experiment, step.decisions, step.seeds)
                record = dataclasses.replace(
                    record, change=step.change, kind=step.kind, crops=step.crops
                )
                return self._job(self._begin(record, {}, {}))
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

        Raises StudyStopped after the same failure five times, OutOfReach when the disk is full.
        """
        number = report["number"]
        record = self.records[number]
        if record.state != "running":
            return True
        if "halt" in report:
            raise OutOfReach(
                f"{report['halt']}: a checkpoint could not be written into {self.folder}; free "
                "some space, and the same command goes on"
            )
        fresh = new_epochs(record.curve, [Epoch(**epoch) for epoch in report["epochs"]])
        if fresh:
            self.ledger.add_epochs(number, fresh)
            record = self._keep(record, curve=(*record.curve, *fresh), score=fresh[-1].accuracy)
        noted: dict[str, Any] = {
            key: report.get(key)
            for key in ("mult_adds_fvcore", "protocol", "predictions", "weights", "test")
            if key in report
        }
        if noted:
            self.ledger.note(number, **noted)
        if "mult_adds_fvcore" in report:
            record = self._keep(record, mult_adds_fvcore=report["mult_adds_fvcore"])
        if "test" in report:
            record = self._keep(record, test=report["test"])
        outcome = report.get("outcome")
        if outcome is not None:
            self._tell(record, outcome, report.get("reason"))  # pyright: ignore[reportArgumentType]
            return True
        rung = at_rung(self.study, list(self.records.values()), record)
        if rung is None:
            return False
        if rung.reason is None:
            self.ledger.rung(number, record.curve[-1])
            return False
        self._tell(record, "stopped", rung.reason)
        return True

    def lost(self, number: int, reason: str) -> None:
        """A worker died: the run is taken up again, twice at most."""
        record = self.records[number]
        if record.state != "running":
            return
        self._lost[number] += 1
        if self._lost[number] > LOST_RETRIES:
            self._tell(record, "failed", reason)
        else:
            self._adopted.append(record)

    @property
    def concerned(self) -> list[Record]:
        """The records of the plans that are run."""
        return [record for record in self.records.values() if concerns(self.plans, record)]

    @property
    def running(self) -> int:
        """How many runs are at the workers."""
        waiting = {record.number for record in self._adopted}
        held = [r for r in self.concerned if r.state == "running"]
        return sum(record.number not in waiting for record in held)

    def _draw(self, search: Search) -> Record | None:
        """A candidate that was admitted and begun; None when there is none left to propose."""
        refused: Counter[str] = Counter()
        while refused.total() < REFUSALS:
            decisions = self._mirror.suggest(search, len(self.records))
            record = self._admit(search, decisions)
            if record.state == "running":
                return record
            refused[record.state] += 1
        rng = np.random.default_rng([search.sampler.seed, len(self.records)])
        for _ in range(REFUSALS):
            try:
                candidate = self.study.space.sample(rng, self.study.budget)
            except (ValueError, NothingFits) as error:
                if not any(
                    r.role == "candidate" and r.state in ("complete", "stopped", "running")
                    for r in self.records.values()
                ):
                    raise NothingFits(str(error)) from None
                break
            if not self._known(candidate.experiment, seeds(search.seed)):
                return self._admit(search, candidate.decisions)
        self.exhausted = True
        return None

    def _admit(self, search: Search, decisions: Mapping[str, Label]) -> Record:
        """Writes a proposal down: running if it is a network, new and within the budget."""
        space, seed = self.study.space, seeds(search.seed)
        state: State = "running"
        reason, excess, before = None, dict[str, float](), None
        try:
            candidate = space.at(decisions)
            excess = space.excess(candidate, self.study.budget)
        except ValueError as error:
            return self._refuse(decisions, seed, str(error))
        else:
            before = self._known(candidate.experiment, seed)
            if before is not None:
                state, reason = "duplicate", f"the same run as trial {before.number}"
            over = [name for name, share in excess.items() if share > 0]
            if over and self.study.budget:
                said = self.study.budget.explain(candidate.experiment, space.baseline.experiment)
                state, reason = "infeasible", "; ".join(said[name] for name in over)
        record = self._record("candidate", candidate.experiment, candidate.decisions, seed)
        record = dataclasses.replace(
            record,
            state=state,
            reason=reason,
            excess=excess,
            score=before.score if before and before.state != "running" else None,
        )
        return self._begin(record, *self._stored(decisions))

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
        return self._begin(record, *self._stored(decisions))

    def _stored(
        self, decisions: Mapping[str, Label]
    ) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
        domains = self.study.space.domains
        params = {name: stored(domains[name], label) for name, label in decisions.items()}
        return params, {name: distribution(domains[name]) for name in decisions}

    def _known(self, experiment: Experiment, seed: Seeds) -> Record | None:
        key = run_key(experiment, seed)
        trained = ("running", "complete", "stopped", "diverged")
        made = (r for r in self.records.values() if r.key == key and r.state in trained)
        return next(made, None)

    def _record(
        self,
        role: Role,
        experiment: Experiment,
        decisions: Mapping[str, Label],
        seed: Seeds,
    ) -> Record:
        budget = self.study.budget
        spent = cost(experiment, budget and budget.image_size)
        excess = budget.excess(experiment, self.study.space.baseline.experiment) if budget else {}
        return Record(
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

    def _begin(
        self,
        record: Record,
        params: Mapping[str, Any],
        distributions: Mapping[str, BaseDistribution],
    ) -> Record:
        number = self.ledger.begin(record, params, distributions)
        record = self._keep(record, number=number)
        if record.role == "candidate":
            self._mirror.add(record, params, distributions)
        return record

    def _tell(self, record: Record, state: State, reason: str | None) -> None:
        last = record.curve[-1] if record.curve else None
        self.ledger.tell(record.number, state, reason, last)
        record = self._keep(record, state=state, reason=reason, ended=time.time())
        if record.role == "candidate":
            self._mirror.finish(record)
        checkpoint_path(self.folder, record.number).unlink(missing_ok=True)
        self._waiting = False
        failures = [r.reason for r in self.records.values() if r.state == "failed"]
        if state == "failed" and failures.count(reason) >= SAME_FAILURES:
            raise StudyStopped(f"{SAME_FAILURES} trials failed alike: {reason}")

    def _keep(self, record: Record, **changes: Any) -> Record:
        changed = dataclasses.replace(record, **changes)
        self.records[changed.number] = changed
        return changed

    def _job(self, record: Record) -> Job:
        self._waiting = False
        experiment: Experiment = from_json(record.experiment, CLASSES)
        size = self.study.budget.image_size if self.study.budget else None
        return {
            "number": record.number,
            "layers": [dataclasses.asdict(layer) for layer in experiment.trained_layers],
            "counted": [dataclasses.asdict(layer) for layer in experiment.layers(size)],
            "recipe": to_json(experiment.recipe),
            "seeds": dataclasses.asdict(record.seeds),
            "settings": dataclasses.asdict(self.settings),
            "folder": str(self.folder),
            "crops": record.crops,
        }
