"""How much each decision of a search moves the score, over the candidates drawn at random.

Only a random start says so: what a sampler proposes later is what it believes in already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.plans import ranked
from nas.record import Record

LEAST = 20
"""Candidates below which nothing is fitted."""
SHOWN = 0.3
"""The cross-validated R² below which no importance is shown."""


@dataclass(frozen=True, kw_only=True)
class ImportanceRow:
    """A decision: by how much the model's R² falls when its labels are shuffled, with the standard
    deviation over shuffles."""

    decision: str
    importance: float
    sd: float


@dataclass(frozen=True, kw_only=True)
class Importance:
    """How well the decisions explain the scores of `n` random candidates (cross-validated R²), and
    the rows where that is enough; else none, and `reason` says why."""

    n: int
    r2: float
    rows: tuple[ImportanceRow, ...]
    reason: str


def importance(records: Sequence[Record], startup: int) -> Importance:
    """Permutation importance (Breiman 2001) of a random forest over the first `startup` proposals
    of a search, on candidates that it was not fitted to; a decision is one column of numbers."""
    proposed = [r for r in records if r.role == "candidate" and r.state != "duplicate"]
    drawn = {record.number for record in proposed[:startup]}
    runs = sorted((r for r in ranked(records) if r.number in drawn), key=lambda run: run.number)
    n = len(runs)
    names = list(dict.fromkeys(name for run in runs for name in run.decisions))
    if n < LEAST or not names:
        few = f"of the random candidates {n} were trained to the end, and a model needs {LEAST}"
        return Importance(n=n, r2=float("nan"), rows=(), reason=few)
    from sklearn.ensemble import RandomForestRegressor  # here: it takes a second
    from sklearn.inspection import permutation_importance
    from sklearn.metrics import r2_score
    from sklearn.model_selection import KFold

    given = np.column_stack([_column(runs, name) for name in names])
    scores = np.array([run.score for run in runs], float)
    guessed, found = np.zeros(n), list[NDArray[np.float64]]()
    for fitted, held in KFold(5, shuffle=True, random_state=0).split(given):
        model = RandomForestRegressor(n_estimators=100, random_state=0)
        model.fit(given[fitted], scores[fitted])
        guessed[held] = model.predict(given[held])
        shuffled: Any = permutation_importance(
            model, given[held], scores[held], n_repeats=10, random_state=0
        )
        found.append(shuffled.importances)
    r2 = float(r2_score(scores, guessed))
    if r2 < SHOWN:
        weak = f"the decisions explain too little: cross-validated R² is {r2:.2f}, below {SHOWN}"
        return Importance(n=n, r2=r2, rows=(), reason=weak)
    falls = np.concatenate(found, axis=1)
    rows = [
        ImportanceRow(decision=name, importance=float(fall.mean()), sd=float(fall.std(ddof=1)))
        for name, fall in zip(names, falls, strict=True)
    ]
    rows.sort(key=lambda row: -row.importance)
    return Importance(n=n, r2=r2, rows=tuple(rows), reason="")


def _column(runs: Sequence[Record], name: str) -> NDArray[np.float64]:
    """A decision as numbers: its labels where they are numbers, else their order; -1 where it was
    not taken."""
    labels = [run.decisions.get(name) for run in runs]
    known = sorted({str(label) for label in labels if label is not None})
    try:
        numbers = {text: float(text) for text in known}
    except ValueError:
        numbers = {text: float(at) for at, text in enumerate(known)}
    return np.array([-1.0 if label is None else numbers[str(label)] for label in labels])
