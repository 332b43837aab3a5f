"""What the database holds of a study, read back. It is the only truth about it.

One Optuna trial is one run. Its user attributes say what was run; nas_epochs holds its curve, one
row an epoch; nas_runs where and how often it was made; nas_candidates the trees; nas_studies holds
what was asked. Nothing here is pickled.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from nas.base.errors import NothingToReport
from nas.experiment.experiment import CLASSES
from nas.runs.record import (
    OVER,
    ArmRecord,
    ConfirmationRecord,
    Epoch,
    Origin,
    Protocol,
    Record,
    Seeds,
    StudyRecord,
    seeds,
)
from nas.store import trials
from nas.store.schema import ASKED, LATER, CandidateRow, EpochRow, RunRow, StudyRow
from nas.tree.tree import from_json

READABLE = {
    **CLASSES,
    **{
        kind.__name__: kind
        for kind in (ArmRecord, ConfirmationRecord, Protocol, Seeds, StudyRecord)
    },
}

BY_NAME = ("aux_losses", "gradients")
METRICS = tuple(field.name for field in fields(Epoch) if field.name not in BY_NAME)
"""The numbers of an epoch: several by their names, and one each."""
FOREIGN = "ended by another program"
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
    # First, so that what a driver commits in between is more of a curve, never less.
    with storage.engine.connect() as connection:
        study_id = _require_runs(storage, full_name)
        every = trials.read(connection, study_id)
    ours = [trial for trial in every if "role" in trial.user_attrs]
    curves: dict[int, list[Epoch]] = defaultdict(list)
    with Session(storage.engine) as session:
        own = EpochRow.full_name == full_name
        for row in session.scalars(select(EpochRow).where(own).order_by(EpochRow.epoch)):
            metrics: dict[str, Any] = {name: _known(getattr(row, name)) for name in METRICS}
            metrics |= {name: _named(getattr(row, name)) for name in BY_NAME}
            curves[row.number].append(Epoch(**metrics))
        rows = session.scalars(select(RunRow).where(RunRow.full_name == full_name))
        runs = {row.number: row for row in rows}
        trees = _trees(session, {t.user_attrs["experiment"] for t in ours if _is_named(t)})
        return [_record(t, tuple(curves[t.number]), trees, runs.get(t.number)) for t in ours]


def _is_named(trial: FrozenTrial) -> bool:
    """Whether a run names its tree; one of before has the tree itself."""
    return isinstance(trial.user_attrs["experiment"], str)


def _trees(session: Session, wanted: set[str]) -> dict[str, Any]:
    """The stored trees of these fingerprints."""
    names, trees = sorted(wanted), dict[str, Any]()
    for at in range(0, len(names), TREES):
        stored = select(CandidateRow.tree, CandidateRow.experiment)
        rows = session.execute(stored.where(CandidateRow.tree.in_(names[at : at + TREES])))
        trees |= {tree: json.loads(experiment) for tree, experiment in rows}
    return trees


def size(storage: RDBStorage, full_name: str) -> int:
    """How many trials a study has, without reading them."""
    with storage.engine.connect() as connection:
        return trials.size(connection, _require_runs(storage, full_name))


def reopen(storage: RDBStorage, full_name: str) -> list[int]:
    """Makes the failed runs of a study running ones again, from their first epoch, but for those
    that were made since: the next driver takes them up. Their numbers; for who holds the lease."""
    study_id = _require_runs(storage, full_name)
    runs = records(storage, full_name)
    # An ablation needs what a search stopped early.
    since = {r.key for r in runs if r.state in ("running", *OVER) and r.state != "stopped"}
    failed = {r.key: r.number for r in reversed(runs) if r.state == "failed"}
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
    return from_json(json.loads(specs[-1]), READABLE)


def stored_name(storage: RDBStorage, full_names: Iterable[str]) -> str | None:
    """The first of these full names under which a study is stored."""
    known = study_names(storage)
    return next((name for name in full_names if name in known), None)


def study_names(storage: RDBStorage) -> list[str]:
    """The full names of the studies, oldest first."""
    with Session(storage.engine) as session:
        return list(session.scalars(select(StudyRow.full_name).order_by(StudyRow.created)))


def _record(
    trial: FrozenTrial, curve: tuple[Epoch, ...], trees: Mapping[str, Any], run: RunRow | None
) -> Record:
    attributes = trial.user_attrs
    seed, tree = attributes["seed"], attributes["experiment"]
    protocol = attributes.get("protocol")
    running = trial.state == TrialState.RUNNING
    began, ended = trial.datetime_start, trial.datetime_complete
    state = attributes.get("outcome", "failed")
    reason = attributes["reason"] if "outcome" in attributes else FOREIGN
    return Record(
        number=trial.number,
        state="running" if running else state,
        reason=None if running else reason,
        experiment=trees[tree] if _is_named(trial) else tree,
        seeds=seeds(seed) if isinstance(seed, int) else from_json(seed, READABLE),
        excess=dict(trial.constraints),
        protocol=from_json(protocol, READABLE) if protocol else None,
        curve=curve,
        score=curve[-1].accuracy if curve else trial.value,
        started=began.timestamp() if began else None,
        ended=ended.timestamp() if ended else None,
        attempts=run.attempts if run else 0,
        origin=_origin(run) if run and run.host else None,
        **{name: attributes[name] for name in ASKED},
        **{name: attributes[name] for name in LATER if name in attributes},
    )


def _origin(run: RunRow) -> Origin:
    return Origin(
        host=run.host or "",
        device=run.device or "",
        versions=run.versions or {},
        revision=run.revision,
    )


def _known(value: Any) -> Any:
    return math.nan if value is None else value


def _named(values: dict[str, Any] | None) -> dict[str, float]:
    return {name: _known(value) for name, value in (values or {}).items()}
