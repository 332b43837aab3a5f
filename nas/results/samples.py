"""A study's records as the samples that its ablation compares."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import astuple, replace

from nas.plan.tuning import settle, settled
from nas.results.effects import Replicate, Sample
from nas.runs.record import DONE, ArmRecord, Key, Record, StudyRecord, varying


def samples(study: StudyRecord, records: Sequence[Record]) -> tuple[Sample, ...]:
    """The arms of an ablation with their runs, of which those of one place in the order of the
    seeds and of one protocol are paired."""
    arms, known = settle(study.arms, records), _by_key(records)
    fidelity = astuple(study.baseline.recipe.fidelity)

    def over(arm: ArmRecord) -> dict[int, Record]:
        # A retuned arm has no run before its rate is chosen, though that of another may be alike.
        if arm.options and settled(arm.options, arm.tuning, records) is None:
            return {}
        keys = ((arm.candidate_id, fidelity, seed, None) for seed in arm.seeds)
        runs = {at: known[key] for at, key in enumerate(keys) if key in known}
        return {at: run for at, run in runs.items() if run.state != "running"}

    ended = [over(arm) for arm in arms]
    bases = {
        arm.kind: runs for arm, runs in zip(arms, ended, strict=True) if arm.role == "baseline"
    }
    subject = study.baseline.subject
    least = subject.chance(study.baseline.recipe.data)
    spent = {run.candidate_id: run for run in reversed(records)} if subject.trained else {}
    return tuple(
        _sample(
            _noted(arm, study.design), own, bases.get(arm.kind, bases[None]), least,
            spent.get(arm.candidate_id),
        )
        for arm, own in zip(arms, ended, strict=True)
    )  # fmt: skip


def _sample(
    arm: ArmRecord,
    own: Mapping[int, Record],
    before: Mapping[int, Record],
    least: float,
    spent: Record | None,
) -> Sample:
    """An arm with its own runs and its baseline's, by their place; `least` is what guessing stays
    below, and `spent` a run that tells the cost."""
    _, numbers = varying(arm.seeds)
    runs: dict[Hashable, Replicate] = {}
    for at, run in own.items():
        if (score := final(run)) is not None:
            runs[at, run.protocol] = Replicate(
                seed=numbers[at],
                score=score,
                diverged=run.state == "diverged",
                at_chance=score <= least,
            )
    both = own.keys() & before.keys()
    return Sample(
        arm=arm,
        runs=runs,
        planned=len(arm.seeds),
        waiting=len(arm.seeds) - len(both),
        lost=sum(None in (final(own[at]), final(before[at])) for at in both),
        diverged=sum(run.state == "diverged" and final(run) is None for run in own.values()),
        mult_adds=spent.mult_adds if spent else None,
        params=spent.params if spent else None,
    )


def _noted(arm: ArmRecord, design: str) -> ArmRecord:
    """The arm with what became of it in its note."""
    notes = (arm.note, "added later" if arm.added else "", "withdrawn" if arm.withdrawn else "")
    # A path's steps were chosen by what would be tested here.
    primary = arm.primary and design != "path"
    return replace(arm, primary=primary, note="; ".join(filter(None, notes)) or None)


def final(run: Record) -> float | None:
    """The score that a run ended with."""
    return run.score if run.state in DONE else None


def _by_key(records: Sequence[Record]) -> Mapping[Key, Record]:
    """The run of each key: the first that is done, or else that is over."""

    def finished(run: Record) -> tuple[bool, bool]:
        return run.state in DONE, run.state != "running"

    runs: dict[Key, Record] = {}
    for run in sorted(records, key=finished, reverse=True):
        runs.setdefault(run.key, run)
    return runs
