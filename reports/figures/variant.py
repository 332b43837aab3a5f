"""What one variant is, beside the canonical network."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from nas.experiment.cost import Cost
from nas.networks.names import shortened
from nas.results.flow import GradientRow
from nas.results.rows import ModuleRow, TrialRow, WidthRow
from reports.figures.style import (
    BLUE,
    COLOURS,
    GREY,
    PURPLE,
    SKY,
    laid_out,
    narrow,
    outlined,
    styles,
    told,
    whiskers,
)

TINTS = ("#E9E7E0", "#CFE3F1", "#F3DFC1", "#CDE7DB", "#E7D5E0", "#DCEEF8")


def widths(rows: Sequence[WidthRow], modules: Sequence[ModuleRow]) -> go.Figure:
    """Branch widths by module, the baseline's bar beside the variant's, over the change
    in mult-adds by module: direct, and propagated."""
    branches = list(dict.fromkeys(row.branch for row in rows))
    places = shortened(row.module for row in (*rows, *modules))
    figure = go.Figure()
    for side, pattern, offset in (("baseline", "", 0), ("variant", "/", 1)):
        for at, branch in enumerate(branches):
            group = [row for row in rows if row.branch == branch]
            figure.add_trace(
                go.Bar(
                    x=[places[row.module] for row in group],
                    y=[row.canonical if side == "baseline" else row.variant for row in group],
                    name=branch if side == "baseline" else f"{branch}, variant",
                    offsetgroup=str(offset),
                    legendgroup=branch,
                    showlegend=side == "baseline",
                    marker={
                        "color": COLOURS[at % len(COLOURS)],
                        "pattern": {"shape": pattern, "fillmode": "overlay"},
                        "opacity": 0.55 if side == "baseline" else 1,
                    },
                    hovertemplate=f"%{{x}} {branch}, {side}: %{{y}} channels<extra></extra>",
                )
            )
    for name, colour, pattern in (("direct", PURPLE, ""), ("propagated", SKY, "\\")):
        figure.add_trace(
            go.Bar(
                x=[places[row.module] for row in modules],
                y=[getattr(row, name) for row in modules],
                xaxis="x2",
                yaxis="y2",
                name=f"mult-adds, {name}",
                offsetgroup="cost",
                marker={"color": colour, "pattern": {"shape": pattern}},
                hovertemplate=f"%{{x}}: %{{y:+,}} mult-adds, {name}<extra></extra>",
            )
        )
    figure = laid_out(figure, None, "output channels", 560)
    order = {"categoryorder": "array", "categoryarray": [places[row.module] for row in modules]}
    return figure.update_layout(
        barmode="relative",
        yaxis={"domain": [0.36, 1]},
        yaxis2={"domain": [0, 0.26], "title": "mult-adds", "zeroline": True, "automargin": True},
        xaxis={**order, "showticklabels": False, "anchor": "y"},
        xaxis2={**order, "matches": "x", "anchor": "y2"},
    )


def icicle(rows: Sequence[Cost]) -> go.Figure:
    """Where the mult-adds are: the network, its modules, their branches, their layers."""
    ids: dict[str, int] = {}
    for row in rows:
        if not row.mult_adds:
            continue
        parts = row.name.split(".")
        for depth in range(len(parts) + 1):
            place = ".".join(parts[:depth])
            ids[place] = ids.get(place, 0) + row.mult_adds
    top = ids.get("", 0)
    modules = list(dict.fromkeys(place.split(".")[0] for place in ids if place))
    names = {"": "network"} | shortened(modules)
    figure = go.Figure(
        go.Icicle(
            ids=[place or "network" for place in ids],
            labels=[names.get(place) or place.rpartition(".")[2] for place in ids],
            parents=[(place.rpartition(".")[0] or "network") if place else "" for place in ids],
            values=list(ids.values()),
            branchvalues="total",
            tiling={"orientation": "v"},
            marker={
                "colors": [
                    TINTS[(modules.index(place.split(".")[0]) % 5) + 1] if place else TINTS[0]
                    for place in ids
                ],
                "line": {"width": 1},
            },
            textfont={"color": "#1b1b19"},
            text=[f"{100 * value / top:.1f} %" for value in ids.values()],
            hovertemplate="%{id}: %{value:,} mult-adds, %{text}<extra></extra>",
        )
    )
    return laid_out(figure, None, None, 420, margin={"l": 0, "r": 0, "t": 8, "b": 8},
                    uniformtext={"minsize": 10, "mode": "hide"})  # fmt: skip


def gradients(rows: Sequence[GradientRow]) -> go.Figure:
    """The norm of the gradient that reaches each module, a line a network."""
    names = list(dict.fromkeys(row.network for row in rows))
    places = shortened(row.module for row in rows)
    figure = go.Figure()
    for name, (colour, dash, symbol, _) in styles(names).items():
        own = [row for row in rows if row.network == name]
        figure.add_trace(
            go.Scatter(
                x=[places[row.module] for row in own],
                y=[row.mean for row in own],
                error_y=whiskers(own, "mean", 1),
                mode="lines+markers",
                line={"color": colour, "dash": dash, "width": 1.8},
                marker={"symbol": symbol, "size": 8},
                name=told(name),
            )
        )
    figure = laid_out(figure, "module, from the image on", "gradient norm", 380)
    ends = [row.low for row in rows], [row.high for row in rows]
    return figure.update_yaxes(type="log", tickvals=_decades(*ends)).update_xaxes(type="category")


def _decades(lows: Sequence[float], highs: Sequence[float]) -> list[float]:
    """1, 2 and 5 times the powers of ten around the values."""
    known = [value for value in (*lows, *highs) if value > 0]
    if not known:
        return []
    first, last = math.floor(math.log10(min(known))), math.ceil(math.log10(max(known)))
    steps = (1, 2, 5) if last - first < 4 else (1,)
    return [float(f"{step}e{power}") for power in range(first, last + 1) for step in steps]


def seeds(rows: Sequence[TrialRow], base: Sequence[TrialRow]) -> go.Figure:
    """The score of every run on its seed, beside the baseline's on the same seeds."""
    figure = go.Figure()
    for name, group, colour, symbol in (
        ("baseline", base, GREY, "circle-open"), ("this network", rows, BLUE, "diamond"),
    ):  # fmt: skip
        if group:
            figure.add_trace(
                go.Scatter(
                    x=[str(row.seed) for row in group],
                    y=[row.score for row in group],
                    mode="markers",
                    marker=outlined(colour, symbol, 10),
                    name=name,
                    hovertemplate=f"{name}, seed %{{x}}: %{{y:.2f}} %<extra></extra>",
                )
            )
    figure = laid_out(figure, "seed", "validation accuracy, %", 320)
    return narrow(figure.update_xaxes(type="category"), height=380, xaxis={"tickangle": -90})
