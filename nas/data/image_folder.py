"""Image files in ImageNet's layout: $NAS_DATA/NAME/train/CLASS/... and val/CLASS/... (or test)."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from PIL import Image

from nas.data.datasets import Data
from nas.data.decoding import Decoded
from nas.data.images import Rows
from nas.data.store import home


def origin(data: Data) -> str | None:
    """The fingerprint of the files' paths, sizes and times; None where the folder is not there."""
    if not (home() / data.name / "train").is_dir():
        return None
    digest = hashlib.sha256()
    for folder in _folders(data):
        for path, _ in _files(folder).samples:
            relative = Path(path).relative_to(home())
            about = Path(path).stat()
            digest.update(f"{relative}\0{about.st_size}\0{about.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def read(data: Data) -> tuple[Rows, Rows]:
    """The images to train on and those to test on.

    Raises ValueError where they are not there, and for classes that are not what was said or not
    the same in both.
    """
    train, test = (_files(folder) for folder in _folders(data))
    if len(train.classes) != data.classes:
        raise ValueError(
            f"{data.name} was said to have {data.classes} classes; {train.root} has "
            f"{len(train.classes)}: {', '.join(train.classes[:10])}"
            f"{', ...' if len(train.classes) > 10 else ''}"
        )
    odd = sorted(set(train.classes) ^ set(test.classes))
    if odd:
        raise ValueError(f"{train.root} and {test.root} have the same classes, but for {odd[0]}")
    return (
        Decoded(items=train, data=data, split="train"),
        Decoded(items=test, data=data, split="test"),
    )


def _folders(data: Data) -> tuple[Path, Path]:
    folder = home() / data.name
    tested = next((name for name in ("val", "test") if (folder / name).is_dir()), None)
    if tested is None or not (folder / "train").is_dir():
        raise ValueError(
            f"{data.name} is not here: put its images into {folder}/train/CLASS/ and "
            f"{folder}/val/CLASS/, a folder a class"
        )
    return folder / "train", folder / tested


def _files(folder: Path) -> Any:
    from torchvision.datasets import ImageFolder

    try:
        return ImageFolder(folder, loader=_open)
    except FileNotFoundError as error:
        raise ValueError(f"{folder} needs a folder of images a class: {error}") from error


def _open(path: str) -> Image.Image:
    try:
        with Image.open(path) as image:
            image.load()
            return image
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(
            f"{path} is no image that can be read ({error}); replace it or delete it"
        ) from error
