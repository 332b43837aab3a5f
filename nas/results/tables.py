"""Records to frozen rows, and rows to DataFrames: the one source of every number in a report.

Accuracies are in percent, differences in percentage points.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.base.paths import study_folder
from nas.experiment.experiment import CLASSES, Experiment, rebuilt
from nas.plan.steps import ranked
from nas.results.attribution import attribute
from nas.results.confirmation import confirmed
from nas.results.contrasts import decompositions, interactions, seed_rows
from nas.results.effects import Sample, effects
from nas.results.factorial import factor_interactions, factors
from nas.results.rows import (
    BESIDE,
    CandidateRow,
    ConfirmationRow,
    CurveRow,
    DecompositionRow,
    EffectRow,
    FrontierRow,
    InteractionRow,
    ModuleRow,
    SeedRow,
    TrialRow,
    WidthRow,
)
from nas.results.samples import samples
from nas.runs.counted import counted
from nas.runs.record import DONE, Record, StudyRecord
from nas.stats.paired import paired
from nas.tree.domain import Label
from nas.tree.tree import differences

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class Results:
    """A study's records as tables; `classes` may be named by the stored trees. Of the records
    that it is made of, those on other images than the study's last are `left_out`."""

    study: StudyRecord
    records: tuple[Record, ...]
    classes: Mapping[str, type] = field(default_factory=lambda: CLASSES)
    left_out: tuple[Record, ...] = field(init=False)

    def __post_init__(self) -> None:
        records, left_out = counted(self.records, self.study.images)
        object.__setattr__(self, "records", records)
        object.__setattr__(self, "left_out", left_out)

    @cached_property
    def stored(self) -> tuple[Record, ...]:
        """All records, whether they count or not."""
        return tuple(sorted(self.records + self.left_out, key=lambda record: record.number))

    @property
    def baseline(self) -> Experiment:
        return self.study.baseline

    @cached_property
    def baseline_id(self) -> str:
        """The candidate_id of the baseline."""
        return self.baseline.candidate_id

    @cached_property
    def resolution(self) -> float:
        """The step of the score: one validation image, in percentage points of accuracy."""
        if self.study.resolution is not None:
            return self.study.resolution
        return 100 / self.baseline.recipe.data.validation

    @property
    def folder(self) -> Path:
        """Where the runs' files are kept, on the machine that ran them."""
        return study_folder(self.study.full_name)

    @cached_property
    def effects(self) -> tuple[EffectRow, ...]:
        """The ablation table: the baseline, the changes in the planned order, the A/A control."""
        if not self.samples:
            return ()
        told = factors if self.study.design == "factorial" else effects
        return told(
            self.samples,
            margin=self.study.margin,
            resolution=self.resolution,
            looks=self.study.looks,
            higher_is_better=self.baseline.subject.higher_is_better,
        )

    @cached_property
    def decompositions(self) -> tuple[DecompositionRow, ...]:
        """What of each change is the part's, and what its mult-adds'."""
        return decompositions(self.samples, self.resolution)

    @cached_property
    def interactions(self) -> tuple[InteractionRow, ...]:
        """What two changes do together more than apart, in a design that makes both."""
        told = factor_interactions if self.study.design == "factorial" else interactions
        higher = self.baseline.subject.higher_is_better
        return told(self.samples, self.resolution, self.study.looks, higher_is_better=higher)

    @cached_property
    def seeds(self) -> tuple[SeedRow, ...]:
        """Every replicate of the ablation beside the baseline's."""
        return tuple(seed_rows(self.samples))

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """The arms of the ablation with their runs."""
        return samples(self.study, self.records)

    @property
    def _fidelity(self) -> tuple[Any, ...]:
        return astuple(self.baseline.recipe.fidelity)

    @cached_property
    def confirmations(self) -> tuple[ConfirmationRow, ...]:
        """The confirmed: the baseline, then the search's candidates in its order, for each kind of
        confirmation apart."""
        return confirmed(
            self.records, self.baseline, self.folder, self.study.margin, self.study.confirmed
        )

    @property
    def confirmed(self) -> ConfirmationRow | None:
        """The best network that a search found within the budget and fresh seeds confirmed: that
        which validates best on them, for the test split is read and chooses nothing."""
        rows = [row for row in self.confirmations if row.role != "baseline" and row.n]
        return max(rows, key=lambda row: row.validation, default=None)

    @property
    def looks(self) -> int:
        """How often the test split has been read: once a run of a confirmation."""
        return sum(record.test is not None for record in self.records)

    @cached_property
    def candidates(self) -> tuple[CandidateRow, ...]:
        """Every candidate that has a score or was refused, in the order of the first run; scores
        are of the validation split, and at the study's own fidelity."""
        grouped: dict[str, list[Record]] = {}
        for record in self.records:
            # The A/A control is the baseline too, but on seeds that are not those of the pairs.
            if (
                record.role not in ("control", "tuning")
                and record.state != "failed"
                and "valid" not in record.excess
                and (record.role != "confirmation" or record.key[1] == self._fidelity)
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
        itself = first.candidate_id == self.baseline_id
        change = next((run.arm for run in runs if run.role == "change"), None)
        name = "baseline" if itself else change or first.name
        return CandidateRow(
            candidate_id=first.candidate_id,
            name=name,
            role="baseline" if itself else "change" if change else "candidate",
            n=n,
            mean=mean,
            sd=float(np.std(scores, ddof=1)) if n > 1 else math.nan,
            low=low,
            high=high,
            mult_adds=first.mult_adds,
            params=first.params,
            feasible=all(over <= 0 for over in first.excess.values()),
            exploratory=n == 1 and not itself,
            number=first.number,
        )

    @property
    def frontier(self) -> tuple[FrontierRow, ...]:
        """Every candidate that has a score, cheapest first, and whether it is on the front of those
        with several seeds."""
        front = {row.candidate_id for row in pareto(self.candidates)}
        scored = sorted(
            (row for row in self.candidates if row.n), key=lambda row: (row.mult_adds, -row.mean)
        )
        return tuple(
            FrontierRow(**asdict(row), on_front=row.candidate_id in front) for row in scored
        )

    @cached_property
    def trials(self) -> tuple[TrialRow, ...]:
        """Every run, in the order of the numbers."""
        return tuple(
            TrialRow(
                number=r.number,
                role=r.role,
                change=r.arm,
                state=r.state,
                reason="made on other images" if r in self.left_out else r.reason,
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
            for r in self.stored
        )

    @cached_property
    def decided(self) -> tuple[dict[str, Label | None], ...]:
        """What each of the trials decided, in columns by the decisions' names: None where it does
        not decide it. A name that another column of the trials has is followed by `(decision)`."""
        called: dict[str, str] = {}
        for name in dict.fromkeys(name for record in self.stored for name in record.decisions):
            column = name
            while column in BESIDE or column in called.values():
                column += " (decision)"
            called[name] = column
        return tuple(
            {column: record.decisions.get(name) for name, column in called.items()}
            for record in self.stored
        )

    @cached_property
    def curves(self) -> tuple[CurveRow, ...]:
        """Every epoch of every run."""
        return tuple(
            CurveRow(
                number=r.number,
                role=r.role,
                change=r.arm,
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

    @property
    def beside(self) -> float | None:
        """What the baseline scored on the seed of the best."""
        seeds = {r.seeds for r in self.records if self.best and r.number == self.best.number}
        alike = (
            record.score
            for record in self.records
            if record.candidate_id == self.baseline_id
            and record.seeds in seeds
            and record.key[1] == self._fidelity
            and record.state in DONE
        )
        return next(alike, None)

    def experiment(self, candidate_id: str) -> Experiment:
        """The experiment of a candidate; KeyError when the study has none of this id."""
        for record in self.records:
            if record.candidate_id == candidate_id:
                return rebuilt(record.experiment, record.network_id, self.classes)
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


def names(row: type) -> tuple[str, ...]:
    """The columns of a frame of such rows."""
    return tuple(each.name for each in dataclasses.fields(row))


def curves(records: Sequence[Record]) -> DataFrame:
    """Every epoch of every run as a row, with the loss of each aux head, by its last layer, and the
    gradient norm of each module (`gradients.stem`)."""
    import pandas as pd  # here, so that a command that only reads starts at once

    return pd.DataFrame(
        {
            "number": record.number,
            "role": record.role,
            "change": record.change,
            "state": record.state,
            "seed": record.seeds.init,
            "candidate_id": record.candidate_id,
        }
        | epoch.values
        for record in records
        for epoch in record.curve
    )


def trials(results: Results) -> DataFrame:
    """Every run as a row: its TrialRow, and then a column a decision."""
    import pandas as pd  # here, so that a command that only reads starts at once

    made = frame(results.trials)
    # As objects, so that a whole number is one beside runs that do not decide it.
    decided = pd.DataFrame(results.decided, index=made.index, dtype=object)
    return pd.concat([made, decided], axis=1)


def frame(rows: Sequence[Any], columns: Sequence[str] | None = None) -> DataFrame:
    """Frozen rows as a DataFrame, a column a field; `columns` are some, and properties."""
    import pandas as pd  # here, so that a command that only reads starts at once

    made = [{name: getattr(row, name) for name in columns or names(type(row))} for row in rows]
    table = pd.DataFrame(made, columns=None if columns is None else list(columns))
    counts = [
        name for name in ("wins", "mult_adds", "params", "mult_adds_fvcore")
        if name in table and all(value % 1 == 0 for value in table[name].dropna())
    ]  # fmt: skip
    return table.astype(dict.fromkeys(counts, "Int64"))
