"""Records to frozen rows, and rows to DataFrames: the one source of every number in a report.

Accuracies are in percent, differences in percentage points.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.attribution import attribute
from nas.confirmation import confirmed
from nas.experiment import CLASSES, Experiment
from nas.plans import ranked
from nas.record import ArmRecord, Record, StudyRecord
from nas.rows import (
    CandidateRow,
    ConfirmationRow,
    CurveRow,
    EffectRow,
    ModuleRow,
    TrialRow,
    WidthRow,
)
from nas.statistics import Paired, holm, paired, verdict
from nas.tree import differences, from_json

if TYPE_CHECKING:
    from pandas import DataFrame

DONE = ("complete", "diverged")


@dataclass(frozen=True)
class Results:
    """A study's records as tables; `classes` may be named by the stored trees."""

    study: StudyRecord
    records: tuple[Record, ...]
    classes: Mapping[str, type] = field(default_factory=lambda: CLASSES)

    @property
    def baseline(self) -> Experiment:
        return self.study.baseline

    @cached_property
    def resolution(self) -> float:
        """The step of the accuracy in percentage points: one validation image."""
        return 100 / self.baseline.recipe.data.validation

    @cached_property
    def effects(self) -> tuple[EffectRow, ...]:
        """The ablation table: the baseline, the changes in the planned order, the A/A control."""
        if not self.study.arms:
            return ()
        base = next(arm for arm in self.study.arms if arm.role == "baseline")
        changes = [arm for arm in self.study.arms if arm.role == "change"]
        made = {arm.change: self._pairs(base, arm) for arm in self.study.arms}
        family = [made[arm.change][1] for arm in changes]
        adjusted = dict(zip([a.change for a in changes], holm([c.p for c in family]), strict=True))
        within = dict(
            zip([a.change for a in changes], holm([c.p_margin for c in family]), strict=True)
        )
        rows: list[EffectRow] = []
        for arm in self.study.arms:
            runs, compared = made[arm.change]
            p_holm = adjusted.get(arm.change, math.nan)
            said = arm.role
            if arm.role == "change":
                said = verdict(compared.delta, p_holm, within[arm.change])
            rows.append(self._effect(arm, runs, compared, p_holm, said))
        return tuple(rows)

    def _effect(
        self, arm: ArmRecord, runs: list[Record], compared: Paired, p_holm: float, said: str
    ) -> EffectRow:
        scores = [run.score for run in runs if run.score is not None]
        spent = next((r for r in self.records if r.candidate_id == arm.candidate_id), None)
        itself = arm.role == "baseline"
        return EffectRow(
            change=arm.change,
            kind=arm.kind,
            n=len(scores) if itself else compared.n,
            planned=len(arm.seeds),
            mean=float(np.mean(scores)) if scores else math.nan,
            sd=float(np.std(scores, ddof=1)) if len(scores) > 1 else math.nan,
            delta=math.nan if itself else compared.delta,
            low=math.nan if itself else compared.low,
            high=math.nan if itself else compared.high,
            p=math.nan if itself else compared.p,
            p_holm=p_holm,
            wins=None if itself else compared.wins,
            correlation=math.nan if itself else compared.correlation,
            verdict=said,
            mult_adds=spent.mult_adds if spent else 0,
            params=spent.params if spent else 0,
            diverged=sum(run.state == "diverged" for run in runs),
            candidate_id=arm.candidate_id,
            seeds=tuple(run.seeds.init for run in runs),
            differences=() if itself else compared.differences,
        )

    def _pairs(self, base: ArmRecord, arm: ArmRecord) -> tuple[list[Record], Paired]:
        """The arm's runs that have a partner under the same protocol, and their comparison."""
        runs = {run.key: run for run in reversed(self.records) if run.state in DONE}
        fidelity = astuple(self.baseline.recipe.fidelity)
        pairs: list[tuple[Record, Record]] = []
        for seed, own in zip(base.seeds, arm.seeds, strict=True):
            first = runs.get((base.candidate_id, fidelity, seed, None))
            second = runs.get((arm.candidate_id, fidelity, own, None))
            if first and second and first.protocol == second.protocol:
                pairs.append((first, second))
        scores = [
            (a.score, b.score) for a, b in pairs if a.score is not None and b.score is not None
        ]
        compared = paired(
            [a for a, _ in scores],
            [b for _, b in scores],
            resolution=self.resolution,
            margin=self.study.margin,
        )
        return [second for _, second in pairs], compared

    @cached_property
    def confirmations(self) -> tuple[ConfirmationRow, ...]:
        """The confirmed: the baseline, then the search's candidates in its order, for each kind of
        confirmation apart."""
        return confirmed(self.records, self.baseline)

    @property
    def looks(self) -> int:
        """How often the test split has been read: once a run of a confirmation."""
        return sum(record.test is not None for record in self.records)

    @cached_property
    def candidates(self) -> tuple[CandidateRow, ...]:
        """Every candidate that has a score or was refused, in the order of the first run; scores
        are of the validation split, and at the study's own fidelity."""
        fidelity = astuple(self.baseline.recipe.fidelity)
        grouped: dict[str, list[Record]] = {}
        for record in self.records:
            # The A/A control is the baseline too, but on seeds that are not those of the pairs.
            if (
                record.role not in ("control", "tuning")
                and record.state != "failed"
                and "valid" not in record.excess
                and (record.role != "confirmation" or record.key[1] == fidelity)
            ):
                grouped.setdefault(record.candidate_id, []).append(record)
        made = [self._candidate(runs) for runs in grouped.values()]
        return tuple(row for row in made if row is not None)

    def _candidate(self, runs: list[Record]) -> CandidateRow | None:
        first = runs[0]
        counted = [run for run in _unchosen(runs) if run.state in DONE]
        scores = [run.score for run in counted if run.score is not None]
        if not scores and not any(run.state in ("stopped", "infeasible") for run in runs):
            return None
        n, low, high = len(scores), math.nan, math.nan
        mean = float(np.mean(scores)) if scores else math.nan
        if n > 1:
            spread = paired([0.0] * n, scores, resolution=self.resolution)
            low, high = spread.low, spread.high
        itself = first.candidate_id == self.baseline.candidate_id
        change = next((run.change for run in runs if run.role == "change"), None)
        name = "baseline" if itself else change or first.name
        return CandidateRow(
            candidate_id=first.candidate_id,
            name=name,
            role="baseline" if itself else "change" if change else "candidate",
            n=n,
            mean=mean,
            low=low,
            high=high,
            mult_adds=first.mult_adds,
            params=first.params,
            feasible=all(over <= 0 for over in first.excess.values()),
            exploratory=n == 1 and not itself,
            number=first.number,
        )

    @cached_property
    def trials(self) -> tuple[TrialRow, ...]:
        """Every run, in the order of the numbers."""
        return tuple(
            TrialRow(
                number=r.number,
                role=r.role,
                change=r.change,
                state=r.state,
                reason=r.reason,
                seed=r.seeds.init,
                score=r.score,
                test=r.test,
                epochs=len(r.curve),
                mult_adds=r.mult_adds,
                mult_adds_fvcore=r.mult_adds_fvcore,
                params=r.params,
                params_aux=r.params_aux,
                seconds=sum(epoch.seconds for epoch in r.curve) if r.curve else None,
                candidate_id=r.candidate_id,
                network_id=r.network_id,
            )
            for r in self.records
        )

    @cached_property
    def curves(self) -> tuple[CurveRow, ...]:
        """Every epoch of every run."""
        return tuple(
            CurveRow(
                number=r.number,
                role=r.role,
                change=r.change,
                state=r.state,
                seed=r.seeds.init,
                epoch=e.epoch,
                train_loss=e.train_loss,
                loss=e.loss,
                train_accuracy=e.train_accuracy,
                accuracy=e.accuracy,
            )
            for r in self.records
            for e in r.curve
        )

    @cached_property
    def explored(self) -> tuple[CandidateRow, ...]:
        """The search's candidates within the budget that were trained to the end, by the score of
        the search: exploratory, one seed each; the best first."""
        made = [self._candidate([record]) for record in ranked(self.records)]
        return tuple(row for row in made if row is not None)

    @property
    def best(self) -> CandidateRow | None:
        """The best of the explored."""
        return self.explored[0] if self.explored else None

    def experiment(self, candidate_id: str) -> Experiment:
        """The experiment of a candidate; KeyError when the study has none of this id."""
        for record in self.records:
            if record.candidate_id == candidate_id:
                return from_json(record.experiment, self.classes)
        raise KeyError(candidate_id)

    def differences(self, candidate_id: str) -> dict[str, tuple[Any, Any]]:
        """Where a candidate's tree parts from the baseline's: {path: (baseline's, its own)}."""
        return differences(self.baseline, self.experiment(candidate_id))


def _unchosen(runs: list[Record]) -> list[Record]:
    """A candidate's runs without that by which a search chose it, once fresh seeds confirm it: the
    best of many is better than it will be again."""
    if any(run.role == "confirmation" and run.state in DONE for run in runs):
        return [run for run in runs if run.role != "candidate"]
    return runs


def pareto(rows: Sequence[CandidateRow]) -> tuple[CandidateRow, ...]:
    """The candidates with several seeds and within the budget that no other of those beats in
    both accuracy and mult-adds, cheapest first."""
    confirmed = [row for row in rows if row.n > 1 and row.feasible]
    front: list[CandidateRow] = []
    for row in sorted(confirmed, key=lambda row: (row.mult_adds, -row.mean)):
        if not front or row.mean > front[-1].mean:
            front.append(row)
    return tuple(front)


def widths(canonical: Experiment, variant: Experiment) -> tuple[WidthRow, ...]:
    """Output channels by module and branch, side by side, for modules that have branches."""
    before, after = _channels(canonical), _channels(variant)
    return tuple(
        WidthRow(
            module=module,
            branch=branch,
            canonical=before.get((module, branch), 0),
            variant=after.get((module, branch), 0),
        )
        for module, branch in {**before, **after}
    )


def _channels(experiment: Experiment) -> dict[tuple[str, str], int]:
    layers = [layer for layer in experiment.layers() if not layer.aux]
    joined = {layer.module for layer in layers if layer.op == "concat"}
    return {
        (layer.module, layer.branch): layer.shape[0]
        for layer in layers
        if layer.module in joined and layer.op not in ("concat", "add")
    }


def modules(
    canonical: Experiment, variant: Experiment, image_size: int | None = None
) -> tuple[ModuleRow, ...]:
    """Multiply-adds and parameters by module, side by side, and where the change comes from."""
    return attribute(canonical.layers(image_size), variant.layers(image_size))


def frame(rows: Sequence[Any], columns: Sequence[str] | None = None) -> DataFrame:
    """Frozen rows as a DataFrame, a column a field; `columns` chooses and orders some."""
    import pandas as pd  # here, so that a command that only reads starts at once

    made = [dataclasses.asdict(row) for row in rows]
    table = pd.DataFrame(made, columns=None if columns is None else list(columns))
    counts = [name for name in ("wins", "mult_adds_fvcore") if name in table]
    return table.astype(dict.fromkeys(counts, "Int64"))
