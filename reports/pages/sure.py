"""Are we sure, and what would it take to be: of an ablation's changes, and of the best network."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from statistics import mean, median

from nas.base.wording import times
from nas.results.price import NeedRow, PriceRow, needed
from nas.results.rows import ConfirmationRow, EffectRow
from nas.results.tables import Results
from reports import words
from reports.measure import ACCURACY, Measure
from reports.page import COUNT, POINTS, Column, Section, Table, duration
from reports.pages import tables

TIMED = (
    Column(name="hours", title="training more", write=lambda hours: duration(3600 * hours)),
    Column(name="seconds", title="a run", write=duration),
)


def sure(
    rows: Sequence[NeedRow],
    effects: Sequence[EffectRow],
    file: str,
    measure: Measure = ACCURACY,
    link: Callable[[PriceRow], str | None] = lambda row: None,
) -> Section:
    """The section of what these seeds can show, and what more would take; `rows` are in `file`."""
    timed = any(isinstance(row, PriceRow) for row in rows)
    table = Table(
        name="power",
        label="What these seeds can show, and what more would take",
        columns=(
            Column(name="change", title="change", words=True),
            Column(name="kind", title="kind", words=True),
            Column(name="visible", title="visible", write=measure.write, note=tables.VISIBLE),
            Column(name="needed", title="seeds for the difference seen", write=COUNT,
                   note="to show it as often; empty where they are more than 200, or no "
                   "difference was seen"),
            *(TIMED if timed else ()),
        ),
        rows=rows[: tables.PAIRS],
        link=link,
        variant=lambda row: row.candidate_id if timed else "",
        file=file,
        stored=len(rows),
    )  # fmt: skip
    return Section(
        name="sure",
        title="Are we sure, and what would it cost to be",
        finding=changes(rows, effects, measure),
        parts=(table,) if rows else (),
        note="From the noncentral t at the table's level over the number of changes, with the "
        "spread of the differences seen; a spread from few seeds is itself uncertain. Adding seeds "
        "after a look at the table is a look: it raises the chance of a false verdict.",
    )


def changes(
    rows: Sequence[NeedRow], effects: Sequence[EffectRow], measure: Measure = ACCURACY
) -> str:
    """What these seeds can show of the changes, and what more would take."""
    tested = words.tested(effects)
    known = [row.visible for row in tested if math.isfinite(row.visible)]
    if not known:
        return _untold(tested)
    least = f"{measure.write(median(known))} {measure.points}".strip()
    said = (
        f"At 80 % power these seeds show a difference of about {least} or more, for the middle one "
        "of the changes, if the spread is what they show."
    )
    opened = [row for row in tested if row.verdict == "inconclusive"]
    if not opened:
        return f"{said} No verdict is open."
    said += f" {times(len(opened), 'change is', 'changes are')} inconclusive"
    keys = {(row.change, row.kind) for row in opened}
    asked = [row for row in rows if (row.change, row.kind) in keys]
    if not asked:
        return (
            f"{said}. Seeds are not priced here: a factor's difference is that of all arms, and "
            "one seed more is a run of each."
        )
    within = [row for row in asked if row.needed is not None]
    if not within:
        return f"{said}; the differences seen are so small that 200 seeds would not show them."
    nearest = min(within, key=lambda row: row.needed or 0)
    hours = math.nan if nearest.hours is None else nearest.hours
    spent = "" if math.isnan(hours) else f", {duration(3600 * hours)} of training more"
    return (
        f"{said}; the nearest to a verdict, “{nearest.change}”, would need {nearest.needed} seeds"
        f"{spent}, if its difference is as large as it looks."
    )


def _untold(tested: Sequence[EffectRow]) -> str:
    """Why nothing can be said of what the seeds show."""
    found = Counter(row.verdict for row in tested if row.n > 1)
    if not found:
        return "Two finished pairs of runs or more say what these seeds can show."
    why = ", ".join(f"{count} {'is' if count == 1 else 'are'} {name}"
                    for name, count in found.items())  # fmt: skip
    return f"No row has a verdict whose power could be told: {why}."


def best(results: Results) -> str:
    """What it would take to be sure of the best network that fresh seeds confirmed; nothing where
    its verdict is not open."""
    row = results.confirmed
    if row is None or row.verdict != "inconclusive" or row.n < 2:
        return ""
    data = results.baseline.recipe.data
    alike = [each for each in results.confirmations if _kind(each) == _kind(row)]
    family = sum(each.role != "baseline" for each in alike)
    seeds = needed(row.differences, family, 100 / (data.test or data.validation))
    if seeds is None:
        said = "200 fresh seeds would not show the difference seen, so small is it"
    elif seeds <= row.n:
        said = f"{seeds} fresh seeds, which there are, show the difference seen in 80 of 100 cases"
    else:
        said = (
            f"To show the difference seen, {POINTS(row.delta)} points, in 80 of 100 cases would "
            f"take {seeds} fresh seeds{_training(results, row, seeds)}"
        )
    seen, images = row.high - row.delta, _of_images(row)
    over_seeds = seen * math.sqrt(row.n / seeds) if seeds else 0.0
    if math.hypot(images, over_seeds) >= abs(row.delta):
        said += (
            f"; but about ±{images:.2f} points of its interval are of the test images, which no "
            "seed narrows: it would stay inconclusive"
        )
    return f"{said}."


def _kind(row: ConfirmationRow) -> tuple[int, int]:
    """What was trained and scored alike."""
    return row.epochs, row.crops


def _training(results: Results, row: ConfirmationRow, seeds: int) -> str:
    """The training that so many seeds take more: of the network and of the baseline."""
    spent = 0.0
    for candidate_id in (row.candidate_id, results.baseline_id):
        runs = [
            sum(epoch.seconds for epoch in run.curve) for run in results.records
            if run.test is not None and run.candidate_id == candidate_id and run.curve
        ]  # fmt: skip
        spent += mean(runs) if runs else math.nan
    more = (seeds - row.n) * spent
    return "" if math.isnan(more) else f", {duration(more)} of training more"


def _of_images(row: ConfirmationRow) -> float:
    """Half of what the interval of seeds and images has of the images alone, in points; NaN where
    there is no such interval."""
    seeds, both = row.high - row.delta, row.high_two_way - row.delta
    return math.sqrt(max(0.0, both**2 - seeds**2)) if both >= seeds else math.nan
