"""A study in one row: what a catalogue of studies lists."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from nas.results.tables import Results
from nas.runs.record import DONE


@dataclass(frozen=True, kw_only=True)
class StudyRow:
    """What a study asked, on what, and what came of it. baseline: its mean score in percent.
    confirmed: the candidate that validates best on fresh seeds, with `delta`, its paired difference
    from the baseline on the test split in percentage points, and the 95 % interval.
    verdict: how many changes hurt, help and so on. seconds: of training in all. updated: when the
    last run ended, in seconds since 1970."""

    study: str
    full_name: str
    question: str
    dataset: str
    baseline: float
    limit: float | None
    trials: int
    complete: int
    stopped: int
    refused: int
    failed: int
    seeds: int
    confirmed: str | None
    delta: float
    low: float
    high: float
    verdict: str
    seconds: float
    updated: float | None


def summary(results: Results) -> StudyRow:
    """The row of a study."""
    study, states = results.study, Counter(record.state for record in results.records)
    base = next((row for row in results.candidates if row.role == "baseline" and row.n), None)
    best = results.confirmed
    said = Counter(row.verdict for row in results.effects if row.role == "change")
    ended = [record.ended for record in results.records if record.ended is not None]
    return StudyRow(
        study=study.name,
        full_name=study.full_name,
        question=study.question,
        dataset=study.baseline.recipe.data.name,
        baseline=base.mean if base else math.nan,
        limit=study.limits.get("mult_adds"),
        trials=len(results.records),
        complete=states["complete"],
        stopped=states["stopped"] + states["diverged"] + states["exceeded"],
        refused=states["infeasible"] + states["duplicate"],
        failed=states["failed"],
        seeds=len({record.seeds for record in results.records if record.state in DONE}),
        confirmed=best.name if best else None,
        delta=best.delta if best else math.nan,
        low=best.low if best else math.nan,
        high=best.high if best else math.nan,
        verdict=", ".join(f"{number} {name}" for name, number in said.items()),
        seconds=sum(row.seconds or 0.0 for row in results.trials),
        updated=max(ended, default=None),
    )
