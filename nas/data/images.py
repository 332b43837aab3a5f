"""Images in memory, split for training, validation and test."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Images:
    """Images (N, C, H, W), uint8, with labels (N,), int64."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def at(self, index: NDArray[np.int64]) -> Images:
        """Those at the positions of `index` (M,)."""
        return Images(images=self.images[index], labels=self.labels[index])


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A data set: what may be trained and validated on, and the test split, kept apart."""

    train: Images
    test: Images

    @property
    def sha256(self) -> str:
        """The fingerprint of every image and label."""
        digest = hashlib.sha256()
        for part in (self.train, self.test):
            digest.update(np.ascontiguousarray(part.images).data)
            digest.update(np.ascontiguousarray(part.labels).data)
        return digest.hexdigest()


def split(images: Images, validation: int, seed: int) -> tuple[Images, Images]:
    """(training, validation): `validation` images drawn by the seed are held out."""
    order = np.random.default_rng(seed).permutation(len(images))
    return images.at(np.sort(order[validation:])), images.at(np.sort(order[:validation]))
