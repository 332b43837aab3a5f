"""Several variants, or several studies, side by side. Each trace says in `meta` whose it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from nas.networks.names import shortened
from nas.results.rows import CandidateRow, CurveRow, ModuleRow
from nas.results.search import ProgressRow
from reports.figures.style import (
    averaged,
    by_epoch,
    by_epochs,
    faint,
    laid_out,
    means,
    outlined,
    ranged,
    short,
    styles,
    ticked,
)


def accuracies(rows: Sequence[CandidateRow], names: Mapping[str, str]) -> go.Figure:
    """Accuracy against mult-adds, with a 95 % interval from two seeds on, hollow for one."""
    called = _called(names)
    figure = go.Figure()
    for row, (colour, _, symbol, _) in zip(
        rows, styles([row.candidate_id for row in rows]).values(), strict=True
    ):
        figure.add_trace(
            means(
                [row],
                marker=outlined(colour, f"{symbol}-open" if row.n < 2 else symbol, 12),
                name=called[row.candidate_id],
                meta=row.candidate_id,
                hovertemplate="%{y:.2f} % at %{x:,} mult-adds",
            )
        )
    figure = laid_out(figure, "mult-adds per image", "validation accuracy, %", 360)
    return ticked(figure, len(rows))


def modules(parts: Mapping[str, Sequence[ModuleRow]], names: Mapping[str, str]) -> go.Figure:
    """The mult-adds of each module, a bar a variant."""
    called = _called(names)
    places = shortened(row.module for rows in parts.values() for row in rows)
    figure = go.Figure()
    for key, (colour, _, _, pattern) in styles(list(parts)).items():
        figure.add_trace(
            go.Bar(
                x=[places[row.module] for row in parts[key]],
                y=[row.variant_mult_adds for row in parts[key]],
                name=called[key],
                meta=key,
                marker={"color": colour, "pattern": {"shape": pattern}},
            )
        )
    figure = laid_out(figure, None, "mult-adds", 380, barmode="group")
    return ticked(figure.update_xaxes(type="category"), len(parts))


def curves(runs: Mapping[str, Sequence[CurveRow]], names: Mapping[str, str]) -> go.Figure:
    """Validation accuracy by epoch: each variant's mean over its runs, and their range."""
    called = _called(names)
    figure = go.Figure()
    for key, (colour, dash, symbol, _) in styles(list(runs)).items():
        epochs = by_epochs(runs[key])
        if any(min(values) != max(values) for values in epochs.values()):
            shade = ranged(epochs, colour, called[key])
            figure.add_trace(shade.update(meta=key, fillcolor=faint(colour, 0.1)))
        figure.add_trace(
            averaged(
                epochs,
                marker={"color": colour, "symbol": symbol, "size": 9},
                line={"color": colour, "dash": dash, "width": 2},
                name=called[key],
                meta=key,
            )
        )
    figure = laid_out(figure, "epoch", "validation accuracy, %", 380)
    last = max((row.epoch for rows in runs.values() for row in rows), default=1)
    return ticked(by_epoch(figure, last), len(runs))


def progress(studies: Mapping[str, Sequence[ProgressRow]], names: Mapping[str, str]) -> go.Figure:
    """The best score so far against the number of trained candidates, a line a study."""
    called = _called(names)
    figure = go.Figure()
    for key, (colour, dash, *_) in styles(list(studies)).items():
        known = [row for row in studies[key] if row.best is not None]
        if known:
            figure.add_trace(
                go.Scatter(
                    x=[row.trained for row in known],
                    y=[row.best for row in known],
                    mode="lines",
                    line={"shape": "hv", "color": colour, "dash": dash, "width": 2},
                    name=called[key],
                    meta=key,
                )
            )
    figure = laid_out(figure, "candidates trained", "best accuracy so far, %", 380)
    return ticked(figure, len(studies))


def _called(names: Mapping[str, str]) -> Mapping[str, str]:
    return dict(zip(names, short([*names.values()]), strict=True))
