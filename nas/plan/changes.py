"""What a change is called: the one place where a decision and a label become words."""

from __future__ import annotations

from typing import Any, cast

from nas.networks.googlenet import MODULES
from nas.tree.domain import Domain, Label

BRANCHES = {
    "conv1x1": "1x1 branch",
    "conv3x3": "3x3 branch",
    "conv5x5": "5x5 branch",
    "pool_proj": "pool branch",
}
THINGS = {
    "network.aux_after": "aux heads",
    "network.dropout_at": "dropout",
    "network.head.pooling": "pooling",
    "network.stem.kind": "stem",
    "recipe.lr": "learning rate",
    "recipe.lr_schedule": "schedule",
}
PLACED = {"aux heads": ("aux head", "aux heads", "after"), "dropout": ("dropout", "dropout", "at")}
"""Things that stand at several places: one of them, several, and the word before the place."""


def change_name(domain: Domain, label: Label | None = None) -> str:
    """What a change to a label, or to off, is called: "3b: no 5x5 branch" by a leaf's path, "no
    batch norm" by a decision's name, "flatten instead of average pooling".

    >>> from nas import SearchSpace, googlenet, subsets
    >>> heads = SearchSpace(googlenet, {"network.aux_after": subsets("4a", "4d")})
    >>> change_name(heads.domains["network.aux_after"], "4d")
    'no aux head after 4a'
    """
    if (domain.off if label is None else label) == domain.name:
        return domain.name
    place, thing = _thing(domain.name)
    return f"{place}: {_said(domain, label, thing)}" if place else _said(domain, label, thing)


def restored_name(domain: Domain) -> str:
    """What it is called to put back what was off: "3b: with 5x5 branch", and "without A" where off
    is called A."""
    place, colon, said = change_name(domain).rpartition(": ")
    if said.startswith("no "):
        return f"{place}{colon}with {said.removeprefix('no ')}"
    return f"without {change_name(domain)}"


def _thing(name: str) -> tuple[str, str]:
    """Where a decision is made, and about what."""
    root, *inner = name.split(".")
    if inner and (module := MODULES.get(inner[0])):
        return (module, _branch(inner[1:])) if inner[1:] else ("", f"module {module}")
    if inner and root.startswith("stage"):
        return root.replace("stage", "stage "), _branch(inner)
    return "", THINGS.get(name) or " ".join(inner or [root]).replace("_", " ")


def _branch(parts: list[str]) -> str:
    return " ".join(BRANCHES.get(part, part.replace("_", " ")) for part in parts)


def _said(domain: Domain, label: Label | None, thing: str) -> str:
    if label is None or label == domain.off or domain.value(label) == ():
        return f"no {thing}"
    value, old = domain.value(label), domain.value(domain.default)
    text = f"{label:g}" if isinstance(label, float) else str(label).replace("_", " ")
    if isinstance(value, tuple) and isinstance(old, tuple) and thing in PLACED:
        return _placed(thing, cast("tuple[Any, ...]", value), cast("tuple[Any, ...]", old))
    if value is True:
        return f"with {thing}"
    if domain.default == "1" and text != str(value):
        return f"{thing} times {text}"
    if isinstance(value, str) and old is None:
        return f"{text} {thing}"
    # Under a name of its own a decision may have another canonical value at each leaf.
    if domain.name.split(".")[0] in ("network", "recipe"):
        if isinstance(value, str) and isinstance(old, str):
            return f"{text} instead of {old.replace('_', ' ')} {thing}"
        if isinstance(value, int | float | str) and isinstance(old, int | float):
            return f"{thing} {text} instead of {old:g}"
    return f"{thing} {text}"


def _placed(thing: str, value: tuple[Any, ...], old: tuple[Any, ...]) -> str:
    one, several, at = PLACED[thing]
    gone = [item for item in old if item not in value]
    new = [item for item in value if item not in old]
    if bool(gone) == bool(new):
        return f"{several if len(value) > 1 else one} {at} {' and '.join(value)}"
    places = gone or new
    what = several if len(places) > 1 else one
    return f"{'no' if gone else 'also'} {what} {at} {' and '.join(places)}"
