"""A tree as the Python that makes it again."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

from nas.tree.tree import Node, module_name, spelled, walk

WIDE = 96


def python(experiment: Any) -> str:
    """A program of a few lines that ends in `experiment`, with every leaf that is not the default.

    >>> from nas import small_alexnet
    >>> print(python(small_alexnet.network))
    from nas import AlexNet, Convolution
    <BLANKLINE>
    experiment = AlexNet(conv1=Convolution(width=96), normalization='batch', width=0.25)
    """
    nodes = [value for _, value in walk(experiment) if isinstance(value, Node)]
    text = _written(experiment, "experiment = ", 0)
    kinds = {type(node) for node in nodes if f"{type(node).__name__}(" in text}
    homes: dict[str, set[str]] = {}
    for kind in kinds:
        home = module_name(kind.__module__)
        homes.setdefault("nas" if home.split(".")[0] == "nas" else home, set()).add(kind.__name__)
    lines = [f"from {home} import {', '.join(sorted(homes[home]))}" for home in sorted(homes)]
    return "\n".join([*lines, "", text])


def _written(value: Any, before: str, indent: int) -> str:
    """One line where it fits, a line an argument otherwise."""
    line = f"{before}{spelled(value)}"
    if not isinstance(value, Node) or indent + len(line) <= WIDE:
        return line
    inner = [
        " " * (indent + 4) + _written(getattr(value, field.name), f"{field.name}=", indent + 4)
        for field in dataclasses.fields(cast(Any, value))
        if getattr(value, field.name) != field.default
    ]
    joined = ",\n".join(inner)
    return f"{before}{type(value).__name__}(\n{joined},\n{' ' * indent})"
