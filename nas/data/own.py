"""A data set of one's own: a function of the study file returns it.

The function is found among the modules that are loaded, on the driver, where the study's file is;
no stored value imports or calls anything.
"""

from __future__ import annotations

import inspect
import sys
from typing import Any, cast

from nas.base.wording import said
from nas.data.datasets import Data
from nas.data.decoding import READING, Decoded
from nas.data.images import Rows
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


def read(data: Data) -> tuple[Rows, Rows]:
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
