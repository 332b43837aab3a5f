"""What an ablation's changes did beside the score: where they are, what they cost, what it would
take to be sure, and the seeds one by one.

Scores are in percent, differences in percentage points, times in seconds.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass

import numpy as np

from nas.statistics import visible
from nas.tables import DONE, Results, modules

POWER = 0.8
MOST = 200
"""Seeds beyond which nobody would go."""


@dataclass(frozen=True, kw_only=True)
class ChangeRow:
    """What stands beside an effect. module, branch: where the change is, if it is in one module, or
    in one branch of it. saved: mult-adds less than the baseline's; `direct` and `propagated` are
    the parts of their change. seconds: of training, a run. smallest: the difference that these
    seeds show at 80 % power. needed: the seeds that would show the difference that was seen, with
    `hours` of training more; None where there is none to show, or beyond 200 seeds."""

    change: str
    kind: str | None
    module: str | None
    branch: str | None
    saved: int
    direct: int
    propagated: int
    seconds: float
    smallest: float
    needed: int | None
    hours: float | None
    candidate_id: str


@dataclass(frozen=True, kw_only=True)
class SeedRow:
    """A change against the baseline on one seed."""

    change: str
    kind: str | None
    seed: int
    baseline: float
    score: float
    difference: float


def changes(results: Results) -> tuple[ChangeRow, ...]:
    """A row a change of the ablation, in its order."""
    rows: list[ChangeRow] = []
    size = results.study.image_size
    effects = results.effects
    planned = [row for row in effects if row.verdict not in ("baseline", "control")]
    family = max(1, len({row.change for row in planned}))
    for effect in planned:
        try:
            variant = results.experiment(effect.candidate_id)
        except KeyError:
            continue
        parts = modules(results.baseline, variant, size)
        places = [path.split(".")[1:3] for path in results.differences(effect.candidate_id)]
        inside = {place[0] for place in places if place and place[0].startswith("inception_")}
        alone = len(inside) == 1 and len(places) == sum(p[0] in inside for p in places)
        branches = {place[1] for place in places if len(place) > 1}
        spread = max(_sd(effect.differences), results.resolution)
        seconds = _seconds(results, effect.candidate_id)
        needed = _needed(abs(effect.delta) / spread, family) if effect.n > 1 else None
        more = None if needed is None else max(0, needed - effect.n)
        rows.append(
            ChangeRow(
                change=effect.change,
                kind=effect.kind,
                module=inside.copy().pop() if alone else None,
                branch=branches.copy().pop() if alone and len(branches) == 1 else None,
                saved=-sum(part.change for part in parts),
                direct=sum(part.direct for part in parts),
                propagated=sum(part.propagated for part in parts),
                seconds=seconds,
                smallest=visible(effect.n, family, POWER) * spread if effect.n > 1 else math.nan,
                needed=needed,
                hours=None if more is None else 2 * more * seconds / 3600,
                candidate_id=effect.candidate_id,
            )
        )
    return tuple(rows)


def pairs(results: Results) -> tuple[SeedRow, ...]:
    """A row a change and seed that both ran."""
    fidelity = astuple(results.baseline.recipe.fidelity)
    scores = {
        run.key: run.score
        for run in reversed(results.records)
        if run.state in DONE and run.score is not None
    }
    base = next((arm for arm in results.study.arms if arm.role == "baseline"), None)
    rows: list[SeedRow] = []
    for arm in results.study.arms:
        if base is None or arm.role == "baseline":
            continue
        for seed, own in zip(base.seeds, arm.seeds, strict=True):
            first = scores.get((base.candidate_id, fidelity, seed, None))
            second = scores.get((arm.candidate_id, fidelity, own, None))
            if first is not None and second is not None:
                rows.append(
                    SeedRow(
                        change=arm.change,
                        kind=arm.kind,
                        seed=own.init,
                        baseline=first,
                        score=second,
                        difference=second - first,
                    )
                )
    return tuple(rows)


def _sd(values: tuple[float, ...]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def _seconds(results: Results, candidate_id: str) -> float:
    """Seconds of training of a run, on average."""
    spent = [
        row.seconds
        for row in results.trials
        if row.candidate_id == candidate_id and row.seconds is not None and row.state in DONE
    ]
    return float(np.mean(spent)) if spent else math.nan


def _needed(effect: float, family: int) -> int | None:
    """The pairs that show an effect, in standard deviations of the differences."""
    if effect == 0 or visible(MOST, family, POWER) > effect:
        return None
    few, many = 2, MOST
    while few < many:
        middle = (few + many) // 2
        if visible(middle, family, POWER) <= effect:
            many = middle
        else:
            few = middle + 1
    return few
