"""The predictions that a run kept, read back: what is not as it was told counts for nothing."""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.base.errors import LeftOut, OutOfReach
from nas.base.paths import predictions_path
from nas.runs.record import Record

Kept = tuple[NDArray[Any], NDArray[np.int64]]


def kept(record: Record, folder: str | Path) -> Kept | None:
    """The class probabilities (N, K) and the labels (N,) that a finished run kept in the folder of
    its study; None where it kept none, or where the file is not on this machine.

    Raises OutOfReach for a file that is not the one that was written, or is of another score.
    """
    if record.predictions is None:
        return None
    path = predictions_path(folder, record.predictions)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    if hashlib.sha256(content).hexdigest() != record.predictions:
        raise _damaged(path, "it has another SHA-256 than its name")
    with np.load(io.BytesIO(content)) as file:
        probabilities, labels = file["probabilities"], file["labels"]
    told = record.test if record.crops else record.score
    if told is not None and record.state == "complete":
        low, high = _right(probabilities, labels)
        if not low <= told * len(labels) / 100 <= high:
            raise _damaged(path, f"its labels are not those of trial {record.number}'s {told:.2f}")
    return probabilities, labels


def usable(record: Record, folder: str | Path) -> Kept | None:
    """`kept`, and with a warning None for a file that is damaged."""
    try:
        return kept(record, folder)
    except OutOfReach as error:
        said = f"trial {record.number} counts without its predictions: {error}"
        warnings.warn(said, LeftOut, stacklevel=2)
        return None


def _right(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> tuple[float, float]:
    """How many answers are right at least and at most: float16 made some classes equally likely."""
    likeliest = probabilities == probabilities.max(1, keepdims=True)
    among = likeliest[np.arange(len(labels)), labels]
    alone = among & (likeliest.sum(1) == 1)
    return alone.sum() - 0.5, among.sum() + 0.5


def _damaged(path: Path, why: str) -> OutOfReach:
    return OutOfReach(
        f"{path} is damaged: {why}; restore it from a copy, or delete it and score the weights "
        "(`nas evaluate --split`)"
    )
