"""The search: what it found, when, at what price, and how much of it was chance."""

from __future__ import annotations

import math
from statistics import median

from nas.base.wording import times
from nas.results.rows import CurveRow
from nas.results.search import distribution, early, progress, slices, spent, timeline
from reports import words
from reports.case import Case
from reports.figures import search as drawn
from reports.page import (
    COUNT,
    PERCENT,
    Column,
    Figure,
    Page,
    Section,
    Table,
    Tile,
    duration,
    fixed,
)
from reports.pages import tables

LABELS = 60
"""Labels of decisions that are drawn at most."""
LISTED = 200


def search(case: Case) -> Page:
    """The page of the search."""
    records = case.results.records
    history = progress(records)
    made = (_best, _all, _budget, _importance, _slices, _curves, _early, _times)
    sections = [section for make in made if (section := make(case))]
    best = case.results.best
    trained = [row for row in history if row.state == "complete"]
    return case.tab(
        "search",
        "What the search found",
        headline=_headline(case) if history else words.why(case.results),
        tiles=(
            Tile(
                name="Best, one seed",
                value=f"{best.mean:.2f} %" if best else "–",
                detail=f"{best.name}, exploratory"
                if best
                else "no candidate was trained to the end",
            ),
            Tile(
                name="Trained to the end",
                value=f"{len(trained):,}",
                detail=f"of {times(len(history), 'trained candidate')}",
            ),
            Tile(
                name="Training",
                value=duration(history[-1].compute) if history else "–",
                detail="of all candidates",
            ),
        ),
        sections=sections,
    )


def _headline(case: Case) -> str:
    best, base = case.results.best, case.baseline
    if best is None:
        return "No candidate within the budget has been trained to the end."
    rows = distribution(case.results.records)
    said = (
        f"The best of {times(len(rows), 'candidate')} trained to the end scored {best.mean:.2f} %, "
        "on one seed."
    )
    if base:
        ahead = sum(row.score > base.mean for row in rows)
        said += f" {ahead} of them scored more than the baseline's {base.mean:.2f} %."
    said += " The best of many is better than it will be again."
    return f"{said} {words.best(case.results)}" if case.results.confirmed else said


def _best(case: Case) -> Section | None:
    rows = progress(case.results.records)
    if not any(row.best is not None for row in rows):
        return None
    last = next(row for row in rows if row.best == rows[-1].best)
    shown = rows[-LISTED:]
    thin = (
        f" Of {len(rows):,} candidates {drawn.POINTS} are drawn."
        if len(rows) > drawn.POINTS
        else ""
    )
    return Section(
        name="best",
        title="Best so far",
        finding=f"The best was found after {times(last.trained, 'trained candidate')} and "
        f"{duration(last.compute)} of training; {len(rows) - last.trained:,} more did not beat it.",
        parts=(
            Figure(
                name="progress",
                plot=drawn.progress(rows, case.baseline),
                caption="Validation accuracy of each candidate, and the best so far within the "
                f"budget; the band is the baseline's 95 % interval.{thin}",
                files=(case.file("progress.csv"),),
            ),
            Figure(
                name="paid",
                plot=drawn.paid(rows, case.baseline),
                caption="The same best against minutes of training over all workers, and on the "
                "clock.",
                files=(case.file("progress.csv"),),
            ),
            Table(
                name="progress",
                label="Trained candidates, in their order",
                columns=(
                    Column(name="number", title="trial"),
                    Column(name="trained", title="trained"),
                    Column(name="state", title="state", words=True),
                    Column(name="score", title="accuracy, %", write=PERCENT),
                    Column(name="best", title="best so far, %", write=PERCENT),
                    Column(name="compute", title="training", write=duration),
                    Column(name="elapsed", title="clock", write=duration),
                ),
                rows=shown,
                key=lambda row: str(row.number),
                file=case.file("progress.csv"),
                stored=len(rows),
                note=f"The last {LISTED} are listed." if len(rows) > LISTED else "",
                folded=True,
            ),
        ),
    )  # fmt: skip


def _all(case: Case) -> Section | None:
    rows = distribution(case.results.records)
    if not rows:
        return None
    middle = median(row.score for row in rows)
    return Section(
        name="all",
        title="All candidates",
        finding=f"n = {len(rows)}: the scores run from {rows[0].score:.2f} to {rows[-1].score:.2f} "
        f"%, the median is {middle:.2f} %.",
        parts=(
            Figure(
                name="edf",
                plot=drawn.distributions({case.results.study.name: rows}),
                caption="The share of the candidates trained to the end that score as much or "
                "less.",
                files=(case.file("distribution.csv"),),
            ),
            Table(
                name="distribution",
                label="The distribution, in tenths",
                columns=(
                    Column(name="share", title="share", write=fixed(".0%")),
                    Column(name="score", title="accuracy, %", write=PERCENT),
                    Column(name="number", title="trial"),
                ),
                rows=drawn.thinned(rows, 11),
                key=lambda row: str(row.number),
                file=case.file("distribution.csv"),
                stored=len(rows),
                folded=True,
            ),
        ),
    )


def _budget(case: Case) -> Section | None:
    rows = spent(case.results.records)
    if not rows:
        return None
    asked = sum(row.complete + row.stopped + row.refused for row in rows)
    refused = sum(row.refused for row in rows)
    return Section(
        name="budget",
        title="Where the proposals went",
        finding=f"Of {times(asked, 'proposal')} {refused / asked:.0%} were refused by the budget "
        "before any training.",
        parts=(
            Figure(
                name="budget",
                plot=drawn.spent(rows, case.limit),
                caption="Proposals by their mult-adds: trained to the end, stopped early, refused.",
                files=(case.file("budget.csv"),),
            ),
            Table(
                name="budget",
                label="Proposals by mult-adds",
                columns=(
                    Column(name="interval", title="mult-adds", write=fixed(",.0f"),
                           ends=("low", "high")),
                    Column(name="complete", title="trained to the end", write=COUNT),
                    Column(name="stopped", title="stopped", write=COUNT),
                    Column(name="refused", title="refused", write=COUNT),
                ),
                rows=rows,
                file=case.file("budget.csv"),
                folded=True,
            ),
        ),
    )  # fmt: skip


def _importance(case: Case) -> Section | None:
    rows = case.importance
    if not rows or math.isnan(rows[0].importance):
        n, r2 = (rows[0].n, rows[0].r2) if rows else (0, math.nan)
        weak = f"the decisions explain too little of it (cross-validated R² {r2:.2f})"
        few = "a model needs ten or more"
        return Section(
            name="importance",
            title="Which decisions matter",
            finding=f"Not shown: of the candidates drawn at random {n} were trained, and "
            f"{few if math.isnan(r2) else weak}.",
        )
    first = rows[0]
    return Section(
        name="importance",
        title="Which decisions matter",
        finding=f"“{first.column}” matters most to a model that explains {first.r2:.0%} of the "
        f"variance of candidates it has not seen (n = {first.n}, the random start only).",
        parts=(
            Figure(
                name="importance",
                plot=drawn.importances(rows),
                caption="How far the cross-validated R² falls when a decision's labels are "
                "shuffled.",
                files=(case.file("importance.csv"),),
            ),
            Table(
                name="importance",
                label="Importance of the decisions",
                columns=(
                    Column(name="column", title="decision", words=True),
                    Column(name="importance", title="fall of R²", write=fixed(".3f")),
                    Column(name="sd", title="sd", write=fixed(".3f")),
                ),
                rows=rows,
                file=case.file("importance.csv"),
            ),
        ),
    )


def _slices(case: Case) -> Section | None:
    rows = slices(case.results.records)
    if not rows:
        return None
    shown = rows[:LABELS]
    left = f" The first {LABELS} of {len(rows)} labels are drawn." if len(rows) > LABELS else ""
    return Section(
        name="slices",
        title="Decision by decision",
        finding="Each line holds the candidates that decided one thing alike. The rest of a "
        "candidate differs too, and the sampler goes where it hopes: this says where the search "
        "was, not what causes what.",
        parts=(
            Figure(
                name="slices",
                plot=drawn.slices(shown),
                caption=f"Validation accuracy under each label of each decision.{left}",
                files=(case.file("slices.csv"),),
            ),
            Table(
                name="slices",
                label="Labels of the decisions",
                columns=(
                    Column(name="decision", title="decision", words=True),
                    Column(name="label", title="label", words=True),
                    Column(name="n", title="n"),
                    Column(name="mean", title="mean, %", write=PERCENT),
                    Column(name="best", title="best, %", write=PERCENT),
                ),
                rows=shown,
                file=case.file("slices.csv"),
                stored=len(rows),
                folded=True,
            ),
        ),
    )


def _curves(case: Case) -> Section | None:
    wanted = ("candidate", "reference", "baseline")
    rows: list[CurveRow] = [row for row in case.results.curves if row.role in wanted]
    runs = len({row.number for row in rows if row.role == "candidate"})
    if not runs:
        return None
    thin = f" Of {runs:,} runs {drawn.RUNS} are drawn." if runs > drawn.RUNS else ""
    return Section(
        name="curves",
        title="Learning curves",
        finding="Each search trial by epoch, dotted where it was stopped early, beside the "
        "baseline's range.",
        parts=(
            Figure(
                name="curves",
                plot=drawn.curves(rows),
                caption=f"Validation accuracy by epoch.{thin}",
                files=(case.file("curves.csv"),),
            ),
            tables.pace(case, ("baseline", "candidate")),
        ),
    )


def _early(case: Case) -> Section | None:
    rows = early(case.results.records)
    if not rows:
        return None
    half = rows[len(rows) // 2]
    ends = "" if math.isnan(half.low) else f"{half.low:.2f} to {half.high:.2f}, "
    return Section(
        name="early",
        title="How soon the ranking shows",
        finding=f"After epoch {half.epoch} the ranks agree with the last by {half.correlation:.2f} "
        f"({ends}n = {half.n}). That is agreement within one seed: "
        "another seed would rank anew.",
        parts=(
            Figure(
                name="early",
                plot=drawn.early(rows),
                caption="Spearman's correlation of the accuracy after an epoch with that after the "
                "last, over candidates trained to the end, with 95 % intervals.",
                files=(case.file("early.csv"),),
            ),
            Table(
                name="early",
                label="Rank correlation by epoch",
                columns=(
                    Column(name="epoch", title="epoch"),
                    Column(name="n", title="n"),
                    Column(name="correlation", title="correlation", write=PERCENT),
                    Column(name="interval", title="95 % interval", write=PERCENT,
                           ends=("low", "high")),
                ),
                rows=rows,
                key=lambda row: str(row.epoch),
                file=case.file("early.csv"),
                folded=True,
            ),
        ),
    )  # fmt: skip


def _times(case: Case) -> Section | None:
    rows = timeline(case.results.records)
    if not rows:
        return None
    clock = max(row.end for row in rows)
    busy = sum(row.end - row.start for row in rows)
    thin = f" Of {len(rows):,} runs {drawn.BARS} are drawn." if len(rows) > drawn.BARS else ""
    return Section(
        name="timeline",
        title="When the runs were made",
        finding=f"{times(len(rows), 'run')} in {duration(clock)} on the clock, "
        f"{busy / clock if clock else 0:.1f} at once on average.",
        parts=(
            Figure(
                name="timeline",
                plot=drawn.timeline(rows),
                caption=f"Each run from its start to its end, by how it ended.{thin}",
                files=(case.file("timeline.csv"),),
            ),
            Table(
                name="timeline",
                label="Runs, by their start",
                columns=(
                    Column(name="number", title="trial"),
                    Column(name="role", title="role", words=True),
                    Column(name="state", title="state", words=True),
                    Column(name="start", title="start", write=duration,
                           note="since the first run's"),
                    Column(name="end", title="end", write=duration),
                ),
                rows=rows[:LISTED],
                key=lambda row: str(row.number),
                file=case.file("timeline.csv"),
                stored=len(rows),
                note=f"The first {LISTED} are listed." if len(rows) > LISTED else "",
                folded=True,
            ),
        ),
    )  # fmt: skip
