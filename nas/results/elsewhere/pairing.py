"""Runs of a table, checked, as the samples that are compared."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.base.wording import times
from nas.results.effects import Replicate, Sample
from nas.results.elsewhere.columns import SHOWN, Frame, instead
from nas.runs.record import ArmRecord, ArmRole

if TYPE_CHECKING:
    from numpy.typing import NDArray

KINDS = ("matched", "raw", "retuned", "control")
"""Which kind of a change is its primary contrast: the first of these that there is."""
ARM = ["variant", "kind"]
NO_NUMBER = ("nan", "inf", "-inf", "infinity", "-infinity")


@dataclass(frozen=True, kw_only=True)
class Runs:
    """What was understood of a table of runs. samples: variant by variant, the baseline first.
    score: what the scores are called. taken: which column was taken for what, in lines. warnings:
    what a reader should know before believing a number."""

    samples: tuple[Sample, ...]
    score: str
    higher_is_better: bool
    taken: tuple[str, ...]
    warnings: tuple[str, ...]


def checked(
    told: Frame, named: Mapping[str, str | None], baseline: str, control: str | None
) -> Frame:
    """The runs with names as text, scores as numbers, and a kind each: of the baseline there is the
    plain one and maybe a retuned one, whatever else they are called."""
    import pandas as pd

    made = (told if "kind" in told else told.assign(kind="raw")).copy()
    for key in ("variant", "pair"):
        if none := int(made[key].isna().sum()):
            raise ValueError(
                f"{none} of {len(made)} runs have no {named[key]}: give them one, or leave them out"
            )
    made[ARM] = made[ARM].astype(str)
    itself = made["variant"].eq(baseline) & made["kind"].ne("retuned")
    made.loc[itself | made["variant"].eq(str(control)), "kind"] = "raw"
    for key in {"score", "cost"} & {*told}:
        made[key] = pd.to_numeric(made[key], errors="coerce")
        wrong = told[made[key].isna() & told[key].notna() & made["finished"]]
        for _, run in wrong.head(SHOWN).iterrows():
            if str(run[key]).strip().lower() not in NO_NUMBER:
                raise ValueError(
                    f"{run['variant']!r} has the {key} {run[key]!r} on {named['pair']} "
                    f"{run['pair']}, which is no number: write it as one"
                )
    return made


def single(told: Frame, named: Mapping[str, str | None]) -> Frame:
    """A run a seed, with a score where it is finished: one that is stands for those of its seed
    that are not.

    Raises ValueError where two of a variant are finished on a seed, or a finished one has no score
    or no cost."""
    pair, score, done = named["pair"], named["score"], told[told["finished"]]
    if "cost" in done and (unknown := done[done["cost"].isna()]["variant"].tolist()):
        raise ValueError(f"a run of {unknown[0]!r} has no cost: give it one, or leave cost= out")
    without = ~np.isfinite(done["score"].to_numpy(float))
    for _, run in done[without].head(1).iterrows():
        raise ValueError(
            f"{run['variant']!r} has no score ({score}) on {pair} {run['pair']}, as "
            f"{without.sum()} of {len(told)} runs: give one that diverged what it ended with, or "
            "that of guessing, for it is a result too; leave out one that failed"
        )
    for _, run in done[done.duplicated([*ARM, "pair"])].head(1).iterrows():
        raise ValueError(
            f"{run['variant']!r} has {pair} {run['pair']} twice, and a variant runs once a seed; "
            "call two changes by two names"
        )
    made = told.assign(score=told["score"].where(told["finished"]))
    # A run that was tried again counts as it ended; what it began with is counted, for the note.
    made["tries"] = made.groupby([*ARM, "pair"], sort=False)["finished"].transform("size")
    first = made.sort_values("finished", ascending=False, kind="stable")
    return first.drop_duplicates([*ARM, "pair"]).sort_index()


def samples(told: Frame, pair: str, baseline: str, control: str | None) -> tuple[Sample, ...]:
    """The baseline, the changes in the order of their runs, the control, of runs that have each a
    variant, a kind, a pair, and a score if they are finished.

    Raises ValueError for a baseline, a control or a kind that there is not, for what cannot be
    paired, and for two variants that are the same runs."""
    arms = _arms(told)
    kinds: dict[str, list[str]] = {}
    for name, kind in arms:
        kinds.setdefault(name, []).append(kind)
    for name in (baseline, control):
        if name is not None and name not in kinds:
            raise ValueError(f"no run is of {name!r}, {instead(name, [*kinds])}")
    if unknown := sorted({kind for _, kind in arms} - {*KINDS}):
        raise ValueError(f"a kind is one of {', '.join(KINDS)}, not {unknown[0]!r}")
    plain = arms.get((baseline, "raw"), {})
    tuned = arms.get((baseline, "retuned"), {})
    changes = [name for name in kinds if name not in (baseline, control)]
    found: list[Sample] = []
    for name in filter(None, (baseline, *changes, control)):
        role = _role(name, baseline, control)
        # The plain baseline first: it is that of the kinds that have none.
        own = sorted(kinds[name]) if role != "change" else kinds[name]
        for kind in own:
            base = tuned if kind == "retuned" and tuned else plain or tuned
            primary = kind == min(own, key=KINDS.index)
            arm = ArmRecord(
                role=role,
                change=name,
                kind=None if role != "change" and kind == "raw" else kind,
                candidate_id="",
                epochs=0,
                seeds=(),
                primary=primary,
            )
            found.append(_sample(arm, arms[name, kind], base))
    _require_pairs(found, pair, arms)
    return tuple(found)


Arm = dict[str, "NDArray[Any]"]
"""The columns of an arm's runs."""


def _arms(told: Frame) -> dict[tuple[str, str], Arm]:
    """The runs of each arm, in the order in which arms first come."""
    codes, names = told.groupby(ARM, sort=False).ngroup().to_numpy(), told[ARM].drop_duplicates()
    order = np.argsort(codes, kind="stable")
    ends = np.flatnonzero(np.diff(codes[order])) + 1
    parts = {name: np.split(told[name].to_numpy()[order], ends) for name in told}
    return {
        (str(variant), str(kind)): {name: part[at] for name, part in parts.items()}
        for at, (variant, kind) in enumerate(names.itertuples(index=False))
    }


def _sample(arm: ArmRecord, own: Arm, base: Arm) -> Sample:
    """An arm's runs beside those of its baseline. The control's seeds are others: its runs are
    paired by their order."""
    seeds = own["pair"].tolist()
    control = arm.role == "control"
    keys = base["pair"].tolist()[: len(seeds)] if control else seeds
    known = dict(zip(base["pair"].tolist(), ~np.isnan(base["score"]), strict=True))
    scores = [float(score) for score in own["score"]][: len(keys)]
    missed = [math.isnan(score) for score in scores]
    lost = sum(no or not known.get(key, True) for key, no in zip(keys, missed, strict=True))
    again = int((own["tries"][~np.isnan(own["score"])] > 1).sum())
    costs = [cost for cost in own.get("cost", np.array([])).tolist() if not math.isnan(cost)]
    notes = [
        (_unpaired if control else _fewer)(len(seeds), len(known)),
        f"{times(sum(missed), 'run')} not finished" if any(missed) else "",
        f"{times(again, 'run')} tried again, as it ended" if again else "",
    ]
    return Sample(
        arm=replace(arm, note="; ".join(filter(None, notes)) or None),
        runs={
            key: Replicate(seed=seed, score=score)
            for key, seed, score in zip(keys, seeds, scores, strict=False)
            if not math.isnan(score)
        },
        planned=len(keys) if lost else 0,
        lost=lost,
        mult_adds=_number(fmean(costs)) if costs else None,
    )


def _role(name: str, baseline: str, control: str | None) -> ArmRole:
    return "baseline" if name == baseline else "control" if name == control else "change"


def _number(cost: float) -> float:
    return int(cost) if cost.is_integer() else cost


def _fewer(runs: int, of: int) -> str:
    return f"on {runs} of the baseline's {of} seeds" if runs < of else ""


def _unpaired(runs: int, of: int) -> str:
    return f"its first {of} of {runs} runs: the baseline has no more" if runs > of else ""


def _require_pairs(found: Sequence[Sample], pair: str, arms: Mapping[tuple[str, str], Arm]) -> None:
    """ValueError unless each variant is paired with the baseline, and is not another again."""
    first, *changes = [each for each in found if each.arm.role != "baseline" or each is found[0]]
    if not changes:
        raise ValueError(
            f"all runs are of {first.arm.change!r}: there is nothing to compare it with"
        )
    if not first.runs:
        raise ValueError(f"no run of the baseline {first.arm.change!r} is finished")
    seeds = {each.arm.kind: _seeds(each, arms) for each in found if each.arm.role == "baseline"}
    for sample in changes:
        arm, before = sample.arm, first.arm.change
        base = seeds.get(arm.kind, seeds[first.arm.kind])
        if first.arm.kind == "retuned" != arm.kind:
            raise ValueError(
                f"{before!r} has retuned runs alone, and {arm.change!r} is not retuned: "
                "run the baseline as it is too"
            )
        own = _seeds(sample, arms)
        missing = [] if arm.role == "control" else [str(key) for key in own if key not in base]
        if missing:
            raise ValueError(
                f"{arm.change!r} has {pair} {', '.join(missing[:SHOWN])}, which the baseline "
                f"{before!r} has not: run the baseline on it too, or leave the run out"
            )
        if len(own) < 2:
            raise ValueError(
                f"{arm.change!r} has {len(own)} pair with the baseline {before!r}: "
                "a difference has an interval from 2 seeds on; 8 are a fair start"
            )
    alike: dict[Any, str] = {}
    for sample in found:
        scores = frozenset((key, run.score) for key, run in sample.runs.items())
        other = alike.setdefault((sample.arm.kind, scores), sample.arm.change) if scores else None
        if other not in (None, sample.arm.change):
            raise ValueError(
                f"{other!r} and {sample.arm.change!r} have the same score on each "
                f"{pair}: are they the same runs? leave one of them out"
            )


def _seeds(sample: Sample, arms: Mapping[tuple[str, str], Arm]) -> set[Any]:
    """The seeds of an arm, on which it is finished or not."""
    return {*arms[sample.arm.change, sample.arm.kind or "raw"]["pair"].tolist()}
