"""Tables without a run a row: a column a variant, a chart's lines, several steps a run."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nas.results.elsewhere.columns import SHOWN, STEPS, TIMES, Frame, bare, column, first, has, said

CHART = re.compile(r"(?P<line>.+) - (?P<metric>.+)", re.DOTALL)
ENDS = ("__MIN", "__MAX")
"""What Weights & Biases puts after a line of a chart for the ends of its band."""
TAGS = ("tag", "metric", "metric_name", "key", "metrics")
"""Columns that name what the values of a long table are."""
NO_VARIANT = (
    *STEPS, *TIMES, "run", "trial", "number", "id", "index", "duration", "state", "status", "done",
)  # fmt: skip
"""What stands beside the scores in a frame with a column for each variant."""


def require_seeds(name: str) -> None:
    """ValueError for a column of steps or moments, whose scores are of one run."""
    if bare(name).strip().lower() in (*STEPS, *TIMES):
        raise ValueError(
            f"{name!r} counts the steps of a run, and its scores at several steps are no pairs: "
            f"name the column of seeds by {said('pair')}, in a table with a run a row"
        )


def unfolded(
    frame: Frame, baseline: str, variant: str, pair: str, score: str
) -> tuple[Frame, str, list[str]]:
    """A frame with a column for each variant as one with a run a row, what its score is called, and
    what was left out, in lines; another frame as it is."""
    frame, score, told = _chart(frame, pair, score)
    if baseline not in frame.columns or has(frame, variant):
        return frame, score, told
    seeds = column(frame, pair)
    require_seeds(seeds)
    frame = frame[[name for name in frame if not re.fullmatch(r"Unnamed: \d+|", str(name))]]
    for name in frame.columns.drop(seeds):
        plain = bare(name)
        if plain != name or plain.strip("_").lower() in NO_VARIANT or name.endswith(ENDS):
            raise ValueError(
                f"each column but {pair} is a variant in a frame with a column for each, and "
                f"{name!r} seems to be none: leave it out, or rename it"
            )
    return frame.melt([seeds], var_name=variant, value_name=score), score, told


def _chart(frame: Frame, pair: str, score: str) -> tuple[Frame, str, list[str]]:
    """A chart's table with a column a line, called by the line, without the ends of its band."""
    names = [*map(str, frame.columns)]
    ends = [name for name in names if name.endswith(ENDS) and name[:-5] in names]
    lines = {name: found for name in names if name not in ends if (found := CHART.fullmatch(name))}
    if not ends or not lines:
        return frame, score, []
    if not has(frame, pair):
        raise ValueError(
            f"a chart's table has a column for each line ({', '.join(lines)[:80]}) and a row "
            f"for each {names[0]}, and no seeds: a run has one score. Export the table of runs, "
            "with the columns of the variant and the seed"
        )
    require_seeds(column(frame, pair))
    metrics = list(dict.fromkeys(found["metric"] for found in lines.values()))
    if len(metrics) > 1:
        raise ValueError(f"the chart has several scores, {', '.join(metrics)}: export one of them")
    made = frame.drop(columns=ends).rename(columns={k: v["line"] for k, v in lines.items()})
    return made, metrics[0], [f"left out: {', '.join(ends)}"]


def require_one_score(frame: Frame, score: str) -> None:
    """ValueError where a column of scores holds those of several metrics, which another names."""
    tags = first(frame, TAGS, [score])
    if tags is None or bare(score).lower() not in ("value", "metric_value", "val", "score"):
        return
    found = [str(each) for each in frame[tags].dropna().unique()]
    if len(found) > 1:
        raise ValueError(
            f"{score!r} holds several scores, which {tags!r} names ({', '.join(found[:SHOWN])}): "
            "keep the rows of one"
        )


def last_steps(told: Frame, keys: Sequence[str]) -> Frame:
    """The rows with the last step of each run that has a score, of a table with several steps of
    one: a run is finished where any of its rows is. `told` has the keys, run, step, finished, and
    whether a score is given; a run that has a step twice stays as it is."""
    group = [*keys, "run"]
    several = told.duplicated(group, keep=False) & told["step"].notna()
    twice = told.duplicated([*group, "step"], keep=False)
    if not several.any() or twice.any():
        return told
    ended = told.groupby(group, sort=False, dropna=False)["finished"].transform("any")
    made = told.assign(finished=ended).sort_values("step", kind="stable")
    scored = made["given"]
    some = scored.groupby([made[key] for key in group], sort=False, dropna=False).transform("any")
    made = made[scored | ~some].drop_duplicates(group, keep="last")
    return made.sort_index()
