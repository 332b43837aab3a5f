"""nas.compare: the table of effects for runs from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal, cast

from nas.base.wording import near
from nas.runs.record import ArmRecord

if TYPE_CHECKING:
    from pandas import DataFrame

    from nas.results.effects import Sample

KINDS = ("matched", "raw", "retuned", "control")
"""Which kind of a change is its primary contrast: the first of these that there is."""
PREFIX = r"(params|metrics|tags|config|summary|user_attrs|system_attrs)[._/]"
"""What MLflow, Optuna and Weights & Biases put before a name of one's own."""
NO_VARIANT = (
    "epoch", "step", "run", "trial", "number", "id", "index", "time", "runtime", "duration",
)  # fmt: skip
"""What stands beside the scores in a frame with a column for each variant."""
SHOWN = 8


def compare(
    frame: DataFrame,
    *,
    baseline: str,
    variant: str = "variant",
    pair: str = "seed",
    score: str = "score",
    kind: str | None = None,
    cost: str | None = None,
    control: str | None = None,
    margin: float | None = None,
    resolution: float = 0.0,
) -> DataFrame:
    """The table of `nas effects` for runs from anywhere: each variant against the baseline on the
    same seeds, higher scores being better.

    frame: a run a row, with the columns `variant`, `pair` (the seed) and `score`; or a seed a row,
    with a column for it and one for each variant, and no other. The columns of an export need no
    prefix: `seed` is `params.seed` too (MLflow), `params_seed` (Optuna) and `config.seed` (Weights
    & Biases). baseline: the variant that the others are compared with. kind, cost: columns with the
    kind of an ablation's arm (raw, matched, control, retuned), and with mult-adds or another cost,
    of which a variant has the mean over its runs. control: the variant that is the baseline again
    on other seeds (A/A). margin: differences inside +-margin count as equivalent. resolution: the
    metric's step, such as 100 / images for an accuracy in percent: without it differences that are
    all equal are inconclusive.

    Raises ValueError for a column or a variant that is not there, for fewer than two pairs, for a
    seed that the baseline has not or a variant has twice, for a run without a name, a seed or a
    score, and for two variants that are the same runs. A variant that lacks seeds of the baseline
    is compared on those that it has, and its note says so.
    """
    from nas.results.effects import (
        effects,  # here, so that a search space loads neither scipy nor pandas
    )
    from nas.results.rows import EFFECT_COLUMNS
    from nas.results.tables import frame as table

    if margin is not None and not margin > 0:
        raise ValueError(f"margin must be above 0, not {margin:g}")
    if not resolution >= 0:
        raise ValueError(f"resolution must be 0 or more, not {resolution:g}")
    samples = runs(
        frame,
        baseline=baseline,
        variant=variant,
        pair=pair,
        score=score,
        kind=kind,
        cost=cost,
        control=control,
    )
    return table(effects(samples, margin=margin, resolution=resolution), EFFECT_COLUMNS)


def runs(
    frame: DataFrame,
    *,
    baseline: str,
    variant: str = "variant",
    pair: str = "seed",
    score: str = "score",
    kind: str | None = None,
    cost: str | None = None,
    control: str | None = None,
) -> tuple[Sample, ...]:
    """The runs of a frame as `compare` takes them, variant by variant, the baseline first."""
    import pandas as pd

    if pair in frame.index.names:
        frame = frame.reset_index()
    frame = frame.rename(columns=str)
    baseline, control = str(baseline), None if control is None else str(control)
    if control == baseline:
        raise ValueError(
            "control= is the baseline again on other seeds, under a name of its own, not "
            f"{control!r}"
        )
    if baseline in frame.columns and variant not in frame.columns:
        _require_scores(frame.drop(columns=_column(frame, pair)), pair)
        frame = frame.melt([_column(frame, pair)], var_name=variant, value_name=score)
    wanted = {"variant": variant, "pair": pair, "score": score, "kind": kind, "cost": cost}
    told = pd.DataFrame({key: frame[_column(frame, name)] for key, name in wanted.items() if name})
    named = {"variant": variant, "pair": pair, "score": score}
    samples = tuple(_samples(_checked(told, named, baseline, control), baseline, control))
    _require_pairs(samples, pair)
    return samples


def _column(frame: DataFrame, name: str) -> str:
    """The column of a name, or of an export that puts a prefix before it."""
    columns = [str(column) for column in frame.columns]
    if name in columns:
        return name
    bare = {column: re.sub(f"^{PREFIX}", "", column) for column in columns}
    found = [column for column in columns if bare[column] == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(f"{name!r} may be {' or '.join(found)}: name the column in full")
    raise ValueError(f"the runs have no column {name!r}, {_instead(name, [*bare.values()])}")


def _require_scores(variants: DataFrame, pair: str) -> None:
    """ValueError unless each column of a frame with a column for each variant can be one."""
    for column in map(str, variants):
        bare = re.sub(f"^{PREFIX}", "", column)
        if bare != column or bare.strip("_").lower() in NO_VARIANT:
            raise ValueError(
                f"each column but {pair} is a variant in a frame with a column for each, and "
                f"{column!r} seems to be none: leave it out, or rename it"
            )


def _instead(name: str, have: Sequence[str]) -> str:
    more = f" and {len(have) - SHOWN} more" if len(have) > SHOWN else ""
    return f"but {', '.join(have[:SHOWN])}{more}{near(name, have)}"


def _checked(
    runs: DataFrame, named: Mapping[str, str], baseline: str, control: str | None
) -> DataFrame:
    """The runs with names as text, scores as numbers, and a kind each: of the baseline there is the
    plain one and maybe a retuned one, whatever else they are called."""
    import pandas as pd

    arm, pair, score = ["variant", "kind"], named["pair"], named["score"]
    made = (runs if "kind" in runs else runs.assign(kind="raw")).astype(dict.fromkeys(arm, str))
    itself = made["variant"].eq(baseline) & made["kind"].ne("retuned")
    made.loc[itself | made["variant"].eq(str(control)), "kind"] = "raw"
    for key in ("variant", "pair"):
        if none := runs[key].isna().tolist().count(True):
            raise ValueError(
                f"{none} of {len(runs)} runs have no {named[key]}: give them one, or leave them out"
            )
    for key in {"score", "cost"} & {*runs}:
        made[key] = pd.to_numeric(made[key], errors="coerce")
        for _, run in runs[made[key].isna() & runs[key].notna()].iterrows():
            raise ValueError(
                f"{run['variant']!r} has the {key} {run[key]!r} on {pair} {run['pair']}, which is "
                "no number: write it as one"
            )
    unknown = made[made["cost"].isna()]["variant"].tolist() if "cost" in made else []
    if unknown:
        raise ValueError(f"a run of {unknown[0]!r} has no cost: give it one, or leave cost= out")
    without = made["score"].isna() | made["score"].abs().eq(float("inf"))
    for _, run in made[without].iterrows():
        raise ValueError(
            f"{run['variant']!r} has no score ({score}) on {pair} {run['pair']}, as "
            f"{without.sum()} of {len(made)} runs: give one that diverged what it ended with, or "
            "that of guessing, for it is a result too; leave out one that failed"
        )
    for _, run in made[made.duplicated([*arm, "pair"])].iterrows():
        raise ValueError(
            f"{run['variant']!r} has {pair} {run['pair']} twice, and a variant runs once a seed; "
            "call two changes by two names"
        )
    return made


def _samples(runs: DataFrame, baseline: str, control: str | None) -> Iterator[Sample]:
    """The baseline, the changes in the order of their runs, the control."""
    from nas.results.effects import Replicate, Sample

    names = list(dict.fromkeys(map(str, runs["variant"])))
    for name in (baseline, control):
        if name is not None and name not in names:
            raise ValueError(f"no run is of {name!r}, {_instead(name, names)}")
    roles: dict[str | None, Literal["baseline", "control"]] = {
        baseline: "baseline", control: "control",
    }  # fmt: skip
    itself = runs["variant"].eq(baseline)
    plain, tuned = (runs[itself & runs["kind"].eq(kind)] for kind in ("raw", "retuned"))
    ordered = [baseline, *(name for name in names if name not in roles), control]
    for name in filter(None, ordered):
        own = runs[runs["variant"] == name]
        kinds = list(dict.fromkeys(map(str, own["kind"])))
        if name in roles:
            kinds.sort()  # the plain baseline first: it is that of the kinds that have none
        if unknown := sorted({*kinds} - {*KINDS}):
            raise ValueError(f"a kind is one of {', '.join(KINDS)}, not {unknown[0]!r}")
        for kind in kinds:
            arm = own[own["kind"] == kind]
            base = plain if kind != "retuned" or tuned.empty else tuned
            seeds = cast("list[Any]", arm["pair"].tolist())
            # The control's seeds are others: its runs are paired by their order.
            keys = plain["pair"].tolist() if name == control else seeds
            note = (_unpaired if name == control else _fewer)(len(arm), len(base))
            yield Sample(
                arm=ArmRecord(
                    role=roles.get(name, "change"),
                    change=name,
                    kind=None if name in roles and kind == "raw" else kind,
                    candidate_id="",
                    epochs=0,
                    seeds=(),
                    primary=kind == min(kinds, key=KINDS.index),
                    note=note or None,
                ),
                runs={
                    key: Replicate(seed=seed, score=float(score))
                    for key, seed, score in zip(keys, seeds, arm["score"], strict=False)
                },
                mult_adds=_number(fmean(arm["cost"].tolist())) if "cost" in arm else None,
            )


def _number(cost: float) -> float:
    return int(cost) if cost.is_integer() else cost


def _fewer(runs: int, of: int) -> str:
    return f"on {runs} of the baseline's {of} seeds" if runs < of else ""


def _unpaired(runs: int, of: int) -> str:
    return f"its first {of} of {runs} runs: the baseline has no more" if runs > of else ""


def _require_pairs(samples: Sequence[Sample], pair: str) -> None:
    """ValueError unless each variant is paired with the baseline, and is not another again."""
    from nas.results.effects import against

    changes = [sample for sample in samples if sample.arm.role != "baseline"]
    if not changes:
        only = samples[0].arm.change
        raise ValueError(f"all runs are of {only!r}: there is nothing to compare it with")
    for sample in changes:
        base = against(sample, samples)
        name, before = sample.arm.change, base.arm.change
        if base.arm.kind == "retuned" != sample.arm.kind:
            raise ValueError(
                f"{before!r} has retuned runs alone, and {name!r} is not retuned: "
                "run the baseline as it is too"
            )
        missing = [str(key) for key in sample.runs if key not in base.runs]
        if missing:
            raise ValueError(
                f"{name!r} has {pair} {', '.join(missing[:SHOWN])}, which the baseline "
                f"{before!r} has not: run the baseline on it too, or leave the run out"
            )
        if len(sample.runs) < 2:
            raise ValueError(
                f"{name!r} has {len(sample.runs)} pair with the baseline {before!r}: "
                "a difference has an interval from 2 seeds on; 8 are a fair start"
            )
    for first, second in combinations(samples, 2):
        scores = [{key: run.score for key, run in each.runs.items()} for each in (first, second)]
        if first.arm.kind == second.arm.kind and scores[0] == scores[1]:
            raise ValueError(
                f"{first.arm.change!r} and {second.arm.change!r} have the same score on each "
                f"{pair}: are they the same runs? leave one of them out"
            )
