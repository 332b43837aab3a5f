"""Batches of a data set: uint8 until one is asked for, then made on the device as a whole."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from nas.data.images import DataSet

HELD_BYTES = 2**32
"""Images of up to this size live on a device that is not the CPU; larger ones stay mapped."""


class Batches:
    """Some images of a data set, resized and normalised a batch at a time. On the CPU they are read
    from the map of their file, which all workers share. `labels` (N,) are on the device."""

    def __init__(
        self, data: DataSet, index: NDArray[np.int64], side: int, device: torch.device
    ) -> None:
        self.labels = torch.from_numpy(data.train.labels[index]).to(device)
        self._data, self._side, self._device = data, side, device
        self._images, self._rows = _mapped(data.train.images), torch.from_numpy(index)
        if device.type != "cpu" and self._images[0].nbytes * len(index) <= HELD_BYTES:
            self._images = self._images[self._rows].to(device)
            self._rows = torch.arange(len(index), device=device)

    def __len__(self) -> int:
        return len(self.labels)

    def at(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """The images (M, C, H, W) and labels (M,) at these positions (M,)."""
        rows = self._rows[index.to(self._rows.device, non_blocking=True)]
        images = self._images[rows].to(self._device, non_blocking=True)
        return self._prepared(images), self.labels[index.to(self._device, non_blocking=True)]

    def _prepared(self, images: Tensor) -> Tensor:
        pixels = images.float() / 255
        side = self._side
        if pixels.shape[-2:] != (side, side):
            pixels = functional.interpolate(
                pixels, (side, side), mode="bilinear", antialias=True, align_corners=False
            )
        return (pixels - self._data.mean) / self._data.std


def laid_out(images: Tensor, memory_format: torch.memory_format) -> Tensor:
    """The images in a memory format, told by their strides: where there is one channel, torch takes
    what has the strides of both formats for the slower one."""
    return torch.empty_like(images, memory_format=memory_format).copy_(images)


def _mapped(images: NDArray[np.uint8]) -> Tensor:
    with warnings.catch_warnings():
        # The map is read-only, and so is what is done with it.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(images)
