"""Image files in ImageNet's layout: $NAS_DATA/NAME/train/CLASS/... and val/CLASS/... (or test)."""

from __future__ import annotations

import hashlib
import os
import struct
import warnings
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nas.data.datasets import Data
from nas.data.decoding import READING, Decoded, pixels
from nas.data.images import Rows
from nas.data.listing import Listing, Passed, formats, listing, require_apart, said, shown
from nas.data.store import home


def origin(data: Data) -> str | None:
    """The fingerprint of the files' paths, sizes and times (that of
    a change too, which no copy keeps), and of how they are read; None where
    the folder is not there."""
    if not (home() / data.name / "train").is_dir():
        return None
    digest = hashlib.sha256(f"{READING}\n".encode())
    for each in _listings(data):
        for path, _ in each.files:
            about = os.stat(path)
            relative = os.fsencode(os.path.relpath(path, home()))
            digest.update(
                relative + f"\0{about.st_size}\0{about.st_mtime_ns}\0{about.st_ctime_ns}\n".encode()
            )
        digest.update(repr(sorted(each.passed.items())).encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]


def read(data: Data) -> tuple[Rows, Rows]:
    """The images to train on and those to test on.

    Raises ValueError where they are not there, and for classes that are not what was said or not
    the same in both.
    """
    train, test = _listings(data)
    if len(train.classes) != data.classes:
        raise ValueError(
            f"{data.name} was said to have {data.classes} classes; {train.root} has "
            f"{len(train.classes)}: {', '.join(train.classes[:10])}"
            f"{', ...' if len(train.classes) > 10 else ''}"
        )
    odd = sorted(set(train.classes) ^ set(test.classes))
    if odd:
        raise ValueError(f"{train.root} and {test.root} have the same classes, but for {odd[0]}")
    require_apart(train, test)
    return _decoded(train, data, "train"), _decoded(test, data, "test")


def _listings(data: Data) -> tuple[Listing, Listing]:
    folder = home() / data.name
    tested = next((name for name in ("val", "test") if (folder / name).is_dir()), None)
    if tested is None or not (folder / "train").is_dir():
        raise ValueError(
            f"{data.name} is not here: put its images into {folder}/train/CLASS/ and "
            f"{folder}/val/CLASS/, a folder a class"
        )
    train, test = listing(folder / "train"), listing(folder / tested)
    for name in sorted(os.listdir(folder)):
        if name not in ("train", tested) and not name.startswith((".", "@", "__")):
            train.passed.setdefault(f"beside train and {tested}", []).append(name)
    return train, test


def _decoded(found: Listing, data: Data, split: str) -> Decoded:
    there: Passed = found.passed
    remarks = (f"of {found.root} are passed over: {said(there)}",) if there else ()
    met: Counter[str] = Counter()
    items = _Files(listing=found, data=data, met=met)
    return Decoded(
        items=items,
        data=data,
        split=split,
        class_names=found.classes,
        passed=remarks,
        met=met,
        ready=True,
    )


@dataclass(frozen=True, kw_only=True)
class _Files:
    """The images of a listing, each as it is seen, with its label."""

    listing: Listing
    data: Data
    met: Counter[str] = field(default_factory=Counter[str])

    def __len__(self) -> int:
        return len(self.listing.files)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], int]:
        path, label = self.listing.files[index]
        try:
            with warnings.catch_warnings():
                # What is large is told in our words.
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                with Image.open(path, formats=formats()) as image:
                    return pixels(image, self.data, self.met), label
        except ValueError as error:
            raise ValueError(f"{shown(path)}: {error}") from error
        except (OSError, SyntaxError, Image.DecompressionBombError, struct.error) as error:
            raise ValueError(
                f"{shown(path)} is no image that can be read ({shown(str(error))}); replace it or "
                "delete it"
            ) from error
