"""How every figure looks: Okabe-Ito colours, and never colour alone; symbols, dashes, fill and
patterns say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import plotly
import plotly.graph_objects as go

BLUE, ORANGE, GREEN, RED, PURPLE, SKY, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#8A8A8A",
)  # fmt: skip
VERDICTS = {
    "better": (GREEN, "triangle-up"),
    "worse": (RED, "triangle-down"),
    "equivalent": (BLUE, "square"),
    "inconclusive": (GREY, "circle"),
    "secondary": (SKY, "circle-open"),
    "unfinished": (GREY, "circle-open-dot"),
    "incomplete": (ORANGE, "circle-x-open"),
    "extended": (ORANGE, "hexagon-open"),
    "control": (PURPLE, "diamond-open"),
}
COLOURS = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY)
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross")
PATTERNS = ("", "/", ".", "x", "-", "|")
T = TypeVar("T")


def plotly_js() -> Path:
    """The JavaScript that the installed Plotly ships."""
    return Path(plotly.__file__).parent / "package_data" / "plotly.min.js"


def laid_out(
    figure: go.Figure, x: str | None, y: str | None, height: int = 440, **layout: Any
) -> go.Figure:
    """The figure with its axes named, on the page's own paper."""
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 56, "r": 16, "t": 40, "b": 44},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hoverlabel={"namelength": -1},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )
    figure.update_xaxes(title=x, automargin=True, zeroline=False)
    figure.update_yaxes(title=y, automargin=True, zeroline=False)
    return figure.update_layout(**layout)


def points(
    rows: Sequence[Any],
    x: str,
    y: str,
    name: str,
    colour: str,
    symbol: str = "circle",
    **trace: Any,
) -> go.Scatter:
    """A trace of two attributes of rows."""
    known: dict[str, Any] = {
        "mode": "markers",
        "marker": {
            "color": colour,
            "symbol": symbol,
            "size": 8,
            "line": {"width": 1.5, "color": colour},
        },
    }
    return go.Scatter(
        x=[getattr(row, x) for row in rows],
        y=[getattr(row, y) for row in rows],
        name=name,
        **(known | trace),
    )


def band(
    xs: Sequence[Any], lows: Sequence[float], highs: Sequence[float], colour: str, name: str
) -> go.Scatter:
    """A band between two lines."""
    return go.Scatter(
        x=[*xs, *reversed(xs)],
        y=[*highs, *reversed(lows)],
        fill="toself",
        fillcolor=faint(colour),
        line={"width": 0},
        name=name,
        hoverinfo="skip",
    )


def faint(colour: str, opacity: float = 0.15) -> str:
    """A colour that lets through what is under it."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def styles(names: Sequence[str]) -> Mapping[str, tuple[str, str, str]]:
    """A colour, a dash and a symbol for each name."""
    return {
        name: (COLOURS[at % 6], DASHES[at % 6], SYMBOLS[at % 6]) for at, name in enumerate(names)
    }


def thinned(rows: Sequence[T], most: int) -> Sequence[T]:
    """Of many rows this many, at even distances; few rows as they are."""
    if len(rows) <= most:
        return rows
    return [rows[round(at * (len(rows) - 1) / (most - 1))] for at in range(most)]
