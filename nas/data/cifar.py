"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009): 50,000 and 10,000 colour images of 32 x 32 pixels.

Read by torchvision from $NAS_DATA, or downloaded there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nas.data.datasets import Data
from nas.data.images import Images, Rows
from nas.data.store import home


def read(data: Data) -> tuple[Rows, Rows]:
    """Both splits; ValueError says which archive to get, or which file is damaged."""
    from torchvision.datasets import CIFAR10, CIFAR100
    from torchvision.datasets.utils import check_integrity

    kind = {"cifar10": CIFAR10, "cifar100": CIFAR100}[data.name]
    folder = home() / kind.base_folder
    if not folder.exists():
        try:
            kind(home(), download=True)
        except (OSError, RuntimeError) as error:
            raise ValueError(
                f"{data.name} is not here and could not be downloaded: get {kind.url} and put it "
                f"into {home()}"
            ) from error
    meta = (kind.meta["filename"], kind.meta["md5"])
    for name, md5 in (*kind.train_list, *kind.test_list, meta):
        if not check_integrity(folder / name, md5):
            raise ValueError(
                f"{folder / name} is missing or damaged: delete {folder}, and put {kind.url} into "
                f"{home()} if it cannot be downloaded"
            )
    return _images(kind(home(), train=True)), _images(kind(home(), train=False))


def _images(split: Any) -> Images:
    """torchvision has the images as (N, H, W, C)."""
    return Images(images=np.moveaxis(split.data, -1, 1), labels=np.asarray(split.targets, np.int64))
