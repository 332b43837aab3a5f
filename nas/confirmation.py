"""The table of a confirmation: what is left of a search on fresh seeds and the test split.

Accuracies are in percent, differences in percentage points.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nas.experiment import Experiment
from nas.plans import ranked
from nas.record import Record
from nas.rows import ConfirmationRow
from nas.statistics import paired


def confirmed(records: Sequence[Record], baseline: Experiment) -> tuple[ConfirmationRow, ...]:
    """The baseline, then the candidates in the order of the search, for each fidelity and number of
    crops apart: only what was trained and scored alike is compared."""
    looked = [record for record in records if record.test is not None]
    chosen = {record.candidate_id: record for record in ranked(records)}
    rows: list[ConfirmationRow] = []
    for kind in dict.fromkeys((record.key[1], record.crops) for record in looked):
        alike = [record for record in looked if (record.key[1], record.crops) == kind]
        base = [record for record in alike if record.candidate_id == baseline.candidate_id]
        reference = [record for record in records if record.role == "reference"]
        rows += [_row(base, base, baseline, reference[0] if reference else None)] if base else []
        for candidate_id, record in chosen.items():
            own = [each for each in alike if each.candidate_id == candidate_id]
            if own and candidate_id != baseline.candidate_id:
                rows.append(_row(base, own, baseline, record))
    return tuple(rows)


def _row(
    base: list[Record], own: list[Record], baseline: Experiment, chosen: Record | None
) -> ConfirmationRow:
    partners = {(run.seeds, run.protocol): run.test for run in base}
    runs = [run for run in own if (run.seeds, run.protocol) in partners]
    scores = [run.test for run in runs if run.test is not None]
    fresh = [run.score for run in runs if run.score is not None]
    before = [partners[run.seeds, run.protocol] or 0.0 for run in runs]
    data = baseline.recipe.data
    compared = paired(before, scores, resolution=100 / (data.test or data.validation))
    itself, first = own is base, own[0]
    mean = float(np.mean(scores)) if scores else math.nan
    searched = chosen.score if chosen and chosen.score is not None else math.nan
    return ConfirmationRow(
        name="baseline" if itself or chosen is None else chosen.name,
        number=chosen.number if chosen else None,
        n=len(scores),
        mean=mean,
        sd=float(np.std(scores, ddof=1)) if len(scores) > 1 else math.nan,
        searched=searched,
        validation=float(np.mean(fresh)) if fresh else math.nan,
        drop=searched - mean,
        delta=math.nan if itself else compared.delta,
        low=math.nan if itself else compared.low,
        high=math.nan if itself else compared.high,
        wins=None if itself else compared.wins,
        mult_adds=first.mult_adds,
        params=first.params,
        epochs=first.epochs,
        crops=first.crops or 1,
        diverged=sum(run.state == "diverged" for run in runs),
        candidate_id=first.candidate_id,
        seeds=tuple(run.seeds.init for run in runs),
        differences=() if itself else compared.differences,
    )
