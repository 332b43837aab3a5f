"""Samples of scores to the table of effects: one family, one primary contrast a change."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nas.results.rows import EffectRow
from nas.runs.record import ArmRecord
from nas.stats.looks import look_level
from nas.stats.paired import Paired, holm, paired, verdict, visible
from nas.stats.sign_flip import sign_flip

EQUAL = "its differences are all equal: say by resolution= what step the score has"
"""Why a row of several seeds has no interval."""


@dataclass(frozen=True, kw_only=True)
class Replicate:
    """A run's score on a seed, and whether it diverged, or is no better than guessing."""

    seed: int | str
    score: float
    diverged: bool = False
    at_chance: bool = False


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The runs of one arm: two arms' runs of the same key are a pair. planned, waiting: seeds in
    all, and those that have still to run. lost: seeds on which it or its baseline ran and has no
    score; diverged: of its runs without one.
    """

    arm: ArmRecord
    runs: Mapping[Hashable, Replicate]
    planned: int = 0
    waiting: int = 0
    lost: int = 0
    diverged: int = 0
    mult_adds: float | None = None
    params: int | None = None

    @property
    def tested(self) -> bool:
        """Whether the family has it: a change in its primary kind, a withdrawn one too."""
        return self.arm.role == "change" and self.arm.primary


@dataclass(frozen=True, kw_only=True)
class Tests:
    """What the family says of one row; NaN for one that is not tested."""

    verdict: str
    p: float = math.nan
    p_holm: float = math.nan
    p_margin: float = math.nan
    sign_flip: float = math.nan
    level: float = math.nan
    visible: float = math.nan


def effects(
    samples: Sequence[Sample],
    *,
    margin: float | None = None,
    resolution: float = 0.0,
    looks: Sequence[int] = (),
    higher_is_better: bool = True,
) -> tuple[EffectRow, ...]:
    """The table, a row a sample, in their order; each change is paired with the baseline of its
    kind, or else with the first.

    The family is one primary contrast a change. A row whose seeds have not all run is "unfinished",
    one that a seed gave no score is "incomplete", one with other seeds than the planned `looks` is
    "extended", and none of them has a p.
    """
    known = _bases(samples)
    bases = [against(sample, known) for sample in samples]
    pairs = [
        compared(base, sample, margin, resolution, higher_is_better)
        for base, sample in zip(bases, samples, strict=True)
    ]
    tests = _tests(samples, pairs, margin, resolution, looks, higher_is_better)
    return tuple(map(_row, bases, samples, pairs, tests))


def against(sample: Sample, samples: Sequence[Sample]) -> Sample:
    """The baseline that a sample is compared with: that of its kind, or else the first."""
    bases = _bases(samples)
    return next((base for base in bases if base.arm.kind == sample.arm.kind), bases[0])


def _bases(samples: Sequence[Sample]) -> list[Sample]:
    return [each for each in samples if each.arm.role == "baseline"]


def shared(*samples: Sample) -> list[Hashable]:
    """The keys of the runs that all of the samples have, in the order of the first's."""
    first, *others = samples
    return [key for key in first.runs if all(key in other.runs for other in others)]


def compared(
    base: Sample,
    sample: Sample,
    margin: float | None = None,
    resolution: float = 0.0,
    higher_is_better: bool = True,
) -> Paired:
    """A sample against a baseline, over the pairs that they have."""
    keys = shared(base, sample)
    scores = ([each.runs[key].score for key in keys] for each in (base, sample))
    return paired(*scores, resolution=resolution, margin=margin, higher_is_better=higher_is_better)


def _tests(
    samples: Sequence[Sample],
    pairs: Sequence[Paired],
    margin: float | None,
    resolution: float,
    looks: Sequence[int],
    higher_is_better: bool,
) -> list[Tests]:
    family = sum(sample.tested for sample in samples)
    level = look_level(looks)
    roles = [sample.arm.role for sample in samples]
    whys = [
        untested(sample, looks) if role == "change" else role
        for role, sample in zip(roles, samples, strict=True)
    ]
    tests = [
        Tests(verdict=why or "", p=each.p if role == "control" else math.nan)
        for role, why, each in zip(roles, whys, pairs, strict=True)
    ]
    due = [at for at, why in enumerate(whys) if why is None]
    p_holm = adjusted([pairs[at].p for at in due], family)
    p_margin = adjusted([pairs[at].p_margin for at in due], family)
    flips = _flips([samples[at] for at in due], samples, resolution)
    for at, *ps, flip in zip(due, p_holm, p_margin, flips, strict=True):
        each = pairs[at]
        inside = margin is not None and -margin < each.low and each.high < margin
        tests[at] = Tests(
            verdict=verdict(
                each.delta, *ps, inside=inside, level=level, higher_is_better=higher_is_better
            ),
            p=each.p,
            p_holm=ps[0],
            p_margin=ps[1],
            # Differences that are all equal, by no known step, say nothing of other seeds.
            sign_flip=math.nan if math.isnan(each.p) else flip,
            level=level,
            visible=visible(each.n, family, level=level) * (each.sd or math.nan),
        )
    return tests


def untested(sample: Sample, looks: Sequence[int]) -> str | None:
    """Why a change has no p: another kind of it is primary, its seeds have not all run, have not
    all a score (which are missing is no chance: they failed), or are other ones than planned."""
    if not sample.arm.primary:
        return "secondary"
    if sample.waiting:
        return "unfinished"
    if sample.lost:
        return "incomplete"
    return "extended" if looks and sample.planned not in looks else None


def untold(samples: Sequence[Sample], looks: Sequence[int]) -> str | None:
    """Why what several changes say together has no p: one of them has none."""
    return next((why for sample in samples if (why := untested(sample, looks))), None)


def adjusted(ps: Sequence[float], family: int) -> list[float]:
    """Holm's adjustment in a family in which what has no p yet finds nothing."""
    all_ps = [1.0 if math.isnan(p) else p for p in ps] + [1.0] * (family - len(ps))
    return [math.nan if math.isnan(p) else float(q) for p, q in zip(ps, holm(all_ps), strict=False)]


def _flips(due: Sequence[Sample], samples: Sequence[Sample], resolution: float) -> list[float]:
    keys = list(dict.fromkeys(key for sample in due for key in sample.runs))
    bases = _bases(samples)
    return sign_flip(
        [
            [
                sample.runs[key].score - base.runs[key].score
                if key in sample.runs and key in base.runs
                else math.nan
                for key in keys
            ]
            for sample in due
            for base in [against(sample, bases)]
        ],
        resolution,
    ).tolist()


def lost(sample: Sample) -> str:
    """How many of a sample's seeds have no score, in words."""
    return f"{sample.lost} of {sample.planned} have no score" if sample.lost else ""


def _row(base: Sample, sample: Sample, pairs: Paired, tests: Tests) -> EffectRow:
    arm, own = sample.arm, [sample.runs[key] for key in shared(base, sample)]
    scores = [run.score for run in own]
    itself = base is sample
    if itself:
        pairs = dataclasses.replace(paired([], []), n=len(own))
    equal = EQUAL if pairs.sd == 0 else ""
    return EffectRow(
        role=arm.role,
        change=arm.change,
        kind=arm.kind,
        primary=sample.tested,
        n=pairs.n,
        planned=sample.planned or pairs.n,
        waiting=sample.waiting,
        mean=float(np.mean(scores)) if scores else math.nan,
        sd=float(np.std(scores, ddof=1)) if len(scores) > 1 else math.nan,
        delta=pairs.delta,
        low=pairs.low,
        high=pairs.high,
        **vars(tests),
        wins=None if itself else pairs.wins,
        wins_low=pairs.wins_low,
        wins_high=pairs.wins_high,
        standardised=pairs.standardised,
        beats_unpaired=pairs.beats_unpaired,
        correlation=pairs.correlation,
        mult_adds=sample.mult_adds,
        params=sample.params,
        diverged=sum(run.diverged for run in own) + sample.diverged,
        at_chance=sum(run.at_chance for run in own),
        note="; ".join(filter(None, (arm.note, lost(sample), equal))),
        candidate_id=arm.candidate_id,
        seeds=tuple(run.seed for run in own),
        differences=pairs.differences,
    )
