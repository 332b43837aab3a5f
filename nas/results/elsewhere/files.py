"""A table of runs from a file, or a frame, of another tool: a run a row, a value a cell."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from nas.base.wording import times
from nas.results.elsewhere.columns import SHOWN, Frame

SEPARATORS = ",;\t"
BRACED = re.compile(r"\s*\{.*\}\s*", re.DOTALL)
QUOTED = re.compile(r"^'(?=[=+\-@\t\r\uff0b\uff0d\uff1d\uff20])")
"""What a CSV of ours has before text that a spreadsheet would run."""


def read(path: Path) -> Frame:
    """The table of a file: CSV, JSON lines, or JSON with a list of runs.

    Raises ValueError for what is no file, none of these, or has two columns of one name."""
    import pandas as pd

    if not path.is_file():
        raise ValueError(f"{path} is no file: save the table as one")
    try:
        if path.suffix.lower() in (".json", ".jsonl", ".ndjson"):
            return pd.DataFrame(_objects(path.read_text(encoding="utf-8-sig")))
        head = pd.read_csv(
            path, header=None, nrows=1, dtype=str, sep="\0", quoting=3, engine="python"
        )
        line = str(head.iloc[0, 0])
        separator = max(SEPARATORS, key=line.count)
        names = pd.read_csv(path, header=None, nrows=1, dtype=str, sep=separator).iloc[0]
        require_single([str(name) for name in names.dropna()])
        # A variant may well be called None, null or NA.
        made = pd.read_csv(path, sep=separator, keep_default_na=False, na_values=[""])
    except (ValueError, OSError) as error:
        raise ValueError(f"{path} is no table of runs: {error}") from None
    for name in made:
        if made[name].dtype.kind not in "biuf":
            made[name] = made[name].map(_unquoted, na_action="ignore")
    return made


def _unquoted(cell: Any) -> Any:
    return QUOTED.sub("", cell) if isinstance(cell, str) else cell


def _objects(text: str) -> list[dict[str, Any]]:
    """The runs of JSON: a list of objects, or an object a line."""
    try:
        found: Any = json.loads(text)
        rows: list[Any] = found if isinstance(found, list) else [found]
    except json.JSONDecodeError:
        rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise ValueError("JSON of runs is a list of objects, or an object a line")
    return cast("list[dict[str, Any]]", rows)


def flat(frame: Frame) -> Frame:
    """The table with a column for each name, those of dictionaries in cells with their column's
    before it: `config.seed`.

    Raises ValueError for two columns of one name, and a dictionary that cannot be read."""
    import pandas as pd

    if frame.columns.nlevels > 1:
        frame = frame.set_axis(
            ["_".join(str(part) for part in names if str(part)) for names in frame.columns], axis=1
        )
    frame = frame.rename(columns=str).reset_index(drop=True)
    require_single([*frame.columns])
    parts: list[Any] = []
    for name in frame.columns:
        cells = frame[name]
        if not _dictionaries(cells):
            parts.append(cells)
            continue
        spread = [_leaves(_dictionary(cell, name), f"{name}.") for cell in cells]
        parts.append(pd.DataFrame(spread, index=frame.index))
    made = pd.concat(parts, axis=1) if parts else frame
    require_single([*map(str, made.columns)])
    return made


def require_single(names: list[str]) -> None:
    """ValueError for a column's name that is there twice."""
    twice = list(dict.fromkeys(name for name in names if names.count(name) > 1))
    if twice:
        raise ValueError(
            f"{times(len(twice), 'name')} of columns {'is' if len(twice) == 1 else 'are'} there "
            f"twice: {', '.join(twice[:SHOWN])}; call each column by a name of its own"
        )


def _dictionaries(cells: Frame) -> bool:
    """Whether a column has dictionaries, as such or as text."""
    if cells.dtype != object and not _textual(cells):
        return False
    known = cells.dropna()
    return len(known) > 0 and all(
        isinstance(cell, Mapping)
        or (isinstance(cell, str) and re.match(r"\s*\{.*\}\s*$", cell, re.S))
        for cell in known
    )


def _textual(cells: Frame) -> bool:
    return cells.dtype.kind not in "biufcmM"


def _dictionary(cell: Any, name: str) -> Mapping[str, Any]:
    """A dictionary, from JSON or as Python writes it; an empty one where there is none."""
    if isinstance(cell, Mapping):
        return cast("Mapping[str, Any]", cell)
    if not isinstance(cell, str):
        return {}
    try:
        return json.loads(cell)
    except json.JSONDecodeError:
        pass
    try:
        return ast.literal_eval(_Numbers().visit(ast.parse(cell.strip(), mode="eval")))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise ValueError(f"{name} has a dictionary that cannot be read: {cell[:60]}") from None


class _Numbers(ast.NodeTransformer):
    """Makes numbers of nan and inf, which Python writes and does not read."""

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Constant(float(node.id)) if node.id in ("nan", "inf") else node


def _leaves(values: Mapping[str, Any], before: str) -> dict[str, Any]:
    """The values of nested dictionaries by their dotted names; one that Weights & Biases wraps in
    {"value": ...} as it is."""
    made: dict[str, Any] = {}
    for key, value in values.items():
        while isinstance(value, Mapping) and "value" in value and {*value} <= {"value", "desc"}:
            value = cast("Mapping[str, Any]", value)["value"]
        if isinstance(value, Mapping):
            made |= _leaves(cast("Mapping[str, Any]", value), f"{before}{key}.")
        else:
            made[f"{before}{key}"] = value
    return made
