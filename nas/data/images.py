"""Images with labels, split for training, validation and test."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Rows(Protocol):
    """Images (C, H, W), uint8, with their labels, one after another: never all in memory."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[tuple[NDArray[np.uint8], int]]: ...


@dataclass(frozen=True, kw_only=True)
class Images:
    """Images (N, C, H, W), uint8, in memory or mapped from a file, with labels (N,), int64."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[tuple[NDArray[np.uint8], int]]:
        return zip(self.images, self.labels.tolist(), strict=True)

    def row(self, index: int) -> tuple[NDArray[np.uint8], int]:
        """The image at a position and its label."""
        return self.images[index], int(self.labels[index])

    def at(self, index: NDArray[np.int64]) -> Images:
        """Those at the positions of `index` (M,), copied."""
        return Images(images=self.images[index], labels=self.labels[index])


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A data set: what may be trained and validated on, and the test split, kept apart; the
    fingerprint of every image and label; mean and standard deviation of the training pixels, which
    lie between 0 and 1."""

    train: Images
    test: Images
    sha256: str
    mean: float
    std: float


def in_memory(train: Images, test: Images) -> DataSet:
    """The data set of two splits that are small enough to be read whole."""
    digest = hashlib.sha256()
    for part in (train, test):
        digest.update(np.ascontiguousarray(part.images).data)
        digest.update(np.ascontiguousarray(part.labels).data)
    return DataSet(
        train=train,
        test=test,
        sha256=digest.hexdigest(),
        mean=float(train.images.mean()) / 255,
        std=float(train.images.std()) / 255,
    )


def split(
    count: int, validation: int, seed: int, share: float = 1.0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(training, validation): the positions of `count` images, in order; `validation` of them,
    drawn by the seed, are held out, and of the rest a share, drawn by it too, is trained on."""
    order = np.random.default_rng(seed).permutation(count)
    kept = round((count - validation) * share)
    return np.sort(order[validation : validation + kept]), np.sort(order[:validation])


def stratified(
    labels: NDArray[np.int64], validation: int, seed: int, share: float = 1.0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(training, validation) as `split`, with each class held out and trained on in proportion:
    one image of each at least, where it has two and `validation` is enough for all. A smaller share
    lies in a larger one."""
    counts = np.bincount(labels)
    held = _held_out(counts, validation)
    kept = np.minimum(np.maximum(1, np.floor((counts - held) * share + 0.5)), counts - held)
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]  # class by class, each in drawn order
    its = labels[order]
    rank = np.arange(len(labels)) - (np.cumsum(counts) - counts)[its]
    is_held = rank < held[its]
    is_kept = ~is_held & (rank < (held + kept)[its])
    return np.sort(order[is_kept]), np.sort(order[is_held])


def _held_out(counts: NDArray[np.int64], validation: int) -> NDArray[np.int64]:
    """How many of each class are held out, of `counts` images each: in proportion, at least one,
    and one left, as far as that goes."""
    exact = validation * counts / counts.sum()
    held = np.clip(np.floor(exact).astype(np.int64), np.minimum(1, counts - 1), counts - 1)
    held = np.maximum(held, 0)
    while (over := int(held.sum()) - validation) != 0:
        room = held > 1 if over > 0 else held < counts - 1
        if not room.any():
            room = held > 0 if over > 0 else held < counts
        gain = held - exact if over > 0 else exact - held
        held[np.argmax(np.where(room, gain, -np.inf))] -= 1 if over > 0 else -1
    return held
