"""What the database holds of a study, read back. It is the only truth about it.

One Optuna trial is one run. Its user attributes say what was run; nas_epochs holds its curve, one
row an epoch; nas_runs where and how often it was made; nas_candidates the trees; nas_studies holds
what was asked. Nothing here is pickled.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from optuna.storages import RDBStorage
from sqlalchemy import Connection, delete, select, update
from sqlalchemy.orm import Session

from nas.base.errors import NothingToReport, StorageError
from nas.base.wording import said
from nas.experiment.experiment import CLASSES, Experiment
from nas.runs.counted import counted
from nas.runs.record import (
    OVER,
    ArmRecord,
    ConfirmationRecord,
    Protocol,
    Record,
    Seeds,
    StudyRecord,
)
from nas.store import checked, trials
from nas.store.schema import CandidateRow, EpochRow, RunRow, StudyRow
from nas.tree.tree import fingerprint, from_json

READABLE = {
    **CLASSES,
    **{
        kind.__name__: kind
        for kind in (ArmRecord, ConfirmationRecord, Protocol, Seeds, StudyRecord)
    },
}

TREES = 1000
"""How many trees are asked for at once."""


def runs_of(storage: RDBStorage, full_name: str) -> int | None:
    """The id of a study's runs among Optuna's studies; None where somebody deleted them."""
    try:
        return storage.get_study_id_from_name(full_name)
    except KeyError:
        return None


def _require_runs(storage: RDBStorage, full_name: str) -> int:
    """The id of a study's runs; NothingToReport where somebody deleted them."""
    study_id = runs_of(storage, full_name)
    if study_id is None:
        raise NothingToReport(
            f"the runs of {full_name} were deleted from this database by another program, and what "
            "is left of it tells nothing; restore the database from a copy, or give the study "
            "another name"
        )
    return study_id


def records(storage: RDBStorage, full_name: str) -> list[Record]:
    """Every run of a study, in the order of their numbers; not the trials of other programs."""
    with storage.engine.connect() as connection:
        study_id = _require_runs(storage, full_name)
        asked = select(*checked.plainly(RunRow)).where(RunRow.full_name == full_name)
        made = {row.number: row for row in connection.execute(asked)}
        # Before the curves, so that what a driver commits in between is more of one, never less.
        every = trials.read(connection, study_id)
        ours = [row for row in every if not checked.OURS.isdisjoint(row.attributes)]
        trees = _trees(connection, {checked.tree(row) for row in ours})
        curves = _curves(connection, full_name)
    there = [checked.run(row, curves[row.number], trees, made.get(row.number)) for row in ours]
    gone = map(checked.gone, made.keys() - {row.number for row in every})
    return sorted([*there, *gone], key=lambda record: record.number)


def _curves(connection: Connection, full_name: str) -> dict[int, list[Any]]:
    """The rows of nas_epochs by the number of their run."""
    curves: dict[int, list[Any]] = defaultdict(list)
    asked = select(*checked.plainly(EpochRow)).where(EpochRow.full_name == full_name)
    for row in connection.execute(asked.order_by(EpochRow.epoch)):
        curves[row.number].append(row)
    return curves


def _trees(connection: Connection, wanted: set[str | None]) -> checked.Trees:
    """The trees of these fingerprints; not those that are damaged."""
    names, trees = sorted(name for name in wanted if name), dict[str, Any]()
    for at in range(0, len(names), TREES):
        stored = select(CandidateRow.tree, CandidateRow.experiment)
        rows = connection.execute(stored.where(CandidateRow.tree.in_(names[at : at + TREES])))
        for name, told in rows:
            with suppress(ValueError, TypeError, RecursionError):
                tree = json.loads(told)
                if fingerprint(tree) == name:
                    trees[name] = tree
    return trees


def size(storage: RDBStorage, full_name: str) -> int:
    """How many trials a study has, without reading them."""
    with storage.engine.connect() as connection:
        return trials.after(connection, _require_runs(storage, full_name), full_name)


def reopen(storage: RDBStorage, full_name: str) -> list[int]:
    """Makes the failed runs of a study running ones again, from their first epoch, but for those
    that were made since: the next driver takes them up. Their numbers; for who holds the lease."""
    study_id = _require_runs(storage, full_name)
    every, _ = counted(records(storage, full_name), study_record(storage, full_name).images)
    # An ablation needs what a search stopped early.
    since = {r.key for r in every if r.state in ("running", *OVER) and r.state != "stopped"}
    failed = {r.key: r.number for r in reversed(every) if r.state == "failed" and r.experiment}
    numbers = sorted(number for key, number in failed.items() if key not in since)
    with storage.engine.begin() as connection:
        trials.reopen(connection, study_id, numbers)
        own = (EpochRow.full_name == full_name, EpochRow.number.in_(numbers))
        connection.execute(delete(EpochRow).where(*own))
        own = (RunRow.full_name == full_name, RunRow.number.in_(numbers))
        connection.execute(update(RunRow).where(*own).values(attempts=0))
    return numbers


def study_record(storage: RDBStorage, name: str) -> StudyRecord:
    """What was asked: of NAME@hash, or of the newest study of that NAME. KeyError if none is."""
    with Session(storage.engine) as session:
        rows = session.scalars(select(StudyRow).order_by(StudyRow.created))
        specs = [row.spec for row in rows if name in (row.full_name, row.name)]
    if not specs:
        raise KeyError(name)
    try:
        record = from_json(json.loads(specs[-1]), READABLE)
        if isinstance(record, StudyRecord) and isinstance(record.baseline, Experiment):
            return record
        why = "no study with its baseline"
    except (json.JSONDecodeError, TypeError, AttributeError, KeyError, RecursionError) as error:
        why = said(error)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    raise StorageError(
        f"what this database has of {name} is damaged ({why}); restore it from a copy, or give the "
        "study another name"
    )


def stored_name(storage: RDBStorage, full_names: Iterable[str]) -> str | None:
    """The first of these full names under which a study is stored."""
    known = study_names(storage)
    return next((name for name in full_names if name in known), None)


def study_names(storage: RDBStorage) -> list[str]:
    """The full names of the studies, oldest first."""
    with Session(storage.engine) as session:
        return list(session.scalars(select(StudyRow.full_name).order_by(StudyRow.created)))
