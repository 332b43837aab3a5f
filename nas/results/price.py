"""What an ablation's changes cost, where they are, and what it would cost to be sure of them.

Differences are in percentage points, times in seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nas.networks.layers import module_fields
from nas.results.rows import EffectRow
from nas.results.tables import Results, modules
from nas.runs.record import DONE
from nas.stats.paired import LEVEL, POWER, visible

MOST = 200
"""Seeds beyond which nobody would go."""


@dataclass(frozen=True, kw_only=True)
class NeedRow:
    """What stands beside an effect of which nothing else is known. delta, visible: the effect's.
    needed: the seeds that would show the difference that was seen, at 80 % power and the row's
    level over the family, with `hours` of training more; None where there is none to show, or
    beyond 200 seeds, hours where nobody knows how long a run takes."""

    change: str
    kind: str | None
    delta: float
    visible: float
    needed: int | None
    hours: float | None = None


@dataclass(frozen=True, kw_only=True)
class PriceRow(NeedRow):
    """What stands beside an effect of a study. module, branch: where the change is, if it is in one
    module, or in one branch of it. mult_adds, params: the effect's. added: mult-adds more than the
    baseline's, of which `direct` and `propagated` are the parts. seconds: of training, a run."""

    module: str | None
    branch: str | None
    mult_adds: float | None
    added: int
    direct: int
    propagated: int
    params: int | None
    seconds: float
    candidate_id: str


def needs(effects: Sequence[EffectRow], resolution: float = 0.0) -> tuple[NeedRow, ...]:
    """A row a change of a table of effects, in its order; `resolution` is the score's step."""
    planned = [row for row in effects if row.role == "change"]
    family = max(1, sum(row.primary for row in planned))
    return tuple(
        NeedRow(
            change=row.change,
            kind=row.kind,
            delta=row.delta,
            visible=row.visible,
            needed=needed(row.differences, family, resolution, row.level),
        )
        for row in planned
    )


def prices(results: Results) -> tuple[PriceRow, ...]:
    """A row a change of the ablation, in its order; a factor, which many networks have, none."""
    rows: list[PriceRow] = []
    size = results.study.image_size
    planned = [row for row in results.effects if row.role == "change"]
    for effect, need in zip(planned, needs(planned, results.resolution), strict=True):
        try:
            variant = results.experiment(effect.candidate_id)
        except KeyError:
            continue
        parts = modules(results.baseline, variant, size)
        module, branch = _place(results, effect.candidate_id)
        seconds = _seconds(results, effect.candidate_id)
        more = None if need.needed is None else max(0, need.needed - effect.n)
        rows.append(
            PriceRow(
                change=need.change,
                kind=need.kind,
                delta=need.delta,
                visible=need.visible,
                needed=need.needed,
                hours=None if more is None else 2 * more * seconds / 3600,
                module=module,
                branch=branch,
                mult_adds=effect.mult_adds,
                added=sum(part.change for part in parts),
                direct=sum(part.direct for part in parts),
                propagated=sum(part.propagated for part in parts),
                params=effect.params,
                seconds=seconds,
                candidate_id=effect.candidate_id,
            )
        )
    return tuple(rows)


def _place(results: Results, candidate_id: str) -> tuple[str | None, str | None]:
    """The one module, and the one branch of it, in which a candidate differs from the baseline."""
    paths = [path.split(".") for path in results.differences(candidate_id)]
    places = {".".join(path[:2]) for path in paths}
    branches = {path[2] for path in paths if len(path) > 2}
    module = next(
        (name for name in module_fields(results.baseline.network) if {f"network.{name}"} == places),
        None,
    )
    return module, branches.pop() if module and len(branches) == 1 else None


def _seconds(results: Results, candidate_id: str) -> float:
    """Seconds of training of a run, on average."""
    spent = [
        row.seconds
        for row in results.trials
        if row.candidate_id == candidate_id and row.seconds is not None and row.state in DONE
    ]
    return float(np.mean(spent)) if spent else math.nan


def needed(
    differences: Sequence[float], family: int, resolution: float = 0.0, level: float = LEVEL
) -> int | None:
    """The pairs that show the mean of such differences at 80 % power, tested at level / family (NaN
    is 0.05); None where there is none to show, or beyond 200. `resolution` is the score's step, the
    least that their spread is taken to be."""
    if len(differences) < 2:
        return None
    spread = float(np.std(differences, ddof=1)) if np.ptp(differences) else 0.0
    spread = max(spread, resolution)
    return _pairs(
        abs(float(np.mean(differences))) / spread if spread else 0.0,
        family,
        LEVEL if math.isnan(level) else level,
    )


def _pairs(effect: float, family: int, level: float) -> int | None:
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
