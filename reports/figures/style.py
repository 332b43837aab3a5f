"""How every figure looks: Okabe-Ito colours, and never colour alone; symbols, dashes, fill and
patterns say the same."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import plotly
import plotly.graph_objects as go

from nas.results.rows import CandidateRow, CurveRow
from reports.names import distinct, in_order, lines

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
MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", "$": "&#36;"})
"""What Plotly reads as an entity, a tag and mathematics."""
LABELLED = 10
"""Points that have their names beside them at most."""
T = TypeVar("T")


class Style(NamedTuple):
    """How one of several is drawn; no two of 36 share their colour and another cue."""

    colour: str
    dash: str
    symbol: str
    pattern: str


def plotly_js() -> Path:
    """The JavaScript that the installed Plotly ships."""
    return Path(plotly.__file__).parent / "package_data" / "plotly.min.js"


def told(text: str) -> str:
    """A text as it is for Plotly, which would make links, markup and formulas of it."""
    return in_order(text).translate(MARKUP).replace("%{", "&#37;{")


def short(names: Sequence[str], most: int = 40) -> list[str]:
    """Names for a legend, or beside points; they are whole in the table."""
    return [told(name) for name in distinct(names, most)]


def wrapped(names: Sequence[str], width: int, most: int = 3) -> list[str]:
    """Names for an axis, on a few lines; they are whole in the table."""
    return ["<br>".join(told(line) for line in each) for each in lines(names, width, most)]


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
    figure.update_xaxes(title=x and told(x), automargin=True, zeroline=False)
    figure.update_yaxes(
        title={"text": y and told(y), "standoff": 12}, automargin=True, zeroline=False
    )
    return figure.update_layout(**layout)


def rows_named(
    figure: go.Figure, x: str, names: Sequence[str], least: int = 40, size: int = 13
) -> go.Figure:
    """The figure with a row for each name, the first on top: the name is beside its row, and on a
    phone above it. A trace's `y` are the told names. least: pixels of a row."""
    keys = [told(name) for name in names]
    beside, above = wrapped(names, 38 if size > 12 else 46), wrapped(names, 44, 2)
    tall = max([least, *(18 * text.count("<br>") + 30 for text in beside if "<br>" in text)])
    more = 16 * max((text.count("<br>") for text in above), default=0)
    ends = [end for trace in figure.data for end in _ends(trace)] or [0.0]
    room = 0.05 * (max(ends) - min(ends)) or 0.5
    figure = laid_out(figure, x, None, 130 + tall * len(keys))
    figure.update_xaxes(range=[min(ends) - room, max(ends) + room])  # names above rows widen it
    figure.update_yaxes(
        type="category",  # or names such as 0.1 would be numbers
        categoryorder="array",
        categoryarray=keys,
        range=[len(keys) - 0.5, -0.5],
        tickvals=keys,
        ticktext=beside,
        tickfont={"size": size},
    )
    over = [
        {"text": text, "x": 0, "xref": "paper", "xanchor": "left", "align": "left", "y": at,
         "yshift": 15 + more // 2, "showarrow": False, "font": {"size": size}}
        for at, text in enumerate(above)
    ]  # fmt: skip
    return narrow(
        figure,
        height=150 + (40 + more) * len(keys),
        margin={"l": 8, "r": 8},
        xaxis={"nticks": 6},
        yaxis={"showticklabels": False},
        annotations=over,
    )


def _ends(trace: Any) -> list[float]:
    """Where a trace's points and their intervals reach; every one from 0 if they are bars."""
    more, less = trace.error_x.array or [], trace.error_x.arrayminus or trace.error_x.array or []
    reached = [x + up for x, up in zip(trace.x, more, strict=False)]
    reached += [x - down for x, down in zip(trace.x, less, strict=False)]
    bars = [0.0] if trace.type == "bar" else []
    return [x for x in (*trace.x, *reached, *bars) if math.isfinite(x)]


def columns_named(figure: go.Figure, y: str, names: Sequence[str], height: int = 440) -> go.Figure:
    """The figure with a column for each name, at 0, 1, ...; the names are upright where columns
    are wide enough."""
    count = len(names)
    flat = wrapped(names, max(10, 150 // max(1, count)))
    steep = short(names, 26)
    figure = laid_out(figure, None, y, height if count <= 12 else height + 80)
    figure.update_xaxes(
        tickvals=list(range(count)),
        ticktext=flat if count <= 12 else steep,
        tickangle=0 if count <= 12 else -90,
        range=[-0.5, count - 0.5],
        showgrid=False,
    )
    fine = {"tickfont": {"size": min(13, max(7, 300 // max(1, count)))}}  # 40 names, too
    steeply = {"ticktext": steep, "tickangle": -90, **fine}
    return narrow(figure, height=height + 80, xaxis=steeply)


def by_epoch(figure: go.Figure, last: int) -> go.Figure:
    """The figure with whole epochs on its axis."""
    return figure.update_xaxes(dtick=max(1, round(last / 10)))


def narrow(figure: go.Figure, **layout: Any) -> go.Figure:
    """The figure with what is otherwise in its layout on a phone; the page's script reads it."""
    return figure.update_layout(meta={**(figure.layout.meta or {}), "narrow": layout})


def labelled(figure: go.Figure, labels: Sequence[tuple[float, float, str]]) -> go.Figure:
    """The figure with names beside points (x, y, name), the first the most important; the page's
    script puts each where it covers least."""
    names = [name for *_, name in labels]
    made = [
        (x, y, wide, slim)
        for (x, y, _), wide, slim in zip(labels, short(names, 28), short(names, 16), strict=True)
    ]
    return figure.update_layout(meta={**(figure.layout.meta or {}), "labels": made})


def ticked(figure: go.Figure, count: int) -> go.Figure:
    """The figure of so many, of whom a reader ticks some; the page's script then styles these by
    their place among the ticked."""
    made = list(styles([str(at) for at in range(count)]).values())
    return figure.update_layout(meta={**(figure.layout.meta or {}), "styles": made})


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
    known: dict[str, Any] = {"mode": "markers", "marker": outlined(colour, symbol)}
    return go.Scatter(
        x=[getattr(row, x) for row in rows],
        y=[getattr(row, y) for row in rows],
        name=name,
        **(known | trace),
    )


def outlined(colour: str, symbol: str, size: int = 8) -> dict[str, Any]:
    """A marker with an edge, so that one without a face is seen."""
    line = {"width": 1.5, "color": colour}
    return {"color": colour, "symbol": symbol, "size": size, "line": line}


def whiskers(
    rows: Sequence[Any], middle: str, thickness: float = 1.2, width: int = 3
) -> dict[str, Any]:
    """The intervals of rows, from `low` to `high`, around the attribute that is drawn."""
    return {
        "type": "data",
        "array": [row.high - getattr(row, middle) for row in rows],
        "arrayminus": [getattr(row, middle) - row.low for row in rows],
        "thickness": thickness,
        "width": width,
    }


def means(rows: Sequence[CandidateRow], **trace: Any) -> go.Scatter:
    """Candidates by mult-adds and mean accuracy, with an interval from two seeds on."""
    return go.Scatter(
        x=[row.mult_adds for row in rows],
        y=[row.mean for row in rows],
        error_y={
            "type": "data",
            "array": [row.high - row.mean if row.n > 1 else 0 for row in rows],
            "thickness": 1.2,
            "width": 3,
            "visible": any(row.n > 1 for row in rows),
        },
        mode="markers",
        **trace,
    )


def by_epochs(rows: Iterable[CurveRow]) -> dict[int, list[float]]:
    """The accuracies after each epoch, of all runs, in the order of the epochs."""
    epochs: dict[int, list[float]] = {}
    for row in rows:
        epochs.setdefault(row.epoch, []).append(row.accuracy)
    return dict(sorted(epochs.items()))


def averaged(epochs: Mapping[int, Sequence[float]], **trace: Any) -> go.Scatter:
    """The mean after each epoch: a line, or the point of a single one."""
    return go.Scatter(
        x=list(epochs),
        y=[sum(values) / len(values) for values in epochs.values()],
        mode="lines" if len(epochs) > 1 else "markers",
        **trace,
    )


def ranged(epochs: Mapping[int, Sequence[float]], colour: str, name: str) -> go.Scatter:
    """From the least to the greatest after each epoch, as a band."""
    lows, highs = (list(map(end, epochs.values())) for end in (min, max))
    return band(list(epochs), lows, highs, colour, name)


def band(
    xs: Sequence[Any], lows: Sequence[float], highs: Sequence[float], colour: str, name: str
) -> go.Scatter:
    """A band between two lines, which the caption explains."""
    return go.Scatter(
        x=[*xs, *reversed(xs)],
        y=[*highs, *reversed(lows)],
        fill="toself",
        fillcolor=faint(colour),
        mode="lines",  # else Plotly draws points at few ends
        line={"width": 0},
        name=name,
        showlegend=False,
        hoverinfo="skip",
    )


def faint(colour: str, opacity: float = 0.15) -> str:
    """A colour that lets through what is under it."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def styles(names: Sequence[str]) -> Mapping[str, Style]:
    """A style for each name: colours in turn, and with each round of them the other cues move on
    by one."""
    made: dict[str, Style] = {}
    for at, name in enumerate(names):
        turn = (at + at // 6) % 6
        made[name] = Style(COLOURS[at % 6], DASHES[turn], SYMBOLS[turn], PATTERNS[turn])
    return made


def thinned(rows: Sequence[T], most: int) -> Sequence[T]:
    """Of many rows this many, at even distances; few rows as they are."""
    if len(rows) <= most:
        return rows
    return [rows[round(at * (len(rows) - 1) / (most - 1))] for at in range(most)]
