"""Frozen trees of values: walked, rewritten, edited, written as JSON and fingerprinted here only.

A node is a frozen dataclass that inherits `Node`; everything else is a leaf. A path joins field
names with dots; a pattern is a path whose segments may hold the wildcards of `fnmatch`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import operator
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from nas.tree.domain import Axis, Domain, is_open

N = TypeVar("N", bound="Node")


class Node:
    """The base of every spec: checked when it is made, unless it still has an undecided leaf."""

    _undecided: bool = False

    def __post_init__(self) -> None:
        require_types(self)
        values = (getattr(self, name) for name in _hints(type(self)))
        object.__setattr__(self, "_undecided", any(map(is_open, values)))
        if not self._undecided:
            self.check()

    def check(self) -> None:
        """Raises ValueError when the values describe nothing that can be built."""


def require_types(spec: Any) -> None:
    """Raises ValueError where a field of a dataclass has no value of its declared type."""
    for name in _hints(type(spec)):
        _require_type(type(spec), name, getattr(spec, name))


def require_leaf(node: Any, name: str, value: Any) -> None:
    """Raises ValueError where a node could not have this value in a field."""
    kind: Any = type(node)
    own = getattr(kind, "__post_init__", None), getattr(kind, "check", None)
    if own == (Node.__post_init__, Node.check):
        # Nothing but the type is asked, and a node of a thousand fields need not be made anew.
        _require_type(kind, name, value)
    else:
        dataclasses.replace(node, **{name: value})


def _require_type(kind: type, name: str, value: Any) -> None:
    hint, place = _hints(kind)[name], f"{kind.__name__}.{name}"
    if isinstance(value, Axis):
        raise ValueError(
            f"{place} holds a domain; domains are given to a SearchSpace as edits of its canonical "
            "experiment"
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{place} must be finite, not {value!r}")
    if not isinstance(value, Domain) and not _fits(value, hint):
        raise ValueError(f"{place} must be {_spell(hint)}, not {value!r}")


def walk(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yields (path, value) of the tree and of all that is under it, a node before its fields."""
    yield path, tree
    if isinstance(tree, Node):
        for name in _hints(type(tree)):
            yield from walk(getattr(tree, name), f"{path}.{name}" if path else name)


def rewrite(tree: Any, change: Callable[[str, Any], Any], path: str = "") -> Any:
    """The tree with `change(path, value)` in each place, fields before their node."""
    if isinstance(tree, Node):
        new: dict[str, Any] = {}
        for name in _hints(type(tree)):
            old = getattr(tree, name)
            value = rewrite(old, change, f"{path}.{name}" if path else name)
            if value is not old:
                new[name] = value
        if new:
            try:
                tree = dataclasses.replace(cast(Any, tree), **new)
            except (Exception, SystemExit) as error:  # its check is the user's
                kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
                place = f"{path}: " if path else ""
                raise ValueError(f"{place}{kind}{error}") from None
    return change(path, tree)


def edit(tree: N, edits: Mapping[str, Any]) -> N:
    """A new tree with each pattern's places changed.

    A value takes the place, a domain becomes the leaf's options, and a function is called with the
    old value. ValueError: a pattern that matches nothing, or two on one path.

    >>> from nas import googlenet
    >>> changed = edit(googlenet, {"network.inception_3?.conv3x3.width": lambda width: width // 2})
    >>> changed.network.inception_3a.conv3x3.width, changed.network.inception_3b.conv3x3.width
    (64, 96)
    """
    if not isinstance(cast(Any, edits), Mapping):
        raise ValueError(f"edits are {{pattern: value or domain}}, not {edits!r}")
    places = {path: value for path, value in walk(tree) if path}
    chosen: dict[str, str] = {}
    for pattern in edits:
        plain = pattern in places
        matches = [pattern] if plain else [path for path in places if matches_path(pattern, path)]
        if not matches:
            near = get_close_matches(pattern, places, n=3, cutoff=0.5)
            hint = f"; near it: {', '.join(near)}" if near else ""
            for path, value in walk(tree):
                if dataclasses.is_dataclass(value) and not isinstance(value, Node):
                    kind = type(cast(Any, value)).__name__
                    hint += f"; the fields of {path}, a {kind}, are leaves once it is a nas.Node"
            raise ValueError(f"the pattern {pattern!r} matches nothing{hint}")
        for path in matches:
            if path in chosen:
                raise ValueError(
                    f"the patterns {chosen[path]!r} and {pattern!r} both match {path}; give one"
                )
            chosen[path] = pattern
    for path, pattern in chosen.items():
        for over in (over for over in chosen if path.startswith(f"{over}.")):
            new = edits[chosen[over]]
            if not isinstance(new, Axis) and not callable(new):
                raise ValueError(
                    f"{pattern!r} changes {path}, which {chosen[over]!r} replaces; give one"
                )

    def change(path: str, old: Any) -> Any:
        if path not in chosen:
            return old
        new = edits[chosen[path]]
        if isinstance(new, Axis):
            domain = new.bind(new.name or path, places[path])
            if old is places[path]:
                return domain
            # What other edits leave open in a node stays open where the canonical node stands.
            return domain.changed(lambda o: old if o.label == domain.default else o.value)
        return new(old) if callable(new) else new

    return rewrite(tree, change)


def matches_path(pattern: str, path: str) -> bool:
    """Whether a pattern matches a path, segment by segment."""
    wanted, met = pattern.split("."), path.split(".")
    return len(wanted) == len(met) and all(map(fnmatchcase, met, wanted))


def to_json(tree: Any) -> Any:
    """The tree as JSON values: nodes tagged with their class, leaves in their declared type.

    A field whose metadata says `{"before": value}` was added later and is left out while it holds
    what the code did before, so that old fingerprints stay.
    """
    if not isinstance(tree, Node):
        return _plain(tree)
    data: dict[str, Any] = {"is": _tag(type(tree))}
    for field in dataclasses.fields(cast(Any, tree)):
        value = getattr(tree, field.name)
        if "before" in field.metadata and value == field.metadata["before"]:
            continue
        hint = _hints(type(tree))[field.name]
        data[field.name] = to_json(_declared(value, hint))
    return data


def from_json(data: Any, classes: Mapping[str, type]) -> Any:
    """The tree that `to_json` wrote; `classes` maps the tags to the classes that may be made.

    A user's own class is tagged MODULE:CLASS and found only where that module is loaded already,
    and only a frozen dataclass that is a Node or has layers: stored data never imports, runs or
    makes anything else. ValueError for a class that is not known.
    """
    if isinstance(data, list):
        return tuple(from_json(item, classes) for item in cast("list[Any]", data))
    if not isinstance(data, dict):
        return data
    fields = cast("dict[str, Any]", data).copy()
    if "is" not in fields:
        return {key: from_json(value, classes) for key, value in fields.items()}
    kind = _class(fields.pop("is"), classes)
    values = {key: from_json(value, classes) for key, value in fields.items()}
    for field in dataclasses.fields(kind):
        if "before" in field.metadata and field.name not in values:
            values[field.name] = field.metadata["before"]
    try:
        return kind(**values)
    except TypeError as error:
        raise ValueError(
            f"the stored {kind.__name__} is of another version of this program: {error}"
        ) from None


def fingerprint(value: Any) -> str:
    """The first 16 hex digits of the SHA-256 of a tree's, or of plain values', canonical JSON."""
    return digest(to_json(value))


def digest(data: Any) -> str:
    """The fingerprint of what is canonical JSON already."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def differences(old: Any, new: Any) -> dict[str, tuple[Any, Any]]:
    """The places where two trees part: {path: (old value, new value)}, as deep as both reach."""

    def compare(old: Any, new: Any, path: str) -> Iterator[tuple[str, tuple[Any, Any]]]:
        if old == new:
            return
        if isinstance(old, Node) and type(old) is type(new):
            for name in _hints(type(old)):
                place = f"{path}.{name}" if path else name
                yield from compare(getattr(old, name), getattr(new, name), place)
        else:
            yield path, (old, new)

    return dict(compare(old, new, ""))


def spelled(value: Any) -> str:
    """A value in few words: of a node its class, and the leaves that are not the class' defaults.

    >>> from nas import small_alexnet
    >>> spelled(small_alexnet.network)
    "AlexNet(conv1=Convolution(width=96), normalization='batch', width=0.25)"
    """
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return repr(value)
    leaves = (
        f"{field.name}={spelled(getattr(value, field.name))}"
        for field in dataclasses.fields(value)
        if getattr(value, field.name) != field.default
    )
    return f"{type(value).__name__}({', '.join(leaves)})"


def classes_in(tree: Any) -> dict[str, type]:
    """The classes of a tree's nodes by their tags, those inside options too."""
    classes: dict[str, type] = {}
    for _, value in walk(tree):
        if isinstance(value, Domain):
            for inner in value.values:
                classes |= classes_in(inner)
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            classes[_tag(type(value))] = type(value)
    return classes


def _tag(kind: type) -> str:
    module = module_name(kind.__module__)
    own = module.split(".")[0] == __name__.split(".")[0]
    return kind.__name__ if own else f"{module}:{kind.__qualname__}"


def module_name(name: str) -> str:
    """A module's name; that of the file where it was started as a script."""
    file = getattr(sys.modules.get(name), "__file__", None) if name == "__main__" else None
    return Path(file).stem if file else name


def _class(tag: str, classes: Mapping[str, type]) -> Any:
    if tag in classes:
        return classes[tag]
    module, _, name = tag.partition(":")
    if module == module_name("__main__"):
        module = "__main__"
    kind: Any = getattr(sys.modules.get(module), name, None) if name else None
    # A spec of the user's and nothing else: making any other class might do something.
    spec = isinstance(kind, type) and (issubclass(kind, Node) or hasattr(kind, "layers"))
    if not spec or not getattr(getattr(kind, "__dataclass_params__", None), "frozen", False):
        raise ValueError(
            f"the stored tree has a {tag}, which is not loaded here; name the study by its file"
        )
    return kind


@cache
def _hints(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _options(hint: Any) -> tuple[Any, ...]:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return typing.get_args(hint)
    return (hint,)


def _fits(value: Any, hint: Any) -> bool:
    first, *others = _options(hint)
    return _is_of(value, first) or any(_is_of(value, option) for option in others)


def _is_of(value: Any, option: Any) -> bool:
    origin = typing.get_origin(option)
    if option is Any:
        return True
    if origin is Literal:
        return any(value == name and type(value) is type(name) for name in option.__args__)
    if origin is tuple:
        of = option.__args__[0]
        return isinstance(value, tuple) and all(_fits(item, of) for item in cast(Any, value))
    if option is int or option is float:
        return _is_int(value) or (option is float and isinstance(value, float))
    return isinstance(value, origin or option)


def _is_int(value: Any) -> bool:
    return hasattr(type(value), "__index__") and not isinstance(value, bool)


def _declared(value: Any, hint: Any) -> Any:
    options = _options(hint)
    real = float in options and int not in options
    return float(value) if real and _is_int(value) else value


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | str):
        return value
    if _is_int(value):
        return operator.index(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, tuple | list):
        return [to_json(item) for item in cast("tuple[Any, ...]", value)]
    if isinstance(value, set | frozenset):
        return sorted(_plain(item) for item in cast("set[Any]", value))
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {key: to_json(item) for key, item in items}
    if dataclasses.is_dataclass(value):
        fields = dataclasses.fields(value)
        data = {field.name: to_json(getattr(value, field.name)) for field in fields}
        return {"is": _tag(cast(type, type(value)))} | data
    raise TypeError(f"a tree holds plain values, not {type(value).__name__}")


def _spell(hint: Any) -> str:
    if typing.get_origin(hint) is Literal:
        return " or ".join(repr(value) for value in hint.__args__)
    if len(_options(hint)) > 1:
        return " or ".join(_spell(option) for option in _options(hint))
    if typing.get_origin(hint) is tuple:
        return f"a tuple of {_spell(hint.__args__[0])}"
    return "None" if hint is type(None) else getattr(hint, "__name__", str(hint))
