"""A data set of one's own: a function of the study file returns it.

The function is found among the modules that are loaded, on the driver, where the study's file is;
no stored value imports or calls anything.
"""

from __future__ import annotations

import inspect
import sys
from typing import Any, Literal, cast

import numpy as np

from nas.base.wording import said
from nas.data import store
from nas.data.datasets import Data
from nas.data.decoding import READING, Decoded
from nas.data.images import Images
from nas.data.store import Manifest
from nas.tree.tree import fingerprint, module_name


def origin(data: Data) -> str | None:
    """The fingerprint of the function's text and file; None where it is not loaded."""
    make = _function(data)
    if make is None:
        return None
    try:
        return fingerprint([READING, inspect.getsource(make), inspect.getsourcefile(make)])
    except OSError:
        return ""


LARGE, SPREAD = 2**30, 10_000
"""Of a set of more bytes than this, so many images are compared, spread evenly."""


def read(data: Data) -> tuple[Decoded, Decoded]:
    """What the function returns; ValueError where it is not loaded, fails, or returns no (train,
    test)."""
    make = _function(data)
    if make is None:
        raise ValueError(
            f"{data.name} is made by {data.source}, which is not loaded here; name the study by "
            "its file"
        )
    try:
        made = make()
    except Exception as error:
        raise ValueError(f"{data.source}: {type(error).__name__}: {said(error)}") from error
    try:
        train, test = made
        splits = [Decoded(items=items, data=data, split=name, class_names=_names(items, data))
                  for items, name in ((train, "train"), (test, "test"))]  # fmt: skip
        for rows in splits:
            len(rows)  # TypeError where it has none
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{data.source} returns (train, test), two data sets that have a length: {error}"
        ) from error
    return splits[0], splits[1]


def compared(made: Manifest) -> Literal["same", "changed", "random"]:
    """Whether the function gives the images and labels that were made of it, of a large set those
    of SPREAD places; or others at each call. Raises ValueError as `read` does."""
    data, before = made.data, store.read(made)
    ours = tuple(zip(read(data), (before.train, before.test), strict=True))
    if ours[0][0].class_names == made.class_names and all(_are_alike(*pair) for pair in ours):
        return "same"
    again = zip(read(data), (decoded for decoded, _ in ours), strict=True)
    return "changed" if all(_are_alike(*pair) for pair in again) else "random"


def _are_alike(now: Decoded, before: Decoded | Images) -> bool:
    count = len(now)
    if count != len(before):
        return False
    size = now.data.channels * now.data.image_size**2
    many = count * size > LARGE and count > SPREAD
    places = np.linspace(0, count - 1, SPREAD).astype(int) if many else range(count)
    return all(_is_row(now.row(at), before.row(at)) for at in map(int, places))


def _is_row(one: tuple[Any, int], other: tuple[Any, int]) -> bool:
    return one[1] == other[1] and np.array_equal(one[0], other[0])


def _names(items: Any, data: Data) -> tuple[str, ...]:
    """The names of the classes, where the data set has them as torchvision's do."""
    found = getattr(items, "classes", None)
    if not isinstance(found, list | tuple):
        return ()
    names = tuple(cast("list[Any]", found))
    good = all(isinstance(name, str) and name and name.isprintable() for name in names)
    return names if good and len(set(names)) == len(names) == data.classes else ()


def _function(data: Data) -> Any:
    module, _, name = (data.source or "").partition(":")
    if module == module_name("__main__"):
        module = "__main__"
    return getattr(sys.modules.get(module), name, None)
