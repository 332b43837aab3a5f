"""What the data sets are, known without loading them and without torch: shipped or one's own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nas.base.paths import is_name
from nas.tree.tree import Node, module_name


@dataclass(frozen=True, kw_only=True)
class Data(Node):
    """A data set: name, number of classes and channels, native image size in pixels, and how many
    images are held out for validation.

    train, test: how many images it has to train and validate on, and to test on, where that is
    known beforehand. source: where one's own comes from, "folder" or MODULE:FUNCTION; a shipped one
    has none. pixel_range: the values of black and white where pixels have more than 8 bits.
    """

    name: str
    classes: int
    channels: int = 3
    image_size: int
    validation: int
    train: int | None = None
    test: int | None = None
    source: str | None = None
    pixel_range: tuple[float, float] | None = field(default=None, metadata={"before": None})

    def check(self) -> None:
        if not is_name(self.name):
            raise ValueError(
                f"a data set's name has letters, digits, _ and - only, not {self.name!r}"
            )
        if self.classes < 2:
            raise ValueError(f"{self.name}: classes must be 2 or more, not {self.classes}")
        for name in ("channels", "image_size", "validation", "train", "test"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{self.name}: {name} must be 1 or more, not {value}")
        if self.train is not None and self.train <= self.validation:
            raise ValueError(
                f"{self.name}: {self.validation} images to validate on leave none of {self.train}"
            )
        if self.pixel_range is not None and not self.pixel_range[0] < self.pixel_range[1]:
            raise ValueError(
                f"{self.name}: pixel_range goes from black to a higher white, not "
                f"{self.pixel_range}"
            )
        if self.source is None:
            return
        if self.name in DATASETS:
            raise ValueError(f"{self.name} is a data set that is shipped; give yours another name")
        if self.source == "folder":
            if self.channels not in (1, 3):
                raise ValueError(
                    f"{self.name}: image files have 1 or 3 channels, not {self.channels}"
                )
            return
        if not _importable(self.source):
            raise ValueError(
                f"{self.name}: a source is 'folder' or 'MODULE:FUNCTION', not {self.source!r}"
            )


DATASETS: dict[str, Data] = {
    data.name: data
    for data in (
        Data(
            name="imagenet", classes=1000, image_size=224,
            train=1_281_167, validation=50_000, test=50_000,
        ),
        Data(
            name="cifar10", classes=10, image_size=32, train=50_000, validation=5_000, test=10_000
        ),
        Data(
            name="cifar100", classes=100, image_size=32, train=50_000, validation=5_000, test=10_000
        ),
        Data(
            name="fashion_mnist", classes=10, channels=1, image_size=28,
            train=60_000, validation=5_000, test=10_000,
        ),
        Data(
            name="fashion_small", classes=10, channels=1, image_size=14,
            train=12_000, validation=2_000, test=10_000,
        ),
        Data(
            name="digits", classes=10, channels=1, image_size=8,
            train=1_500, validation=400, test=297,
        ),
        Data(
            name="synthetic", classes=4, channels=1, image_size=16,
            train=256, validation=64, test=64,
        ),
    )
}  # fmt: skip
"""The data sets that are shipped, by name."""


FASHION = ("T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker",
           "bag", "ankle boot")  # fmt: skip
NAMES: dict[str, tuple[str, ...]] = {
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship",
                "truck"),
    "fashion_mnist": FASHION,
    "fashion_small": FASHION,
}  # fmt: skip
"""The names of the classes of those that have no folders, in the order of the labels."""


def class_name(label: int, names: tuple[str, ...]) -> str:
    """What a class is called: its name, or its number where it has none."""
    return names[label] if names else str(label)


def image_folder(
    name: str,
    *,
    classes: int,
    image_size: int,
    validation: int,
    channels: int = 3,
    pixel_range: tuple[float, float] | None = None,
) -> Data:
    """The image files $NAS_DATA/NAME/train/CLASS/... to train and validate on and those of val (or
    test) to test on, in ImageNet's layout.

    The shorter side becomes image_size pixels and the middle is kept; colours follow `channels`, 1
    or 3. `validation` images are held out of train by the split seed. Files of more than 8 bits a
    channel want a `pixel_range`, the values of black and white, which becomes 256 levels.
    """
    return Data(
        name=name,
        classes=classes,
        channels=channels,
        image_size=image_size,
        validation=validation,
        source="folder",
        pixel_range=_floats(pixel_range),
    )


def _floats(ends: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if ends is None else (float(ends[0]), float(ends[1]))


def _importable(source: str) -> bool:
    module, _, function = source.partition(":")
    return all(part.isidentifier() for part in (*module.split("."), function))


def own_data(
    make: Callable[[], tuple[Any, Any]],
    *,
    name: str,
    classes: int,
    channels: int,
    image_size: int,
    validation: int,
    pixel_range: tuple[float, float] | None = None,
) -> Data:
    """What the function `make` of the study file returns: (train, test), two map-style torch
    Datasets of (image, label from 0).

    An image is a PIL image, cut as in `image_folder`; or of image_size pixels already: uint8 of
    (H, W), (H, W, C) or (C, H, W), or float from 0 to 1, or any numbers from black to white as
    `pixel_range` says, which become 256 levels. It is called once, and again when its text
    changes; when only the images change, give another name. ValueError for a function that cannot
    be found by its name.
    """
    module = getattr(make, "__module__", "")
    function = getattr(make, "__qualname__", type(make).__name__)
    if getattr(sys.modules.get(module), function, None) is not make:
        raise ValueError(
            f"own_data needs a function of its own module, found by its name, not {function}: "
            "write `def make(): ...` at the left margin of the study file"
        )
    source = f"{module_name(module)}:{function}"
    if not _importable(source):
        raise ValueError(
            f"own_data needs a function in a file whose name can be imported, not {source}: give "
            "the study file a name of letters, digits and _"
        )
    return Data(
        name=name,
        classes=classes,
        channels=channels,
        image_size=image_size,
        validation=validation,
        source=source,
        pixel_range=_floats(pixel_range),
    )
