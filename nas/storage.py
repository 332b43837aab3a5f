"""The database: Optuna's study, and our own tables beside it. The only truth about a study.

One Optuna trial is one run. Its user attributes say what was run; nas_epochs holds its curve, one
row an epoch; nas_studies holds what was asked. Nothing here is pickled.
"""

from __future__ import annotations

import json
import math
import time
from collections import defaultdict
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import DuplicatedStudyError, StorageInternalError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import Engine, create_engine, event, insert, inspect, make_url, select, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from nas.errors import StorageError
from nas.experiment import CLASSES
from nas.record import ArmRecord, Epoch, Protocol, Record, Seeds, State, StudyRecord
from nas.schema import SCHEMA, Base, EpochRow, SchemaRow, StudyRow
from nas.tree import from_json, to_json

READABLE = {
    **CLASSES,
    **{kind.__name__: kind for kind in (ArmRecord, Protocol, Seeds, StudyRecord)},
}
OUTCOMES = {
    "complete": TrialState.COMPLETE,
    "stopped": TrialState.PRUNED,
    "infeasible": TrialState.PRUNED,
    "duplicate": TrialState.PRUNED,
    "diverged": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


BY_NAME = ("aux_losses", "gradients")
METRICS = tuple(field.name for field in fields(Epoch) if field.name not in BY_NAME)
"""The numbers of an epoch: several by their names, and one each."""


OPTUNAS, LAST = ("version_info", "alembic_version"), "trial_user_attributes"
"""Tables of Optuna's whose names do not begin like the others', and one that shows it is there."""
MAKING = 5
"""Attempts to make the tables of a new database."""

WAYS_OUT = {
    "unable to open": "its folder must exist, and both must be yours to write",
    "readonly": "make it writable, or give another --storage",
    "read-only": "make it writable, or give another --storage",
    "disk is full": "free some space, and the same command goes on",
    "no space": "free some space, and the same command goes on",
    "locked": "another program holds it; wait, and the same command goes on",
    "malformed": "it is damaged: restore it from a copy, or give another --storage",
    "not a database": "give another --storage",
    "refused": "start the server, or give another --storage",
    "authentication": "put the password into ~/.pgpass",
}
"""What a database's own words mean for the user."""


@contextmanager
def connect(url: str) -> Generator[RDBStorage]:
    """Opens a database, a new one if need be; StorageError when it is, or gets, out of reach, or
    is not one of ours."""
    try:
        storage = _open(url)
    except (SQLAlchemyError, StorageInternalError, RuntimeError, ImportError) as error:
        raise out_of_reach(url, error) from error
    try:
        yield storage
    except (SQLAlchemyError, StorageInternalError) as error:
        raise out_of_reach(url, error) from error
    finally:
        storage.remove_session()
        storage.engine.dispose()


def out_of_reach(url: str, error: Exception) -> StorageError:
    """The StorageError that says what a database's error means, without the URL's password."""
    cause: BaseException = error
    while not isinstance(cause, DBAPIError) and cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(cause, DBAPIError) and cause.orig is not None:
        cause = cause.orig
    said = (str(cause).splitlines() or [type(cause).__name__])[0]
    hint = next((hint for words, hint in WAYS_OUT.items() if words in said.lower()), None)
    way_out = f"; {hint}" if hint else ""
    return StorageError(f"the database {shown(url)} is out of reach: {said}{way_out}")


def shown(url: str) -> str:
    """A database's URL without its password."""
    return make_url(url).set(query={}).render_as_string(hide_password=True)


def exists(url: str) -> bool:
    """Whether our tables are at a URL; StorageError where it is out of reach or foreign."""
    parts = make_url(url)
    file = parts.get_backend_name() == "sqlite" and not parts.query and parts.database
    if file and not Path(file).exists():
        return False
    try:
        return _ours(url)
    except (SQLAlchemyError, ImportError) as error:
        raise out_of_reach(url, error) from error


def _open(url: str) -> RDBStorage:
    _ours(url)
    for attempt in range(MAKING):
        try:
            return _made(url)
        except (SQLAlchemyError, RuntimeError):
            # Two that make the tables of a new database at once: one of them finds them made.
            if attempt == MAKING - 1:
                raise
            time.sleep(0.2 * (attempt + 1))
    raise AssertionError


def _made(url: str) -> RDBStorage:
    storage = RDBStorage(url)
    if storage.engine.dialect.name == "sqlite":
        event.listen(storage.engine, "connect", _tune_sqlite)
        storage.engine.dispose()
    Base.metadata.create_all(storage.engine)
    _widen(storage.engine)
    with Session(storage.engine) as session, session.begin():
        if session.scalar(select(SchemaRow.version)) is None:
            session.add(SchemaRow(version=SCHEMA))
    return storage


def _widen(engine: Engine) -> None:
    """Gives the epochs of a database of before the columns that came later."""
    table = EpochRow.__table__
    have = {column["name"] for column in inspect(engine).get_columns(EpochRow.__tablename__)}
    with engine.begin() as connection:
        for column in table.columns:
            if column.name not in have:
                kind = column.type.compile(engine.dialect)
                connection.execute(
                    text(f"ALTER TABLE {EpochRow.__tablename__} ADD COLUMN {column.name} {kind}")
                )


def _ours(url: str) -> bool:
    """Whether a database has our tables; StorageError, before anything is written, where it is
    another program's or of another version."""
    engine = create_engine(url)
    try:
        tables = _tables(engine)
        for attempt in range(MAKING):
            if LAST in tables or not tables or not all(map(_is_optunas, tables)):
                break
            # Another process is making the tables just now.
            time.sleep(0.2 * (attempt + 1))
            tables = _tables(engine)
        if SchemaRow.__tablename__ in tables:
            with Session(engine) as session:
                found = session.scalar(select(SchemaRow.version))
            if found not in (None, SCHEMA):
                raise StorageError(
                    f"the database {shown(url)} has schema {found}, this version reads {SCHEMA}; "
                    "use the version that wrote it, or another --storage"
                )
            return True
        if tables and LAST not in tables:
            some = ", ".join(sorted(tables)[:3])
            raise StorageError(
                f"the database {shown(url)} is another program's: it has the tables {some}; "
                "nothing was written; give another --storage"
            )
        return False
    finally:
        engine.dispose()


def _tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


def _is_optunas(table: str) -> bool:
    return table.startswith(("studies", "study_", "trial")) or table in OPTUNAS


def _tune_sqlite(connection: Any, _: Any) -> None:
    # Write-ahead logging: readers never wait for the writer, and a killed process loses nothing.
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA busy_timeout=30000")


class Ledger:
    """One study in the database, written by one driver."""

    def __init__(self, storage: RDBStorage, study: StudyRecord) -> None:
        self.storage, self.full_name = storage, study.full_name
        try:
            made = optuna.create_study(
                storage=storage, study_name=study.full_name, direction="maximize"
            )
        except DuplicatedStudyError:
            made = optuna.load_study(storage=storage, study_name=study.full_name)
        self._study_id = made._study_id
        self._ids: dict[int, int] = {}
        with Session(storage.engine) as session, session.begin():
            row = session.get(StudyRow, study.full_name)
            if row is None:
                row = StudyRow(full_name=study.full_name, name=study.name, created=study.created)
                session.add(row)
            row.spec = json.dumps(to_json(replace(study, created=row.created)))

    def begin(
        self,
        record: Record,
        params: Mapping[str, Any],
        distributions: Mapping[str, BaseDistribution],
    ) -> int:
        """Writes a run, in the state that the record says, in one commit; gives its number."""
        state = TrialState.RUNNING if record.state == "running" else OUTCOMES[record.state]
        refused = state == TrialState.PRUNED
        steps = {0: record.score} if refused and record.score is not None else {}
        template = create_trial(
            state=state,
            value=record.score if refused else None,
            params=dict(params),
            distributions=dict(distributions),
            user_attrs=_attributes(record),
            intermediate_values=steps,
            constraints=dict(record.excess) or None,
        )
        trial_id = self.storage.create_new_trial(self._study_id, template)
        number = self.storage.get_trial_number_from_id(trial_id)
        self._ids[number] = trial_id
        return number

    def add_epochs(self, number: int, epochs: Sequence[Epoch]) -> None:
        """Writes new rows of a run's curve, in one commit."""
        rows = [
            {"full_name": self.full_name, "number": number}
            | {name: _stored(value) for name, value in asdict(epoch).items()}
            for epoch in epochs
        ]
        with Session(self.storage.engine) as session, session.begin():
            session.execute(insert(EpochRow), rows)

    def note(self, number: int, **attributes: Any) -> None:
        """Writes user attributes of a running trial."""
        for name, value in attributes.items():
            self.storage.set_trial_user_attr(self._id(number), name, value)

    def rung(self, number: int, epoch: Epoch) -> None:
        """Writes one value of the curve as Optuna's intermediate value."""
        value = epoch.accuracy
        self.storage.set_trial_intermediate_value(self._id(number), epoch.epoch, value)

    def tell(self, number: int, state: State, reason: str | None, last: Epoch | None) -> None:
        """Ends a run: complete with its score, or in another state with its reason. The curve is
        committed before."""
        self.note(number, outcome=state, reason=reason)
        if last is not None:
            self.rung(number, last)
        scored = OUTCOMES[state] != TrialState.FAIL and last is not None
        values = [last.accuracy] if scored and last is not None else None
        self.storage.set_trial_state_values(self._id(number), OUTCOMES[state], values)

    def _id(self, number: int) -> int:
        if number not in self._ids:
            found = self.storage.get_trial_id_from_study_id_trial_number(self._study_id, number)
            self._ids[number] = found
        return self._ids[number]


def trials(storage: RDBStorage, full_name: str) -> list[FrozenTrial]:
    """Optuna's rows of a study, in the order of their numbers."""
    study = optuna.load_study(storage=storage, study_name=full_name)
    return study.get_trials(deepcopy=False)


def records(storage: RDBStorage, full_name: str) -> list[Record]:
    """Every run of a study, in the order of their numbers."""
    curves: dict[int, list[Epoch]] = defaultdict(list)
    with Session(storage.engine) as session:
        stored = session.scalars(
            select(EpochRow).where(EpochRow.full_name == full_name).order_by(EpochRow.epoch)
        )
        for row in stored:
            known: dict[str, Any] = {name: _known(getattr(row, name)) for name in METRICS}
            known |= {name: _named(getattr(row, name)) for name in BY_NAME}
            curves[row.number].append(Epoch(**known))
    return [_record(trial, tuple(curves[trial.number])) for trial in trials(storage, full_name)]


def study_record(storage: RDBStorage, name: str) -> StudyRecord:
    """What was asked: of NAME@hash, or of the newest study of that NAME. KeyError if none is."""
    with Session(storage.engine) as session:
        rows = session.scalars(select(StudyRow).order_by(StudyRow.created))
        found = [row.spec for row in rows if name in (row.full_name, row.name)]
    if not found:
        raise KeyError(name)
    return from_json(json.loads(found[-1]), READABLE)


def study_names(storage: RDBStorage) -> list[str]:
    """The full names of the studies, oldest first."""
    with Session(storage.engine) as session:
        return list(session.scalars(select(StudyRow.full_name).order_by(StudyRow.created)))


def _attributes(record: Record) -> dict[str, Any]:
    seed = record.seeds
    alike = len(set(asdict(seed).values())) == 1
    made: dict[str, Any] = {
        "role": record.role,
        "change": record.change,
        "kind": record.kind,
        "candidate_id": record.candidate_id,
        "network_id": record.network_id,
        "seed": seed.init if alike else to_json(seed),
        "epochs": record.epochs,
        "mult_adds": record.mult_adds,
        "params": record.params,
        "params_aux": record.params_aux,
        "activations": record.activations,
        "decisions": dict(record.decisions),
        "experiment": dict(record.experiment),
    }
    if record.crops:
        made["crops"] = record.crops
    if record.state != "running":
        made |= {"outcome": record.state, "reason": record.reason}
    return made


def _record(trial: FrozenTrial, curve: tuple[Epoch, ...]) -> Record:
    given = trial.user_attrs
    seed = given["seed"]
    if isinstance(seed, int):
        streams = Seeds(split=seed, init=seed, order=seed, dropout=seed)
    else:
        streams = from_json(seed, READABLE)
    protocol = given.get("protocol")
    state: State = "running" if trial.state == TrialState.RUNNING else given["outcome"]
    began, ended = trial.datetime_start, trial.datetime_complete
    return Record(
        number=trial.number,
        role=given["role"],
        state=state,
        candidate_id=given["candidate_id"],
        network_id=given["network_id"],
        experiment=given["experiment"],
        decisions=given["decisions"],
        seeds=streams,
        epochs=given["epochs"],
        change=given["change"],
        kind=given["kind"],
        reason=given.get("reason"),
        mult_adds=given["mult_adds"],
        mult_adds_fvcore=given.get("mult_adds_fvcore"),
        params=given["params"],
        params_aux=given["params_aux"],
        activations=given["activations"],
        excess=dict(trial.constraints),
        protocol=from_json(protocol, READABLE) if protocol else None,
        curve=curve,
        score=curve[-1].accuracy if curve else trial.value,
        crops=given.get("crops"),
        test=given.get("test"),
        started=began.timestamp() if began else None,
        ended=ended.timestamp() if ended else None,
        predictions=given.get("predictions"),
        weights=given.get("weights"),
    )


def _stored(value: float | dict[str, float]) -> Any:
    if isinstance(value, dict):
        return {name: _stored(number) for name, number in value.items()} or None
    return value if math.isfinite(value) else None


def _known(value: Any) -> Any:
    return math.nan if value is None else value


def _named(values: dict[str, Any] | None) -> dict[str, float]:
    return {name: _known(value) for name, value in (values or {}).items()}


def new_epochs(known: Iterable[Epoch], reported: Iterable[Epoch]) -> list[Epoch]:
    """The reported epochs that the curve does not have yet; a resumed run reports some again."""
    have = {epoch.epoch for epoch in known}
    return [epoch for epoch in reported if epoch.epoch not in have]
