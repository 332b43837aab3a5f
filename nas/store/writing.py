"""What a driver writes of its study: a run asked for or told in one commit each, with its curve."""

from __future__ import annotations

import json
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any
from uuid import uuid4

from optuna.distributions import BaseDistribution
from optuna.exceptions import DuplicatedStudyError
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial
from sqlalchemy import Connection, delete, update
from sqlalchemy.exc import InternalError, OperationalError
from sqlalchemy.orm import Session

from nas.base import failpoints
from nas.base.errors import StorageError
from nas.runs.optuna_trials import OUTCOMES
from nas.runs.record import Epoch, Origin, Record, State, StudyRecord
from nas.store import trials
from nas.store.database import out_of_reach
from nas.store.schema import ASKED, CandidateRow, EpochRow, RunRow, StudyRow
from nas.tree.tree import fingerprint, to_json

AWAY = ("locked", "connect", "starting up", "shutting down", "terminating", "recovery mode")
"""Words of a database that is out of reach for a while."""
PATIENCE, AGAIN = 600.0, 1.0
"""Seconds for which a commit is tried again, and between two attempts."""
MARK = "nas:begun"
"""The attribute by which a driver knows a row as its own."""


class Ledger:
    """One study in the database, written by one driver.

    Curves, notes and rungs wait for the next commit: of `begin` and `tell`, or of `flush`. While
    the database is away, a commit is tried again, for ten minutes.
    """

    def __init__(
        self,
        storage: RDBStorage,
        study: StudyRecord,
        incarnation: int = 0,
        revision: str | None = None,
        notice: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.storage, self.full_name = storage, study.full_name
        self.driver = {"incarnation": incarnation, "revision": revision}
        self.notice = notice
        try:
            higher = study.baseline.subject.higher_is_better
            direction = StudyDirection.MAXIMIZE if higher else StudyDirection.MINIMIZE
            self._study_id = storage.create_new_study([direction], study.full_name)
        except DuplicatedStudyError:
            self._study_id = storage.get_study_id_from_name(study.full_name)
        self._ids: dict[int, int] = {}
        self._epochs: list[dict[str, Any]] = []
        self._notes: dict[int, dict[str, Any]] = defaultdict(dict)
        self._rungs: dict[int, dict[int, float]] = defaultdict(dict)
        self._origins: dict[int, Origin] = {}
        self._cuts: dict[int, int] = {}
        self._flushed = -math.inf
        with Session(storage.engine) as session, session.begin():
            row = session.get(StudyRow, study.full_name)
            if row is None:
                row = StudyRow(full_name=study.full_name, name=study.name, created=study.created)
                session.add(row)
            row.spec = json.dumps(to_json(replace(study, created=row.created)))

    @property
    def free(self) -> int:
        """The next number; trials of other programs have some too."""
        with self.storage.engine.connect() as connection:
            return trials.after(connection, self._study_id, self.full_name)

    def settle(self, planned: int) -> None:
        """Writes how many runs the study's plans train in all."""
        with Session(self.storage.engine) as session, session.begin():
            row = session.get_one(StudyRow, self.full_name)
            row.spec = json.dumps(json.loads(row.spec) | {"planned": planned})

    def begin(
        self,
        record: Record,
        params: Mapping[str, Any],
        distributions: Mapping[str, BaseDistribution],
        layers: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Writes a run under its number, in the state that the record says, in one commit;
        `layers` is what each layer of its network costs. StorageError where another program wrote
        a trial of that number."""
        running = record.state == "running"
        score = None if running else record.score
        trial = create_trial(
            state=TrialState.RUNNING if running else OUTCOMES[record.state],
            value=score,
            params=dict(params),
            distributions=dict(distributions),
            user_attrs=_attributes(record),
            intermediate_values={} if score is None else {0: score},
            constraints=dict(record.excess) or None,
        )
        number, mark = record.number, uuid4().hex

        def write(connection: Connection) -> None:
            _add_tree(connection, record, layers)
            trial_id = trials.find(connection, self._study_id, number)
            if trial_id is None:
                self._ids[number] = trials.add(connection, self._study_id, number, trial)
                trials.note(connection, self._ids[number], {MARK: mark}, trials.SYSTEM_ATTRIBUTES)
                if running:
                    self._attempt(connection, number, 1)
            # The word of a first attempt's commit was lost, or it is somebody else's.
            elif trials.attribute(connection, trial_id, MARK) != mark:
                raise StorageError(
                    f"another program wrote trial {number} of {self.full_name} while this one "
                    "ran; the same command goes on beside it"
                )

        self._commit(write)

    def attempt(self, number: int, times: int) -> None:
        """Notes that a run is given to a worker once more, for so many times now."""
        self._commit(lambda connection: self._attempt(connection, number, times))

    def _attempt(self, connection: Connection, number: int, times: int) -> None:
        key = {"full_name": self.full_name, "number": number}
        values = {"attempts": times} | self.driver
        row = trials.INSERTS[connection.dialect.name](RunRow).values(**key, **values)
        connection.execute(row.on_conflict_do_update(index_elements=(*key,), set_=values))

    def place(self, number: int, origin: Origin) -> None:
        """Notes where a run is made, at the next commit."""
        self._origins[number] = origin

    def add_epochs(self, number: int, epochs: Sequence[Epoch]) -> None:
        """Adds new rows to a run's curve, at the next commit; those that are there stay."""
        self._epochs += [
            {"full_name": self.full_name, "number": number}
            | {name: _stored(value) for name, value in asdict(epoch).items()}
            for epoch in epochs
        ]

    def cut(self, number: int, epoch: int) -> None:
        """Takes a run's curve away from an epoch on, at the next commit and before what is added
        from now on."""
        self._epochs = [e for e in self._epochs if e["number"] != number or e["epoch"] < epoch]
        self._rungs[number] = {at: v for at, v in self._rungs[number].items() if at < epoch}
        self._cuts[number] = min(epoch, self._cuts.get(number, epoch))

    def note(self, number: int, **attributes: Any) -> None:
        """Writes user attributes of a running trial, at the next commit."""
        self._notes[number] |= attributes

    def rung(self, number: int, epoch: Epoch) -> None:
        """Writes one value of the curve as Optuna's intermediate value, at the next commit."""
        self._rungs[number][epoch.epoch] = epoch.accuracy

    def flush(self, every: float = 0.0) -> None:
        """Commits what waits, unless the last commit is less than `every` seconds ago."""
        waits = self._epochs or self._notes or self._rungs or self._origins
        if waits and time.monotonic() - self._flushed >= every:
            self._commit(lambda connection: None)

    def tell(
        self,
        number: int,
        state: State,
        reason: str | None,
        last: Epoch | None,
        excess: Mapping[str, float] | None = None,
    ) -> None:
        """Ends a run, in one commit with what waits: complete with its score, or in another state
        with its reason; `excess` are its constraints where they were met in training.
        StorageError where another program ended it otherwise."""
        self.note(number, outcome=state, reason=reason)
        if last is not None:
            self.rung(number, last)
        value = last.accuracy if last and OUTCOMES[state] != TrialState.FAIL else None
        constraints = create_trial(
            state=TrialState.RUNNING, constraints=dict(excess) if excess else None
        ).system_attrs

        def write(connection: Connection) -> None:
            trial_id = self._id(connection, number)
            trials.note(connection, trial_id, constraints, trials.SYSTEM_ATTRIBUTES)
            trials.end(connection, trial_id, OUTCOMES[state], value)

        self._commit(write)

    def _commit(self, write: Callable[[Connection], None]) -> None:
        """One transaction: what waits, and `write`. Each of them can be done twice: the word of a
        commit may be lost with the connection."""
        until, noticed = time.monotonic() + PATIENCE, False
        while True:
            try:
                with self.storage.engine.begin() as connection:
                    self._settle(connection)
                    write(connection)
                    failpoints.reach("in_commit")
                break
            except StorageError:
                # A driver that lost its study takes the next one's rows for a stranger's: the
                # commit of nothing asks the lease, and says so.
                with self.storage.engine.begin():
                    pass
                raise
            # A server that ended a stopped driver's transaction says so by the second.
            except (OperationalError, InternalError) as error:
                cause = str(error.orig).lower()
                if time.monotonic() > until or not any(words in cause for words in AWAY):
                    raise
                if not noticed:
                    away = out_of_reach(str(self.storage.engine.url), error)
                    self.notice(f"{away}; trying again for {PATIENCE / 60:g} minutes")
                noticed = True
                time.sleep(AGAIN)
        for waiting in (self._epochs, self._notes, self._rungs, self._origins, self._cuts):
            waiting.clear()
        self._flushed = time.monotonic()

    def _settle(self, connection: Connection) -> None:
        """Writes what waits."""
        for number, epoch in self._cuts.items():
            where = (*self._own(EpochRow, number), EpochRow.epoch >= epoch)
            connection.execute(delete(EpochRow).where(*where))
            trials.cut(connection, self._id(connection, number), epoch)
        if self._epochs:
            rows = trials.INSERTS[connection.dialect.name](EpochRow)
            connection.execute(rows.on_conflict_do_nothing(), self._epochs)
        for number, origin in self._origins.items():
            place = {"host": origin.host, "device": origin.device}
            changed = update(RunRow).where(*self._own(RunRow, number))
            connection.execute(changed.values(**place, versions=dict(origin.versions)))
        for number, attributes in self._notes.items():
            trials.note(connection, self._id(connection, number), attributes)
        for number, values in self._rungs.items():
            trials.reach(connection, self._id(connection, number), values)

    def _own(self, table: type[EpochRow | RunRow], number: int) -> tuple[Any, Any]:
        return (table.full_name == self.full_name, table.number == number)

    def _id(self, connection: Connection, number: int) -> int:
        if number not in self._ids:
            trial_id = trials.find(connection, self._study_id, number)
            assert trial_id is not None
            self._ids[number] = trial_id
        return self._ids[number]


def _add_tree(connection: Connection, record: Record, layers: Sequence[Mapping[str, Any]]) -> None:
    row = trials.INSERTS[connection.dialect.name](CandidateRow).values(
        tree=fingerprint(record.experiment),
        candidate_id=record.candidate_id,
        experiment=json.dumps(dict(record.experiment)),
        layers=json.dumps(list(layers)),
    )
    connection.execute(row.on_conflict_do_nothing())


def new_epochs(known: Iterable[Epoch], reported: Iterable[Epoch]) -> list[Epoch]:
    """The reported epochs that the curve does not have yet; a resumed run reports some again."""
    have = {epoch.epoch for epoch in known}
    return [epoch for epoch in reported if epoch.epoch not in have]


def contradicted(known: Iterable[Epoch], reported: Iterable[Epoch]) -> int | None:
    """The first epoch that is reported with other numbers than the curve has: another training's,
    where a checkpoint was lost, or not accepted by the trainer, data or settings of today."""
    have = {epoch.epoch: _scores(epoch) for epoch in known}
    changed = (e.epoch for e in reported if have.get(e.epoch, _scores(e)) != _scores(e))
    return min(changed, default=None)


def _scores(epoch: Epoch) -> list[float | None]:
    scores = (epoch.train_loss, epoch.train_accuracy, epoch.loss, epoch.accuracy)
    return [_stored(score) for score in scores]


def _attributes(record: Record) -> dict[str, Any]:
    seed = record.seeds
    alike = len(set(asdict(seed).values())) == 1
    attributes = {name: getattr(record, name) for name in ASKED} | {
        "decisions": dict(record.decisions),
        "seed": seed.init if alike else to_json(seed),
        "experiment": fingerprint(record.experiment),
    }
    if record.crops:
        attributes["crops"] = record.crops
    if record.state != "running":
        attributes |= {"outcome": record.state, "reason": record.reason}
    return attributes


def _stored(value: float | dict[str, float]) -> Any:
    if isinstance(value, dict):
        return {name: _stored(number) for name, number in value.items()} or None
    return value if math.isfinite(value) else None
