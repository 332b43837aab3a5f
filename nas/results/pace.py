"""How soon runs learn: frozen rows of groups of runs, from their curves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from nas.runs.record import Record

SHARE = 0.95
GROUPED = {role: role for role in ("baseline", "change", "control", "candidate")}
GROUPED["reference"] = "baseline"


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
