"""What an ablation's changes did."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import plotly.graph_objects as go

from nas.networks.names import shortened
from nas.results.price import PriceRow
from nas.results.rows import EffectRow, SeedRow
from reports.figures.style import (
    BLUE,
    GREY,
    LABELLED,
    RED,
    VERDICTS,
    columns_named,
    faint,
    labelled,
    laid_out,
    rows_named,
    thinned,
    told,
    whiskers,
)
from reports.measure import ACCURACY, Measure

DRAWN, DOTS = 150, 20_000
"""Changes and seeds that a figure has room for; the files have all."""
DIVERGING = ((0.0, "#E58C54"), (0.5, "#F4F3EE"), (1.0, "#6DB0DC"))


def largest(rows: Sequence[EffectRow]) -> list[EffectRow]:
    """The rows that a figure has room for, in their order: those of the largest differences."""
    if len(rows) <= DRAWN:
        return [*rows]
    least = sorted((abs(row.delta) for row in rows), reverse=True)[DRAWN - 1]
    return [row for row in rows if abs(row.delta) >= least][:DRAWN]


def left_out(rows: Sequence[EffectRow]) -> str:
    """What a caption says of the rows that a figure has no room for."""
    few = f" Of {len(rows):,} changes the {DRAWN} of the largest differences are drawn."
    return few if len(rows) > DRAWN else ""


def forest(
    rows: Sequence[EffectRow], margin: float | None, measure: Measure = ACCURACY
) -> go.Figure:
    """Paired differences with their 95 % intervals, the seeds as faint dots, the margin a band."""
    shown = largest([row for row in rows if row.role != "baseline" and row.n])
    dots = [(value, told(row.name)) for row in shown for value in row.differences]
    dots = thinned(dots, DOTS)
    figure = go.Figure()
    if margin is not None:
        figure.add_vrect(x0=-margin, x1=margin, fillcolor=BLUE, opacity=0.08, line_width=0)
    figure.add_vline(x=0, line={"color": GREY, "width": 1})
    figure.add_trace(
        go.Scatter(
            x=[value for value, _ in dots],
            y=[name for _, name in dots],
            mode="markers",
            marker={"color": GREY, "size": 5, "opacity": 0.5},
            name="one seed",
            hovertemplate=f"%{{y}}: {measure.hover_difference('x')}<extra></extra>",
        )
    )
    for group, look in _by_verdict(shown):
        figure.add_trace(
            go.Scatter(
                x=[row.delta for row in group],
                y=[told(row.name) for row in group],
                error_x=whiskers(group, "delta", 1.5, 4),
                hovertemplate=f"%{{y}}: {measure.hover_difference('x')}<extra></extra>",
                **look,
            )
        )
    names = [row.name for row in shown]
    return rows_named(figure, measure.difference, names, 40 if len(names) <= 12 else 28)


def effect_and_cost(
    rows: Sequence[EffectRow], base: float, measure: Measure = ACCURACY
) -> go.Figure:
    """Each change's difference against its change of cost, in four named quadrants."""
    figure = go.Figure()
    shown = largest([row for row in rows if row.n and row.mult_adds and row.role == "change"])
    for group, look in _by_verdict(shown):
        figure.add_trace(
            go.Scatter(
                x=[_dearer(row, base) for row in group],
                y=[row.delta for row in group],
                error_y=whiskers(group, "delta"),
                text=[told(row.name) for row in group],
                hovertemplate=f"%{{text}}: {measure.hover_difference('y')} at %{{x:+.1f}} %"
                "<extra></extra>",
                **look,
            )
        )
    for axis in (figure.add_vline, figure.add_hline):
        axis(0, line={"color": GREY, "width": 1})
    for x, y, text in (
        (0, 1, "cheaper and better"), (1, 1, "costlier, better"),
        (0, 0, "cheaper, worse"), (1, 0, "costlier and worse"),
    ):  # fmt: skip
        y = 1 - y if measure.lower else y
        figure.add_annotation(
            x=x, y=y, xref="paper", yref="paper", text=text, showarrow=False, opacity=0.7,
            xanchor="right" if x else "left", yanchor="top" if y else "bottom",
        )  # fmt: skip
    reach = max((abs(_dearer(row, base)) for row in shown), default=1) * 1.15 or 1
    figure = laid_out(figure, f"change in {measure.cost}, %", measure.difference)
    sure = [row for row in shown if row.verdict in ("better", "worse", "equivalent")]
    first = sorted(shown if len(shown) <= LABELLED else sure, key=lambda row: -abs(row.delta))
    figure = labelled(
        figure, [(_dearer(row, base), row.delta, row.name) for row in first[:LABELLED]]
    )
    return figure.update_xaxes(range=[-reach, reach])


def _by_verdict(
    rows: Sequence[EffectRow],
) -> Iterator[tuple[list[EffectRow], dict[str, Any]]]:
    """The rows of each verdict that there is, and how these are drawn."""
    for verdict, (colour, symbol) in VERDICTS.items():
        if group := [row for row in rows if row.verdict == verdict]:
            marker = {"color": colour, "symbol": symbol, "size": 11}
            yield group, {"mode": "markers", "marker": marker, "name": verdict}


def _dearer(row: EffectRow, base: float) -> float:
    """The change in cost in percent."""
    return 100 * ((row.mult_adds or 0) / base - 1)


def places(rows: Sequence[EffectRow], changes: Sequence[PriceRow]) -> go.Figure:
    """The difference that each branch of each module makes, as a map."""
    where = {(row.change, row.kind): row for row in changes if row.module and row.branch}
    found: dict[tuple[str, str], EffectRow] = {}
    for row in rows:
        place = where.get((row.change, row.kind))
        if place and place.module and place.branch and row.n:
            found.setdefault((place.branch, place.module), row)
    modules = shortened(module for _, module in found)
    branches = list(dict.fromkeys(branch for branch, _ in found))
    cells = [[found.get((branch, module)) for module in modules] for branch in branches]
    reach = max(abs(row.delta) for row in found.values()) or 1
    figure = go.Figure(
        go.Heatmap(
            x=list(modules.values()),
            y=branches,
            z=[[row.delta if row else None for row in line] for line in cells],
            text=[[_said(row) for row in line] for line in cells],
            texttemplate="%{text}",
            textfont={"color": "#1b1b19"},
            colorscale=DIVERGING,
            zmin=-reach,
            zmax=reach,
            xgap=2,
            ygap=2,
            colorbar={"title": "points", "thickness": 12},
            hovertemplate="%{x}, %{y}: %{z:+.2f} points<extra></extra>",
        )
    )
    figure = laid_out(figure, "module", None, 150 + 56 * len(branches))
    return figure.update_yaxes(autorange="reversed").update_xaxes(type="category")


def _said(row: EffectRow | None) -> str:
    return "" if row is None else f"{row.delta:+.2f}<br>{row.verdict}"


def slopes(
    rows: Sequence[SeedRow], effects: Sequence[EffectRow], measure: Measure = ACCURACY
) -> go.Figure:
    """Every seed as a line from the baseline's score to the change's."""
    found = {(row.change, row.kind): row for row in largest(effects)}
    lines: dict[tuple[str, str | None], list[SeedRow]] = {}
    for row in rows:
        if (row.change, row.kind) in found:
            lines.setdefault((row.change, row.kind), []).append(row)
    names = [*lines]
    figure = go.Figure()
    listed: set[str] = set()
    for at, key in enumerate(names):
        said = found[key].verdict if key in found else "inconclusive"
        colour, symbol = VERDICTS.get(said, VERDICTS["inconclusive"])
        own = thinned(lines[key], max(2, DOTS // len(names)))
        xs: list[Any] = [x for _ in own for x in (at - 0.25, at + 0.25, None)]
        figure.add_trace(
            go.Scatter(
                x=xs,
                y=[y for row in own for y in (row.baseline, row.score, None)],
                mode="lines+markers",
                line={"color": faint(colour, 0.75), "width": 1.3},
                marker={"symbol": symbol, "size": 6, "color": colour},
                name=said,
                legendgroup=said,
                showlegend=said not in listed,
                text=[text for row in own for text in (f"seed {row.seed}, baseline",
                      f"seed {row.seed}, {told(row.change)}", "")],
                hovertemplate=f"%{{text}}: {measure.hover('y')}<extra></extra>",
            )
        )  # fmt: skip
        listed.add(said)
    return columns_named(
        figure,
        measure.axis,
        [found[key].name if key in found else key[0] for key in names],
    )


def waterfall(rows: Sequence[EffectRow]) -> go.Figure:
    """What each step of a path adds to the mean accuracy."""
    base, *steps = rows
    means = [base.mean, *(row.mean for row in steps)]
    gains = [after - before for before, after in pairwise(means)]
    figure = go.Figure(
        go.Waterfall(
            x=list(range(len(rows))),
            y=[0.0, *gains],
            measure=["absolute", *["relative"] * len(steps)],
            base=base.mean,
            text=["", *(f"{gain:+.2f}".replace("-", "−") for gain in gains)],
            textposition="outside",
            connector={"line": {"color": GREY, "width": 1}},
            showlegend=False,
            hovertext=[told(row.name) for row in rows],
            hovertemplate="%{hovertext}: %{y:+.2f} points<extra></extra>",
            increasing={"marker": {"color": BLUE}},
            decreasing={"marker": {"color": VERDICTS["worse"][0]}},
        )
    )
    figure.add_trace(
        go.Scatter(
            x=[0],
            y=[base.mean],
            mode="markers+text",
            marker={"symbol": "star", "size": 15, "color": RED},
            text=[f"{base.mean:.2f}"],
            textposition="top center",
            showlegend=False,
            hovertemplate=f"{told(base.name)}: %{{y:.2f}} %<extra></extra>",
        )
    )
    low, high = min(means), max(means)
    names = [row.name for row in rows]
    figure = columns_named(figure, "validation accuracy, %", names, 380)
    return figure.update_yaxes(range=[low - 0.3 * (high - low + 0.1), high + 0.3 * (high - low)])


def path(rows: Sequence[EffectRow]) -> go.Figure:
    """A path's steps by mult-adds and accuracy, in their order."""
    figure = go.Figure(
        go.Scatter(
            x=[row.mult_adds for row in rows],
            y=[row.mean for row in rows],
            error_y={
                "type": "data",
                "array": [0 if math.isnan(row.high) else row.high - row.delta for row in rows],
                "thickness": 1.2,
                "width": 3,
            },
            mode="lines+markers",
            line={"color": BLUE, "width": 1.5},
            marker={"symbol": ["star", *["circle"] * (len(rows) - 1)], "size": 10, "color": BLUE},
            text=[told(row.name) for row in rows],
            hovertemplate="%{text}: %{y:.2f} % at %{x:,} mult-adds<extra></extra>",
        )
    )
    figure = laid_out(figure, "mult-adds per image", "validation accuracy, %", 380)
    return labelled(figure, [(row.mult_adds or 0, row.mean, row.name) for row in rows])
