"""What a search did, run by run, and which decisions moved it: frozen rows of its history.

Accuracies are in percent, times in seconds; only runs that were trained to the end are ranked.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nas.plan.steps import ranked
from nas.results.rows import ImportanceRow
from nas.runs.record import OVER, Record
from nas.stats.variance import rank_correlation

BINS = 24
RANKED = 400
"""Candidates of which the early epochs are ranked; of more, this many at even distances."""
FOLDS = 5
REPEATS = 10
LEAST = 0.3
"""The cross-validated R^2 below which a model's importances are not shown."""
FEWEST = 2 * FOLDS


@dataclass(frozen=True, kw_only=True)
class ProgressRow:
    """A trained candidate of a search: the `trained`-th, with its score where it was trained to the
    end, the best score within the budget so far, the seconds of training spent so far, and those on
    the clock since the search began."""

    number: int
    trained: int
    state: str
    score: float | None
    best: float | None
    compute: float
    elapsed: float | None


@dataclass(frozen=True, kw_only=True)
class DistributionRow:
    """A candidate's score, and the share of the candidates that scored as much or less."""

    number: int
    score: float
    share: float


@dataclass(frozen=True, kw_only=True)
class BinRow:
    """How many proposals cost `low` up to `high` mult-adds: trained to the end, stopped early or
    diverged, and refused by the budget."""

    low: float
    high: float
    complete: int
    stopped: int
    refused: int


@dataclass(frozen=True, kw_only=True)
class EarlyRow:
    """Spearman's correlation of the accuracy after an epoch with that after the last, over `n`
    candidates, with its 95 % interval."""

    epoch: int
    n: int
    correlation: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class TimeRow:
    """When a run was trained, in seconds since the study's first."""

    number: int
    role: str
    state: str
    start: float
    end: float


def progress(records: Sequence[Record]) -> tuple[ProgressRow, ...]:
    """The trained candidates in the order of their numbers."""
    within = {record.number for record in ranked(records)}
    runs = [r for r in records if r.role == "candidate" and r.state in OVER]
    began = min((r.started for r in runs if r.started is not None), default=None)
    rows: list[ProgressRow] = []
    best, compute = None, 0.0
    for at, run in enumerate(runs, 1):
        compute += sum(epoch.seconds for epoch in run.curve)
        if run.number in within and run.score is not None:
            best = run.score if best is None else max(best, run.score)
        rows.append(
            ProgressRow(
                number=run.number,
                trained=at,
                state=run.state,
                score=run.score if run.state == "complete" else None,
                best=best,
                compute=compute,
                elapsed=None if run.ended is None or began is None else run.ended - began,
            )
        )
    return tuple(rows)


def distribution(records: Sequence[Record]) -> tuple[DistributionRow, ...]:
    """The empirical distribution of the scores of the candidates trained to the end."""
    runs = sorted(ranked(records), key=lambda run: (run.score or 0.0, run.number))
    scores = [run.score or 0.0 for run in runs]
    return tuple(
        DistributionRow(
            number=run.number, score=score, share=bisect_right(scores, score) / len(runs)
        )
        for run, score in zip(runs, scores, strict=True)
    )


def spent(records: Sequence[Record]) -> tuple[BinRow, ...]:
    """How the proposals of a search are spread over the mult-adds."""
    asked = [r for r in records if r.role == "candidate" and r.mult_adds > 0]
    states = [
        [r.mult_adds for r in asked if r.state == "complete"],
        [r.mult_adds for r in asked if r.state in OVER and r.state != "complete"],
        [r.mult_adds for r in asked if r.state == "infeasible"],
    ]
    every = [value for group in states for value in group]
    if not every:
        return ()
    edges = np.histogram_bin_edges(every, bins=min(BINS, max(1, len(set(every)))))
    counts = (np.histogram(group, bins=edges)[0].tolist() for group in states)
    return tuple(
        BinRow(low=low, high=high, complete=complete, stopped=stopped, refused=refused)
        for low, high, complete, stopped, refused in zip(
            edges[:-1].tolist(), edges[1:].tolist(), *counts, strict=True
        )
    )


def early(records: Sequence[Record]) -> tuple[EarlyRow, ...]:
    """How well each epoch ranks the candidates, against the last; none below 5 candidates."""
    whole = [r for r in ranked(records) if len(r.curve) == r.epochs > 1]
    if len(whole) > RANKED:
        chosen = np.linspace(0, len(whole) - 1, RANKED).round().astype(int)
        whole = [whole[at] for at in chosen]
    if len(whole) < 5 or len({len(run.curve) for run in whole}) != 1:
        return ()
    last = [run.curve[-1].accuracy for run in whole]
    rows: list[EarlyRow] = []
    for at, epoch in enumerate(whole[0].curve[:-1]):
        ranks = rank_correlation([run.curve[at].accuracy for run in whole], last)
        low, high = ranks.low, ranks.high
        rows.append(
            EarlyRow(epoch=epoch.epoch, n=ranks.n, correlation=ranks.value, low=low, high=high)
        )
    return tuple(rows)


def timeline(records: Sequence[Record]) -> tuple[TimeRow, ...]:
    """The runs that took time, in the order of their start."""
    timed = [
        (run.started, run.ended, run)
        for run in records
        if run.started is not None and run.ended is not None and run.state in (*OVER, "failed")
    ]
    if not timed:
        return ()
    zero = min(started for started, _, _ in timed)
    return tuple(
        TimeRow(number=r.number, role=r.role, state=r.state, start=start - zero, end=end - zero)
        for start, end, r in sorted(timed, key=lambda each: (each[0], each[2].number))
    )


@dataclass(frozen=True, kw_only=True)
class SliceRow:
    """The candidates that decided one thing alike: how many, their mean and their best score."""

    decision: str
    label: str
    n: int
    mean: float
    best: float
    scores: tuple[float, ...]


def slices(records: Sequence[Record]) -> tuple[SliceRow, ...]:
    """A row a decision and label, over the candidates trained to the end."""
    grouped: dict[tuple[str, str], list[float]] = {}
    for run in ranked(records):
        for decision, label in run.decisions.items():
            if run.score is not None:
                grouped.setdefault((decision, str(label)), []).append(run.score)
    order = list(dict.fromkeys(decision for decision, _ in grouped))
    return tuple(
        SliceRow(
            decision=decision,
            label=label,
            n=len(scores),
            mean=float(np.mean(scores)),
            best=max(scores),
            scores=tuple(sorted(scores)),
        )
        for (decision, label), scores in sorted(
            grouped.items(), key=lambda item: (order.index(item[0][0]), _natural(item[0][1]))
        )
    )


def _natural(label: str) -> tuple[int, float, str]:
    """Numbers in their order, before words in theirs."""
    try:
        return (0, float(label), "")
    except ValueError:
        return (1, 0.0, label)


def importance(records: Sequence[Record], startup: int) -> tuple[ImportanceRow, ...]:
    """How much each decision moves the scores of the search's first `startup` candidates, which
    were drawn at random, the most important first. A decision is one column, however many leaves it
    fills: leaves that move together would share out what it does."""
    start = random_start(records, startup)
    names = list(dict.fromkeys(name for run, _ in start for name in run.decisions))
    if not names:
        return ()
    columns = [_numbers([run for run, _ in start], name) for name in names]
    return importances(names, np.column_stack(columns), [score for _, score in start])


def random_start(records: Sequence[Record], startup: int) -> list[tuple[Record, float]]:
    """The search's first `startup` candidates, which nothing steered, each with its accuracy in
    percent at the last epoch that all of them reached: one that was stopped is not left out."""
    first = [record for record in records if record.role == "candidate"][:startup]
    drawn = [record for record in first if record.curve]
    last = min((len(record.curve) for record in drawn), default=0)
    return [(record, record.curve[last - 1].accuracy) for record in drawn]


def _numbers(runs: Sequence[Record], name: str) -> NDArray[np.float64]:
    """A decision's labels: themselves where they are numbers, else their order; -1 where it was not
    taken."""
    labels = [run.decisions.get(name) for run in runs]
    known = sorted({str(label) for label in labels if label is not None}, key=_natural)
    try:
        numbers = {text: float(text) for text in known}
    except ValueError:
        numbers = {text: float(at) for at, text in enumerate(known)}
    return np.array([-1.0 if label is None else numbers[str(label)] for label in labels])


def importances(
    columns: Sequence[str], rows: ArrayLike, scores: Sequence[float]
) -> tuple[ImportanceRow, ...]:
    """The permutation importance (Breiman 2001) of each column for the scores (N,) of candidates
    written as rows (N, D), the most important first.

    A random forest is fitted to four fifths of the candidates, and the columns are shuffled in the
    fifth that it has not seen, five times over; so is R^2. NaN for all below R^2 0.3, or with fewer
    than ten candidates.
    """
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance
    from sklearn.model_selection import KFold

    x, y = np.asarray(rows, float), np.asarray(scores, float)
    n, r2 = len(y), math.nan
    falls = np.full((len(columns), FOLDS), math.nan)
    forests: list[RandomForestRegressor] = []
    folds = list(KFold(FOLDS, shuffle=True, random_state=0).split(x)) if n >= FEWEST else []
    if folds and y.std() > 0:
        predicted = np.empty(n)
        for fit, held in folds:
            forests.append(RandomForestRegressor(200, random_state=0).fit(x[fit], y[fit]))
            predicted[held] = forests[-1].predict(x[held])
        # R^2 of a fold of few candidates says little: all folds have one scale.
        r2 = float(1 - ((y - predicted) ** 2).mean() / y.var())
    shown = r2 >= LEAST
    if shown:  # shuffling costs ten times the fits
        for fold, (forest, (_, held)) in enumerate(zip(forests, folds, strict=True)):
            losses = permutation_importance(
                forest, x[held], y[held], n_repeats=REPEATS, random_state=0,
                scoring="neg_mean_squared_error",
            )  # fmt: skip
            falls[:, fold] = losses["importances_mean"] / y.var()
    means, sds = falls.mean(axis=1).tolist(), falls.std(axis=1, ddof=1).tolist()
    every = [
        ImportanceRow(column=column, importance=mean, sd=sd, r2=r2, n=n)
        for column, mean, sd in zip(columns, means, sds, strict=True)
    ]
    return tuple(sorted(every, key=lambda row: -row.importance if shown else 0.0))
