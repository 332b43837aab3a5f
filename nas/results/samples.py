"""A study's records as the samples that its ablation compares."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import astuple

from nas.data.datasets import Data
from nas.experiment.config import Config
from nas.plan.tuning import settle, settled
from nas.results.effects import Replicate, Sample
from nas.runs.record import DONE, ArmRecord, Key, Record, Seeds, StudyRecord


def samples(study: StudyRecord, records: Sequence[Record]) -> tuple[Sample, ...]:
    """The arms of an ablation with their runs, of which those of one place in the order of the
    seeds and of one protocol are paired."""
    arms = settle(study.arms, records)
    known = _by_key(records)
    bases = {arm.kind: arm for arm in arms if arm.role == "baseline"}
    fidelity = astuple(study.baseline.recipe.fidelity)

    def run(arm: ArmRecord, seed: Seeds) -> Record | None:
        # A retuned arm has no run before its rate is chosen, though that of another may be alike.
        if arm.options and settled(arm.options, arm.tuning, records) is None:
            return None
        return known.get((arm.candidate_id, fidelity, seed, None))

    def over(arm: ArmRecord) -> dict[int, Record]:
        found = ((at, run(arm, seed)) for at, seed in enumerate(arm.seeds))
        return {at: each for at, each in found if each is not None and each.state != "running"}

    # Of a function nobody knows what guessing scores, and what it costs.
    named = isinstance(study.baseline.network, Config)
    least = -math.inf if named else guessing(study.baseline.recipe.data)
    made: list[Sample] = []
    for arm in arms:
        runs: dict[Hashable, Replicate] = {}
        own, before = over(arm), over(bases.get(arm.kind, bases[None]))
        for at, each in own.items():
            if (score := final(each)) is not None:
                runs[at, each.protocol] = Replicate(
                    seed=each.seeds.init,
                    score=score,
                    diverged=each.state == "diverged",
                    at_chance=score <= least,
                )
        both = own.keys() & before.keys()
        costs = () if named else records
        spent = next((each for each in costs if each.candidate_id == arm.candidate_id), None)
        made.append(
            Sample(
                role=arm.role,
                change=arm.change,
                kind=arm.kind,
                parts=arm.parts,
                # A path's steps were chosen by what would be tested here.
                primary=arm.primary and study.design != "path",
                runs=runs,
                planned=len(arm.seeds),
                waiting=len(arm.seeds) - len(both),
                lost=sum(None in (final(own[at]), final(before[at])) for at in both),
                diverged=sum(r.state == "diverged" and final(r) is None for r in own.values()),
                mult_adds=spent.mult_adds if spent else None,
                params=spent.params if spent else None,
                note="; ".join(filter(None, (arm.note, *_came(arm)))),
                withdrawn=arm.withdrawn is not None,
                candidate_id=arm.candidate_id,
            )
        )
    return tuple(made)


def _came(arm: ArmRecord) -> Iterable[str]:
    if arm.added:
        yield "added later"
    if arm.withdrawn:
        yield "withdrawn"


def final(run: Record) -> float | None:
    """The score that a run ended with."""
    return run.score if run.state in DONE else None


def guessing(data: Data) -> float:
    """The accuracy in percent that guessing stays below in 97.5 of 100 cases."""
    share = 1 / data.classes
    return 100 * (share + 1.96 * math.sqrt(share * (1 - share) / data.validation))


def _by_key(records: Sequence[Record]) -> Mapping[Key, Record]:
    """The run of each key: the first that is done, or else that is over."""

    def finished(run: Record) -> tuple[bool, bool]:
        return run.state in DONE, run.state != "running"

    made: dict[Key, Record] = {}
    for run in sorted(records, key=finished, reverse=True):
        made.setdefault(run.key, run)
    return made
