"""run(study): Ray Tune carries, Optuna proposes and remembers.

What was done and what is left is read from the database at every start.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import optuna
from optuna.storages import RDBStorage

from nas.base import failpoints
from nas.base.errors import OutOfReach
from nas.base.paths import default_url, home, study_folder
from nas.data.catalogue import images, prepare
from nas.engine.bridge import Bridge
from nas.engine.classes import unseen
from nas.engine.executor import Executor, InProcess, Session, Watch, Work
from nas.engine.machine import Notice
from nas.plan.description import describe
from nas.plan.plans import Plan
from nas.plan.registration import continued, registered
from nas.plan.steps import is_exhausted, require_searched
from nas.plan.study import StudySpec
from nas.plan.unmet import unmet
from nas.runs.counted import counted, said
from nas.runs.record import Record, Settings, StudyRecord
from nas.store.database import connect
from nas.store.lease import hold
from nas.store.reading import records, size, stored_name, study_names, study_record
from nas.store.writing import Ledger
from nas.train.worker import Trial


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a run: the study's full name, whether it was interrupted, whether the search
    ended because no new candidate fits, and whether the study's time limit was over before its
    plan was met."""

    full_name: str
    interrupted: bool
    exhausted: bool
    out_of_time: bool = False


MANY = 1000
"""Trials that take a while to be read."""


def run(
    study: StudySpec,
    url: str | None = None,
    *,
    address: str | None = None,
    local: bool = False,
    only: Plan | None = None,
    watch: Watch = lambda progress: None,
    notice: Notice = lambda text: None,
    work: Work = Trial,
) -> Outcome:
    """Runs a study until its plan is met, or `only` one of its plans; goes on where an earlier run
    stopped.

    `address` is a running Ray cluster's; `local` runs in this process, one trial at a time, without
    Ray; there `work` may do something else with a job than train. Raises ValueError for a plan that
    cannot be met and for data that cannot be had, before anything runs or is written; and NasError:
    StorageError, StudyHeld, NoResources, NothingFits, StudyStopped.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    described = describe(study)
    plans = (only,) if only else study.plans
    if study.search in plans and study.budget:
        study.space.require_fit(study.budget)
    if work is Trial:
        data = described.baseline.recipe.data
        for remark in prepare(data, notice):
            notice(f"{data.name}: {remark}")
    seen = images(described.baseline.recipe.data) if work is Trial else None
    _folder()
    with (
        connect(url or default_url()) as storage,
        hold(storage.engine, name := _name(study, storage)) as lease,
    ):
        study, stored, every, history = _before(study, name, storage, plans, seen, notice)
        plans = (only,) if only else study.plans  # an ablation may have grown
        folder = _folder(name)
        with _executor(study, address, local, notice, folder, work) as executor:
            failpoints.reach("after_lease")
            asked = replace(describe(study), full_name=name, images=seen or "")
            asked = registered(asked, stored, every)
            ledger = Ledger(storage, asked, lease.incarnation, revision(), notice)
            asked = study_record(storage, name)
            settings = _settings(study, executor, history)
            for remark in unseen(study, settings) if work is Trial else ():
                notice(remark)
            for remark in () if stored else unmet(study):
                notice(remark)
            bridge = Bridge(study, ledger, history, settings, folder, plans)
            session = Session(asked, bridge, lease, watch, notice)
            try:
                executor.carry(session)
                interrupted = bridge.draining and not bridge.met
            except KeyboardInterrupt:
                interrupted = True
            session.end()
    return Outcome(
        full_name=name,
        interrupted=interrupted,
        exhausted=bridge.exhausted,
        out_of_time=bridge.out_of_time and not bridge.met,
    )


def _name(study: StudySpec, storage: RDBStorage) -> str:
    """Where the study lives: under the name of today, or one under which it is stored."""
    return stored_name(storage, study.full_names) or study.full_name


def _folder(name: str = "") -> Path:
    """The folder of everything, or of a study, where the workers write; OutOfReach where it cannot
    be made."""
    folder = study_folder(name) if name else home()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutOfReach(
            f"{home()} cannot be written: {error.strerror}; set $NAS_HOME to a folder of yours"
        ) from error
    return folder


def _executor(
    study: StudySpec, address: str | None, local: bool, notice: Notice, folder: Path, work: Work
) -> Executor:
    if local:
        return InProcess(study.resources, notice, work)
    from nas.engine.cluster import Cluster

    return Cluster(study.resources, address, notice, folder)


def _before(
    study: StudySpec,
    name: str,
    storage: RDBStorage,
    plans: tuple[Plan, ...],
    seen: str | None,
    notice: Notice,
) -> tuple[StudySpec, StudyRecord | None, Sequence[Record], Sequence[Record]]:
    """The study as an earlier run of it goes on, what that one asked, its runs, and those that
    count on the images that are `seen` now. ValueError for plans that need a search which is not
    over."""
    others = [full for full in study_names(storage) if full.partition("@")[0] == study.name]
    stored = study_record(storage, name) if name in others else None
    number = size(storage, name) if stored else 0
    if number >= MANY:
        notice(f"reading {number:,} trials of before")
    every = records(storage, name) if stored else []
    if foreign := number - len(every):
        notice(
            f"another program's trials in {name} are left as they are, and count for "
            f"nothing: {foreign} of {number}"
        )
    history, left = counted(every, seen)
    if left:
        notice(f"{name}: {said(left)}; what the plan needs of them is run anew")
    study = continued(study, stored)
    if study.search not in plans:
        require_searched(study, history, is_exhausted(history))
    if others and name not in others:
        notice(
            f"{name} is a new study: its network, space, budget or sampler is not that "
            f"of {others[-1]}, whose runs are kept"
        )
    return study, stored, every, history


def _settings(study: StudySpec, executor: Executor, history: Sequence[Record]) -> Settings:
    """What the study's runs train with: what its first run did, so that they can be compared."""
    baseline = study.space.baseline.experiment
    own = _is_own(study)
    asked, measured = (
        replace(executor.settings, stratified=own),
        study.resources.precision == "auto",
    )
    first = next((record.protocol for record in history if record.protocol), None)
    if first is None:
        return replace(executor.measured(baseline), stratified=own) if measured else asked
    kept = first.settings(asked.device)
    if kept != asked and not measured:
        executor.notice(
            f"the trials run with {kept}, as this study's first did, and not with {asked}: they "
            "could not be compared; give the study another name to change that"
        )
    return kept


def _is_own(study: StudySpec) -> bool:
    """Whether the images are the user's own: they are split class by class, and those of shipped
    data sets as they always were."""
    return study.space.baseline.experiment.recipe.data.source is not None


def revision() -> str | None:
    """The git revision of the folder that a study is run in; None where there is none."""
    try:
        words = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
        described = subprocess.run(words, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip()
