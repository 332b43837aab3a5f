"""Which runs of a study count together: those on the images of one data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

from nas.base.wording import times
from nas.runs.record import OVER, Record


def counted(
    records: Iterable[Record], images: str | None
) -> tuple[tuple[Record, ...], tuple[Record, ...]]:
    """The runs that count where `images` are trained on, and those that are left out: they ended on
    others. A run that is under way will end on these.

    `images` is the SHA-256 of a data set; "" stands for those of most runs, of the later ones where
    there are as many, as in studies of before; None for whatever there are.
    """
    known = tuple(records)
    if images is not None:
        over = [sha for run in reversed(known) if run.state in OVER and (sha := _images(run))]
        images = images or next((sha for sha, _ in Counter(over).most_common(1)), None)
    left = tuple(
        run
        for run in known
        if run.state != "running" and images is not None and _images(run) not in (None, images)
    )
    apart = {run.number for run in left}
    return tuple(run for run in known if run.number not in apart), left


def said(left: Sequence[Record]) -> str:
    """That runs are left out, by their numbers."""
    numbers = ranges(run.number for run in left)
    count = times(len(left), "run counts", "runs count")
    return f"{count} for nothing here, made on images that have changed since: trial {numbers}"


def ranges(numbers: Iterable[int]) -> str:
    """Numbers in few words.

    >>> ranges([7, 0, 1, 2, 4, 5])
    '0 to 2, 4, 5, 7'
    """
    told: list[str] = []
    for _, each in groupby(enumerate(sorted(numbers)), lambda pair: pair[1] - pair[0]):
        run = [number for _, number in each]
        told += [f"{run[0]} to {run[-1]}"] if len(run) > 2 else map(str, run)
    return ", ".join(told)


def _images(run: Record) -> str | None:
    return run.protocol.data_sha256 if run.protocol else None
