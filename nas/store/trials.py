"""Optuna's rows of a trial, written in a transaction of ours; Optuna itself reads them.

Optuna's own storage looks the trial up anew for each parameter and attribute and commits each
report apart: 30 times the time. These are the tables of its schema 12, which it checks when a
database is opened.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from optuna.distributions import distribution_to_json
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Enum,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    cast,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from nas.base.errors import StorageError
from nas.store.schema import RunRow

INSERTS: Mapping[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
"""By the name of a database: an insert that may meet a row that is there."""

_METADATA = MetaData()


def _table(name: str, *columns: Column[Any]) -> Table:
    return Table(name, _METADATA, *columns)


def _trial() -> Column[Any]:
    return Column("trial_id", Integer)


TRIALS = _table(
    "trials", Column("trial_id", Integer, primary_key=True), Column("number", Integer),
    Column("study_id", Integer), Column("state", Enum(TrialState)),
    Column("datetime_start", DateTime), Column("datetime_complete", DateTime),
)  # fmt: skip
PARAMS = _table(
    "trial_params", _trial(), Column("param_name", String), Column("param_value", Float),
    Column("distribution_json", String),
)  # fmt: skip
VALUES = _table(
    "trial_values", _trial(), Column("objective", Integer), Column("value", Float),
    Column("value_type", Enum("FINITE", name="trialvaluetype")),
)  # fmt: skip
STEPS = _table(
    "trial_intermediate_values", _trial(), Column("step", Integer),
    Column("intermediate_value", Float),
    Column("intermediate_value_type", Enum("FINITE", name="trialintermediatevaluetype")),
)  # fmt: skip
USER_ATTRIBUTES, SYSTEM_ATTRIBUTES = (
    _table(name, _trial(), Column("key", String), Column("value_json", String))
    for name in ("trial_user_attributes", "trial_system_attributes")
)


ENDED = (
    "outcome", "reason", "protocol", "mult_adds_fvcore", "test", "predictions", "weights"
)  # fmt: skip
"""The user attributes that a run gets while it runs, and when it ends."""


def find(connection: Connection, study_id: int, number: int) -> int | None:
    """Optuna's id of a study's trial."""
    same = (TRIALS.c.study_id == study_id, TRIALS.c.number == number)
    return connection.scalar(select(TRIALS.c.trial_id).where(*same))


def attribute(connection: Connection, trial_id: int, key: str) -> Any:
    """A system attribute of a trial; None where it has none of that name."""
    own = (SYSTEM_ATTRIBUTES.c.trial_id == trial_id, SYSTEM_ATTRIBUTES.c.key == key)
    found = connection.scalar(select(SYSTEM_ATTRIBUTES.c.value_json).where(*own))
    return None if found is None else json.loads(found)


@dataclass(frozen=True)
class Row:
    """A trial as it is stored, unread: another program may have written anything in it."""

    trial_id: int
    number: Any
    state: Any
    started: Any
    ended: Any
    value: Any
    attributes: Mapping[str, Any]
    system: Mapping[str, Any]

    def trial(self) -> FrozenTrial:
        """As Optuna has it, without parameters and intermediate values. Raises ValueError or
        TypeError for what is none."""
        return FrozenTrial(
            number=self.number,
            state=TrialState[str(self.state)],
            value=self.value,
            datetime_start=_utc(self.started),
            datetime_complete=_utc(self.ended),
            params={},
            distributions={},
            user_attrs=loaded(self.attributes),
            system_attrs=loaded(self.system),
            intermediate_values={},
            trial_id=self.trial_id,
        )


def loaded(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes read from their JSON; ValueError names one that is none."""
    made: dict[str, Any] = {}
    for name, told in attributes.items():
        try:
            made[name] = json.loads(told)
        except (ValueError, TypeError, RecursionError):
            raise ValueError(f"its {name} is no JSON") from None
    return made


def after(connection: Connection, study_id: int, full_name: str) -> int:
    """The first number that no trial of a study has or had: one may have been deleted."""
    asked = select(func.count(), func.max(TRIALS.c.number)).where(TRIALS.c.study_id == study_id)
    count, last = connection.execute(asked.select_from(TRIALS)).one()
    known = select(func.max(RunRow.number)).where(RunRow.full_name == full_name)
    ends = (last, connection.scalar(known))
    return max(count, 0, *(1 + each for each in ends if each is not None))


def read(connection: Connection, study_id: int) -> list[Row]:
    """A study's trials in the order of their numbers, without parameters and intermediate values,
    which take Optuna most of the time that its own loading does."""
    ours = TRIALS.c.study_id == study_id
    # As text, for a value that its type does not have would end the reading of all.
    state, began, ended = (
        cast(TRIALS.c[name], String) for name in ("state", "datetime_start", "datetime_complete")
    )
    asked = select(TRIALS.c.trial_id, TRIALS.c.number, state, began, ended)
    rows = connection.execute(asked.where(ours).order_by(TRIALS.c.number)).all()

    def attributes(table: Table) -> dict[int, dict[str, Any]]:
        made: dict[int, dict[str, Any]] = defaultdict(dict)
        of = select(table).join(TRIALS, TRIALS.c.trial_id == table.c.trial_id).where(ours)
        for trial_id, key, value in connection.execute(of):
            made[trial_id][key] = value
        return made

    user, system = attributes(USER_ATTRIBUTES), attributes(SYSTEM_ATTRIBUTES)
    told = select(VALUES.c.trial_id, VALUES.c.value).join(
        TRIALS, TRIALS.c.trial_id == VALUES.c.trial_id
    )
    values = {row.trial_id: row.value for row in connection.execute(told.where(ours))}
    return [
        Row(
            trial_id,
            number,
            state,
            began,
            ended,
            values.get(trial_id),
            user[trial_id],
            system[trial_id],
        )
        for trial_id, number, state, began, ended in rows
    ]


def add(connection: Connection, study_id: int, number: int, trial: FrozenTrial) -> int:
    """Writes a trial under its number; Optuna's id of it."""
    now = _now()
    row = {
        "number": number,
        "study_id": study_id,
        "state": trial.state,
        "datetime_start": now,
        "datetime_complete": now if trial.state.is_finished() else None,
    }
    made = connection.execute(insert(TRIALS).values(row).returning(TRIALS.c.trial_id))
    trial_id = int(made.scalar_one())
    params = [
        {
            "trial_id": trial_id,
            "param_name": name,
            "param_value": distribution.to_internal_repr(trial.params[name]),
            "distribution_json": distribution_to_json(distribution),
        }
        for name, distribution in trial.distributions.items()
    ]
    if params:
        connection.execute(insert(PARAMS), params)
    note(connection, trial_id, trial.user_attrs)
    note(connection, trial_id, trial.system_attrs, SYSTEM_ATTRIBUTES)
    reach(connection, trial_id, trial.intermediate_values)
    if trial.values:
        _value(connection, trial_id, trial.values[0])
    return trial_id


def note(
    connection: Connection,
    trial_id: int,
    attributes: Mapping[str, Any],
    table: Table = USER_ATTRIBUTES,
) -> None:
    """Writes attributes of a trial; those of the same names are replaced."""
    rows = [
        {"trial_id": trial_id, "key": key, "value_json": json.dumps(value)}
        for key, value in attributes.items()
    ]
    _upsert(connection, table, ("trial_id", "key"), rows)


def reach(connection: Connection, trial_id: int, values: Mapping[int, float]) -> None:
    """Writes Optuna's intermediate values, by their steps; those of the same steps are replaced."""
    rows = [
        {
            "trial_id": trial_id,
            "step": step,
            "intermediate_value": value,
            "intermediate_value_type": "FINITE",
        }
        for step, value in values.items()
    ]
    _upsert(connection, STEPS, ("trial_id", "step"), rows)


def cut(connection: Connection, trial_id: int, step: int) -> None:
    """Takes the intermediate values from a step on away."""
    gone = (STEPS.c.trial_id == trial_id, STEPS.c.step >= step)
    connection.execute(delete(STEPS).where(*gone))


def end(connection: Connection, trial_id: int, state: TrialState, value: float | None) -> None:
    """Ends a running trial; one that has ended so stays as it is. StorageError where it ended
    otherwise."""
    running = (TRIALS.c.trial_id == trial_id, TRIALS.c.state == TrialState.RUNNING)
    ended = connection.execute(
        update(TRIALS)
        .where(*running)
        .values(state=state, datetime_complete=_now())
        .returning(TRIALS.c.trial_id)
    )
    if ended.first() is None:
        asked = select(TRIALS.c.number, TRIALS.c.state, VALUES.c.value)
        known = asked.outerjoin(VALUES, TRIALS.c.trial_id == VALUES.c.trial_id)
        number, found, told = connection.execute(known.where(TRIALS.c.trial_id == trial_id)).one()
        if (found, told) != (state, value):
            raise StorageError(
                f"another program ended trial {number} as {found.name.lower()}, while it ran here; "
                "`nas retry` makes it part of the next run"
            )
    elif value is not None:
        _value(connection, trial_id, value)


def reopen(connection: Connection, study_id: int, numbers: Sequence[int]) -> None:
    """Makes trials of a study that have ended running ones again."""
    these = (TRIALS.c.study_id == study_id, TRIALS.c.number.in_(numbers))
    ids = connection.scalars(select(TRIALS.c.trial_id).where(*these)).all()
    for table, *which in (
        (VALUES,),
        (STEPS,),
        (USER_ATTRIBUTES, USER_ATTRIBUTES.c.key.in_(ENDED)),
    ):
        connection.execute(delete(table).where(table.c.trial_id.in_(ids), *which))
    running = {"state": TrialState.RUNNING, "datetime_complete": None}
    connection.execute(update(TRIALS).where(*these).values(**running))


def _value(connection: Connection, trial_id: int, value: float) -> None:
    row = {"trial_id": trial_id, "objective": 0, "value": value, "value_type": "FINITE"}
    connection.execute(insert(VALUES).values(row))


def _upsert(
    connection: Connection, table: Table, key: tuple[str, ...], rows: Sequence[Mapping[str, Any]]
) -> None:
    if rows:
        insertion = INSERTS[connection.dialect.name](table)
        changed = {name: insertion.excluded[name] for name in rows[0] if name not in key}
        statement = insertion.on_conflict_do_update(index_elements=key, set_=changed)
        connection.execute(statement, rows)


def _utc(stored: str | None) -> datetime | None:
    """A stored time, of which Optuna leaves out that it is UTC."""
    return None if stored is None else datetime.fromisoformat(stored).replace(tzinfo=UTC)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
