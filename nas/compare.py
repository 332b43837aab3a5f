"""nas.compare: the table of effects for runs from elsewhere."""

from __future__ import annotations

import re
import sys
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from nas.base.wording import plain, times
from nas.results.elsewhere import columns, direction, files, shapes, states
from nas.results.elsewhere.columns import SHOWN, Frame, column

if TYPE_CHECKING:
    from pandas import DataFrame

    from nas.results.effects import Sample
    from nas.results.elsewhere.pairing import Runs

LISTED = 12
"""Lines of what was taken for what that are told, at most, of one sort."""


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
    higher_is_better: bool | None = None,
    state: str | None = None,
    finished: Sequence[str] = (),
) -> DataFrame:
    """The table of `nas effects` for runs from anywhere: each variant against the baseline on the
    same seeds. What was taken for what is told on stderr.

    frame: a run a row, with the columns `variant`, `pair` (the seed) and `score`; or a seed a row,
    with a column for it and one for each variant, and no other. The columns of an export need no
    prefix: `seed` is `params.seed` too (MLflow), `params_seed` (Optuna), `UserAttribute seed` (its
    dashboard), `config/seed` (Ray) and `config.seed` (Weights & Biases), also where `config` has
    dictionaries. Of several steps of a run the last with a score counts. baseline: the variant that
    the others are compared with. kind, cost: columns with the kind of an ablation's arm (raw,
    matched, control, retuned), and with mult-adds or another cost, of which a variant has the mean
    over its runs. control: the variant that is the baseline again on other seeds (A/A). margin:
    differences inside +-margin count as equivalent. resolution: the metric's step, such as 100 /
    images for an accuracy in percent: without it differences that are all equal are inconclusive.
    higher_is_better: asked where the score's name does not say it. state: the column that says
    whether a run is finished, if it is not found; finished: the words in it that do, if those of
    the known tools do not. A run that is not finished has no score, and its variant no p.

    Raises ValueError for a column or a variant that is not there, for fewer than two pairs, for a
    seed that the baseline has not or a variant has twice, for a finished run without a name, a seed
    or a score, for a word that may mean finished or not, for a score that may be good either way,
    and for two variants that are the same runs. A variant that lacks seeds of the baseline is
    compared on those that it has, and its note says so.
    """
    from nas.results.effects import (
        effects,  # here, so that a search space loads neither scipy nor pandas
    )
    from nas.results.rows import EFFECT_COLUMNS
    from nas.results.tables import frame as table

    require_sizes(margin, resolution)
    found = runs(
        frame,
        baseline=baseline,
        variant=variant,
        pair=pair,
        score=score,
        kind=kind,
        cost=cost,
        control=control,
        higher_is_better=higher_is_better,
        state=state,
        finished=finished,
    )
    sys.stderr.write("".join(f"{plain(line)}\n" for line in (*found.taken, *found.warnings)))
    rows = effects(
        found.samples,
        margin=margin,
        resolution=resolution,
        higher_is_better=found.higher_is_better,
    )
    return table(rows, EFFECT_COLUMNS)


def require_sizes(margin: float | None, resolution: float) -> None:
    """ValueError for a margin or a resolution that is none."""
    if margin is not None and not 0 < margin < float("inf"):
        raise ValueError(f"margin must be above 0, not {margin:g}")
    if not 0 <= resolution < float("inf"):
        raise ValueError(f"resolution must be 0 or more, not {resolution:g}")


def runs(
    frame: Frame,
    *,
    baseline: str,
    variant: str = "variant",
    pair: str = "seed",
    score: str = "score",
    kind: str | None = None,
    cost: str | None = None,
    control: str | None = None,
    higher_is_better: bool | None = None,
    state: str | None = None,
    finished: Sequence[str] = (),
) -> Runs:
    """The runs of a frame as `compare` takes them."""
    from nas.results.elsewhere import pairing  # here, since it loads scipy

    if pair in frame.index.names:
        frame = frame.reset_index()
    frame = files.flat(frame)
    baseline, control = str(baseline), None if control is None else str(control)
    if control == baseline:
        raise ValueError(
            "control= is the baseline again on other seeds, under a name of its own, not "
            f"{control!r}"
        )
    frame, score, left = shapes.unfolded(frame, baseline, variant, pair, score)
    named = {"variant": variant, "pair": pair, "score": score, "kind": kind, "cost": cost}
    names = {key: column(frame, name) for key, name in named.items() if name}
    shapes.require_seeds(names["pair"])
    shapes.require_one_score(frame, names["score"])
    higher = direction.higher_is_better(names["score"], higher_is_better)
    told, ended = _told(frame, names, state, finished)
    told, nameless = _named(told)
    by_step = columns.first(frame, columns.STEPS, [*names.values()])
    made, steps, uneven = _stepped(pairing.checked(told, named, baseline, control))
    samples = pairing.samples(pairing.single(made, named), pair, baseline, control)
    roles = {"variant": "variant", "pair": "seed", "score": "score", "cost": "cost"}
    spoken = [f"{roles[key]}: {names.get(key, 'none')}" for key in roles]
    by = ", ".join(_states(frame, names, state)) or "none: every run with a score counts"
    taken = (
        f"taken for {', '.join(spoken)}, step: {by_step or 'none'}{steps}, state: {by}",
        f"{names['score']}: {'higher' if higher else 'lower'} is better",
        *left,
        *ended[:LISTED],
        *nameless,
    )
    return pairing.Runs(
        samples=samples,
        score=score,
        higher_is_better=higher,
        taken=taken,
        warnings=(*uneven, *_unfinished(samples)),
    )


def _states(frame: Frame, names: Mapping[str, str], state: str | None) -> list[str]:
    """The columns that say whether a run is finished."""
    if state is not None:
        return [column(frame, state)]
    return states.columns(frame, [*names.values()])


def _told(
    frame: Frame, names: Mapping[str, str], state: str | None, finished: Sequence[str]
) -> tuple[Frame, list[str]]:
    """A column for each thing that is told of a run, and what its states are, in lines."""
    import pandas as pd

    told: Frame = pd.DataFrame({key: frame[name] for key, name in names.items()})
    told["pair"] = told["pair"].map(_seed, na_action="ignore")
    for key in ("variant", "pair"):
        told[key] = told[key].mask(told[key].isin(["nan", "NaN"]))
    if finished and not _states(frame, names, state):
        raise ValueError(f"no column says a state: name it by {columns.said('state')}")
    numbers = cast(Frame, pd.to_numeric(told["score"], errors="coerce")).notna()
    told["finished"], ended = states.finished(
        frame, _states(frame, names, state), numbers, finished
    )
    if numbers.any() and not told["finished"].any():
        by = ", ".join(_states(frame, names, state))
        raise ValueError(
            f"no run is finished by its {by}: say by {columns.said('finished')} which words count"
        )
    used = [*names.values()]
    if step := columns.first(frame, columns.STEPS, used):
        told["step"] = pd.to_numeric(frame[step], errors="coerce")
    run = columns.first(frame, columns.RUNS, used)
    told["run"] = "" if run is None else frame[run].map(str)
    told["given"] = told["score"].notna()
    return told, ended


def _seed(value: Any) -> Hashable:
    """A seed as it is told and paired: whole numbers as such, other things by their words."""
    text = str(value).removesuffix(" 00:00:00")  # a date
    try:
        return int(text)
    except ValueError:
        return int(text[:-2]) if re.fullmatch(r"-?\d+\.0", text) else text


def _named(told: Frame) -> tuple[Frame, list[str]]:
    """The runs without those that are not finished and say not of what they are, and how many
    these were, in a line."""
    nameless = ~told["finished"] & told[["variant", "pair"]].isna().any(axis=1)
    if not nameless.any():
        return told, []
    said = f"left out: {times(int(nameless.sum()), 'run')} not finished, without variant or seed"
    return told[~nameless], [said]


def _stepped(told: Frame) -> tuple[Frame, str, list[str]]:
    """The last step of each run, how it was found, and whose runs end at different steps."""
    from nas.results.elsewhere import pairing

    if "step" not in told:
        return told, "", []
    made = shapes.last_steps(told, [*pairing.ARM, "pair"])
    how = " (each run's last with a score counts)" if len(made) < len(told) else ""
    uneven: list[str] = []
    done = made[made["finished"] & made["step"].notna()]
    ends = done.groupby("variant", sort=False)["step"].agg(["min", "max"])
    furthest = ends["max"].max()
    for name, (low, high) in zip(ends.index, ends.to_numpy(), strict=True):
        if low < furthest:
            at = f"{low:g}" if low == high else f"{low:g} to {high:g}"
            uneven.append(
                f"runs of {name!r} end at step {at}, others at {furthest:g}: were they stopped "
                "early?"
            )
    if len(uneven) > SHOWN:
        uneven = [*uneven[:SHOWN], f"so do runs of {len(uneven) - SHOWN} more"]
    return made, how, uneven


def _unfinished(samples: Sequence[Sample]) -> list[str]:
    """How many seeds have no score, over all variants."""
    lost = [sample for sample in samples if sample.lost]
    if not lost:
        return []
    listed = ", ".join(f"{each.arm.change} {each.lost} of {each.planned}" for each in lost[:SHOWN])
    more = f" and {len(lost) - SHOWN} more" if len(lost) > SHOWN else ""
    return [
        f"runs that are not finished have no score, and their rows no p; seeds lost: {listed}{more}"
    ]
