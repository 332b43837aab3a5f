"""From the items of a torch data set to images of one shape."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from nas.data.datasets import Data


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """The items (image, label) of a map-style data set, brought to the shape (C, H, W) that `data`
    says. ValueError, while they are read, for one that cannot be."""

    items: Any
    data: Data
    split: str

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[tuple[NDArray[np.uint8], int]]:
        for index in range(len(self.items)):
            try:
                image, label = _pair(self.items[index])
                row = pixels(image, self.data), _label(label, self.data)
            except Exception as error:
                kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
                raise ValueError(
                    f"{self.data.name}, image {index} to {self.split} on: {kind}{error}"
                ) from error
            yield row


def pixels(image: Any, data: Data) -> NDArray[np.uint8]:
    """The image as (C, H, W), uint8. A PIL image gets its shorter side scaled and its middle kept;
    an array or tensor, uint8 or a float from 0 to 1, has its size already. ValueError otherwise."""
    side = data.image_size
    if isinstance(image, Image.Image):
        if image.mode in ("F", "I"):
            # Pillow would cut what is outside of 0 to 255, and nobody knows the range.
            raise ValueError(
                f"an image file has 8 or 16 bits a channel, and this one's mode is {image.mode}: "
                "convert it"
            )
        if image.mode.startswith("I;16"):
            # Pillow would cut what is above 255 instead of scaling it.
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        shown = image.convert("L" if data.channels == 1 else "RGB")
        image = ImageOps.fit(shown, (side, side), Image.Resampling.BILINEAR)
    found = np.asarray(image)
    shape = (data.channels, side, side)
    if found.dtype.kind == "f" and bool(np.all((found >= 0) & (found <= 1))):
        found = np.rint(found * 255).astype(np.uint8)
    if found.shape == (side, side) and data.channels == 1:
        found = found[None]
    elif found.shape != shape and found.shape == (side, side, data.channels):
        found = np.moveaxis(found, -1, 0)
    if found.dtype != np.uint8 or found.shape != shape:
        raise ValueError(
            f"an image is uint8, or a float from 0 to 1, of (C, H, W) = {shape}, not "
            f"{found.dtype} of {found.shape}"
        )
    return found


def _pair(item: Any) -> tuple[Any, Any]:
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise ValueError(f"an item is (image, label), not {type(item).__name__}")
    return item[0], item[1]


def _label(label: Any, data: Data) -> int:
    found = operator.index(label)
    if not 0 <= found < data.classes:
        raise ValueError(f"a label is a class from 0 to {data.classes - 1}, not {found}")
    return found
