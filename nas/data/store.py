"""Where the images are: one file a split under $NAS_DATA, mapped into memory by every worker.

A file is an .npy of plain bytes: every image (C, H, W), then every label in eight bytes, so that
labels are read without touching the images. It is named by its hash. What the manifest beside it
does not name does not exist.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas.data.datasets import Data
from nas.data.images import DataSet, Images
from nas.tree.tree import Node, fingerprint, from_json

MANIFEST = "manifest.json"
LABEL = np.dtype("<i8")


@dataclass(frozen=True, kw_only=True)
class Part(Node):
    """The file of a split: its SHA-256, its length in bytes, how many images it has."""

    sha256: str
    bytes: int
    images: int


@dataclass(frozen=True, kw_only=True)
class Manifest(Node):
    """What was made, the fingerprint of what it was made from, and what `DataSet` says of it; the
    names of the classes, where they have some; and what is told of how it was read."""

    data: Data
    origin: str
    train: Part
    test: Part
    sha256: str
    mean: float
    std: float
    class_names: tuple[str, ...] = field(default=(), metadata={"before": ()})
    remarks: tuple[str, ...] = field(default=(), metadata={"before": ()})

    @property
    def files(self) -> dict[Path, Part]:
        """The files of the training and of the test split, in this order."""
        folder = place(self.data)
        parts = {"train": self.train, "test": self.test}
        return {folder / f"{name}-{part.sha256[:8]}.npy": part for name, part in parts.items()}


READABLE: dict[str, type] = {kind.__name__: kind for kind in (Manifest, Part, Data)}


def home() -> Path:
    """Where the data sets are: $NAS_DATA, or ~/.cache/nas."""
    return Path(os.environ.get("NAS_DATA", Path.home() / ".cache" / "nas"))


def place(data: Data) -> Path:
    """The folder of a data set's files."""
    files: list[object] = [data.name, data.classes, data.channels, data.image_size, data.source]
    if data.pixel_range:
        files.append(list(data.pixel_range))
    return home() / f"{data.name}-{fingerprint(files)[:8]}"


def length(data: Data, images: int) -> int:
    """The bytes of so many images and their labels."""
    return images * (data.channels * data.image_size**2 + LABEL.itemsize)


def find(data: Data) -> Manifest | None:
    """What was made of a data set; None where it, or one of its files, is not there.

    Raises ValueError for a manifest that cannot be read, and where none is left to train on.
    """
    path = place(data) / MANIFEST
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        manifest = from_json(json.loads(text), READABLE)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        manifest = None
    if not isinstance(manifest, Manifest) or place(manifest.data) != place(data):
        raise damaged(path, "it is no manifest of this data set")
    if not all(file.exists() for file in manifest.files):
        return None
    counted = dataclasses.replace(data, train=manifest.train.images, test=manifest.test.images)
    return dataclasses.replace(manifest, data=counted)


def read(manifest: Manifest) -> DataSet:
    """The data set, mapped into memory; ValueError for a file of another length or header than it
    was written with."""
    train, test = (_mapped(manifest.data, path, part) for path, part in manifest.files.items())
    return DataSet(
        train=train, test=test, sha256=manifest.sha256, mean=manifest.mean, std=manifest.std
    )


def verify(manifest: Manifest) -> None:
    """Reads every byte; ValueError for a file that is not as it was written."""
    read(manifest)
    for path, part in manifest.files.items():
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != part.sha256:
            raise damaged(path, f"its SHA-256 is not that of {MANIFEST}")


def damaged(path: Path, why: str) -> ValueError:
    """The error for a file of ours that is not as it was written."""
    return ValueError(f"{path} is damaged: {why}; delete it, and it will be made again")


def _mapped(data: Data, path: Path, part: Part) -> Images:
    found = path.stat().st_size
    if found != part.bytes:
        raise damaged(path, f"it has {found:,} bytes of {part.bytes:,}")
    try:
        flat: NDArray[np.uint8] = np.load(path, mmap_mode="r")
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise damaged(path, str(error)) from error
    if flat.dtype != np.uint8 or flat.shape != (length(data, part.images),):
        raise damaged(path, f"its header says {flat.dtype} of {flat.shape}")
    labels = part.images * LABEL.itemsize
    shape = (part.images, data.channels, data.image_size, data.image_size)
    return Images(
        images=flat[:-labels].view(np.ndarray).reshape(shape),
        labels=flat[-labels:].view(np.ndarray).view(LABEL).astype(np.int64),
    )
