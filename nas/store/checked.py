"""One run's rows as its Record, checked against what was told of it.

What does not agree counts for nothing: it is a run that failed, with the reason, and one without a
network where not even what was run can be read.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, cast

from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import JSON, ColumnElement, Text
from sqlalchemy import cast as as_text

from nas.base.wording import said, times
from nas.runs.optuna_trials import OUTCOMES
from nas.runs.record import Epoch, Origin, Protocol, Record, Seeds, seeds
from nas.store.schema import ASKED, LATER, Base
from nas.store.trials import Row, loaded
from nas.tree.tree import from_json, require_types

OURS = {"role", "candidate_id", "network_id", "experiment"}
"""What tells our trials from another program's: one that was damaged has some of them still."""
FOREIGN = "ended by another program"
BY_NAME = ("aux_losses", "gradients")
METRICS = tuple(field.name for field in fields(Epoch) if field.name not in BY_NAME)
"""The numbers of an epoch: several by their names, and one each."""
CLASSES: dict[str, type] = {"Seeds": Seeds, "Protocol": Protocol}
DAMAGE = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
"""What reading a damaged row ends in."""

Trees = Mapping[str, Any]
"""By fingerprint."""


def plainly(table: type[Base]) -> list[ColumnElement[Any]]:
    """The columns of a table, JSON as text: one bad cell would end the reading of all."""
    columns = cast("Sequence[ColumnElement[Any]]", table.__table__.columns.values())
    return [
        as_text(column, Text).label(column.key) if isinstance(column.type, JSON) else column
        for column in columns
    ]


def tree(row: Row) -> str | None:
    """The fingerprint of a trial's tree; None for one of before, which has the tree itself."""
    try:
        name = json.loads(row.attributes["experiment"])
    except DAMAGE:
        return None
    return name if isinstance(name, str) else None


def run(row: Row, epochs: Sequence[Any], trees: Trees, made: Any) -> Record:
    """The run of a trial, its rows of nas_epochs, the trees and its row of nas_runs, if any."""
    try:
        record = _record(row.trial(), _curve(epochs), trees, made)
        _require_told(record, row.value)
        return record
    except DAMAGE as error:
        return _damaged(row, trees, _why(error))


def gone(number: int) -> Record:
    """A run of which nothing is left but its curve or where it was made."""
    return _nameless(number, "its row among Optuna's trials is gone")


def _why(error: Exception) -> str:
    missing = isinstance(error, KeyError)
    return f"it has no {error.args[0]}" if missing else said(error).removeprefix("Record.")


def _record(trial: FrozenTrial, curve: tuple[Epoch, ...], trees: Trees, made: Any) -> Record:
    attributes = trial.user_attrs
    protocol = attributes.get("protocol")
    running = trial.state == TrialState.RUNNING
    began, ended = trial.datetime_start, trial.datetime_complete
    told = "outcome" in attributes
    state = attributes["outcome"] if told else "failed"
    if told and not running and trial.state != OUTCOMES[state]:
        raise ValueError(f"it is {state}, and {trial.state.name} for Optuna")
    record = Record(
        number=trial.number,
        state="running" if running else state,
        reason=None if running else attributes["reason"] if told else FOREIGN,
        excess=dict(trial.constraints),
        protocol=None if protocol is None else from_json(protocol, CLASSES),
        curve=curve,
        score=curve[-1].accuracy if curve else trial.value,
        started=began.timestamp() if began else None,
        ended=ended.timestamp() if ended else None,
        attempts=made.attempts if made else 0,
        origin=_origin(made) if made and made.host else None,
        **_asked(attributes, trees),
        **{name: attributes[name] for name in LATER if name in attributes},
    )
    for name in ("predictions", "weights"):
        kept = getattr(record, name)
        if kept is not None and not re.fullmatch("[0-9a-f]{64}", str(kept)):
            raise ValueError(f"its {name} have no SHA-256 for a name")
    is_number = record.score is None or not math.isnan(record.score)
    require_types(record if is_number else dataclasses.replace(record, score=None))
    return record


def _asked(attributes: Mapping[str, Any], trees: Trees) -> dict[str, Any]:
    """What was run: the fields of a Record that are known before it is."""
    seed, named = attributes["seed"], attributes["experiment"]
    asked = {name: attributes[name] for name in ASKED}
    if isinstance(named, str):
        if named not in trees:
            raise ValueError(f"its tree {named} is not there as it was written")
        named = trees[named]
    return asked | {
        "experiment": named,
        "seeds": seeds(seed) if isinstance(seed, int) else from_json(seed, CLASSES),
    }


def _require_told(record: Record, value: Any) -> None:
    """ValueError where a run that is over has another curve than it ended with."""
    if record.state in ("running", "failed", "infeasible", "duplicate"):
        return
    have, whole = [epoch.epoch for epoch in record.curve], record.state == "complete"
    if have != list(range(1, len(have) + 1)) or len(have) > record.epochs:
        raise ValueError(f"of its {times(record.epochs, 'epoch')} some are missing")
    if len(have) < (record.epochs if whole else record.state == "stopped"):
        raise ValueError(f"it has {len(have)} of {times(record.epochs, 'epoch')}")
    if whole and value is None:
        raise ValueError("what it was told as is not there")
    if have and value is not None and record.score != value:
        raise ValueError(f"its last epoch has {record.score}, and it was told as {value}")


def _damaged(row: Row, trees: Trees, why: str) -> Record:
    try:
        attributes = loaded({n: t for n, t in row.attributes.items() if n in (*ASKED, *NAMED)})
        record = Record(
            number=row.number,
            state="failed",
            reason=f"damaged: {why}",
            crops=attributes.get("crops"),
            **_asked(attributes, trees),
        )
        require_types(record)
        hash(record.key)
        return record
    except DAMAGE:
        number = row.number if isinstance(row.number, int) else -row.trial_id
        return _nameless(number, why)


NAMED = ("seed", "experiment", "crops")


def _nameless(number: int, why: str) -> Record:
    return Record(
        number=number,
        role="candidate",
        state="failed",
        candidate_id="",
        network_id="",
        experiment={},
        decisions={},
        seeds=seeds(0),
        epochs=0,
        reason=f"damaged: {why}",
    )


def _curve(rows: Sequence[Any]) -> tuple[Epoch, ...]:
    return tuple(_epoch(row) for row in rows)


def _epoch(row: Any) -> Epoch:
    numbers = {name: _known(getattr(row, name)) for name in METRICS}
    named = {name: _named(getattr(row, name)) for name in BY_NAME}
    if not isinstance(row.epoch, int) or not all(
        isinstance(each, int | float)
        for many in (numbers, *named.values())
        for each in many.values()
    ):
        raise ValueError(f"epoch {row.epoch} has what is no number")
    return Epoch(**cast("dict[str, Any]", numbers | named))


def _origin(made: Any) -> Origin:
    origin = Origin(
        host=made.host or "",
        device=made.device or "",
        versions=json.loads(made.versions) if made.versions else {},
        revision=made.revision,
    )
    require_types(origin)
    return origin


def _known(value: Any) -> Any:
    return math.nan if value is None else value


def _named(told: str | None) -> dict[str, float]:
    values = json.loads(told) if told else None
    return {name: _known(value) for name, value in (values or {}).items()}
