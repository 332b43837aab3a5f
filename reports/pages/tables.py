"""Tables that several pages show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from nas.base.wording import times
from nas.results.flow import pace as paces
from nas.results.rows import CandidateRow, EffectRow
from nas.results.summary import StudyRow
from reports.case import Case
from reports.measure import ACCURACY, Measure, amount
from reports.page import COUNT, PERCENT, POINTS, Column, Table, duration, fixed, p_value

VISIBLE = (
    "the smallest difference that such a row shows in 80 of 100 cases, if the spread is what "
    "these seeds show"
)
PAIRS = 2000
"""Pairs of runs in a table at most, and changes; the files have all."""
LISTED = 300
"""Candidates in a table at most; the baseline, the changes and the best come first."""


def effects(case: Case) -> Table:
    """The ablation: the baseline, each change, the A/A control."""

    def link(row: EffectRow) -> str | None:
        return None if row.role == "control" else case.variant(row.candidate_id)

    return compared(case.results.effects, case.file("ablation"), link, case.measure)


def compared(
    rows: Sequence[EffectRow],
    file: str,
    link: Callable[[EffectRow], str | None] = lambda row: None,
    measure: Measure = ACCURACY,
) -> Table:
    """A table of changes against their baseline; `file` is that of its files, without an end."""
    difference = measure.write_difference
    columns = (
        Column(name="change", title="change", of="name", words=True),
        Column(name="kind", title="kind", words=True),
        Column(name="delta", title="difference", write=difference,
               note=f"in {measure.points or measure.score}, to the baseline on the same seeds"),
        Column(name="interval", title="95 % interval", write=difference, ends=("low", "high")),
        Column(name="verdict", title="verdict", words=True),
        Column(name="n", title="n", note="finished pairs of runs"),
        Column(name="mean", title=measure.headed("mean"), write=measure.write),
        Column(name="sd", title="sd", write=measure.write),
        Column(name="wins", title="won", note="seeds on which the change was ahead"),
        Column(name="correlation", title="pairing r", write=PERCENT,
               note="correlation of the two over the seeds"),
        Column(name="p_holm", title="p, Holm", write=p_value),
        Column(name="sign_flip", title="sign-flip p", of="check", words=True,
               note="the exact check of p, over the family"),
        Column(name="visible", title="visible", write=measure.write, note=VISIBLE),
        Column(name="mult_adds", title=measure.cost, write=amount),
        Column(name="params", title="parameters", write=COUNT),
    )  # fmt: skip
    known = [
        column for column in columns
        if column.name not in ("mult_adds", "params")
        or any(getattr(row, column.name) is not None for row in rows)
    ]  # fmt: skip
    return Table(
        name="ablation",
        label="Each change against the baseline on the same seeds",
        columns=known,
        rows=rows[:PAIRS],
        link=link,
        variant=lambda row: row.candidate_id,
        mark=lambda row: row.verdict,
        file=f"{file}.csv",
        stored=len(rows),
        also=(f"{file}.tex",),
        note=_incomplete(rows),
    )


def _incomplete(rows: Sequence[EffectRow]) -> str:
    rows = [row for row in rows if row.note or row.n < row.planned or row.diverged][:LISTED]
    short = [f"{row.name}: {row.n} of {row.planned}" for row in rows if row.n < row.planned]
    lost = [f"{row.name}: {row.diverged}" for row in rows if row.diverged]
    said = "".join(f"{row.name}: {row.note}. " for row in rows if row.note)
    said += f"Seeds still missing: {'; '.join(short)}. " if short else ""
    return said + (f"Runs that diverged, and count: {'; '.join(lost)}. " if lost else "")


def pace(case: Case, roles: Sequence[str]) -> Table:
    """How soon runs of these roles learn."""
    known = paces(case.results.records)
    rows = [row for row in known if row.role in roles]
    return Table(
        name="pace",
        label="After the last epoch, and how soon",
        columns=(
            Column(name="name", title="runs of", words=True),
            Column(name="runs", title="runs"),
            Column(name="epochs", title="epochs"),
            Column(name="accuracy", title="accuracy, %", write=PERCENT,
                   note="mean over the runs, each after its last epoch"),
            Column(name="reached", title="95 % of it after epoch", write=fixed(".1f"),
                   note="mean over the runs, of each one's own last accuracy"),
        ),
        rows=rows,
        file=case.file("pace.csv"),
        stored=len(known),
        folded=True,
    )  # fmt: skip


def candidates(case: Case) -> Table:
    """Every candidate with a score; the best of each kind first."""
    rows = case.scored[:LISTED]
    left = len(case.scored) - len(rows)

    def mark(row: CandidateRow) -> str:
        return "baseline" if row.role == "baseline" else ""

    return Table(
        name="candidates",
        label="Candidates with a score",
        columns=(
            Column(name="name", title="candidate", words=True),
            Column(name="n", title="seeds"),
            Column(name="mean", title="accuracy, %", write=PERCENT),
            Column(name="interval", title="95 % interval", write=PERCENT, ends=("low", "high")),
            Column(name="mult_adds", title="mult-adds", write=COUNT),
            Column(name="params", title="parameters", write=COUNT),
            Column(name="exploratory", title="exploratory", words=True,
                   write=lambda value: "one seed" if value else ""),
            Column(name="feasible", title="budget", words=True,
                   write=lambda value: "within" if value else "over"),
        ),
        rows=rows,
        key=lambda row: row.candidate_id,
        link=lambda row: case.variant(row.candidate_id),
        variant=lambda row: row.candidate_id if case.variant(row.candidate_id) else "",
        mark=mark,
        picks=case.page("compare") if len(case.shown) > 1 else None,
        file=case.file("candidates.csv"),
        stored=len(case.results.candidates),
        note=f"The {LISTED} best are listed, {left:,} more are in the file." if left else "",
    )  # fmt: skip


def studies(rows: Sequence[StudyRow], cases: Sequence[Case], picks: str | None) -> Table:
    """The catalogue."""
    paths = {case.results.study.full_name: case.page("index") for case in cases}
    slugs = {case.results.study.full_name: case.slug for case in cases}
    percent = all(case.networks for case in cases)
    return Table(
        name="studies",
        label="Studies",
        columns=(
            Column(name="study", title="study", words=True),
            Column(name="question", title="question", words=True),
            Column(name="dataset", title="data", words=True),
            Column(name="baseline", title="baseline, %" if percent else "baseline", write=PERCENT,
                   note="" if percent else "accuracies in percent; of a function, its own score"),
            Column(name="limit", title="budget, mult-adds", write=fixed(",.0f")),
            Column(name="trials", title="trials", write=COUNT),
            Column(name="complete", title="complete", write=COUNT),
            Column(name="stopped", title="stopped", write=COUNT, note="early; diverged; exceeded"),
            Column(name="refused", title="refused", write=COUNT, note="by the budget, untrained"),
            Column(name="failed", title="failed", write=COUNT),
            Column(name="seeds", title="seeds", write=COUNT),
            Column(name="confirmed", title="best confirmed", words=True),
            Column(name="delta", title="difference", write=POINTS,
                   note="to the baseline, on the test split, percentage points"),
            Column(name="interval", title="95 % interval", write=POINTS, ends=("low", "high")),
            Column(name="verdict", title="changes", words=True),
            Column(name="seconds", title="training", write=duration),
            Column(name="updated", title="updated", write=day),
        ),
        rows=rows,
        key=lambda row: slugs[row.full_name],
        link=lambda row: paths[row.full_name],
        variant=lambda row: slugs[row.full_name],
        picks=picks,
        file="data/studies.csv",
    )  # fmt: skip


def day(seconds: float) -> str:
    """A time as its day, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def states(row: StudyRow) -> str:
    """How the runs of a study ended."""
    parts = [
        f"{count:,} {name}"
        for name, count in (
            ("complete", row.complete), ("stopped early", row.stopped),
            ("refused", row.refused), ("failed", row.failed),
        )
        if count
    ]  # fmt: skip
    return f"{times(row.trials, 'run')}: {', '.join(parts) or 'none over'}"
