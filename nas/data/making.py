"""Making the files of the store: once, whole or not at all, and never a whole set in memory.

The manifest is renamed into its place last; another process that wants the same data set waits.
"""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import io
import json
import math
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from nas.data.datasets import Data, class_name
from nas.data.decoding import Decoded
from nas.data.images import Rows
from nas.data.store import LABEL, MANIFEST, Manifest, Part, find, length, place
from nas.tree.tree import to_json


def make(
    data: Data,
    origin: str,
    source: Callable[[], tuple[Rows, Rows]],
    before: Manifest | None = None,
) -> Manifest:
    """Writes the splits that `source()` gives in the place of `before`, unless another process has
    by now; what was made of another origin is deleted.

    Raises ValueError for counts that are not what the data set says, for a class without an image
    to train on, and where nothing can be written.
    """
    folder = place(data)
    with _alone(folder):
        known = find(data)
        if known is not None and known.origin == origin and known != before:
            return known
        train, test = source()
        data = _counted(data, train, test)
        with _writing(folder):
            manifest = _written(folder, data, origin, train, test)
            for stale in set(folder.glob("*.npy")) - set(manifest.files):
                stale.unlink()
        return manifest


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """One process at a time; the system gives the lock back when a process dies."""
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "lock").open("w")
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _writing(folder: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise ValueError(
            f"{folder} cannot be written: {error.strerror}; set $NAS_DATA to a folder that can, "
            "with room for every image as plain bytes"
        ) from error


def _counted(data: Data, train: Rows, test: Rows) -> Data:
    for split, wanted, found in (("train", data.train, train), ("test", data.test, test)):
        if wanted is not None and len(found) != wanted:
            raise ValueError(f"{data.name} has {wanted:,} images to {split} on, not {len(found):,}")
    return dataclasses.replace(data, train=len(train), test=len(test))


def _written(folder: Path, data: Data, origin: str, train: Rows, test: Rows) -> Manifest:
    whole = hashlib.sha256()
    partial = [folder / "train.partial", folder / "test.partial"]
    first, levels, labels = _write(partial[0], data, train, whole.update)
    _complete(data, labels)
    second, _, tested = _write(partial[1], data, test, whole.update)
    names = train.class_names if isinstance(train, Decoded) else ()
    remarks = [
        remark for rows in (train, test) if isinstance(rows, Decoded) for remark in rows.remarks
    ]
    if missing := [class_name(label, names) for label in _missing(data, tested)]:
        remarks.append(f"no image to test on is of class {', '.join(missing)}")
    if (levels > 0).sum() < 2:
        raise ValueError(f"{data.name}: all pixels of its images to train on are alike")
    shades = np.arange(256)
    mean = levels @ shades / levels.sum()
    manifest = Manifest(
        data=data,
        origin=origin,
        train=first,
        test=second,
        sha256=whole.hexdigest(),
        mean=mean / 255,
        std=math.sqrt(levels @ (shades - mean) ** 2 / levels.sum()) / 255,
        class_names=names,
        remarks=tuple(remarks),
    )
    for file, path in zip(partial, manifest.files, strict=True):
        file.replace(path)
    path = folder / f"{MANIFEST}.partial"
    with path.open("w") as file:
        json.dump(to_json(manifest), file, indent=2)
        _settle(file)
    path.replace(folder / MANIFEST)
    return manifest


def _write(
    path: Path, data: Data, rows: Rows, also: Callable[[bytes], None]
) -> tuple[Part, NDArray[np.int64], NDArray[np.int64]]:
    """The file of a split, how many of its pixels have each of the 256 levels, and its labels; its
    bytes without the header go to `also` too."""
    digest, levels = hashlib.sha256(), np.zeros(256, np.int64)
    labels = np.empty(len(rows), LABEL)
    with path.open("wb") as file:

        def put(content: bytes) -> None:
            file.write(content)
            digest.update(content)

        put(_header(length(data, len(rows))))
        for at, (image, label) in enumerate(rows):
            content = image.tobytes()
            put(content)
            also(content)
            levels += np.bincount(image.ravel(), minlength=256)
            labels[at] = label
        put(labels.tobytes())
        also(labels.tobytes())
        count = file.tell()
        _settle(file)
    return Part(sha256=digest.hexdigest(), bytes=count, images=len(rows)), levels, labels


def _complete(data: Data, labels: NDArray[np.int64]) -> None:
    missing = _missing(data, labels)
    if missing:
        raise ValueError(
            f"{data.name} has no image of class {missing[0]} to train on; it was said to have "
            f"{data.classes} classes, from 0"
        )


def _missing(data: Data, labels: NDArray[np.int64]) -> list[int]:
    return np.flatnonzero(np.bincount(labels, minlength=data.classes) == 0).tolist()


def _header(count: int) -> bytes:
    buffer = io.BytesIO()
    described = {"descr": "|u1", "fortran_order": False, "shape": (count,)}
    npy.write_array_header_1_0(buffer, described)
    return buffer.getvalue()


def _settle(file: IO[Any]) -> None:
    file.flush()
    os.fsync(file.fileno())
