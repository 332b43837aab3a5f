"""A study's first page: the finding, four numbers, the frontier."""

from __future__ import annotations

from nas.base.wording import often, times
from nas.results.methods import chosen
from nas.results.summary import StudyRow
from reports import words
from reports.case import Case
from reports.figures.frontier import EXPLORED, frontier
from reports.page import (
    COUNT,
    PERCENT,
    POINTS,
    Column,
    Figure,
    Page,
    Section,
    Table,
    Tile,
    duration,
    p_value,
)
from reports.pages import sure, tables


def study(case: Case, row: StudyRow) -> Page:
    """The overview."""
    results = case.results
    sections: list[Section] = []
    if case.scored and case.networks:
        sections.append(_frontier(case))
    if results.confirmations:
        sections.append(_confirmation(case))
    if any(effect.n for effect in results.effects):
        sections.append(
            Section(
                name="ablation",
                title="How much each stream does"
                if words.spreads(results.effects)
                else "What each change did",
                finding=words.worst(results.effects, case.measure),
                parts=(tables.effects(case),),
                note="The ablation page has the figures, the seeds"
                + (" and the costs." if case.networks else "."),
            )
        )
    return Page(
        path=case.page("index"),
        kind="study",
        title=results.study.name,
        heading=results.study.question,
        headline=words.headline(results),
        above=case.above(),
        tabs=case.tabs,
        tiles=_tiles(case, row),
        warnings=words.warnings(results),
        sections=sections,
        facts=(
            results.study.full_name,
            f"{results.baseline.subject.source} {row.dataset}",
            tables.states(row),
            f"updated {tables.day(row.updated)}" if row.updated else "never run",
        ),
        footer=case.footer,
    )


def _tiles(case: Case, row: StudyRow) -> tuple[Tile, ...]:
    base, best, kept = case.baseline, case.results.best, case.results.confirmed
    spent = Tile(
        name="Spent", value=duration(row.seconds), detail=f"of training; {tables.states(row)}"
    )
    first = Tile(
        name="Baseline",
        value=case.measure.told(base.mean) if base else "–",
        detail=_baseline(case) if base else "has not run",
    )
    if not case.networks:
        return first, spent
    return (
        first,
        Tile(
            name="Best confirmed",
            value=f"{kept.mean:.2f} %" if kept else "–",
            detail=(
                f"{kept.name}, test split, {kept.mult_adds:,} mult-adds; "
                f"{words.standing(case.results, kept)}"
                if kept
                else f"the search's best, {best.name}, scored {best.mean:.2f} % on one seed: "
                "exploratory"
                if best
                else "none"
            ),
        ),
        _third(case),
        spent,
    )


def _third(case: Case) -> Tile:
    """What came of the ablation in one number: what is cheaper and equivalent, or how widely the
    streams of the seed spread the score."""
    if words.spreads(case.results.effects):
        value, detail = words.streams(case.results.effects)
        return Tile(name="Spread by stream", value=value, detail=detail)
    value, detail = words.cheapest(case.results)
    return Tile(name="Cheapest equivalent", value=value, detail=detail)


def _baseline(case: Case) -> str:
    """What the baseline's number is of, and what it is on other seeds and splits."""
    row, write = case.baseline, case.measure.write
    assert row is not None
    spread = "one seed"
    if row.n > 1:
        spread = (
            f"mean ± {write(row.sd)} (sd) over {row.n} seeds, {write(row.low)} to {write(row.high)}"
        )
    if not case.networks:
        return spread
    said = f"validation, {spread}; {row.mult_adds:,} mult-adds"
    others = [
        f"{effect.mean:.2f} % on the {times(effect.n, 'seed')} of the ablation"
        for effect in case.results.effects
        if effect.role == "baseline" and 0 < effect.n != row.n
    ]
    others += [
        f"{each.mean:.2f} % on the test split, {times(each.n, 'fresh seed')}"
        for each in case.results.confirmations[:1]
        if each.role == "baseline"
    ]
    return f"{said}. It is {' and '.join(others)}" if others else said


def _frontier(case: Case) -> Section:
    results, limit = case.results, case.limit
    explored = sum(row.exploratory for row in case.scored)
    caption = "Validation accuracy against mult-adds per image."
    if limit is not None:
        caption += f" The budget is {limit:,.0f} mult-adds."
    if explored > EXPLORED:
        caption += (
            f" Of {explored:,} explored candidates {EXPLORED:,} at even distances are drawn, and "
            "with them the best, the front and the baseline."
        )
    return Section(
        name="frontier",
        title="Accuracy against mult-adds",
        finding=words.frontier(results),
        parts=(
            Figure(
                name="frontier",
                plot=frontier(results.candidates, limit),
                caption=caption,
                files=(case.file("candidates.csv"),),
            ),
            tables.candidates(case),
        ),
    )


def _confirmation(case: Case) -> Section:
    results = case.results
    rows = results.confirmations
    note = (
        f"Trained anew and scored on the test split, which has been read {often(results.looks)}. "
    )
    if said := chosen(results):
        note += (
            f"{said} The drop is from the search's score to the mean; the baseline's own says what "
            "the change of split does."
        )
    settings = [
        Column(name=name, title=name, write=COUNT) for name in ("epochs", "crops")
        if len({getattr(row, name) for row in rows}) > 1
    ]  # fmt: skip
    if any(row.diverged for row in rows):
        settings.append(Column(name="diverged", title="diverged", write=COUNT))
    return Section(
        name="confirmation",
        title="Confirmation on fresh seeds and the test split",
        finding=" ".join(filter(None, (words.best(results), sure.best(results)))),
        parts=(
            Table(
                name="confirmation",
                label="The confirmed beside the baseline, on the test split",
                columns=(
                    Column(name="name", title="candidate", words=True),
                    Column(name="delta", title="difference", write=POINTS),
                    Column(name="interval", title="95 % interval", write=POINTS,
                           ends=("low", "high")),
                    Column(name="two_way", title="with images", write=POINTS,
                           ends=("low_two_way", "high_two_way"),
                           note="over seeds and test images"),
                    Column(name="verdict", title="verdict", words=True),
                    Column(name="n", title="n"),
                    Column(name="mean", title="test mean, %", write=PERCENT),
                    Column(name="sd", title="sd", write=PERCENT),
                    Column(name="wins", title="won", note="seeds on which it was ahead"),
                    Column(name="p_holm", title="p, Holm", write=p_value),
                    Column(name="searched", title="search, %", write=PERCENT),
                    Column(name="validation", title="validation, %", write=PERCENT,
                           note="of the fresh runs: the highest is the best network's"),
                    Column(name="drop", title="drop", write=POINTS),
                    *settings,
                    Column(name="mult_adds", title="mult-adds", write=COUNT),
                ),
                rows=rows,
                link=lambda row: case.variant(row.candidate_id),
                variant=lambda row: row.candidate_id,
                mark=lambda row: row.verdict,
                file=case.file("confirmation.csv"),
            ),
        ),
        note=note.strip(),
    )  # fmt: skip
