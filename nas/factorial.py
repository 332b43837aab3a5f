"""What the arms of a two-level fraction say of each factor, all of them at once.

Shapes: A arms, the baseline among them, S seeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from nas.designs import aliases
from nas.effects import Sample, adjusted, against, effects, lost, shared, untold
from nas.looks import look_level
from nas.rows import EffectRow, InteractionRow
from nas.statistics import LEVEL, noncentrality, verdict


@dataclass(frozen=True, kw_only=True)
class Fraction:
    """The primary arms of a factorial design: for each its parts and its scores (A, S) on the seeds
    that all arms have, and what a run varies by (sd), which all arms and seeds tell together."""

    runs: tuple[tuple[str, ...], ...]
    scores: NDArray[np.float64]
    sd: float

    @property
    def factors(self) -> tuple[str, ...]:
        # Of a two-level fraction of odd words, one run has them all.
        return max(self.runs, key=len)

    @property
    def free(self) -> int:
        """The degrees of freedom of `sd`."""
        arms, seeds = self.scores.shape
        return (arms - 1) * (seeds - 1)

    @property
    def error(self) -> float:
        """The standard error of a factor's effect."""
        return 2 * self.sd / math.sqrt(self.scores.size) if self.scores.size else math.nan

    def signs(self, *factors: str) -> NDArray[np.float64]:
        """+1 for the arms (A,) in which a factor is changed, or of two both or neither; else -1."""
        made = [[1.0 if factor in run else -1.0 for run in self.runs] for factor in factors]
        return np.prod(made, axis=0)

    def contrast(self, *factors: str) -> NDArray[np.float64]:
        """The mean of the arms of sign +1 less that of the others, seed by seed (S,)."""
        return self.signs(*factors) @ self.scores / (len(self.runs) / 2)


def fraction(samples: Sequence[Sample], resolution: float) -> Fraction:
    """The arms with their scores. A run's standard deviation is that around its arm's mean and its
    seed's, and at least the metric's step."""
    changed = _asked(samples)
    arms = [against(changed[0], samples), *changed]
    keys = shared(*arms)
    scores = np.array([[arm.runs[key].score for key in keys] for arm in arms], float)
    sd = math.nan
    if len(keys) > 1:
        rest = scores - scores.mean(1, keepdims=True) - scores.mean(0) + scores.mean()
        sd = max(math.sqrt((rest**2).sum() / (len(arms) - 1) / (len(keys) - 1)), resolution)
    return Fraction(runs=tuple(arm.parts for arm in arms), scores=scores, sd=sd)


def _asked(samples: Sequence[Sample]) -> list[Sample]:
    return [s for s in samples if s.role == "change" and s.primary and not s.withdrawn]


def factors(
    samples: Sequence[Sample],
    *,
    margin: float | None = None,
    resolution: float = 0.0,
    looks: Sequence[int] = (),
) -> tuple[EffectRow, ...]:
    """The table of a factorial design, a row a factor between the baseline and the A/A control: the
    mean over all arms with it changed less that over all others (Box, Hunter and Hunter 2005,
    ch. 5), which is its effect averaged over the levels of the others. The family is the factors.
    """
    found = fraction(samples, resolution)
    names, seeds = found.factors, found.scores.shape[1]
    changed = _asked(samples)
    # Factors that were taken out count: they have been asked.
    family = len({part for each in samples if each.primary for part in each.parts})
    base = against(changed[0], samples)
    waits = untold(changed, looks)
    level = look_level(looks) if looks else LEVEL
    delta = [float(found.contrast(name).mean()) if seeds else math.nan for name in names]
    half = float(special.stdtrit(found.free, 1 - LEVEL / 2)) * found.error
    tested = waits is None and seeds > 1
    ps = [_p(abs(each), found) if tested else math.nan for each in delta]
    apart = [
        _p(margin - abs(each), found) / 2 if tested and margin is not None else math.nan
        for each in delta
    ]
    beside = [sample for sample in samples if sample.role != "change"]
    first, *controls = (
        row
        for sample, row in zip(beside, effects(beside, resolution=resolution), strict=True)
        if sample is base or sample.role == "control"
    )
    rows = [
        EffectRow(
            change=name,
            kind="factor",
            primary=True,
            n=seeds,
            planned=max(each.planned for each in changed),
            waiting=max(each.waiting for each in changed),
            mean=float(found.scores[found.signs(name) > 0].mean()) if seeds else math.nan,
            sd=found.sd,
            delta=each,
            low=each - half,
            high=each + half,
            p=p,
            p_holm=p_holm,
            p_margin=p_margin,
            sign_flip=math.nan,
            level=level if tested else math.nan,
            wins=int((found.contrast(name) > 0).sum()),
            wins_low=math.nan,
            wins_high=math.nan,
            standardised=each / (found.sd * math.sqrt(2)) if found.sd else math.nan,
            beats_unpaired=math.nan,
            visible=noncentrality(found.free, family, level=level) * found.error
            if tested
            else math.nan,
            correlation=math.nan,
            verdict=waits
            or verdict(
                each,
                p_holm,
                p_margin,
                inside=margin is not None and abs(each) + half < margin,
                level=level,
            ),
            mult_adds=None,
            params=None,
            diverged=sum(
                s.diverged + sum(run.diverged for run in s.runs.values())
                for s in changed
                if name in s.parts
            ),
            at_chance=sum(
                run.at_chance for s in changed if name in s.parts for run in s.runs.values()
            ),
            note=lost(max(changed, key=lambda sample: sample.lost)),
            candidate_id="",
            differences=tuple(map(float, found.contrast(name))),
        )
        for name, each, p, p_holm, p_margin in zip(
            names, delta, ps, adjusted(ps, family), adjusted(apart, family), strict=True
        )
    ]
    return (first, *rows, *controls)


def _p(distance: float, found: Fraction) -> float:
    return 2 * float(special.stdtr(found.free, -distance / found.error)) if found.error else 0.0


def factor_interactions(
    samples: Sequence[Sample], resolution: float = 0.0, looks: Sequence[int] = ()
) -> tuple[InteractionRow, ...]:
    """What two factors do together more than apart, averaged over the levels of the others: both -
    first - second + neither. Pairs that the fraction cannot tell apart are one row, which names
    them; one family."""
    found = fraction(samples, resolution)
    seeds = found.scores.shape[1]
    groups = {group[0]: group[1:] for group in aliases(sorted(found.runs, key=len)[::-1])}
    inner = {pair for others in groups.values() for pair in others}
    pairs = [pair for pair in combinations(found.factors, 2) if pair not in inner]
    if seeds < 2:
        return ()
    half = 2 * found.error * float(special.stdtrit(found.free, 1 - LEVEL / 2))
    deltas = [2 * float(found.contrast(*pair).mean()) for pair in pairs]
    why = untold(_asked(samples), looks)
    level = look_level(looks) if looks else LEVEL
    ps = [math.nan if why else _p(abs(delta) / 2, found) for delta in deltas]
    return tuple(
        InteractionRow(
            first=pair[0],
            second=pair[1],
            n=seeds,
            delta=delta,
            low=delta - half,
            high=delta + half,
            p=p,
            p_holm=p_holm,
            level=math.nan if why else level,
            standardised=delta / (found.sd * math.sqrt(2)) if found.sd else math.nan,
            verdict=why or verdict(delta, p_holm, math.nan, inside=False, level=level),
            aliases=", ".join(" x ".join(other) for other in groups.get(pair, ())),
        )
        for pair, delta, p, p_holm in zip(pairs, deltas, ps, adjusted(ps, len(ps)), strict=True)
    )
