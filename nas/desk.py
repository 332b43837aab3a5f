"""What a Study does when it is asked in Python: run, effects, trials, report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from nas.base.errors import NothingToReport
from nas.base.paths import default_url, home
from nas.engine.driver import Outcome
from nas.engine.driver import run as run_study
from nas.engine.progress import Reporter
from nas.plan.study import Study
from nas.results import tables
from nas.results.importance import importances, random_start
from nas.results.rows import (
    CONFIRMATION_COLUMNS,
    EFFECT_COLUMNS,
    FrontierRow,
    ImportanceRow,
    InteractionRow,
    SeedRow,
)
from nas.results.tables import Results, frame, names
from nas.store.database import connect, exists
from nas.store.reading import records, study_names, study_record


def run(study: Study, storage: str | None, **how: Any) -> Outcome:
    """Runs a study, with its progress on stderr, or in a notebook's cell."""
    with Reporter() as reporter:
        return run_study(study, storage, watch=reporter, notice=reporter.notice, **how)


def confirm(
    study: Study, top: int | None, seeds: int | None, storage: str | None, **how: Any
) -> pd.DataFrame:
    """Runs a confirmation of a study and gives its table."""
    wanted = study.confirming(top, seeds)
    run(wanted, storage, only=wanted.confirmation, **how)
    return confirmations(study, storage)


def confirmations(study: Study, storage: str | None) -> pd.DataFrame:
    """The table of the confirmed, a row each."""
    return frame(results(study, storage).confirmations, CONFIRMATION_COLUMNS)


def results(study: Study, storage: str | None) -> Results:
    """A study's results; NothingToReport where the database has no run of it."""
    url = storage or default_url()
    if exists(url):
        with connect(url) as database:
            name = study.full_name
            if name in study_names(database):
                return Results(study_record(database, name), tuple(records(database, name)))
    raise NothingToReport(f"no runs of {study.full_name} in this database: study.run() first")


def effects(study: Study, storage: str | None) -> pd.DataFrame:
    """The ablation table, a row a change."""
    return frame(results(study, storage).effects, EFFECT_COLUMNS)


def interactions(study: Study, storage: str | None) -> pd.DataFrame:
    """What two changes do together more than apart, a row a pair."""
    return frame(results(study, storage).interactions, names(InteractionRow))


def frontier(study: Study, storage: str | None) -> pd.DataFrame:
    """Every scored candidate, cheapest first."""
    return frame(results(study, storage).frontier, names(FrontierRow))


def seeds(study: Study, storage: str | None) -> pd.DataFrame:
    """Every replicate of the ablation, a row each."""
    return frame(results(study, storage).seeds, names(SeedRow))


def importance(study: Study, storage: str | None) -> pd.DataFrame:
    """The columns of the flat encoding, the most important first."""
    if study.search is None:
        raise NothingToReport(f"{study.name} has no Search: nothing was drawn at random")
    found = random_start(results(study, storage).records, study.search.sampler.startup)
    encoded = [study.space.encode(study.space.at(record.decisions)) for record, _ in found]
    scores = [score for _, score in found]
    return frame(importances(study.space.columns, encoded, scores), names(ImportanceRow))


def trials(study: Study, storage: str | None) -> pd.DataFrame:
    """Every run, a row each."""
    return frame(results(study, storage).trials)


def curves(study: Study, storage: str | None) -> pd.DataFrame:
    """Every epoch of every run, a row each."""
    return tables.curves(results(study, storage).records)


def report(study: Study, storage: str | None, folder: Path | None) -> Path:
    """Writes the site and gives the path of its first page."""
    from reports.site import build

    return build([results(study, storage)], folder or home() / "site")
