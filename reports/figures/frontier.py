"""Accuracy against mult-adds, of candidates and of what is compared."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from nas.results.rows import CandidateRow
from nas.results.tables import pareto
from reports.figures.style import (
    BLUE,
    GREY,
    LABELLED,
    ORANGE,
    RED,
    faint,
    labelled,
    laid_out,
    means,
    outlined,
    thinned,
    told,
)

EXPLORED, REFUSED = 1_000, 400
"""How many points of a kind are drawn at most; the front, the best and the baseline always are."""


def frontier(rows: Sequence[CandidateRow], limit: float | None) -> go.Figure:
    """Accuracy against mult-adds: hollow for one seed, filled with an interval for several, a
    star for the baseline, grey crosses for what the budget refused, a line for the budget."""
    scored = [row for row in rows if row.n]
    refused = [row for row in rows if not row.n and not row.feasible]
    explored = [row for row in scored if row.exploratory]
    best = max((row for row in explored if row.feasible), key=lambda row: row.mean, default=None)
    changes = [row for row in scored if row.role == "change" and not row.exploratory]
    confirmed = [row for row in scored if row.role == "candidate" and not row.exploratory]
    baseline = [row for row in scored if row.role == "baseline"]
    groups = (
        ("explored, one seed", _kept(explored, best), "circle-open", BLUE, 9),
        ("change, several seeds", changes, "circle", ORANGE, 9),
        ("confirmed, several seeds", confirmed, "circle", BLUE, 10),
        ("baseline", baseline, "star", RED, 15),
    )
    figure = go.Figure()
    for row in baseline:
        if row.n > 1:
            figure.add_hrect(y0=row.low, y1=row.high, fillcolor=faint(RED, 0.1), line_width=0)
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
    for name, group, symbol, colour, size in groups:
        if group:
            figure.add_trace(_points(name, group, symbol, colour, size))
    if refused and scored:
        figure.add_trace(_below(scored, thinned(refused, REFUSED)))
    if limit is not None:
        figure.add_vline(
            x=limit, line={"color": GREY, "dash": "dash", "width": 1.5}, annotation_text="budget",
            annotation_position="bottom right",
        )  # fmt: skip
    figure = laid_out(figure, "mult-adds per image", "validation accuracy, %")
    named = [*baseline, *front, *([best] if best else []), *confirmed[:LABELLED]]
    named += changes if len(changes) <= LABELLED else []
    known = {row.candidate_id: (row.mult_adds, row.mean, row.name) for row in named}
    return labelled(figure, list(known.values()))


def _below(scored: Sequence[CandidateRow], refused: Sequence[CandidateRow]) -> go.Scatter:
    """What the budget refused, by its mult-adds, under all that has a score."""
    floor, top = min(row.mean for row in scored), max(row.mean for row in scored)
    return go.Scatter(
        x=[row.mult_adds for row in refused],
        y=[floor - 0.06 * (top - floor + 1)] * len(refused),
        mode="markers",
        marker=outlined(GREY, "x-thin"),
        name="over budget, not trained",
        text=[told(row.name) for row in refused],
        hovertemplate="%{text}<br>%{x:,} mult-adds, refused<extra></extra>",
    )


def _kept(rows: Sequence[CandidateRow], best: CandidateRow | None) -> Sequence[CandidateRow]:
    """Of many rows those that are drawn, the best among them."""
    shown = thinned(rows, EXPLORED)
    if best is None or best in shown:
        return shown
    return [best, *thinned([row for row in rows if row is not best], EXPLORED - 1)]


def _points(
    name: str, rows: Sequence[CandidateRow], symbol: str, colour: str, size: int
) -> go.Scatter:
    return means(
        rows,
        marker=outlined(colour, symbol, size),
        name=name,
        text=[f"{told(row.name)}, n = {row.n}" for row in rows],
        hovertemplate="%{text}<br>%{y:.2f} % at %{x:,} mult-adds<extra></extra>",
    )
