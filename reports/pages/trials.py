"""Every run, one line each."""

from __future__ import annotations

from collections import Counter

from nas.base.wording import times
from nas.results.rows import TrialRow
from reports import words
from reports.case import Case
from reports.page import COUNT, PERCENT, Column, Page, Section, Table, duration

LISTED = 2_000


def trials(case: Case) -> Page:
    """The page of the trials."""
    rows = case.results.trials
    states = Counter(row.state for row in rows)
    said = ", ".join(f"{count:,} {state}" for state, count in states.items())
    return case.tab(
        "trials",
        "Every run",
        headline=f"{times(len(rows), 'run')}: {said}." if rows else words.why(case.results),
        warnings=words.warnings(case.results),
        sections=(Section(name="runs", title="Runs", parts=(_table(case, rows),)),),
    )


def _table(case: Case, rows: tuple[TrialRow, ...]) -> Table:
    columns = [
        Column(name="number", title="trial"),
        Column(name="role", title="role", words=True),
        Column(name="change", title="change", words=True),
        Column(name="state", title="state", words=True),
        Column(name="seed", title="seed"),
        Column(name="score", title="accuracy, %" if case.networks else "score",
               write=case.measure.write),
        Column(name="test", title="test, %", write=PERCENT),
        Column(name="epochs", title="epochs"),
        Column(name="mult_adds", title="mult-adds", write=COUNT),
        Column(name="mult_adds_fvcore", title="by fvcore", write=COUNT),
        Column(name="params", title="parameters", write=COUNT),
        Column(name="seconds", title="training", write=duration),
        Column(name="reason", title="reason", words=True),
    ]  # fmt: skip
    # A column that no row fills says nothing; a function's runs cost what nobody knows.
    unknown = (None, "") if case.networks else (None, "", 0)
    filled = [
        column for column in columns
        if column.name in ("number", "seed")
        or any(getattr(row, column.name) not in unknown for row in rows)
    ]  # fmt: skip
    left = len(rows) - LISTED
    return Table(
        name="trials",
        label="One line a run",
        columns=filled or columns[:4],
        rows=rows[:LISTED],
        key=lambda row: str(row.number),
        link=lambda row: case.variant(row.candidate_id),
        variant=lambda row: row.candidate_id,
        file=case.file("trials.csv"),
        stored=len(rows),
        note=f"The first {LISTED:,} are listed, {left:,} more are in the file." if left > 0 else "",
    )
