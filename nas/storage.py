"""The database: Optuna's study, and our own tables beside it. The only truth about a study.

One Optuna trial is one run. Its user attributes say what was run; nas_epochs holds its curve, one
row an epoch; nas_runs where and how often it was made; nas_candidates the trees; nas_studies holds
what was asked. Nothing here is pickled.
"""

from __future__ import annotations

import json
import math
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import DuplicatedStudyError, StorageInternalError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import (
    Connection,
    Engine,
    create_engine,
    event,
    insert,
    inspect,
    make_url,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

from nas import failpoints, trials
from nas.errors import StorageError
from nas.experiment import CLASSES
from nas.record import ArmRecord, Epoch, Origin, Protocol, Record, Seeds, State, StudyRecord
from nas.schema import SCHEMA, Base, CandidateRow, EpochRow, RunRow, SchemaRow, StudyRow
from nas.tree import fingerprint, from_json, to_json

READABLE = {
    **CLASSES,
    **{kind.__name__: kind for kind in (ArmRecord, Protocol, Seeds, StudyRecord)},
}
OUTCOMES = {
    "complete": TrialState.COMPLETE,
    "stopped": TrialState.PRUNED,
    "exceeded": TrialState.PRUNED,
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

AWAY = ("locked", "connect", "starting up", "shutting down", "terminating", "recovery mode")
"""Words of a database that is out of reach for a while."""
PATIENCE, AGAIN = 600.0, 1.0
"""Seconds for which a commit is tried again, and between two attempts."""
TREES = 1000
"""How many trees are asked for at once."""
LET_GO = "-c idle_in_transaction_session_timeout=60s"
"""A server undoes what a driver had begun when it was stopped, so that another can take over."""

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
    server = make_url(url).get_backend_name() == "postgresql"
    storage = RDBStorage(url, {"connect_args": {"options": LET_GO}} if server else None)
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
    """Gives the tables of a database of before the columns that came later."""
    for table in Base.metadata.sorted_tables:
        have = {column["name"] for column in inspect(engine).get_columns(table.name)}
        for column in table.columns:
            if column.name not in have:
                kind = column.type.compile(engine.dialect)
                added = text(f"ALTER TABLE {table.name} ADD COLUMN {column.name} {kind}")
                with engine.begin() as connection:
                    connection.execute(added)


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
            made = optuna.create_study(
                storage=storage, study_name=study.full_name, direction="maximize"
            )
        except DuplicatedStudyError:
            made = optuna.load_study(storage=storage, study_name=study.full_name)
        self._study_id = made._study_id
        self._ids: dict[int, int] = {}
        self._epochs: list[dict[str, Any]] = []
        self._notes: dict[int, dict[str, Any]] = defaultdict(dict)
        self._rungs: dict[int, dict[int, float]] = defaultdict(dict)
        self._made: dict[int, Origin] = {}
        self._flushed = -math.inf
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
        layers: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Writes a run under its number, in the state that the record says, in one commit;
        `layers` is what each layer of its network costs."""
        running = record.state == "running"
        steps = {0: record.score} if not running and record.score is not None else {}
        trial = create_trial(
            state=TrialState.RUNNING if running else OUTCOMES[record.state],
            value=None if running else record.score,
            params=dict(params),
            distributions=dict(distributions),
            user_attrs=_attributes(record),
            intermediate_values=steps,
            constraints=dict(record.excess) or None,
        )
        tree = fingerprint(record.experiment)

        def write(connection: Connection) -> None:
            connection.execute(
                trials.INSERTS[connection.dialect.name](CandidateRow)
                .values(
                    tree=tree,
                    candidate_id=record.candidate_id,
                    experiment=json.dumps(dict(record.experiment)),
                    layers=json.dumps(list(layers)),
                )
                .on_conflict_do_nothing()
            )
            # It is there already where the word of a first attempt's commit was lost.
            number, made = record.number, trials.find(connection, self._study_id, record.number)
            self._ids[number] = made or trials.add(connection, self._study_id, number, trial)
            if running and not made:
                row = {"full_name": self.full_name, "number": number, "attempts": 1}
                connection.execute(insert(RunRow).values(**row, **self.driver))

        self._commit(write)

    def attempt(self, number: int) -> None:
        """Notes that a run is given to a worker once more."""
        row = {"full_name": self.full_name, "number": number, "attempts": 1} | self.driver
        again = {"attempts": RunRow.attempts + 1} | self.driver

        def write(connection: Connection) -> None:
            made = trials.INSERTS[connection.dialect.name](RunRow).values(**row)
            keys = ("full_name", "number")
            connection.execute(made.on_conflict_do_update(index_elements=keys, set_=again))

        self._commit(write)

    def made(self, number: int, origin: Origin) -> None:
        """Notes where a run is made, at the next commit."""
        self._made[number] = origin

    def add_epochs(self, number: int, epochs: Sequence[Epoch]) -> None:
        """Adds new rows to a run's curve, at the next commit; those that are there stay."""
        self._epochs += [
            {"full_name": self.full_name, "number": number}
            | {name: _stored(value) for name, value in asdict(epoch).items()}
            for epoch in epochs
        ]

    def note(self, number: int, **attributes: Any) -> None:
        """Writes user attributes of a running trial, at the next commit."""
        self._notes[number] |= attributes

    def rung(self, number: int, epoch: Epoch) -> None:
        """Writes one value of the curve as Optuna's intermediate value, at the next commit."""
        self._rungs[number][epoch.epoch] = epoch.accuracy

    def flush(self, every: float = 0.0) -> None:
        """Commits what waits, unless the last commit is less than `every` seconds ago."""
        waits = self._epochs or self._notes or self._rungs or self._made
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
        with its reason; `excess` are its constraints where they were met in training."""
        self.note(number, outcome=state, reason=reason)
        if last is not None:
            self.rung(number, last)
        scored = OUTCOMES[state] != TrialState.FAIL and last is not None
        value = last.accuracy if scored and last is not None else None
        met = create_trial(
            state=TrialState.RUNNING, constraints=dict(excess) if excess else None
        ).system_attrs

        def write(connection: Connection) -> None:
            trial_id = self._id(connection, number)
            trials.note(connection, trial_id, met, trials.SYSTEM_ATTRIBUTES)
            trials.end(connection, trial_id, OUTCOMES[state], value)

        self._commit(write)

    def _commit(self, write: Callable[[Connection], None]) -> None:
        """One transaction: what waits, and `write`. Each of them can be done twice: the word of a
        commit may be lost with the connection."""
        until, told = time.monotonic() + PATIENCE, False
        while True:
            try:
                with self.storage.engine.begin() as connection:
                    self._settle(connection)
                    write(connection)
                    failpoints.reach("in_commit")
                break
            except OperationalError as error:
                said = str(error.orig).lower()
                if time.monotonic() > until or not any(words in said for words in AWAY):
                    raise
                if not told:
                    away = out_of_reach(str(self.storage.engine.url), error)
                    self.notice(f"{away}; trying again for {PATIENCE / 60:g} minutes")
                told = True
                time.sleep(AGAIN)
        for waiting in (self._epochs, self._notes, self._rungs, self._made):
            waiting.clear()
        self._flushed = time.monotonic()

    def _settle(self, connection: Connection) -> None:
        """Writes what waits."""
        if self._epochs:
            rows = trials.INSERTS[connection.dialect.name](EpochRow)
            connection.execute(rows.on_conflict_do_nothing(), self._epochs)
        for number, origin in self._made.items():
            told = {"host": origin.host, "device": origin.device, "versions": dict(origin.versions)}
            own = self._own(RunRow, number)
            connection.execute(update(RunRow).where(*own).values(**told))
        for number, attributes in self._notes.items():
            trials.note(connection, self._id(connection, number), attributes)
        for number, values in self._rungs.items():
            trials.reach(connection, self._id(connection, number), values)

    def _own(self, table: type[EpochRow | RunRow], number: int) -> tuple[Any, Any]:
        return (table.full_name == self.full_name, table.number == number)

    def _id(self, connection: Connection, number: int) -> int:
        if number not in self._ids:
            found = trials.find(connection, self._study_id, number)
            assert found is not None
            self._ids[number] = found
        return self._ids[number]


def records(storage: RDBStorage, full_name: str) -> list[Record]:
    """Every run of a study, in the order of their numbers."""
    # First, so that what a driver commits in between is more of a curve, never less.
    study = optuna.load_study(storage=storage, study_name=full_name)
    found = study.get_trials(deepcopy=False)
    curves: dict[int, list[Epoch]] = defaultdict(list)
    with Session(storage.engine) as session:
        stored = session.scalars(
            select(EpochRow).where(EpochRow.full_name == full_name).order_by(EpochRow.epoch)
        )
        for row in stored:
            known: dict[str, Any] = {name: _known(getattr(row, name)) for name in METRICS}
            known |= {name: _named(getattr(row, name)) for name in BY_NAME}
            curves[row.number].append(Epoch(**known))
        made = session.scalars(select(RunRow).where(RunRow.full_name == full_name))
        runs = {row.number: row for row in made}
        named = {trial.user_attrs["experiment"] for trial in found if _is_named(trial)}
        trees = _trees(session, named)
        return [
            _record(trial, tuple(curves[trial.number]), trees, runs.get(trial.number))
            for trial in found
        ]


def _is_named(trial: FrozenTrial) -> bool:
    """Whether a run names its tree; one of before has the tree itself."""
    return isinstance(trial.user_attrs["experiment"], str)


def _trees(session: Session, wanted: set[str]) -> dict[str, Any]:
    """The stored trees of these fingerprints."""
    names, found = sorted(wanted), dict[str, Any]()
    for at in range(0, len(names), TREES):
        stored = select(CandidateRow.tree, CandidateRow.experiment)
        rows = session.execute(stored.where(CandidateRow.tree.in_(names[at : at + TREES])))
        found |= {tree: json.loads(experiment) for tree, experiment in rows}
    return found


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
        "experiment": fingerprint(record.experiment),
    }
    if record.crops:
        made["crops"] = record.crops
    if record.state != "running":
        made |= {"outcome": record.state, "reason": record.reason}
    return made


def _record(
    trial: FrozenTrial, curve: tuple[Epoch, ...], trees: Mapping[str, Any], run: RunRow | None
) -> Record:
    given = trial.user_attrs
    seed, tree = given["seed"], given["experiment"]
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
        experiment=trees[tree] if _is_named(trial) else tree,
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
        attempts=run.attempts if run else 0,
        origin=_origin(run) if run and run.host else None,
    )


def _origin(run: RunRow) -> Origin:
    return Origin(
        host=run.host or "",
        device=run.device or "",
        versions=run.versions or {},
        revision=run.revision,
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
