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
from nas.store.schema import CandidateRow, EpochRow, RunRow, StudyRow
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


def records(storage: RDBStorage, full_name: str) -> list[Record]:
    """Every run of a study, in the order of their numbers; not the trials of other programs."""
    # First, so that what a driver commits in between is more of a curve, never less.
    with storage.engine.connect() as connection:
        study_id = storage.get_study_id_from_name(full_name)
        found = [trial for trial in trials.read(connection, study_id) if "role" in trial.user_attrs]
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


def size(storage: RDBStorage, full_name: str) -> int:
    """How many trials a study has, without reading them."""
    with storage.engine.connect() as connection:
        return trials.size(connection, storage.get_study_id_from_name(full_name))


def reopen(storage: RDBStorage, full_name: str) -> list[int]:
    """Makes the failed runs of a study running ones again, from their first epoch, but for those
    that were made since: the next driver takes them up. Their numbers; for who holds the lease."""
    study_id = storage.get_study_id_from_name(full_name)
    found = records(storage, full_name)
    # An ablation needs what a search stopped early.
    since = {r.key for r in found if r.state in ("running", *OVER) and r.state != "stopped"}
    failed = {r.key: r.number for r in reversed(found) if r.state == "failed"}
    numbers = sorted(number for key, number in failed.items() if key not in since)
    with storage.engine.begin() as connection:
        trials.reopen(connection, study_id, numbers)
        own = (EpochRow.full_name == full_name, EpochRow.number.in_(numbers))
        connection.execute(delete(EpochRow).where(*own))
        made = (RunRow.full_name == full_name, RunRow.number.in_(numbers))
        connection.execute(update(RunRow).where(*made).values(attempts=0))
    return numbers


def study_record(storage: RDBStorage, name: str) -> StudyRecord:
    """What was asked: of NAME@hash, or of the newest study of that NAME. KeyError if none is."""
    with Session(storage.engine) as session:
        rows = session.scalars(select(StudyRow).order_by(StudyRow.created))
        found = [row.spec for row in rows if name in (row.full_name, row.name)]
    if not found:
        raise KeyError(name)
    return from_json(json.loads(found[-1]), READABLE)


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
    given = trial.user_attrs
    seed, tree = given["seed"], given["experiment"]
    streams = seeds(seed) if isinstance(seed, int) else from_json(seed, READABLE)
    protocol = given.get("protocol")
    foreign: dict[str, Any] = {"outcome": "failed", "reason": FOREIGN}
    told = given if "outcome" in given else foreign
    running = trial.state == TrialState.RUNNING
    began, ended = trial.datetime_start, trial.datetime_complete
    return Record(
        number=trial.number,
        role=given["role"],
        state="running" if running else told["outcome"],
        candidate_id=given["candidate_id"],
        network_id=given["network_id"],
        experiment=trees[tree] if _is_named(trial) else tree,
        decisions=given["decisions"],
        seeds=streams,
        epochs=given["epochs"],
        change=given["change"],
        kind=given["kind"],
        reason=None if running else told["reason"],
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
        exhausted=given.get("exhausted", False),
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
