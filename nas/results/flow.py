"""How runs learn, from their curves: how soon, and the gradient that reaches each module."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from nas.experiment.experiment import Experiment
from nas.runs.record import Record

SHARE = 0.95
GROUPED = {role: role for role in ("baseline", "change", "control", "candidate")}
GROUPED["reference"] = "baseline"


@dataclass(frozen=True, kw_only=True)
class GradientRow:
    """A module's mean gradient norm over the last epoch, over `n` runs with the least and the
    greatest of them. `depth` counts the modules from the image on."""

    network: str
    module: str
    depth: int
    n: int
    mean: float
    low: float
    high: float


def gradients(
    network: str, experiment: Experiment, records: Sequence[Record], candidate_id: str
) -> tuple[GradientRow, ...]:
    """A row a module, aux heads left out; none where the runs are older than the measurement."""
    last = [
        record.curve[-1].gradients
        for record in records
        if record.candidate_id == candidate_id and record.curve and record.curve[-1].gradients
    ]
    modules = list(dict.fromkeys(layer.module for layer in experiment.layers() if not layer.aux))
    rows: list[GradientRow] = []
    for module in modules:
        norms = [norm[module] for norm in last if module in norm]
        if norms:
            rows.append(
                GradientRow(
                    network=network,
                    module=module,
                    depth=len(rows) + 1,
                    n=len(norms),
                    mean=sum(norms) / len(norms),
                    low=min(norms),
                    high=max(norms),
                )
            )
    return tuple(rows)


@dataclass(frozen=True, kw_only=True)
class PaceRow:
    """Runs of an arm of an ablation, or of a search; the baseline's are of both. How many, the
    epochs of the longest, and as means over the runs the `accuracy` after the last epoch, in
    percent, and the epoch after which a run `reached` 95 % of its own."""

    name: str
    role: str
    runs: int
    epochs: int
    accuracy: float
    reached: float


def pace(records: Sequence[Record]) -> tuple[PaceRow, ...]:
    """The arms and the search's runs, those stopped early apart, in the order of their first."""
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        if record.curve and record.role in GROUPED:
            groups[GROUPED[record.role], _name(record)].append(record)
    return tuple(
        PaceRow(
            name=name,
            role=role,
            runs=len(runs),
            epochs=max(run.curve[-1].epoch for run in runs),
            accuracy=sum(run.curve[-1].accuracy for run in runs) / len(runs),
            reached=sum(map(_reached, runs)) / len(runs),
        )
        for (role, name), runs in groups.items()
    )


def _name(record: Record) -> str:
    if record.role == "candidate":
        return "search trials, stopped early" if record.state == "stopped" else "search trials"
    return record.arm or GROUPED[record.role]


def _reached(run: Record) -> int:
    last = run.curve[-1]
    enough = (each.epoch for each in run.curve if each.accuracy >= SHARE * last.accuracy)
    return next(enough, last.epoch)
