"""What several arms say together: a change split by its cost, two changes at once, seed by seed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace

from nas.plan.arms import comparable
from nas.results.effects import Sample, adjusted, against, compared, shared, untold
from nas.results.rows import DecompositionRow, InteractionRow, SeedRow
from nas.runs.record import varying
from nas.stats.looks import look_level
from nas.stats.paired import Paired, paired, verdict


def decompositions(
    samples: Sequence[Sample], resolution: float = 0.0
) -> tuple[DecompositionRow, ...]:
    """raw - baseline = (raw - control) + (control - baseline), for each change that has both kinds,
    over the seeds that all three have."""
    arms = {(s.arm.change, s.arm.kind): s for s in samples if s.arm.role == "change"}
    rows: list[DecompositionRow] = []
    for (change, kind), raw in arms.items():
        control = arms.get((change, "control"))
        if kind != "raw" or control is None:
            continue
        base, raw, control = _alike(against(raw, samples), raw, control)
        whole, part, size = (
            compared(first, second, resolution=resolution)
            for first, second in ((base, raw), (control, raw), (base, control))
        )
        rows.append(
            DecompositionRow(
                change=change,
                n=whole.n,
                delta=whole.delta,
                low=whole.low,
                high=whole.high,
                part=part.delta,
                part_low=part.low,
                part_high=part.high,
                size=size.delta,
                size_low=size.low,
                size_high=size.high,
            )
        )
    return tuple(rows)


def interactions(
    samples: Sequence[Sample],
    resolution: float = 0.0,
    looks: Sequence[int] = (),
    *,
    higher_is_better: bool = True,
) -> tuple[InteractionRow, ...]:
    """both - first - second + baseline for each change of two parts that are arms themselves, all
    three the primary ones of their changes and alike in cost (nas.plan.arms notes which are not);
    one family, tested as the effects are."""
    arms = {(s.arm.parts, s.arm.kind): s for s in samples if s.tested}
    named: list[tuple[str, str]] = []
    found: list[Paired] = []
    whys: list[str | None] = []
    level = look_level(looks)
    for both in arms.values():
        base = against(both, samples)
        singles = [_single(part, both, base, arms.values()) for part in both.arm.parts]
        if len(singles) != 2 or singles[0] is None or singles[1] is None:
            continue
        one, other = singles[0], singles[1]
        keys = shared(base, one, other, both)
        score = [[each.runs[key].score for key in keys] for each in (base, one, other, both)]
        apart = [a + b - c for c, a, b in zip(*score[:3], strict=True)]
        named.append((one.arm.change, other.arm.change))
        found.append(paired(apart, score[3], resolution=resolution))
        whys.append(untold((one, other, both), looks))
    ps = [math.nan if why else each.p for each, why in zip(found, whys, strict=True)]
    return tuple(
        InteractionRow(
            first=first,
            second=second,
            n=each.n,
            delta=each.delta,
            low=each.low,
            high=each.high,
            p=p,
            p_holm=p_holm,
            level=math.nan if why else level,
            standardised=each.standardised,
            verdict=why
            or verdict(
                each.delta,
                p_holm,
                math.nan,
                inside=False,
                level=level,
                higher_is_better=higher_is_better,
            ),
        )
        for (first, second), each, why, p, p_holm in zip(
            named, found, whys, ps, adjusted(ps, len(ps)), strict=True
        )
    )


def _single(part: str, both: Sample, base: Sample, arms: Iterable[Sample]) -> Sample | None:
    """The arm of a part that stands beside a change of two: of its kind, or else of its cost."""
    found = [
        each
        for each in arms
        if each.arm.parts == (part,)
        and comparable({s.arm.kind: s.mult_adds for s in (each, both)}, base.mult_adds)
    ]
    return min(found, key=lambda each: each.arm.kind != both.arm.kind, default=None)


def seed_rows(samples: Sequence[Sample]) -> Iterable[SeedRow]:
    """Every replicate that has a partner, arm by arm."""
    bases = [each for each in samples if each.arm.role == "baseline"]
    for sample in samples:
        base, arm = against(sample, bases), sample.arm
        stream = varying(arm.seeds)[0] if arm.seeds else None
        for key in shared(base, sample):
            run, before = sample.runs[key], base.runs[key].score
            yield SeedRow(
                change=arm.change,
                kind=arm.kind,
                stream=stream,
                seed=run.seed,
                score=run.score,
                baseline=before,
                difference=run.score - before,
                diverged=run.diverged,
                at_chance=run.at_chance,
            )


def seed_columns(rows: Iterable[SeedRow]) -> tuple[str, ...]:
    """The columns of a file of these rows: with the stream where other ones vary in one than in
    another."""
    several = len({row.stream for row in rows}) > 1
    return tuple(each.name for each in fields(SeedRow) if several or each.name != "stream")


def _alike(*samples: Sample) -> tuple[Sample, ...]:
    """The samples with the runs that all of them have."""
    keys = shared(*samples)
    return tuple(replace(each, runs={key: each.runs[key] for key in keys}) for each in samples)
