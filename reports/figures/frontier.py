"""Frozen rows (nas.tables) to Plotly figures: the only place that knows Plotly.

Okabe-Ito colours, and never colour alone: symbols, dashes and fill say the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import plotly
import plotly.graph_objects as go

from nas.rows import CandidateRow, CurveRow, EffectRow, ModuleRow, WidthRow
from nas.tables import pareto

BLUE, ORANGE, GREEN, RED, PURPLE, SKY, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#8A8A8A",
)  # fmt: skip
VERDICTS = {
    "better": (GREEN, "triangle-up"),
    "worse": (RED, "triangle-down"),
    "equivalent": (BLUE, "square"),
    "inconclusive": (GREY, "circle"),
    "control": (PURPLE, "diamond-open"),
}
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
COLOURS = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY)


def plotly_js() -> Path:
    """The JavaScript that the installed Plotly ships."""
    return Path(plotly.__file__).parent / "package_data" / "plotly.min.js"


def frontier(rows: Sequence[CandidateRow], limit: float | None) -> go.Figure:
    """Accuracy against mult-adds: hollow for one seed, filled with an interval for several, a
    star for the baseline, grey crosses for what the budget refused, a line for the budget."""
    scored = [row for row in rows if row.n]
    refused = [row for row in rows if not row.n and not row.feasible]
    explored = [row for row in scored if row.exploratory]
    changes = [row for row in scored if row.role == "change" and not row.exploratory]
    confirmed = [row for row in scored if row.role == "candidate" and not row.exploratory]
    baseline = [row for row in scored if row.role == "baseline"]
    figure = go.Figure()
    front = pareto(rows)
    if len(front) > 1:
        figure.add_trace(
            go.Scatter(
                x=[row.mult_adds for row in front],
                y=[row.mean for row in front],
                mode="lines",
                line={"shape": "hv", "color": BLUE, "dash": "dot", "width": 1},
                name="front of the confirmed",
                hoverinfo="skip",
            )
        )
    groups = (
        ("explored, one seed", explored, "circle-open", BLUE, 9),
        ("change, several seeds", changes, "circle", ORANGE, 9),
        ("confirmed, several seeds", confirmed, "circle", BLUE, 10),
        ("baseline", baseline, "star", RED, 15),
    )
    for name, group, symbol, colour, size in groups:
        if group:
            figure.add_trace(_points(name, group, symbol, colour, size))
    if refused and scored:
        floor = min(row.mean for row in scored)
        figure.add_trace(
            go.Scatter(
                x=[row.mult_adds for row in refused],
                y=[floor - 0.06 * (max(row.mean for row in scored) - floor + 1)] * len(refused),
                mode="markers",
                marker={"symbol": "x-thin", "color": GREY, "size": 8, "line": {"width": 1.5}},
                name="over budget, not trained",
                text=[row.name for row in refused],
                hovertemplate="%{text}<br>%{x:,} mult-adds, refused<extra></extra>",
            )
        )
    if limit is not None:
        figure.add_vline(
            x=limit, line={"color": GREY, "dash": "dash", "width": 1.5}, annotation_text="budget",
            annotation_position="bottom right",
        )  # fmt: skip
    return _laid_out(figure, "mult-adds per image", "validation accuracy, %")


def _points(
    name: str, rows: Sequence[CandidateRow], symbol: str, colour: str, size: int
) -> go.Scatter:
    several = any(row.n > 1 for row in rows)
    return go.Scatter(
        x=[row.mult_adds for row in rows],
        y=[row.mean for row in rows],
        error_y={
            "type": "data",
            "array": [row.high - row.mean if row.n > 1 else 0 for row in rows],
            "thickness": 1.2,
            "width": 3,
            "visible": several,
        },
        mode="markers",
        marker={"symbol": symbol, "color": colour, "size": size, "line": {"width": 1.5}},
        name=name,
        text=[f"{row.name}, n = {row.n}" for row in rows],
        hovertemplate="%{text}<br>%{y:.2f} % at %{x:,} mult-adds<extra></extra>",
    )


def forest(rows: Sequence[EffectRow], margin: float | None) -> go.Figure:
    """Paired differences with their 95 % intervals, the seeds as faint dots, the margin a band."""
    shown = [row for row in rows if row.verdict != "baseline" and row.n][::-1]
    figure = go.Figure()
    if margin is not None:
        figure.add_vrect(x0=-margin, x1=margin, fillcolor=BLUE, opacity=0.08, line_width=0)
    figure.add_vline(x=0, line={"color": GREY, "width": 1})
    figure.add_trace(
        go.Scatter(
            x=[value for row in shown for value in row.differences],
            y=[row.change for row in shown for _ in row.differences],
            mode="markers",
            marker={"color": GREY, "size": 5, "opacity": 0.5},
            name="one seed",
            hovertemplate="%{y}: %{x:+.2f} points<extra></extra>",
        )
    )
    for said, (colour, symbol) in VERDICTS.items():
        group = [row for row in shown if row.verdict == said]
        if not group:
            continue
        figure.add_trace(
            go.Scatter(
                x=[row.delta for row in group],
                y=[row.change for row in group],
                error_x={
                    "type": "data",
                    "array": [row.high - row.delta for row in group],
                    "arrayminus": [row.delta - row.low for row in group],
                    "thickness": 1.5,
                    "width": 4,
                },
                mode="markers",
                marker={"color": colour, "symbol": symbol, "size": 11},
                name=said,
                hovertemplate="%{y}: %{x:+.2f} points<extra></extra>",
            )
        )
    figure = _laid_out(figure, "difference, points", None)
    figure.update_layout(height=190 + 46 * len(shown))
    figure.update_yaxes(
        categoryorder="array", categoryarray=[row.change for row in shown], automargin=True
    )
    return figure


def curves(rows: Sequence[CurveRow]) -> go.Figure:
    """Validation accuracy by epoch: the baseline's mean with its range as a band, each change's
    mean, and every search trial thin, dotted where it was stopped."""
    figure = go.Figure()
    runs: dict[tuple[int, str], list[CurveRow]] = defaultdict(list)
    for row in rows:
        if row.role == "candidate":
            runs[row.number, row.state].append(row)
    for at, ((number, state), run) in enumerate(runs.items()):
        figure.add_trace(
            go.Scatter(
                x=[row.epoch for row in run],
                y=[row.accuracy for row in run],
                mode="lines",
                line={"color": GREY, "width": 1, "dash": "dot" if state == "stopped" else "solid"},
                name="search trials (dotted: stopped)",
                legendgroup="search",
                showlegend=at == 0,
                hovertemplate=f"trial {number}, epoch %{{x}}: %{{y:.2f}} %<extra></extra>",
            )
        )
    grouped: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row.role != "candidate":
            grouped[row.change or "baseline"][row.epoch].append(row.accuracy)
    base = grouped.pop("baseline", {})
    if base:
        epochs = sorted(base)
        figure.add_trace(
            go.Scatter(
                x=epochs + epochs[::-1],
                y=[max(base[e]) for e in epochs] + [min(base[e]) for e in epochs[::-1]],
                fill="toself",
                fillcolor="rgba(213,94,0,0.15)",
                line={"width": 0},
                name="baseline, range over seeds",
                hoverinfo="skip",
            )
        )
        figure.add_trace(_mean("baseline", base, RED, "solid", 2.5))
    for at, (change, epochs) in enumerate(grouped.items()):
        style = COLOURS[at % len(COLOURS)], DASHES[at % len(DASHES)]
        figure.add_trace(_mean(change, epochs, *style, 1.8))
    return _laid_out(figure, "epoch", "validation accuracy, %")


def _mean(
    name: str, epochs: dict[int, list[float]], colour: str, dash: str, width: float
) -> go.Scatter:
    order = sorted(epochs)
    return go.Scatter(
        x=order,
        y=[sum(epochs[e]) / len(epochs[e]) for e in order],
        mode="lines",
        line={"color": colour, "dash": dash, "width": width},
        name=name,
        hovertemplate=f"{name}, epoch %{{x}}: %{{y:.2f}} %<extra></extra>",
    )


def widths(rows: Sequence[WidthRow], modules: Sequence[ModuleRow]) -> go.Figure:
    """Branch widths by module, the canonical network's bar beside the variant's, over the change
    in mult-adds by module."""
    branches = list(dict.fromkeys(row.branch for row in rows))
    figure = go.Figure()
    for side, pattern, offset in (("canonical", "", 0), ("variant", "/", 1)):
        for at, branch in enumerate(branches):
            group = [row for row in rows if row.branch == branch]
            figure.add_trace(
                go.Bar(
                    x=[_module(row.module) for row in group],
                    y=[row.canonical if side == "canonical" else row.variant for row in group],
                    name=f"{branch}, {side}",
                    offsetgroup=str(offset),
                    legendgroup=branch,
                    marker={
                        "color": COLOURS[at % len(COLOURS)],
                        "pattern": {"shape": pattern, "fillmode": "overlay"},
                        "opacity": 0.55 if side == "canonical" else 1,
                    },
                    hovertemplate=f"%{{x}} {branch}, {side}: %{{y}} channels<extra></extra>",
                )
            )
    figure.add_trace(
        go.Bar(
            x=[_module(row.module) for row in modules],
            y=[row.change for row in modules],
            xaxis="x2",
            yaxis="y2",
            name="change in mult-adds",
            marker={"color": [GREEN if row.change <= 0 else RED for row in modules]},
            hovertemplate="%{x}: %{y:+,} mult-adds<extra></extra>",
        )
    )
    figure = _laid_out(figure, None, "output channels")
    order = {"categoryorder": "array", "categoryarray": [_module(row.module) for row in modules]}
    figure.update_layout(
        barmode="stack",
        height=560,
        yaxis={"domain": [0.36, 1]},
        yaxis2={"domain": [0, 0.26], "title": "mult-adds", "zeroline": True, "automargin": True},
        xaxis={**order, "showticklabels": False},
        xaxis2={**order, "matches": "x", "anchor": "y2"},
    )
    return figure


def _module(name: str) -> str:
    return name.removeprefix("inception_")


def _laid_out(figure: go.Figure, x: str | None, y: str | None) -> go.Figure:
    figure.update_layout(
        template="none",
        height=440,
        margin={"l": 60, "r": 16, "t": 48, "b": 48},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hoverlabel={"namelength": -1},
        legend={"orientation": "h", "x": 0, "y": 1.04, "yanchor": "bottom"},
    )
    figure.update_xaxes(title=x, automargin=True, zeroline=False)
    figure.update_yaxes(title=y, automargin=True, zeroline=False)
    return figure
