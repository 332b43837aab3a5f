"""From the items of a torch data set to images of one shape: what is read is what is seen."""

from __future__ import annotations

import operator
import re
import struct
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from nas.base.wording import said
from nas.data.datasets import Data

ORIENTATION = 0x112
READING = 2
"""Raised when an image is read otherwise than before: what was made of it is made again."""

TURNED = "turned as their EXIF orientation says"
LAID = "with transparency, laid on white"
FRAMES = "of several frames, of which the first is read"
LARGE = f"of more than {Image.MAX_IMAGE_PIXELS or 0:,} pixels"
"""What is done to images, of which the number is told."""


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """The items (image, label) of a map-style data set, brought to the shape (C, H, W) that `data`
    says. ValueError, while they are read, for one that cannot be.

    class_names: in the order of the labels, where they are known; passed: what is not among the
    items, in words; met: how many images had something done to them, while they are read; ready:
    the items have that shape already.
    """

    items: Any
    data: Data
    split: str
    class_names: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()
    met: Counter[str] = field(default_factory=Counter[str])
    ready: bool = False

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[tuple[NDArray[np.uint8], int]]:
        self.met.clear()
        yield from map(self.row, range(len(self.items)))

    def row(self, index: int) -> tuple[NDArray[np.uint8], int]:
        """One of the items; ValueError where it cannot be."""
        try:
            image, label = _pair(self.items[index])
            if not self.ready:
                image = pixels(image, self.data, self.met)
            return image, _label(label, self.data)
        except Exception as error:
            kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
            raise ValueError(
                f"{self.data.name}, image {index} to {self.split} on: {kind}{said(error)}"
            ) from error

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a user is told of what was read."""
        counted = (f"to {self.split} on: {count:,} {what}" for what, count in self.met.items())
        return (*self.passed, *counted)


def pixels(image: Any, data: Data, met: Counter[str]) -> NDArray[np.uint8]:
    """The image as (C, H, W), uint8. A PIL image is read as it is `seen`, its shorter side scaled
    and its middle kept; an array or tensor has its size already: uint8, a float from 0 to 1, or
    any number in `data.pixel_range`. `met` counts what was done. ValueError otherwise."""
    side = data.image_size
    if isinstance(image, Image.Image):
        shown = seen(image, data, met)
        return _shaped(
            np.asarray(ImageOps.fit(shown, (side, side), Image.Resampling.BILINEAR)), data
        )
    found = np.asarray(image)
    if data.pixel_range:
        if found.dtype == np.uint8 or found.dtype.kind not in "iuf":
            raise ValueError(
                f"pixel_range is for more than 8 bits a channel, and this is {found.dtype}"
            )
        return _shaped(_scaled(found, data.pixel_range), data)
    if found.dtype.kind == "f" and bool(np.all((found >= 0) & (found <= 1))):
        found = np.rint(found * 255).astype(np.uint8)
    return _shaped(found, data)


def seen(image: Image.Image, data: Data, met: Counter[str]) -> Image.Image:
    """The image as a person sees it, in grey or colour of 8 bits: the first frame, turned as its
    EXIF orientation says, what is transparent laid on white; more bits are scaled from
    `data.pixel_range` to 256 levels. ValueError where the range is to be said, or a pixel is
    outside of it."""
    deep, wide = image.mode.startswith(("I", "F")), _is_cut(image)
    if deep or wide or data.pixel_range:
        _require_range(image, data, wide)
    if getattr(image, "is_animated", False):
        met[FRAMES] += 1
    if image.width * image.height > (Image.MAX_IMAGE_PIXELS or 0):
        met[LARGE] += 1
    image = _upright(image, met)
    if deep:
        assert data.pixel_range
        image = Image.fromarray(_scaled(np.asarray(image), data.pixel_range))
    if image.has_transparency_data:
        straight = {"La": "LA", "RGBa": "RGBA"}.get(image.mode, image.mode)
        image = image.convert(straight).convert("RGBA")
        if np.asarray(image)[..., 3].min() < 255:
            met[LAID] += 1
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("L" if data.channels == 1 else "RGB")


def _upright(image: Image.Image, met: Counter[str]) -> Image.Image:
    with warnings.catch_warnings():
        # Pillow warns of a damaged tag, and goes on without.
        warnings.simplefilter("ignore")
        try:
            stated = image.getexif().get(ORIENTATION)
            turned = ImageOps.exif_transpose(image)
        except (SyntaxError, ValueError, KeyError, TypeError, struct.error):
            image.load()
            return image
    if stated in range(2, 9):
        met[TURNED] += 1
    return turned


def _require_range(image: Image.Image, data: Data, wide: bool) -> None:
    deep = image.mode.startswith(("I", "F"))
    if not (deep or wide):
        raise ValueError(
            f"pixel_range is for more than 8 bits a channel, and this one's mode is {image.mode}"
        )
    if data.pixel_range is None:
        raise ValueError(
            f"more than 8 bits a channel (mode {image.mode}): say which values are black and "
            "white, such as pixel_range=(0, 65535) or (0, 4095), or convert it to 8 bits"
        )
    if wide and data.pixel_range != (0, 65535):
        raise ValueError(
            "16 bits a channel in colour are read for pixel_range=(0, 65535) alone, not "
            f"{data.pixel_range}: scale it to that range, or convert it to 8 bits"
        )
    if deep and "transparency" in image.info:
        raise ValueError("more than 8 bits with transparency: convert it to 8 bits")


def _is_cut(image: Image.Image) -> bool:
    """Whether Pillow reads 8 bits of more: colour, or grey with alpha, of 16 bits a channel."""
    if image.mode.startswith(("I", "F")):
        return False
    file: Any = getattr(image, "fp", None)
    if image.format == "JPEG2000" and file is not None:
        at = file.tell()
        file.seek(0)
        start: bytes = file.read(2**16)
        file.seek(at)
        size = start.find(b"\xff\x4f\xff\x51")  # SIZ; its 41st byte is a channel's bits, less one
        return size >= 0 and (start[size + 42] & 0x7F) + 1 > 8
    for tile in getattr(image, "tile", ()):
        words = tile.args if isinstance(tile.args, tuple) else (tile.args,)
        raw = words[0] if words and isinstance(words[0], str) else ""
        if re.match(r"(?!BGR)\w+;16", raw) or tile.codec_name == "SGI16":
            return True
        if tile.codec_name == "sgi_rle" and words[-1] == 2:
            return True
        if tile.codec_name in ("ppm", "ppm_plain") and words[-1] > 255:
            return True
    return False


def _scaled(found: NDArray[Any], ends: tuple[float, float]) -> NDArray[np.uint8]:
    """From the range to 0 to 255, rounded; ValueError for a pixel outside of it."""
    low, high = ends
    if not bool(np.all((found >= low) & (found <= high))):
        raise ValueError(
            f"its pixels go from {found.min():g} to {found.max():g}, out of pixel_range "
            f"({low:g}, {high:g})"
        )
    return np.rint((found.astype(np.float64) - low) * (255 / (high - low))).astype(np.uint8)


def _shaped(found: NDArray[Any], data: Data) -> NDArray[np.uint8]:
    side = data.image_size
    shape = (data.channels, side, side)
    if found.shape == (side, side) and data.channels == 1:
        found = found[None]
    elif found.shape != shape and found.shape == (side, side, data.channels):
        found = np.moveaxis(found, -1, 0)
    if found.dtype != np.uint8 or found.shape != shape:
        raise ValueError(
            f"an image is uint8, or a float from 0 to 1, of (C, H, W) = {shape}, not "
            f"{found.dtype} of {found.shape}; pixel_range=(LOW, HIGH) allows for others"
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
