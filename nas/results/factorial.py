"""What the arms of a two-level fraction say of each factor, all of them at once.

Shapes: A arms, the baseline among them, S seeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from nas.plan.designs import aliases
from nas.results.effects import (
    EQUAL,
    Sample,
    Tests,
    adjusted,
    against,
    effects,
    lost,
    shared,
    untold,
)
from nas.results.rows import EffectRow, InteractionRow
from nas.stats.looks import look_level
from nas.stats.paired import LEVEL, ROUNDING, noncentrality, verdict


@dataclass(frozen=True, kw_only=True)
class Noise:
    """How sure a contrast is: its standard error, the degrees of freedom that tell it, and whether
    those are the contrast's alone. NaN where there is no spread at all."""

    error: float
    free: int
    alone: bool = False

    def half(self) -> float:
        """Half of the 95 % interval."""
        return float(special.stdtrit(self.free, 1 - LEVEL / 2)) * self.error

    def p(self, distance: float) -> float:
        """The two-sided p of a contrast this far from zero."""
        return 2 * float(special.stdtr(self.free, -distance / self.error))


@dataclass(frozen=True, kw_only=True)
class Fraction:
    """The primary arms of a factorial design: for each its parts and its scores (A, S) on the seeds
    that all arms have; the metric's step."""

    runs: tuple[tuple[str, ...], ...]
    scores: NDArray[np.float64]
    resolution: float

    @property
    def factors(self) -> tuple[str, ...]:
        # Of a two-level fraction of odd words, one run has them all.
        return max(self.runs, key=len)

    @property
    def sd(self) -> float:
        """A run's standard deviation around its arm's mean and its seed's, at least the metric's
        step."""
        arms, seeds = self.scores.shape
        if seeds < 2:
            return math.nan
        return max(math.sqrt(self._rest / (arms - 1) / (seeds - 1)), self.resolution)

    @property
    def _rest(self) -> float:
        by_arm, by_seed = self.scores.mean(1, keepdims=True), self.scores.mean(0)
        return float(((self.scores - by_arm - by_seed + self.scores.mean()) ** 2).sum())

    def signs(self, *factors: str) -> NDArray[np.float64]:
        """+1 for the arms (A,) in which a factor is changed, or of two both or neither; else -1."""
        made = [[1.0 if factor in run else -1.0 for run in self.runs] for factor in factors]
        return np.prod(made, axis=0)

    def contrast(self, *factors: str) -> NDArray[np.float64]:
        """The mean of the arms of sign +1 less that of the others, seed by seed (S,)."""
        return self.signs(*factors) @ self.scores / (len(self.runs) / 2)

    def noise(self, *factors: str) -> Noise:
        """How sure the mean of a contrast is. What it does may depend on the seed, so not the runs
        tell it but how such contrasts vary from seed to seed: those of all factors together, or of
        two factors all that are no factor's; its own alone where they surely vary more than the
        others (F test)."""
        arms, seeds = self.scores.shape
        if seeds < 2:
            return Noise(error=math.nan, free=0)
        free, own = seeds - 1, self._squares(*factors)
        alike, count = sum(map(self._squares, self.factors)), len(self.factors)
        if len(factors) > 1:
            alike, count = 4 / arms * self._rest - alike, arms - 1 - count
        least = 4 / arms * self.resolution**2

        def variance(squares: float, contrasts: int) -> float:
            return max(squares / (contrasts * free), least) if contrasts else math.inf

        bound = special.fdtri(free, max(1, count - 1) * free, 1 - LEVEL)
        alone = variance(own, 1) > bound * variance(alike - own, count - 1)
        found = variance(own, 1) if alone else variance(alike, count)
        if found <= (ROUNDING * np.abs(self.scores).max()) ** 2:
            found = math.nan
        return Noise(
            error=math.sqrt(found / seeds), free=free if alone else count * free, alone=alone
        )

    def _squares(self, *factors: str) -> float:
        contrast = self.contrast(*factors)
        return float(((contrast - contrast.mean()) ** 2).sum())


def fraction(samples: Sequence[Sample], resolution: float) -> Fraction:
    """The arms with their scores."""
    changed = _asked(samples)
    arms = [against(changed[0], samples), *changed]
    keys = shared(*arms)
    scores = np.array([[arm.runs[key].score for key in keys] for arm in arms], float)
    return Fraction(
        runs=tuple(sample.arm.parts for sample in arms), scores=scores, resolution=resolution
    )


def _asked(samples: Sequence[Sample]) -> list[Sample]:
    return [sample for sample in samples if sample.tested and sample.arm.withdrawn is None]


def factors(
    samples: Sequence[Sample],
    *,
    margin: float | None = None,
    resolution: float = 0.0,
    looks: Sequence[int] = (),
    higher_is_better: bool = True,
) -> tuple[EffectRow, ...]:
    """The table of a factorial design, a row a factor between the baseline and the A/A control: the
    mean over all arms with it changed less that over all others (Box, Hunter and Hunter 2005,
    ch. 5), which is its effect averaged over the levels of the others. The family is the factors.
    """
    found = fraction(samples, resolution)
    names, seeds = found.factors, found.scores.shape[1]
    changed = _asked(samples)
    # Factors that were taken out count: they have been asked.
    family = len({part for each in samples if each.arm.primary for part in each.arm.parts})
    base, waits = against(changed[0], samples), untold(changed, looks)
    level = look_level(looks)
    delta = [float(found.contrast(name).mean()) if seeds else math.nan for name in names]
    noise = [found.noise(name) for name in names]
    tested = waits is None and seeds > 1
    ps = [each.p(abs(d)) if tested else math.nan for d, each in zip(delta, noise, strict=True)]
    apart = [
        each.p(margin - abs(d)) / 2 if tested and margin is not None else math.nan
        for d, each in zip(delta, noise, strict=True)
    ]
    beside = [sample for sample in samples if sample.arm.role != "change"]
    first, *controls = (
        row
        for sample, row in zip(
            beside,
            effects(beside, resolution=resolution, higher_is_better=higher_is_better),
            strict=True,
        )
        if sample is base or sample.arm.role == "control"
    )
    rows: list[EffectRow] = []
    for name, each, sure, p, p_holm, p_margin in zip(
        names, delta, noise, ps, adjusted(ps, family), adjusted(apart, family), strict=True
    ):
        inside = margin is not None and abs(each) + sure.half() < margin
        said = verdict(
            each, p_holm, p_margin, inside=inside, level=level, higher_is_better=higher_is_better
        )
        tests = Tests(verdict=waits or said)
        if tested:
            away = noncentrality(sure.free, family, level=level)
            tests = replace(
                tests, p=p, p_holm=p_holm, p_margin=p_margin, level=level,
                visible=away * sure.error,
            )  # fmt: skip
        rows.append(_row(found, changed, name, sure, tests, 1 if higher_is_better else -1))
    return (first, *rows, *controls)


def _row(
    found: Fraction, changed: Sequence[Sample], name: str, sure: Noise, tests: Tests, sign: int
) -> EffectRow:
    seeds, own = found.scores.shape[1], [sample for sample in changed if name in sample.arm.parts]
    delta = float(found.contrast(name).mean()) if seeds else math.nan
    least = max(changed, key=lambda sample: sample.lost)
    return EffectRow(
        role="change",
        change=name,
        kind="factor",
        primary=True,
        n=seeds,
        planned=max(each.planned for each in changed),
        waiting=max(each.waiting for each in changed),
        mean=float(found.scores[found.signs(name) > 0].mean()) if seeds else math.nan,
        sd=found.sd,
        delta=delta,
        low=delta - sure.half(),
        high=delta + sure.half(),
        **vars(tests),
        wins=int((sign * found.contrast(name) > 0).sum()),
        wins_low=math.nan,
        wins_high=math.nan,
        standardised=delta / (found.sd * math.sqrt(2)) if found.sd else math.nan,
        beats_unpaired=math.nan,
        correlation=math.nan,
        mult_adds=None,
        params=None,
        diverged=sum(
            each.diverged + sum(run.diverged for run in each.runs.values()) for each in own
        ),
        at_chance=sum(run.at_chance for each in own for run in each.runs.values()),
        note="; ".join(filter(None, (lost(least), _said(sure) if seeds > 1 else ""))),
        candidate_id="",
        differences=tuple(map(float, found.contrast(name))),
    )


def _said(noise: Noise) -> str:
    if math.isnan(noise.error):
        return EQUAL
    told = "varies from seed to seed more than the others do, and is judged by that alone"
    return told if noise.alone else ""


def factor_interactions(
    samples: Sequence[Sample],
    resolution: float = 0.0,
    looks: Sequence[int] = (),
    *,
    higher_is_better: bool = True,
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
    # The contrast is half of the interaction.
    noise = [found.noise(*pair) for pair in pairs]
    deltas = [2 * float(found.contrast(*pair).mean()) for pair in pairs]
    why = untold(_asked(samples), looks)
    level = look_level(looks)
    ps = [
        math.nan if why else each.p(abs(delta) / 2)
        for delta, each in zip(deltas, noise, strict=True)
    ]
    return tuple(
        InteractionRow(
            first=pair[0],
            second=pair[1],
            n=seeds,
            delta=delta,
            low=delta - 2 * each.half(),
            high=delta + 2 * each.half(),
            p=p,
            p_holm=p_holm,
            level=math.nan if why else level,
            standardised=delta / (found.sd * math.sqrt(2)) if found.sd else math.nan,
            verdict=why
            or verdict(
                delta,
                p_holm,
                math.nan,
                inside=False,
                level=level,
                higher_is_better=higher_is_better,
            ),
            aliases=", ".join(" x ".join(other) for other in groups.get(pair, ())),
        )
        for pair, delta, each, p, p_holm in zip(
            pairs, deltas, noise, ps, adjusted(ps, len(ps)), strict=True
        )
    )
