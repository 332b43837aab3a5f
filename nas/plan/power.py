"""What an ablation could see, and what other designs would for the same number of runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from nas.experiment.experiment import Experiment
from nas.plan.arms import Arm, arms
from nas.plan.designs import aliases
from nas.plan.plans import Ablation, Design
from nas.space.space import SearchSpace
from nas.stats.looks import look_level
from nas.stats.paired import noncentrality, visible

UNTESTED = ("path", "streams")
"""Designs without a p: the one selects, the other changes nothing."""


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What a design can see: its arms in all, its seeds, the tests in its family, and the smallest
    effect of a change that it shows in 80 of 100 cases at the family's level, in standard
    deviations of the paired difference of two runs; infinite below two seeds."""

    design: Design
    arms: int
    seeds: int
    family: int
    effect: float


def outlook(ablation: Ablation, lines: Sequence[Arm], seeds: int | None = None) -> Outlook:
    """What an ablation of these arms can see, on their seeds or another number of them; where it is
    read several times, at the level of each look.

    One change is held against the baseline by its paired t-test. In a factorial half of the arms
    have the change and half have not; how the factors vary from seed to seed, all of them together,
    is the noise.
    """
    n = len(lines[0].seeds) if seeds is None else seeds
    level = look_level(ablation.looks)
    asked = [arm for arm in lines if arm.role == "change" and arm.primary]
    if ablation.design == "factorial":
        family = len({part for arm in asked for part in arm.parts})
        runs = 1 + len(asked)
        free = family * (n - 1)
        away = noncentrality(free, family, level=level) if n > 1 else math.inf
        effect = away * math.sqrt(2 / (runs * n))
    else:
        family = len(asked)
        effect = visible(n, family, level=level)
    return Outlook(design=ablation.design, arms=len(lines), seeds=n, family=family, effect=effect)


def instead(ablation: Ablation, space: SearchSpace, lines: Sequence[Arm]) -> Iterable[Outlook]:
    """What the other designs over the same decisions would see of a change for as many runs as
    these arms, where they can be: whole seeds of all their arms, two or more. One that asks fewer
    changes, or has the same arms, is none."""
    runs = len(lines) * len(lines[0].seeds)
    for design in get_args(Design):
        if design == ablation.design or design in UNTESTED:
            continue
        try:
            other = replace(ablation, design=design, to=None)
            others = arms(other, space)
        except ValueError:
            continue
        alike = _experiments(others) == _experiments(lines)
        seeds = runs // len(others)
        if not alike and _changes(others) >= _changes(lines) and seeds > 1:
            yield outlook(other, others, seeds)


def _experiments(lines: Sequence[Arm]) -> set[Experiment]:
    return {arm.experiment for arm in lines}


def _changes(lines: Sequence[Arm]) -> int:
    return len({part for arm in lines for part in arm.parts})


def aliased(lines: Sequence[Arm]) -> tuple[str, ...]:
    """The groups of two-factor interactions that a design cannot tell apart, each in one line."""
    runs = [arm.parts for arm in lines if arm.primary and arm.role in ("baseline", "change")]
    return tuple(
        " = ".join(f"{first} x {second}" for first, second in group) for group in aliases(runs)
    )
