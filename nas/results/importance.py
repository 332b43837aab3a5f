"""Which decisions moved the scores of a search's random start."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from nas.results.rows import ImportanceRow
from nas.runs.record import Record

FOLDS = 5
REPEATS = 10
LEAST = 0.3
"""The cross-validated R^2 below which a model's importances are not shown."""
FEWEST = 2 * FOLDS


def importances(
    columns: Sequence[str], rows: ArrayLike, scores: Sequence[float]
) -> tuple[ImportanceRow, ...]:
    """The permutation importance (Breiman 2001) of each column for the scores (N,) of candidates
    encoded as rows (N, D), the most important first.

    A random forest is fitted to four fifths of the candidates, and the columns are shuffled in the
    fifth that it has not seen, five times over; so is R^2. NaN for all below R^2 0.3, or with fewer
    than ten candidates.
    """
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance
    from sklearn.model_selection import KFold

    given, told = np.asarray(rows, float), np.asarray(scores, float)
    n, r2 = len(told), math.nan
    found = np.full((len(columns), FOLDS), math.nan)
    forests: list[RandomForestRegressor] = []
    folds = list(KFold(FOLDS, shuffle=True, random_state=0).split(given)) if n >= FEWEST else []
    if folds and told.std() > 0:
        predicted = np.empty(n)
        for fit, held in folds:
            forests.append(RandomForestRegressor(200, random_state=0).fit(given[fit], told[fit]))
            predicted[held] = forests[-1].predict(given[held])
        # R^2 of a fold of few candidates says little: all folds have one scale.
        r2 = float(1 - ((told - predicted) ** 2).mean() / told.var())
    shown = r2 >= LEAST
    if shown:  # shuffling costs ten times the fits
        for fold, (forest, (_, held)) in enumerate(zip(forests, folds, strict=True)):
            losses = permutation_importance(
                forest, given[held], told[held], n_repeats=REPEATS, random_state=0,
                scoring="neg_mean_squared_error",
            )  # fmt: skip
            found[:, fold] = losses["importances_mean"] / told.var()
    made = [
        ImportanceRow(
            column=column,
            importance=float(values.mean()) if shown else math.nan,
            sd=float(values.std(ddof=1)) if shown else math.nan,
            r2=r2,
            n=n,
        )
        for column, values in zip(columns, found, strict=True)
    ]
    return tuple(sorted(made, key=lambda row: -row.importance if shown else 0.0))


def random_start(records: Sequence[Record], startup: int) -> list[tuple[Record, float]]:
    """The search's first `startup` candidates, which nothing steered, each with its accuracy in
    percent at the last epoch that all of them reached: one that was stopped is not left out."""
    first = [record for record in records if record.role == "candidate"][:startup]
    drawn = [record for record in first if record.curve]
    last = min((len(record.curve) for record in drawn), default=0)
    return [(record, record.curve[last - 1].accuracy) for record in drawn]
