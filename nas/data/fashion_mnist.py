"""Fashion-MNIST (Xiao et al. 2017): 60,000 and 10,000 images of 28 x 28 pixels, ten classes.

Read from $NAS_DATA/fashion-mnist, from Debian's package dataset-fashion-mnist, or downloaded by
torchvision into $NAS_DATA (default ~/.cache/nas).
"""

import gzip
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas.data.images import DataSet, Images

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def load() -> DataSet:
    """The four files; FileNotFoundError says how to get them."""
    folder = _folder()
    return DataSet(train=_part(folder, "train"), test=_part(folder, "t10k"))


def _folder() -> Path:
    home = Path(os.environ.get("NAS_DATA", Path.home() / ".cache" / "nas"))
    own = home / "fashion-mnist"
    for folder in (own, DEBIAN, home / "FashionMNIST" / "raw"):
        if (folder / "train-images-idx3-ubyte.gz").exists():
            return folder
    from torchvision.datasets import FashionMNIST

    try:
        FashionMNIST(home, download=True)
    except (OSError, RuntimeError) as error:
        raise FileNotFoundError(
            "Fashion-MNIST is not here and could not be downloaded: apt-get install "
            f"dataset-fashion-mnist, or put its four .gz files into {own}"
        ) from error
    return home / "FashionMNIST" / "raw"


def _part(folder: Path, name: str) -> Images:
    images = _idx(folder / f"{name}-images-idx3-ubyte.gz", header=16)
    labels = _idx(folder / f"{name}-labels-idx1-ubyte.gz", header=8)
    return Images(images=images.reshape(-1, 1, 28, 28), labels=labels.astype(np.int64))


def _idx(path: Path, header: int) -> NDArray[np.uint8]:
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)
