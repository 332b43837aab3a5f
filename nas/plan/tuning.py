"""Which learning rate a retuned arm has: the best on the tuning seeds, once all have been run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import fmean

from nas.runs.record import DONE, OVER, ArmRecord, Record, Seeds


def settled(
    options: Sequence[str], tuning: Sequence[Seeds], records: Iterable[Record]
) -> str | None:
    """The candidate of `options` with the best mean score over the tuning seeds, the first of
    equals; None until the runs of all are over, or where none has a score.

    A diverged run counts with what it scored; a candidate with a run that failed or exceeded what
    it may take is out.
    """
    runs = {(r.candidate_id, r.seeds): r for r in records if r.role == "tuning"}
    means: dict[str, float] = {}
    for candidate in options:
        own = [runs.get((candidate, seed)) for seed in tuning]
        if any(run is None or run.state not in (*OVER, "failed") for run in own):
            return None
        scores = [run.score for run in own if run is not None and run.state in DONE]
        given = [score for score in scores if score is not None]
        if len(given) == len(tuning):
            means[candidate] = fmean(given)
    return max(means, key=lambda candidate: means[candidate], default=None)


def settle(arms: Sequence[ArmRecord], records: Sequence[Record]) -> tuple[ArmRecord, ...]:
    """The arms with each retuned one as the candidate that its tuning chose, where it has."""
    made: list[ArmRecord] = []
    for arm in arms:
        found = settled(arm.options, arm.tuning, records) if arm.options else None
        made.append(replace(arm, candidate_id=found) if found else arm)
    return tuple(made)
