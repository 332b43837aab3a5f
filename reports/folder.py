"""A site's folder, written over: of what stands there only what an earlier build wrote is touched.

The manifest lists every file of the site with its hash. What is not in the list, has another hash
or lies beyond a link is somebody's own.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, cast

MANIFEST = "manifest.json"


def listed(folder: Path) -> dict[str, str]:
    """The files of a site by their paths, with their hashes, for its manifest."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): _sha256(path) for path in paths}


def standing(folder: Path) -> list[str]:
    """The studies of the site that stands in a folder, none where no site does."""
    told = _manifest(folder).get("studies")
    names = cast("list[Any]", told) if isinstance(told, list) else []
    return [name for name in names if isinstance(name, str)]


def require_ours(folder: Path) -> None:
    """Raises ValueError where a folder is no site and not empty."""
    if folder.is_dir() and any(folder.iterdir()) and not _manifest(folder):
        raise ValueError(
            f"{folder} holds something else than a report, or one of an earlier version, which has "
            "no list of its files; delete it, or give another --output"
        )
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} holds something else than a report; give another --output")


def replace(folder: Path, made: Path) -> None:
    """Puts the site that was made beside a folder into it, and takes the files of the site before
    away. Raises ValueError, before anything is changed, where a file that is not the site's own
    stands where one has to be written."""
    require_ours(folder)
    before, new = _own(folder), [path for path in made.rglob("*") if path.is_file()]
    names = {path.relative_to(made).as_posix(): path for path in new}
    for name in names:
        ours = name in before or (name == MANIFEST and (folder / name).is_file())
        above = [folder / parent for parent in PurePosixPath(name).parents]
        odd = [
            place
            for place in above
            if place.is_symlink() or (place.exists() and not place.is_dir())
        ]
        if (folder / name).is_symlink() or ((folder / name).exists() and not ours):
            odd.append(folder / name)
        if odd:
            raise ValueError(
                f"{odd[0]} is not as a report wrote it; move it away, or give another --output"
            )
    folder.mkdir(exist_ok=True)
    # Should this be cut off, what is there then is still known for ours.
    known = json.loads((made / MANIFEST).read_text())
    both = known | {"files": {**before, **known["files"]}, "before": before}
    (folder / MANIFEST).write_text(json.dumps(both, indent=2))
    for name, path in sorted(names.items(), key=lambda each: each[0] == MANIFEST):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        path.replace(folder / name)
    for name in before.keys() - names.keys():
        (folder / name).unlink()
        for parent in (folder / name).parents:
            if parent == folder:
                break
            with suppress(OSError):  # it holds something else still
                parent.rmdir()


def _own(folder: Path) -> dict[str, str]:
    """The files in a folder that an earlier build wrote there, by its list, as they are now."""
    manifest = _manifest(folder)
    own: dict[str, str] = {}
    for told in (manifest.get("files"), manifest.get("before")):
        files = cast("dict[str, Any]", told) if isinstance(told, dict) else {}
        for name, sha256 in files.items():
            path, pure = folder / name, PurePosixPath(name)
            inside = not pure.is_absolute() and ".." not in pure.parts and path.is_file()
            linked = path.is_symlink() or path.resolve() != folder.resolve() / name
            if inside and not linked and _sha256(path) == sha256:
                own[name] = sha256
    return own


def _manifest(folder: Path) -> dict[str, Any]:
    """A site's manifest, empty where there is none; an export and a data set have one too."""
    path = folder / MANIFEST
    try:
        told = json.loads(path.read_bytes()) if not path.is_symlink() else None
    except (OSError, ValueError, RecursionError):
        return {}
    found = cast("dict[str, Any]", told) if isinstance(told, dict) else {}
    return found if "studies" in found and isinstance(found.get("files"), dict) else {}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
