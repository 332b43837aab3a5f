"""What an ablation's changes cost, where they are, and what it would cost to be sure of them.

Differences are in percentage points, times in seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nas.statistics import LEVEL, visible
from nas.tables import DONE, Results, modules

POWER = 0.8
MOST = 200
"""Seeds beyond which nobody would go."""


@dataclass(frozen=True, kw_only=True)
class PriceRow:
    """What stands beside an effect. module, branch: where the change is, if it is in one module, or
    in one branch of it. delta, visible, mult_adds, params: the effect's. added: mult-adds more than
    the baseline's, of which `direct` and `propagated` are the parts. seconds: of training, a run.
    needed: the seeds that would show the difference that was seen, at 80 % power and the row's
    level over the family, with `hours` of training more; None where there is none to show, or
    beyond 200 seeds."""

    change: str
    kind: str | None
    module: str | None
    branch: str | None
    delta: float
    visible: float
    mult_adds: float | None
    added: int
    direct: int
    propagated: int
    params: int | None
    seconds: float
    needed: int | None
    hours: float | None
    candidate_id: str


def prices(results: Results) -> tuple[PriceRow, ...]:
    """A row a change of the ablation, in its order."""
    rows: list[PriceRow] = []
    size = results.study.image_size
    effects = results.effects
    planned = [row for row in effects if row.verdict not in ("baseline", "control")]
    family = max(1, sum(row.primary for row in planned))
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
        seconds = _seconds(results, effect.candidate_id)
        needed = None
        if effect.n > 1:
            spread = max(float(np.std(effect.differences, ddof=1)), results.resolution)
            level = LEVEL if math.isnan(effect.level) else effect.level
            needed = _needed(abs(effect.delta) / spread, family, level) if spread else None
        more = None if needed is None else max(0, needed - effect.n)
        rows.append(
            PriceRow(
                change=effect.change,
                kind=effect.kind,
                module=inside.copy().pop() if alone else None,
                branch=branches.copy().pop() if alone and len(branches) == 1 else None,
                delta=effect.delta,
                visible=effect.visible,
                mult_adds=effect.mult_adds,
                added=sum(part.change for part in parts),
                direct=sum(part.direct for part in parts),
                propagated=sum(part.propagated for part in parts),
                params=effect.params,
                seconds=seconds,
                needed=needed,
                hours=None if more is None else 2 * more * seconds / 3600,
                candidate_id=effect.candidate_id,
            )
        )
    return tuple(rows)


def _seconds(results: Results, candidate_id: str) -> float:
    """Seconds of training of a run, on average."""
    spent = [
        row.seconds
        for row in results.trials
        if row.candidate_id == candidate_id and row.seconds is not None and row.state in DONE
    ]
    return float(np.mean(spent)) if spent else math.nan


def _needed(effect: float, family: int, level: float) -> int | None:
    """The pairs that show an effect, in standard deviations of the differences."""
    if effect == 0 or visible(MOST, family, POWER, level) > effect:
        return None
    few, many = 2, MOST
    while few < many:
        middle = (few + many) // 2
        if visible(middle, family, POWER, level) <= effect:
            many = middle
        else:
            few = middle + 1
    return few
