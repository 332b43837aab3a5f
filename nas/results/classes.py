"""How well a candidate tells each class, from the predictions that its runs kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nas.data.catalogue import class_names
from nas.data.datasets import Data, class_name
from nas.runs.predictions import usable
from nas.runs.record import Record
from nas.runs.scores import Predictions, by_class


@dataclass(frozen=True, kw_only=True)
class ClassRow:
    """A class on the validation split: its images in all runs, over how many runs, and the
    percentage of them that was told right, the mean over the runs."""

    label: int
    name: str
    runs: int
    images: int
    accuracy: float


def classes(data: Data, records: Sequence[Record], folder: Path) -> tuple[ClassRow, ...]:
    """A row a class, of the complete runs of one candidate that scored the validation split; none
    where their predictions are not on this machine."""
    found = [
        (by_class(made), record)
        for record in records
        if record.state == "complete" and record.predictions and not record.crops
        if (made := _predictions(record, folder)) is not None
    ]
    if not found:
        return ()
    called = {class_names(data, r.protocol.data_sha256) for _, r in found if r.protocol}
    names = called.pop() if len(called) == 1 else ()
    rows: list[ClassRow] = []
    for own in zip(*(each for each, _ in found), strict=True):
        scored = [each.accuracy for each in own if each.images]
        rows.append(
            ClassRow(
                label=own[0].label,
                name=class_name(own[0].label, names),
                runs=len(scored),
                images=sum(each.images for each in own),
                accuracy=float(np.mean(scored)) if scored else float("nan"),
            )
        )
    return tuple(rows)


def _predictions(record: Record, folder: Path) -> Predictions | None:
    if (found := usable(record, folder)) is None:
        return None
    return Predictions(
        probabilities=found[0], labels=found[1], split="validation", image_size=0, mult_adds=0
    )
