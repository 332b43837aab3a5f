"""Fashion-MNIST (Xiao et al. 2017): 60,000 and 10,000 images of 28 x 28 pixels, ten classes.

Read from $NAS_DATA/fashion-mnist, from Debian's package dataset-fashion-mnist, or downloaded by
torchvision into $NAS_DATA.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas.data.datasets import Data
from nas.data.images import Images
from nas.data.store import home

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def read(data: Data) -> tuple[Images, Images]:
    """Both splits, from the four files; ValueError says how to get them, or which is damaged."""
    folder = _folder()
    return _part(folder, "train"), _part(folder, "t10k")


def _own() -> Path:
    return home() / "fashion-mnist"


def _folder() -> Path:
    downloaded = home() / "FashionMNIST" / "raw"
    for folder in (_own(), DEBIAN, downloaded):
        if (folder / "train-images-idx3-ubyte.gz").exists():
            return folder
    from torchvision.datasets import FashionMNIST

    try:
        FashionMNIST(home(), download=True)
    except (OSError, RuntimeError) as error:
        raise ValueError(
            "Fashion-MNIST is not here and could not be downloaded: apt-get install "
            f"dataset-fashion-mnist, or put its four .gz files into {_own()}"
        ) from error
    return downloaded


def _part(folder: Path, name: str) -> Images:
    images = _idx(folder / f"{name}-images-idx3-ubyte.gz")
    labels = _idx(folder / f"{name}-labels-idx1-ubyte.gz")
    return Images(images=images[:, None], labels=labels.astype(np.int64))


def _idx(path: Path) -> NDArray[np.uint8]:
    """The array of an IDX file: its fourth byte says how many sizes, of four bytes, come before
    the values."""
    try:
        with gzip.open(path) as file:
            content = file.read()
        sizes = np.frombuffer(content, ">i4", count=content[3], offset=4).tolist()
        values = np.frombuffer(content, np.uint8, offset=4 + 4 * len(sizes))
        if len(values) != math.prod(sizes):
            raise ValueError(f"it has {len(values):,} values of {math.prod(sizes):,}")
    except (OSError, EOFError, zlib.error, IndexError, ValueError) as error:
        raise ValueError(
            f"{path} is missing or damaged ({error}): put the four good .gz files into {_own()}"
        ) from error
    return values.reshape(sizes)
