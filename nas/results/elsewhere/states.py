"""Whether a run of another tool is finished: their words for it, and the columns that have them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from enum import Enum
from typing import Any

from nas.base.wording import times
from nas.results.elsewhere.columns import Frame, bare, said

FINISHED = (
    "finished", "complete", "completed", "succeeded", "success", "successful", "terminated",
    "done", "true", "diverged",
)  # fmt: skip
"""What Weights & Biases, MLflow, Optuna, Ray, NNI and others call a run that came to its end; one
of ours that diverged counts as it ended."""
UNFINISHED = (
    "failed", "fail", "failure", "error", "errored", "crashed", "crash", "killed", "kill",
    "pruned", "running", "in_progress", "active", "pending", "paused", "pausing", "waiting",
    "scheduled", "queued", "created", "submitted", "starting", "initializing", "new",
    "not_started", "suspended", "resuming", "preempted", "preempting", "stopped", "stopping",
    "early_stopped", "earlystopped", "cancelled", "canceled", "cancelling", "user_canceled",
    "user_cancelled", "sys_canceled", "sys_cancelled", "aborted", "abandoned", "interrupted",
    "timeout", "timed_out", "out_of_memory", "oom", "node_fail", "unfinished", "incomplete",
    "infeasible", "duplicate", "exceeded", "unknown", "false",
)  # fmt: skip
OPTUNA = ("running", "complete", "pruned", "fail", "waiting")
"""What Optuna's states are as numbers, from 0 on."""
OF_OPTUNA = re.compile(r"number|trial_id|values?(_\d+)?|(params|user_attrs|system_attrs)_.+")
NAMES = re.compile(
    r"((run|trial|job|task|experiment|execution|training|exit|final|sys|info|slurm|wandb|mlflow)_?)?"
    r"(state|status)"
)
ENDED = re.compile(r"(is_|was_|has_)?(done|finished|completed?|succeeded|success|successful)")
BROKEN = re.compile(
    r"((is|was|has|sys)_)?(failed|crashed|killed|errored|pruned|early_stopped|stopped_early)"
)
TRUTHS = frozenset(("true", "false", "0", "1"))


def word(value: str) -> str:
    """A state as it is compared: `TrialState.COMPLETE` is `complete`, `Early Stopped`
    `early_stopped`, 1.0 `1`."""
    text = str(value).strip()
    if re.fullmatch(r"-?\d+\.0", text):
        text = text[:-2]
    text = re.sub(r"^([A-Za-z]\w*\.)+(?=[A-Za-z]\w*$)", "", text)
    return re.sub(r"[\W_]+", "_", text).strip("_").lower()


def columns(frame: Frame, used: Collection[str]) -> list[str]:
    """The columns, but for the used ones, that say of each run whether it is finished: by their
    name, or since their words are those of states."""
    found: list[str] = []
    for name in map(str, frame.columns):
        if name in used:
            continue
        label = re.sub(r"\W+", "_", bare(name)).strip("_").lower()
        words = _words(frame[name])
        truths = bool(words) and words <= TRUTHS
        if (
            NAMES.fullmatch(label)
            or (truths and (ENDED.fullmatch(label) or BROKEN.fullmatch(label)))
            or _speaks(words)
        ):
            found.append(name)
    return found


def _words(column: Frame) -> set[str]:
    """The words of a column, those of the first hundred where it has more."""
    return {word(value) for value in _texts(column).dropna().unique()[:100].tolist()}


def _texts(column: Frame) -> Frame:
    """The values of a column as text."""
    spoken = column if column.dtype.kind in "biuf" else column.astype(object)
    return spoken.map(_spelled, na_action="ignore")


def _spelled(value: Any) -> str:
    return value.name if isinstance(value, Enum) else str(value)


def _speaks(words: Collection[str]) -> bool:
    """Whether words are those of states: an end, and something else that is a state, or all."""
    some = {*words} - TRUTHS
    ends, others = some & {*FINISHED}, some & {*UNFINISHED}
    return bool(some) and (some == ends | others or bool(ends and others))


def finished(
    frame: Frame, names: Sequence[str], scored: Frame, words: Iterable[str] = ()
) -> tuple[Frame, list[str]]:
    """Whether each run is finished (n,), by all of these columns, and what was understood of them,
    in lines. words: those that mean it, where the known ones are not meant.

    Raises ValueError for a word that nobody knows, and for a run with a score and no state."""
    made, told = scored | True, list[str]()
    wanted = {word(each) for each in words}
    for name in names:
        cells = _texts(frame[name])
        values = cells.dropna().unique()
        known = {value: _known(value, name, frame, wanted) for value in values}
        ended = cells.map(known)
        if not wanted and (silent := int((cells.isna() & scored).sum())):
            raise ValueError(
                f"{times(silent, 'run')} with a score {'has' if silent == 1 else 'have'} no "
                f"{name}: fill it in, or say by {said('finished')} which of its words count"
            )
        ended = ended.eq(True)
        made &= ended
        counts = Counter(zip(cells.fillna("nothing"), ended, strict=True))
        for (value, counted), number in counts.items():
            means = "counts" if counted else "is not finished"
            told.append(f"{name} {value} {means} ({times(number, 'row')})")
    return made, told


def _known(value: str, name: str, frame: Frame, wanted: Collection[str]) -> bool:
    """Whether a value of a column means that a run is finished."""
    spoken = word(value)
    label = re.sub(r"\W+", "_", bare(name)).strip("_").lower()
    if wanted:
        return spoken in wanted
    if spoken in TRUTHS and BROKEN.fullmatch(label):
        return spoken in ("false", "0")
    if spoken in TRUTHS and ENDED.fullmatch(label):
        return spoken in ("true", "1")
    if spoken in map(str, range(len(OPTUNA))) and any(map(OF_OPTUNA.fullmatch, frame.columns)):
        spoken = OPTUNA[int(spoken)]
    if spoken not in (*FINISHED, *UNFINISHED):
        raise ValueError(
            f"is a run finished whose {name} is {value!r}? say by {said('finished')} which of "
            f"its words count, or call the column otherwise if it is no state"
        )
    return spoken in FINISHED
