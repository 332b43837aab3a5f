"""Which files of a folder are images, and of which class: what is there is read once, under one
label, and what is passed over is counted by its kind and named."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

FOREIGN = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}
"""Formats that Pillow knows and does not decode itself; PostScript is even a program."""
CLUTTER = {"__MACOSX", "__pycache__", "$RECYCLE.BIN", "System Volume Information", "lost+found",
           "thumbs.db", "ehthumbs.db", "desktop.ini"}  # fmt: skip
"""What systems leave in folders, besides what begins with a dot or, on a NAS, with an @."""

Passed = dict[str, list[str]]
"""What was passed over: kind -> the paths, below the data set's folder."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The images of a split: their classes' names, and each path with its label, class by class."""

    root: Path
    classes: tuple[str, ...]
    files: tuple[tuple[str, int], ...]
    passed: Passed = field(default_factory=dict[str, list[str]])


def listing(root: Path) -> Listing:
    """The images below `root`, a folder a class. Links are not followed, but for a class's own
    folder; hidden folders, empty files, special files and other endings are passed over.

    Raises ValueError for a class without an image or whose name cannot be printed, for a folder
    that cannot be read, and for a file that has two labels.
    """
    passed: Passed = {}
    names = list(_classes(root, passed))
    classes = tuple(sorted(names, key=_as_people_sort(names)))
    if not classes:
        raise ValueError(f"{shown(root)} needs a folder of images a class, and has none")
    files: list[tuple[str, int]] = []
    for label, name in enumerate(classes):
        before = len(files)
        files += ((path, label) for path in sorted(_images(root, name, passed), key=os.path.split))
        if len(files) == before:
            there = said(passed, below=f"{root.name}/{name}/")
            raise ValueError(
                f"{shown(root)} needs a folder of images a class: {name} has none"
                f"{f'; passed over: {there}' if there else ''}"
            )
    return Listing(root=root, classes=classes, files=tuple(files), passed=passed)


def require_apart(*splits: Listing) -> None:
    """Raises ValueError for a file that is reached under two labels, or in two splits: by a class's
    folder that is or lies in another one's, or by a second name of the file."""
    folders: dict[str, Path] = {}
    places = [each.root / name for each in splits for name in each.classes]
    for place in sorted(places, key=os.path.realpath):
        real = os.path.realpath(place)
        for at in (real, *map(str, Path(real).parents)):
            if at in folders:
                raise ValueError(f"{shown(folders[at])} and {shown(place)} are one folder; {KEEP}")
        folders[real] = place
    known: dict[tuple[int, int], tuple[str, Path, int]] = {}
    for each in splits:
        for path, label in each.files:
            about = os.stat(path)
            if about.st_nlink < 2:
                continue
            first, root, its = known.setdefault(
                (about.st_dev, about.st_ino), (path, each.root, label)
            )
            if (root, its) != (each.root, label):
                raise ValueError(f"{shown(first)} and {shown(path)} are one file; {KEEP}")


KEEP = "an image has one label and is in one split: keep one of them"


def said(passed: Mapping[str, list[str]], below: str = "") -> str:
    """What was passed over in a folder, in words: each kind with its number and its first path."""
    kinds = {
        kind: [path for path in paths if path.startswith(below)] for kind, paths in passed.items()
    }
    return ", ".join(
        f"{len(paths):,} {kind} ({shown(paths[0])}{', ...' if len(paths) > 1 else ''})"
        for kind, paths in sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0]))
        if paths
    )


def shown(path: str | Path) -> str:
    """A path that can be printed whatever its bytes are."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@cache
def formats() -> tuple[str, ...]:
    """The formats of images that Pillow itself reads."""
    from PIL import Image

    Image.init()
    return tuple(sorted(set(Image.OPEN) - FOREIGN))


@cache
def _endings() -> frozenset[str]:
    from PIL import Image

    known = set(formats())
    return frozenset(
        end for end, kind in Image.registered_extensions().items() if kind in known
    ) | {".mpo"}


def _hidden(name: str) -> bool:
    return name.startswith((".", "@")) or name in CLUTTER or name.lower() in CLUTTER


def _pass(passed: Passed, kind: str, path: str, root: Path) -> None:
    passed.setdefault(kind, []).append(os.path.relpath(path, root.parent))


def _classes(root: Path, passed: Passed) -> Iterator[str]:
    for entry in sorted(os.scandir(root), key=lambda entry: entry.name):
        if not entry.is_dir():
            kind = "hidden" if _hidden(entry.name) else "outside of a class's folder"
            _pass(passed, kind, entry.path, root)
        elif _hidden(entry.name):
            _pass(passed, "hidden", entry.path, root)
        elif entry.is_symlink() and Path(os.path.realpath(root)).is_relative_to(
            os.path.realpath(entry.path)
        ):
            _pass(passed, "links", entry.path, root)
        elif not entry.name.isprintable() or "\udc80" <= max(entry.name) <= "\udcff":
            raise ValueError(f"{shown(entry.path)}: a class's name can be printed; rename it")
        else:
            yield entry.name


def _images(root: Path, name: str, passed: Passed) -> Iterator[str]:
    """The paths of a class's images, in no order."""

    def fail(error: OSError) -> None:
        raise ValueError(f"{shown(error.filename)} cannot be read: {error.strerror}") from error

    known: set[tuple[int, int]] = set()
    for folder, inner, files in os.walk(root / name, onerror=fail):
        inner.sort()
        for each in list(inner):
            path = os.path.join(folder, each)
            kind = "hidden" if _hidden(each) else "links" if os.path.islink(path) else None
            if kind:
                _pass(passed, kind, path, root)
                inner.remove(each)
        for each in sorted(files):
            path = os.path.join(folder, each)
            kind = _kind(path, each, known)
            if kind is None:
                yield path
            else:
                _pass(passed, kind, path, root)


def _kind(path: str, name: str, known: set[tuple[int, int]]) -> str | None:
    """Why a file is passed over; None for an image."""
    if _hidden(name):
        return "hidden"
    about = os.lstat(path)
    if stat.S_ISLNK(about.st_mode):
        return "links"
    if not stat.S_ISREG(about.st_mode):
        return "special files"
    ending = os.path.splitext(name)[1].lower()
    if ending not in _endings():
        return shown(ending) or "without an ending"
    if about.st_size == 0:
        return "empty"
    if about.st_nlink > 1:
        if (about.st_dev, about.st_ino) in known:
            return "repeated"
        known.add((about.st_dev, about.st_ino))
    return None


def _as_people_sort(names: list[str]) -> Callable[[str], tuple[Any, str]]:
    """The key by which 2 comes before 10: as numbers where all are, else with the numbers in
    them."""

    def parts(name: str) -> tuple[Any, str]:
        found = re.split(r"(\d+)", name)  # text, digits, text, ...
        return [(int(part) if at % 2 else 0, part) for at, part in enumerate(found)], name

    def number(name: str) -> tuple[Any, str]:
        return float(name), name

    plain = all(re.fullmatch(r"[-+]?\d+(\.\d+)?", name) for name in names)
    return number if plain else parts
