"""Prints tables: for people as text, for programs as JSON or CSV."""

from __future__ import annotations

import csv
import json
import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, cast

import click
from rich.console import Console
from rich.table import Table

from nas.base.wording import cell, near, plain

WIDE = 120
"""Columns of what is no terminal."""
FOLDS = 24
"""Characters that a cell may need before it is folded to make room for others."""
FORMAT = click.option(
    "-f", "--format", "form", type=click.Choice(["table", "json", "csv"]), default="table",
    help="A table to read, or JSON or CSV for programs.",
)  # fmt: skip
PAPER_FORMAT = click.option(
    "-f", "--format", "form", type=click.Choice(["table", "json", "csv", "latex"]), default="table",
    help="A table to read, JSON or CSV for programs, or LaTeX (booktabs) for a paper.",
)  # fmt: skip


def named(given: str | None) -> tuple[str, ...]:
    """The names of columns that were given, with a comma between them; one that has a comma itself
    stands in quotes."""
    lines = [] if given is None else given.splitlines() or [""]
    read = csv.reader(lines, skipinitialspace=True)
    return tuple(name.strip() for line in read for name in line or [""])


def _named(ctx: click.Context, param: click.Parameter, given: str | None) -> tuple[str, ...]:
    return named(given)


COLUMNS = click.option(
    "--columns", metavar="A,B,...", callback=_named,
    help="These columns in this order, by their names; a name that is none lists them.",
)  # fmt: skip


@dataclass(frozen=True)
class Column:
    """A column of a table to read: its heading, how a value is written, whether it is left out
    where the terminal is too narrow for all, and whether it is shown where none are chosen."""

    heading: str
    write: Callable[[Any], str] = str
    spare: bool = False
    shown: bool = True


def count(value: int | None) -> str:
    """A whole number with its thousands apart."""
    return "" if value is None else f"{value:,}"


def size(number: float) -> str:
    """How many there are, by a power of ten where there are very many."""
    if number < 10**15:
        return f"{number:,}"
    too_large = isinstance(number, int) and number > sys.float_info.max
    return f"{Decimal(number) if too_large else number:.3g}"


def fixed(spec: str) -> Callable[[float | None], str]:
    """Writes a number by a format; nothing where there is none."""
    return lambda value: "" if value is None or math.isnan(value) else format(value, spec)


def text(value: Any) -> str:
    """A value as it is; nothing where there is none."""
    return "" if value is None else str(value)


def changes(decisions: Mapping[str, Any]) -> str:
    """Decisions as name=label, one after the other."""
    return ", ".join(f"{name}={label}" for name, label in decisions.items()) or "nothing"


def table(
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, Column],
    form: str = "table",
    chosen: Sequence[str] = (),
) -> None:
    """Prints rows. Text and LaTeX have these columns under their headings; JSON and CSV have every
    value of a row, unrounded, under its own name. Where names are `chosen`, each form has those
    values of a row alone, in their order; ValueError for a name that no row has."""
    if chosen:
        rows, columns = _chosen(rows, columns, chosen)
    columns = {name: column for name, column in columns.items() if column.shown}
    if form == "json":
        click.echo(json.dumps([_finite(row) for row in rows], indent=2, default=str))
        return
    if form == "csv":
        names = list(rows[0]) if rows else list(columns)
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(map(cell, names))
        writer.writerows([cell(made.get(name)) for name in names] for made in map(_flat, rows))
        return
    if form == "latex":
        click.echo(_latex(rows, columns))
        return
    console = Console(
        color_system=None, highlight=False, markup=False, emoji=False,
        width=None if sys.stdout.isatty() else WIDE,
    )  # fmt: skip
    shown = _fitting(rows, columns, console.width)
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name, column in shown.items():
        numeric = all(isinstance(row[name], int | float) for row in rows if row[name] is not None)
        made.add_column(column.heading, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        made.add_row(*(plain(column.write(row[name])) for name, column in shown.items()))
    with console.capture() as said:
        console.print(made)
    click.echo("\n".join(line.rstrip() for line in said.get().splitlines()))


def _chosen(
    rows: Sequence[Mapping[str, Any]], columns: Mapping[str, Column], chosen: Sequence[str]
) -> tuple[list[dict[str, Any]], dict[str, Column]]:
    """The chosen values of the rows, and a column for each, which no terminal is too narrow for."""
    have = list(rows[0])
    for name in chosen:
        if name not in have:
            raise ValueError(
                f"--columns: there is no column {name!r}; there are {', '.join(have)}"
                f"{near(name, have)}"
            )
    made = {name: columns.get(name) or Column(name, _short) for name in chosen}
    return (
        [{name: row[name] for name in made} for row in rows],
        {name: replace(column, spare=False, shown=True) for name, column in made.items()},
    )


def _short(value: Any) -> str:
    """A value that no column says how to write."""
    return fixed(".4g")(value) if isinstance(value, float) else text(value)


def _fitting(
    rows: Sequence[Mapping[str, Any]], columns: Mapping[str, Column], width: int
) -> dict[str, Column]:
    """The columns for a terminal of this width: without the first of the spare ones, as needed."""
    shown = dict(columns)
    needed = {
        name: 2 + min(FOLDS, max(len(c.heading), *(len(c.write(row[name])) for row in rows), 0))
        for name, c in columns.items()
    }
    for name, column in columns.items():
        if column.spare and sum(needed[each] for each in shown) > width:
            del shown[name]
    return shown


def _latex(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, Column]) -> str:
    """A booktabs tabular of the chosen columns: text to the left, numbers to the right."""
    numeric = [
        all(isinstance(row[name], int | float) for row in rows if row[name] is not None)
        for name in columns
    ]
    heads = [column.heading for column in columns.values()]
    cells = [[column.write(row[name]) for name, column in columns.items()] for row in rows]
    lines = [" & ".join(map(_escaped, line)) + r" \\" for line in (heads, *cells)]
    align = "".join("r" if each else "l" for each in numeric)
    body = [rf"\begin{{tabular}}{{{align}}}", r"\toprule", lines[0], r"\midrule", *lines[1:]]
    return "\n".join([*body, r"\bottomrule", r"\end{tabular}"])


def _escaped(cell: str) -> str:
    """Text as LaTeX has it; a minus is one in mathematics."""
    special = {
        "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
        "<": r"\textless{}", ">": r"\textgreater{}",
    }  # fmt: skip
    made = "".join(
        special.get(c, f"\\{c}" if c in "&%$#_{}" else c) for c in " ".join(cell.split())
    )
    return re.sub(r"(?<![\w)])-(?=\d)", "$-$", made).replace(" .. ", " to ")


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    cells = _finite(row).items()
    return {
        key: json.dumps(cell) if isinstance(cell, dict | list | tuple) else cell
        for key, cell in cells
    }


def _finite(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _known(value) for name, value in row.items()}


def _known(value: Any) -> Any:
    """A value as JSON has it: None for a number that there is not, alone or as an end of two."""
    if isinstance(value, tuple):
        return [_known(each) for each in cast("tuple[Any, ...]", value)]
    return None if isinstance(value, float) and not math.isfinite(value) else value
