"""What a search did."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from nas.results.rows import CandidateRow, CurveRow, ImportanceRow
from nas.results.search import BinRow, DistributionRow, EarlyRow, ProgressRow, SliceRow, TimeRow
from reports.figures.style import (
    BLUE,
    GREY,
    LABELLED,
    ORANGE,
    PURPLE,
    RED,
    averaged,
    band,
    by_epoch,
    by_epochs,
    faint,
    laid_out,
    points,
    ranged,
    rows_named,
    short,
    styles,
    thinned,
    ticked,
    told,
)

RUNS = 60
"""Search runs whose curves are drawn at most."""
POINTS = 800
BARS = 400
ITSELF = ("reference", "baseline", "control")
"""The roles of runs of the baseline."""


def _baseline(figure: go.Figure, baseline: CandidateRow | None) -> None:
    if baseline is None:
        return
    if baseline.n > 1:
        figure.add_hrect(
            y0=baseline.low, y1=baseline.high, fillcolor=faint(RED, 0.12), line_width=0
        )
    figure.add_hline(
        baseline.mean, line={"color": RED, "width": 1.2}, annotation_text="baseline",
        annotation_position="bottom right",
    )  # fmt: skip


def progress(rows: Sequence[ProgressRow], baseline: CandidateRow | None) -> go.Figure:
    """The best score so far against the number of trained candidates, with each one's own."""
    figure = go.Figure()
    _baseline(figure, baseline)
    scored = thinned([row for row in rows if row.score is not None], POINTS)
    figure.add_trace(
        points(
            scored, "trained", "score", "one candidate, one seed", BLUE, "circle-open",
            text=[f"trial {row.number}" for row in scored],
            hovertemplate="%{text}: %{y:.2f} %<extra></extra>",
        )
    )  # fmt: skip
    known = _steps([row for row in rows if row.best is not None])
    figure.add_trace(
        points(
            known, "trained", "best", "best so far, within the budget", BLUE,
            mode="lines", line={"shape": "hv", "color": BLUE, "width": 2},
        )
    )  # fmt: skip
    return laid_out(figure, "candidates trained", "validation accuracy, %")


def paid(rows: Sequence[ProgressRow], baseline: CandidateRow | None) -> go.Figure:
    """The best score so far against minutes: of training (solid), and on the clock (dashed)."""
    figure = go.Figure()
    _baseline(figure, baseline)
    known = _steps([row for row in rows if row.best is not None])
    for name, dash, colour, spent in (
        ("of training, all workers", "solid", BLUE, [row.compute for row in known]),
        ("on the clock", "dash", ORANGE, [row.elapsed for row in known]),
    ):
        pairs = [(s / 60, row.best) for s, row in zip(spent, known, strict=True) if s is not None]
        figure.add_trace(
            go.Scatter(
                x=[x for x, _ in pairs],
                y=[y for _, y in pairs],
                mode="lines",
                line={"shape": "hv", "color": colour, "dash": dash, "width": 2},
                name=name,
            )
        )
    return laid_out(figure, "minutes", "best accuracy so far, %")


def _steps(rows: Sequence[ProgressRow]) -> list[ProgressRow]:
    """The rows where the best changes, with the last."""
    made = [row for at, row in enumerate(rows) if at == 0 or row.best != rows[at - 1].best]
    return made if not rows or made[-1] is rows[-1] else [*made, rows[-1]]


def distributions(groups: Mapping[str, Sequence[DistributionRow]]) -> go.Figure:
    """The share of the candidates that score as much or less, a line a study."""
    figure = go.Figure()
    for (key, rows), (colour, dash, *_) in zip(
        groups.items(), styles(list(groups)).values(), strict=True
    ):
        shown = thinned(rows, POINTS)
        scores = [row.score for row in shown]
        room = 0.03 * (max(scores) - min(scores)) or 0.1
        figure.add_trace(
            go.Scatter(
                x=[scores[0] - room, *scores, scores[-1] + room],
                y=[0, *(row.share for row in shown), 1],
                mode="lines",
                line={"shape": "hv", "color": colour, "dash": dash, "width": 2},
                name=f"{told(key)}, n = {len(rows)}",
                meta=key,
            )
        )
    figure = laid_out(figure, "validation accuracy, %", "share of the candidates")
    return ticked(figure.update_yaxes(range=[0, 1.02]), len(groups))


def spent(rows: Sequence[BinRow], limit: float | None) -> go.Figure:
    """How many proposals cost how much, and what became of them."""
    figure = go.Figure()
    for name, colour, pattern in (
        ("complete", BLUE, ""), ("stopped", ORANGE, "/"), ("refused", GREY, "x"),
    ):  # fmt: skip
        figure.add_trace(
            go.Bar(
                x=[(row.low + row.high) / 2 for row in rows],
                y=[getattr(row, name) for row in rows],
                width=[row.high - row.low for row in rows],
                name=name,
                marker={"color": colour, "pattern": {"shape": pattern}, "line": {"width": 0}},
                hovertemplate=f"%{{y}} {name} at about %{{x:,}} mult-adds<extra></extra>",
            )
        )
    if limit is not None:
        figure.add_vline(
            limit, line={"color": GREY, "dash": "dash", "width": 1.5}, annotation_text="budget"
        )
    return laid_out(figure, "mult-adds per image", "proposals", 340, barmode="stack")


def importances(rows: Sequence[ImportanceRow]) -> go.Figure:
    """How much a model loses when it does not know a decision."""
    shown = rows[:20]
    figure = go.Figure(
        go.Bar(
            x=[row.importance for row in shown],
            y=[told(row.column) for row in shown],
            error_x={"type": "data", "array": [row.sd for row in shown], "thickness": 1},
            orientation="h",
            marker={"color": BLUE},
        )
    )
    return rows_named(figure, "fall of R² when shuffled", [row.column for row in shown], least=26)


def slices(rows: Sequence[SliceRow]) -> go.Figure:
    """The scores of the candidates under each label of each decision."""
    names = [f"{row.decision} = {row.label}" for row in rows]
    keys = [told(name) for name in names]
    most = max(10, POINTS // max(1, len(rows)))
    figure = go.Figure()
    figure.add_trace(
        go.Scatter(
            x=[score for row in rows for score in thinned(row.scores, most)],
            y=[key for key, row in zip(keys, rows, strict=True) for _ in thinned(row.scores, most)],
            mode="markers",
            marker={"color": BLUE, "symbol": "circle-open", "size": 6, "opacity": 0.7},
            name="one candidate, one seed",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=[row.mean for row in rows],
            y=keys,
            mode="markers",
            marker={"color": ORANGE, "symbol": "line-ns", "size": 13, "line": {"width": 2.5,
                    "color": ORANGE}},
            name="mean",
        )
    )  # fmt: skip
    return rows_named(figure, "validation accuracy, %", names, least=20, size=11)


def early(rows: Sequence[EarlyRow]) -> go.Figure:
    """How well each epoch already ranks the candidates."""
    told = [row for row in rows if row.low <= row.high]  # not NaN
    epochs = [row.epoch for row in told]
    figure = go.Figure()
    figure.add_trace(
        band(epochs, [r.low for r in told], [r.high for r in told], BLUE, "95 % interval")
    )
    figure.add_trace(
        points(
            rows, "epoch", "correlation", "rank correlation with the last epoch", BLUE,
            mode="lines+markers", line={"color": BLUE, "width": 2},
        )
    )  # fmt: skip
    figure.add_hline(0, line={"color": GREY, "width": 1})
    return laid_out(figure, "epoch", "Spearman's correlation", 340)


def timeline(rows: Sequence[TimeRow]) -> go.Figure:
    """When each run was trained."""
    figure = go.Figure()
    shown = thinned(rows, BARS)
    kinds = {
        "complete": (BLUE, ""), "stopped": (ORANGE, "/"), "diverged": (PURPLE, "."),
        "exceeded": (GREY, "|"), "failed": (RED, "x"),
    }  # fmt: skip
    for state, (colour, pattern) in kinds.items():
        group = [row for row in shown if row.state == state]
        if group:
            figure.add_trace(
                go.Bar(
                    base=[row.start / 60 for row in group],
                    x=[(row.end - row.start) / 60 for row in group],
                    y=[row.number for row in group],
                    orientation="h",
                    name=state,
                    marker={"color": colour, "pattern": {"shape": pattern}, "line": {"width": 0}},
                    hovertemplate=f"trial %{{y}}: {state}<extra></extra>",
                )
            )
    figure = laid_out(figure, "minutes since the first run", "trial", 380, barmode="overlay")
    return figure.update_yaxes(autorange="reversed")


def curves(rows: Sequence[CurveRow]) -> go.Figure:
    """Validation accuracy by epoch: the baseline's mean with its range as a band, each change's
    mean, and every search trial thin, dotted where it was stopped."""
    figure = go.Figure()
    runs: dict[tuple[int, str], list[CurveRow]] = defaultdict(list)
    for row in rows:
        if row.role == "candidate":
            runs[row.number, row.state].append(row)
    for at, ((number, state), run) in enumerate(thinned(list(runs.items()), RUNS)):
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
    changes: dict[str, list[CurveRow]] = defaultdict(list)
    for row in rows:
        if row.role not in (*ITSELF, "candidate"):
            changes[row.change or row.role].append(row)
    grouped = {change: by_epochs(run) for change, run in changes.items()}
    base = by_epochs(row for row in rows if row.role in ITSELF)
    if base:
        figure.add_trace(ranged(base, RED, "baseline, range over seeds"))
        figure.add_trace(_mean("baseline", base, RED, "solid", 2.5))
    told_apart = _furthest(grouped, base)
    for at, key in enumerate(key for key in grouped if key not in told_apart):
        line = _mean(told(key), grouped[key], GREY, "solid", 1)
        line.update(legendgroup="rest", showlegend=at == 0, name="changes that end nearer to it")
        figure.add_trace(line)
    for key, name, style in zip(
        told_apart, short(told_apart), styles(told_apart).values(), strict=True
    ):
        figure.add_trace(_mean(name, grouped[key], style.colour, style.dash, 1.8))
    shown = _late(rows)
    if shown:
        figure.add_annotation(
            x=0, y=0, xref="paper", yref="paper", text="first epochs lie below", showarrow=False,
            xanchor="left", yanchor="bottom", opacity=0.7,
        )  # fmt: skip
    figure = laid_out(figure, "epoch", "validation accuracy, %").update_yaxes(range=shown)
    return by_epoch(figure, max((row.epoch for row in rows), default=1))


def _furthest(
    grouped: Mapping[str, Mapping[int, list[float]]], base: Mapping[int, list[float]]
) -> list[str]:
    """The changes that end furthest from the baseline, as many as a reader can tell apart."""
    if len(grouped) <= LABELLED or not base:
        return list(grouped)

    def last(epochs: Mapping[int, list[float]]) -> float:
        values = epochs[max(epochs)]
        return sum(values) / len(values)

    far = sorted(grouped, key=lambda key: -abs(last(grouped[key]) - last(base)))[:LABELLED]
    return [key for key in grouped if key in far]


def _late(rows: Sequence[CurveRow]) -> list[float] | None:
    """The accuracies of the second half of the epochs, with room around them: the first epochs,
    far below, would press the last ones together."""
    last = max((row.epoch for row in rows), default=0)
    shown = [row.accuracy for row in rows if row.epoch > last / 2]
    if not shown:
        return None
    low, high = min(shown), max(shown)
    room = 0.05 * (high - low) or 0.5
    pressed = high - low < 0.5 * (high - min(row.accuracy for row in rows))
    return [low - room, high + room] if pressed else None


def _mean(
    name: str, epochs: Mapping[int, Sequence[float]], colour: str, dash: str, width: float
) -> go.Scatter:
    return averaged(
        epochs,
        line={"color": colour, "dash": dash, "width": width},
        marker={"color": colour, "size": 9},
        name=name,
        hovertemplate=f"{name}, epoch %{{x}}: %{{y:.2f}} %<extra></extra>",
    )
