"""Which column of a table from elsewhere is meant: by its name, with or without a tool's prefix."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from nas.base.wording import near

Frame = Any
"""A DataFrame of pandas, or a column of it; what it gives, its stubs do not know."""
PREFIX = re.compile(
    r"(params?|parameters?|hyperparameters|metrics|tags|attributes|config|summary|user_attrs|"
    r"system_attrs|UserAttribute|SystemAttribute|last_result)[._/ ]",
    re.IGNORECASE,
)
"""What MLflow, Optuna and its dashboard, Ray, NNI and Weights & Biases put before a name of one's
own."""
STEPS = (
    "training_iteration", "_step", "step", "global_step", "trainer/global_step", "iteration",
    "iterations", "iter", "epoch", "timesteps_total", "num_env_steps",
)  # fmt: skip
"""Columns by which the rows of one run follow each other, the surest first."""
TIMES = (
    "relative time", "relative time (process)", "relative time (wall)", "wall time", "wall_time",
    "time", "timestamp", "_timestamp", "_runtime", "runtime", "created", "batch",
)  # fmt: skip
"""Columns of moments, which are no seeds either."""
RUNS = (
    "run_id", "run id", "trial_id", "trialjobid", "id", "run_name", "run name", "name", "run",
    "logdir", "experiment_tag", "trial name", "trial_name", "tags.mlflow.runname", "number",
)  # fmt: skip
"""Columns that tell runs apart, the surest first."""
SHOWN = 8
OPTIONS = {"finished": "--finished WORD", "state": "--state COLUMN", "pair": "--pair"}


def bare(name: str) -> str:
    """A column's name without what a tool put before it."""
    return PREFIX.sub("", name, count=1) if PREFIX.match(name) else name


def said(name: str, value: Any = None) -> str:
    """How an argument of `nas.compare` is given, there and on the command line."""
    if name == "higher_is_better":
        return f"{name}={value} ({'--higher-is-better' if value else '--lower-is-better'})"
    return f"{name}= ({OPTIONS[name]})"


def column(frame: Frame, name: str) -> str:
    """The column of a name, or of an export that puts a prefix before it, or writes it otherwise.

    Raises ValueError where there is none, or more than one."""
    columns = [str(each) for each in frame.columns]
    if name in columns:
        return name
    alike = (
        [each for each in columns if bare(each) == name],
        [each for each in columns if each.lower() == name.lower()],
        [each for each in columns if bare(each).lower() == name.lower()],
    )
    found = next(filter(None, alike), [])
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(f"{name!r} may be {' or '.join(found)}: name the column in full")
    raise ValueError(f"the runs have no column {name!r}, {instead(name, [*map(bare, columns)])}")


def has(frame: Frame, name: str) -> bool:
    """Whether a column of this name is there, under any of its spellings."""
    return any(name.lower() in (each.lower(), bare(each).lower()) for each in map(str, frame))


def first(frame: Frame, names: Sequence[str], used: Sequence[str]) -> str | None:
    """The first of these columns that a table has, beside the used ones."""
    known = {each.lower(): each for each in map(str, frame) if each not in used}
    return next((known[name] for name in names if name in known), None)


def instead(name: str, have: Sequence[str]) -> str:
    """What there is in place of an unknown name."""
    more = f" and {len(have) - SHOWN} more" if len(have) > SHOWN else ""
    return f"but {', '.join(have[:SHOWN])}{more}{near(name, have)}"
