"""The table of a confirmation: what is left of a search on fresh seeds and the test split.

Accuracies are in percent, differences in percentage points.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas.experiment.experiment import Experiment
from nas.plan.steps import ranked
from nas.results.effects import Replicate, Sample, effects, shared
from nas.results.rows import ConfirmationRow, EffectRow
from nas.runs.predictions import usable
from nas.runs.record import ArmRecord, ConfirmationRecord, Record, Seeds
from nas.runs.scores import VIEWS
from nas.stats.paired import verdict
from nas.stats.two_way import two_way

Runs = dict[object, Record]


def confirmed(
    records: Sequence[Record],
    baseline: Experiment,
    folder: Path,
    margin: float | None = None,
    plans: Sequence[ConfirmationRecord] = (),
) -> tuple[ConfirmationRow, ...]:
    """The baseline, then the candidates in the order of the search, for each fidelity and number of
    crops apart: only what was trained and scored alike is compared, and is one family. `folder` is
    the study's, where predictions are kept; `plans` say how many seeds there are to be, and were to
    be at first."""
    looked = [record for record in records if record.role == "confirmation"]
    planned = {plan.kind: plan for plan in plans}
    reference = [record for record in records if record.role == "reference"][:1]
    base_id = baseline.candidate_id
    chosen = {base_id: reference[0] if reference else None} | {
        record.candidate_id: record for record in ranked(records) if record.candidate_id != base_id
    }
    data = baseline.recipe.data
    resolution = 100 / (data.test or data.validation)
    rows: list[ConfirmationRow] = []
    for kind in dict.fromkeys((record.key[1], record.crops) for record in looked):
        alike = [record for record in looked if (record.key[1], record.crops) == kind]
        runs: dict[str, Runs] = {
            candidate_id: {
                (run.seeds, run.protocol): run
                for run in alike
                if run.candidate_id == candidate_id and run.test is not None
            }
            for candidate_id in chosen
        }
        plan = planned.get(kind)
        seeds = max(plan.seeds if plan else 0, len({run.seeds for run in alike}))
        samples = [
            _sample(candidate_id, runs[candidate_id], alike, base_id, seeds)
            for candidate_id in chosen
            if runs[candidate_id] or candidate_id == base_id
        ]
        looks = (plan.first,) if plan else ()
        table = effects(samples, margin=margin, resolution=resolution, looks=looks)
        for sample, row in zip(samples, table, strict=True):
            candidate_id = sample.arm.candidate_id
            if runs[candidate_id]:
                keys = shared(samples[0], sample)
                pairs = [[runs[each][key] for key in keys] for each in (base_id, candidate_id)]
                half = (
                    math.nan
                    if row.role == "baseline"
                    else _half(pairs[0], pairs[1], folder, resolution)
                )
                own = next(iter(runs[candidate_id].values()))
                row = dataclasses.replace(row, verdict=_verdict(row, half, margin))
                rows.append(_row(row, own, pairs[1], chosen[candidate_id], half))
    return tuple(rows)


def _sample(
    candidate_id: str, runs: Runs, alike: Sequence[Record], base_id: str, planned: int
) -> Sample:
    def seeds(of: str, scored: bool) -> set[Seeds]:
        own = (run for run in alike if run.candidate_id == of and run.state != "running")
        return {run.seeds for run in own if run.test is not None or not scored}

    both = seeds(base_id, False) & seeds(candidate_id, False)
    return Sample(
        arm=ArmRecord(
            role="baseline" if candidate_id == base_id else "change",
            change=candidate_id,
            kind=None,
            candidate_id=candidate_id,
            epochs=alike[0].epochs,
            seeds=(),
        ),
        planned=planned,
        waiting=planned - len(both),
        lost=len(both - (seeds(base_id, True) & seeds(candidate_id, True))),
        runs={
            key: Replicate(
                seed=run.seeds.init, score=run.test or 0.0, diverged=run.state == "diverged"
            )
            for key, run in runs.items()
        },
    )


def _verdict(row: EffectRow, half: float, margin: float | None) -> str:
    """The verdict of a row, which other images must not take back: what is better or worse is so
    over seeds and images too, what is equivalent is within the margin so. Without predictions
    (`half` NaN) the seeds alone tell."""
    if math.isnan(row.level) or math.isnan(half):
        return row.verdict
    inside = margin is not None and abs(row.delta) + half < margin
    said = verdict(row.delta, row.p_holm, row.p_margin, inside=inside, level=row.level)
    return "inconclusive" if said != "equivalent" and abs(row.delta) <= half else said


def _row(
    found: EffectRow, own: Record, runs: Sequence[Record], chosen: Record | None, half: float
) -> ConfirmationRow:
    fresh = [run.score for run in runs if run.score is not None]
    searched = chosen.score if chosen and chosen.score is not None else math.nan
    itself = found.role == "baseline"
    return ConfirmationRow(
        role="baseline" if itself else "candidate",
        name="baseline" if itself or chosen is None else chosen.name,
        number=chosen.number if chosen else None,
        n=found.n,
        planned=found.planned,
        waiting=found.waiting,
        mean=found.mean,
        sd=found.sd,
        searched=searched,
        validation=float(np.mean(fresh)) if fresh else math.nan,
        drop=searched - found.mean,
        delta=found.delta,
        low=found.low,
        high=found.high,
        low_two_way=found.delta - half,
        high_two_way=found.delta + half,
        p=found.p,
        p_holm=found.p_holm,
        wins=found.wins,
        verdict=found.verdict,
        mult_adds=VIEWS[own.crops or 1] * own.mult_adds,
        params=own.params,
        epochs=own.epochs,
        crops=own.crops or 1,
        diverged=found.diverged,
        candidate_id=found.candidate_id,
        seeds=found.seeds,
        differences=found.differences,
    )


def _half(
    before: Sequence[Record], runs: Sequence[Record], folder: Path, resolution: float
) -> float:
    """Half of the interval over seeds and images; NaN where predictions are not on this machine."""
    right, other = ([_right(run, folder) for run in each] for each in (before, runs))
    if not right or len({len(each) for each in right + other}) != 1:
        return math.nan
    return two_way(right, other, resolution)


def _right(run: Record, folder: Path) -> NDArray[np.bool_]:
    """About which test images (N,) a run is right; of none where its predictions are not here."""
    found = usable(run, folder)
    return np.zeros(0, bool) if found is None else found[0].argmax(1) == found[1]
