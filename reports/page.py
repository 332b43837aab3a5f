"""What a page is made of: plain values, which one template writes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import plotly.graph_objects as go

Write = Callable[[Any], str]


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table: the rows' attribute `name`, or else `of`, under a title, and how it is
    written. `ends` names the two attributes of an interval."""

    name: str
    title: str
    write: Write = str
    of: str = ""
    ends: tuple[str, str] | None = None
    note: str = ""
    words: bool = False


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What stands in a row under a column: its text, and its unrounded value or values."""

    column: str
    text: str
    values: tuple[tuple[str, str], ...]
    words: bool


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under columns; the first column names the row. `key` is a row's id in the page, its
    number where there is none, `link` the page of the site that it opens, `variant` what figures
    call it, `mark` its kind.

    picks: the page that compares the rows that a reader ticks. file: the CSV that has its numbers;
    `stored` is how many rows that has, where the table shows part of them. also: other files of
    the same numbers.
    """

    name: str
    label: str
    columns: Sequence[Column]
    rows: Sequence[Any]
    key: Callable[[Any], str] | None = None
    link: Callable[[Any], str | None] = lambda row: None
    variant: Callable[[Any], str] = lambda row: ""
    mark: Callable[[Any], str] = lambda row: ""
    picks: str | None = None
    file: str | None = None
    stored: int | None = None
    also: Sequence[str] = ()
    note: str = ""
    folded: bool = False

    def id(self, row: Any) -> str:
        """What a row is called in the page."""
        return str(self._places[id(row)]) if self.key is None else self.key(row)

    @cached_property
    def _places(self) -> dict[int, int]:
        return {id(row): at for at, row in enumerate(self.rows, 1)}

    @property
    def terms(self) -> list[Column]:
        """The columns whose heading says too little by itself."""
        return [column for column in self.columns if column.note]

    @property
    def files(self) -> list[str]:
        """Every file of its numbers."""
        return [*([self.file] if self.file else []), *self.also]

    @property
    def whole(self) -> bool:
        """Whether the file has no more rows than the table."""
        return self.stored in (None, len(self.rows))

    def cells(self, row: Any) -> list[Cell]:
        """A row's cells."""
        return [_cell(column, row) for column in self.columns]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A Plotly figure, its name in the page, the caption that says how to read it, and the CSV
    files of its numbers. `picked`: it shows what the reader ticked, of all that is in it."""

    name: str
    plot: go.Figure
    caption: str
    files: Sequence[str]
    picked: bool = False


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A text to copy: JSON, Python, a log."""

    name: str
    label: str
    text: str


Part = Figure | Table | Listing


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading, its finding in words, and what shows it; a note says how it was made."""

    name: str
    title: str
    finding: str = ""
    parts: Sequence[Part] = ()
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One number with its name and what to know of it."""

    name: str
    value: str
    detail: str = ""


FOOTER = (
    "Accuracies are of the validation split at the last epoch, in percent; differences in "
    "percentage points. Mult-adds count convolutions and linear layers for one image at "
    "inference, without aux heads."
)


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page of the site: where it is, its kind, its place (the pages above it), its neighbours in
    a study, and what it says."""

    path: str
    kind: str
    title: str
    heading: str
    headline: str = ""
    above: Sequence[tuple[str, str]] = ()
    tabs: Sequence[tuple[str, str]] = ()
    tiles: Sequence[Tile] = ()
    warnings: Sequence[str] = ()
    sections: Sequence[Section] = ()
    facts: Sequence[str] = ()
    footer: str = FOOTER

    @property
    def drawn(self) -> bool:
        """Whether it has figures."""
        return any(isinstance(part, Figure) for each in self.sections for part in each.parts)


def _cell(column: Column, row: Any) -> Cell:
    if column.ends is not None:
        low, high = (getattr(row, name) for name in column.ends)
        names = ("data-value", low), ("data-low", low), ("data-high", high)
        text = "" if _missing(low) else f"{column.write(low)} to {column.write(high)}"
    else:
        value = getattr(row, column.of or column.name)
        names = (("data-value", value),)
        text = "" if _missing(value) else column.write(value)
    plain = column.words and column.ends is None
    values = () if plain else tuple((name, _raw(value)) for name, value in names)
    return Cell(column=column.name, text=text, values=values, words=column.words)


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _raw(value: Any) -> str:
    """A value unrounded; nothing where there is none."""
    return "" if _missing(value) else repr(value) if isinstance(value, float) else str(value)


def fixed(spec: str) -> Write:
    """Writes a number by a format, with a true minus sign."""
    return lambda value: format(value, spec).replace("-", "−")


def signed(value: int) -> str:
    """A change: nothing before 0."""
    return fixed("+,")(value) if value else "0"


PERCENT, POINTS, COUNT = fixed(".2f"), fixed("+.2f"), fixed(",")


def p_value(value: float) -> str:
    """A p-value with two digits that say something."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, whichever reads best."""
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
