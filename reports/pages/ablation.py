"""The ablation: which change hurts, how sure that is, and what it saves."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from nas.base.wording import times
from nas.results.price import PriceRow, prices
from nas.results.rows import EffectRow, SeedRow
from nas.stats.paired import LEVEL
from reports import words
from reports.case import Case
from reports.figures import ablation as drawn
from reports.figures.search import curves
from reports.measure import ACCURACY, Measure
from reports.page import (
    COUNT,
    POINTS,
    Column,
    Figure,
    Page,
    Part,
    Section,
    Table,
    duration,
    p_value,
    signed,
)
from reports.pages import tables
from reports.pages.sure import sure

PAIRS = (
    ": the same split, the same initial weights where the two networks share a layer, the same "
    "batches"
)
STREAMS = (
    "Each row is the baseline on other seeds, of which one stream varies and the others are those "
    "of the first seed, or one is held. What a stream does is the standard deviation (sd); nothing "
    "is tested, and a difference of two means is that of the seeds that were drawn. The A/A row is "
    "the baseline on other seeds in all that varies."
)


def ablation(case: Case) -> Page:
    """The page of the ablation."""
    results = case.results
    rows, beside, measure = results.effects, prices(results), case.measure
    done = any(row.n for row in words.tested(rows))
    sections: list[Section] = [_effects(case, done)]
    if done:
        base = next((row.mult_adds for row in rows if row.role == "baseline"), None)
        sections += [
            sure(beside, rows, case.file("prices.csv"), measure,
                 lambda row: case.variant(row.candidate_id))
        ]  # fmt: skip
        sections += [_costs(case, beside, base)] if base and beside else []
        sections += [_path(case)] if results.study.design == "path" else []
        sections += [_decomposition(case)] if results.decompositions else []
        sections += [_interactions(case)] if results.interactions else []
        sections += [_places(case, beside)] if _placed(beside) > 1 else []
        sections += [seeds(results.seeds, rows, case.file("seeds.csv"), measure)]
        sections += [_curves(case)] if results.curves and case.networks else []
    read = reading(rows, results.study.margin, PAIRS if case.networks else "", measure)
    sections.append(Section(name="reading", title="How to read it", finding=read))
    return case.tab(
        "ablation",
        "Where the spread comes from" if words.spreads(rows) else "What mattered",
        headline=words.headline(results),
        warnings=words.warnings(results),
        sections=sections,
    )


def _effects(case: Case, done: bool) -> Section:
    results = case.results
    folder = case.file("ablation.csv").rpartition("/")[0]
    rows, margin, table = results.effects, results.study.margin, tables.effects(case)
    return forest(rows, margin, folder, table, done, case.measure)


def forest(
    rows: Sequence[EffectRow],
    margin: float | None,
    folder: str,
    table: Table,
    done: bool = True,
    measure: Measure = ACCURACY,
) -> Section:
    """The section of the effects: what hurt most, the forest plot, the table."""
    figure = Figure(
        name="forest",
        plot=drawn.forest(rows, margin, measure),
        caption="Difference of each change to the baseline on the same seeds, with 95 % intervals; "
        "small dots are single seeds."
        + drawn.left_out([row for row in rows if row.role != "baseline" and row.n])
        + (f" The band is the margin of {measure.within(margin)}." if margin else ""),
        files=(f"{folder}/ablation.csv", f"{folder}/seeds.csv"),
    )
    parts: tuple[Part, ...] = (figure, table) if done else (table,)
    return Section(
        name="effects",
        title="How much each stream does" if words.spreads(rows) else "Which change hurt most",
        finding=words.worst(rows, measure),
        parts=parts,
    )


def _costs(case: Case, beside: tuple[PriceRow, ...], base: float) -> Section:
    return Section(
        name="costs",
        title="Effect against cost",
        finding=words.saving(case.results.effects),
        parts=(
            Figure(
                name="quadrants",
                plot=drawn.effect_and_cost(case.results.effects, base),
                caption="Difference in accuracy against the change in mult-adds, both to the "
                "baseline. What is cheaper and no worse is to the left, on or above the line.",
                files=(case.file("prices.csv"), case.file("ablation.csv")),
            ),
            Table(
                name="costs",
                label="What each change costs",
                columns=(
                    Column(name="change", title="change", words=True),
                    Column(name="kind", title="kind", words=True),
                    Column(name="delta", title="difference", write=POINTS),
                    Column(name="mult_adds", title="mult-adds", write=COUNT),
                    Column(name="added", title="added", write=signed,
                           note="mult-adds more than the baseline's"),
                    Column(name="direct", title="direct", write=signed,
                           note="the module's own layers changed"),
                    Column(name="propagated", title="propagated", write=signed,
                           note="the map that the module reads changed"),
                    Column(name="params", title="parameters", write=COUNT),
                    Column(name="seconds", title="a run", write=duration),
                ),
                rows=beside,
                link=lambda row: case.variant(row.candidate_id),
                variant=lambda row: row.candidate_id,
                file=case.file("prices.csv"),
            ),
        ),
    )  # fmt: skip


def _path(case: Case) -> Section:
    rows = [row for row in case.results.effects if row.role != "control" and row.n]
    return Section(
        name="path",
        title="From the baseline to the end of the path",
        finding="One change at a time, each really trained. The path was chosen, so it has no p: "
        "what a step brings depends on those before it.",
        parts=(
            Figure(
                name="waterfall",
                plot=drawn.waterfall(rows),
                caption="What each step adds to the mean accuracy, in points.",
                files=(case.file("ablation.csv"),),
            ),
            Figure(
                name="path",
                plot=drawn.path(rows),
                caption="The path in the plane of accuracy and mult-adds, with 95 % intervals of "
                "the difference to the baseline.",
                files=(case.file("ablation.csv"),),
            ),
        ),
    )


def _decomposition(case: Case) -> Section:
    rows = case.results.decompositions
    return Section(
        name="decomposition",
        title="The part, or its mult-adds",
        finding="Taking a part out takes mult-adds out too. The difference is that of the part, at "
        "equal cost, and that of the cost: the baseline shrunk to the same mult-adds.",
        parts=(
            Table(
                name="decomposition",
                label="What of each change is the part's, and what its cost's",
                columns=(
                    Column(name="change", title="change", words=True),
                    Column(name="n", title="n"),
                    Column(name="delta", title="difference", write=POINTS),
                    Column(name="whole", title="95 % interval", write=POINTS, ends=("low", "high")),
                    Column(name="part", title="the part", write=POINTS),
                    Column(name="part_ends", title="95 % interval", write=POINTS,
                           ends=("part_low", "part_high")),
                    Column(name="size", title="its cost", write=POINTS),
                    Column(name="size_ends", title="95 % interval", write=POINTS,
                           ends=("size_low", "size_high")),
                ),
                rows=rows,
                file=case.file("decomposition.csv"),
            ),
        ),
    )  # fmt: skip


def _interactions(case: Case) -> Section:
    rows = case.results.interactions
    most, measure = max(rows, key=lambda row: abs(row.delta)), case.measure
    return Section(
        name="interactions",
        title="Two changes at once",
        finding=f"The largest interaction is that of “{most.first}” and “{most.second}”, "
        f"{measure.said(most.delta)}: {most.verdict}.",
        parts=(
            Table(
                name="interactions",
                label="What two changes do together more than apart",
                columns=(
                    Column(name="first", title="change", words=True),
                    Column(name="second", title="and", words=True),
                    Column(name="n", title="n"),
                    Column(name="delta", title="interaction", write=measure.write_difference),
                    Column(name="interval", title="95 % interval", write=measure.write_difference,
                           ends=("low", "high")),
                    Column(name="p_holm", title="p, Holm", write=p_value),
                    Column(name="verdict", title="verdict", words=True),
                    Column(name="aliases", title="aliases", words=True,
                           note="pairs that the design cannot tell from this one"),
                ),
                rows=rows,
                mark=lambda row: row.verdict,
                file=case.file("interactions.csv"),
            ),
        ),
    )  # fmt: skip


def _placed(beside: tuple[PriceRow, ...]) -> int:
    return len({(row.module, row.branch) for row in beside if row.module and row.branch})


def _places(case: Case, beside: tuple[PriceRow, ...]) -> Section:
    return Section(
        name="places",
        title="Where in the network",
        finding="Each cell is one change to one branch of one module, with its verdict; blank "
        "cells were not asked.",
        parts=(
            Figure(
                name="places",
                plot=drawn.places(case.results.effects, beside),
                caption="Difference to the baseline in points, module by branch.",
                files=(case.file("prices.csv"), case.file("ablation.csv")),
            ),
        ),
    )


def seeds(
    rows: Sequence[SeedRow],
    effects: Sequence[EffectRow],
    file: str,
    measure: Measure = ACCURACY,
) -> Section:
    """The section of the pairs of runs, seed by seed."""
    itself = {row.change for row in effects if row.role == "baseline"}
    stored, rows = len(rows), [row for row in rows if row.change not in itself]
    won = Counter((row.change, row.kind) for row in rows if row.difference > 0)
    asked = Counter((row.change, row.kind) for row in rows)
    whole = [name for name in asked if won[name] in (0, asked[name])]
    said = (
        f"{len(whole)} of {times(len(asked), 'row')} {'goes' if len(whole) == 1 else 'go'} the "
        "same way on every seed."
        if whole
        else "No row goes the same way on every seed."
    )
    return Section(
        name="seeds",
        title="Seed by seed",
        finding=said,
        parts=(
            Figure(
                name="slopes",
                plot=drawn.slopes(rows, effects, measure),
                caption="Each line is one seed, from the baseline's score (left) to the change's "
                "(right).",
                files=(file,),
            ),
            Table(
                name="seeds",
                label="Pairs of runs",
                columns=(
                    Column(name="change", title="change", words=True),
                    Column(name="kind", title="kind", words=True),
                    Column(name="seed", title="seed", write=str),
                    Column(name="baseline", title=measure.headed("baseline"), write=measure.write),
                    Column(name="score", title=measure.headed("change"), write=measure.write),
                    Column(name="difference", title="difference",
                           write=measure.write_difference),
                ),
                rows=rows[: tables.PAIRS],
                file=file,
                stored=stored,
                folded=True,
            ),
        ),
    )  # fmt: skip


def _curves(case: Case) -> Section:
    roles = ("baseline", "change", "control")
    rows = [row for row in case.results.curves if row.role in roles]
    return Section(
        name="curves",
        title="Learning curves",
        finding="The mean over seeds of each change, beside the baseline with its range.",
        parts=(
            Figure(
                name="curves",
                plot=curves(rows),
                caption="Validation accuracy by epoch.",
                files=(case.file("curves.csv"),),
            ),
            tables.pace(case, roles),
        ),
    )


def reading(
    rows: Sequence[EffectRow],
    margin: float | None,
    pairs: str = PAIRS,
    measure: Measure = ACCURACY,
) -> str:
    """How a table of effects is read, whose pairs of runs share this."""
    if words.spreads(rows):
        return STREAMS
    equal = f" Equivalent means surely within {measure.within(margin)}." if margin else ""
    level = next((row.level for row in rows if not math.isnan(row.level)), LEVEL)
    looks = "" if level == LEVEL else ", the level of each of the planned looks"
    if any(row.kind == "factor" for row in rows):
        compared = (
            f"A factor's difference is the mean of all arms that have it less that of the others, "
            f"on the same seeds{pairs}. The interval is Student's t over these differences seed by "
            "seed, whose spread all factors tell together"
        )
    else:
        compared = (
            f"Each change is compared with the baseline on the same seeds{pairs}. The interval is "
            "Student's t over the paired differences"
        )
    return (
        f"{compared}; the p-values are adjusted by Holm's method over the changes of this table. "
        f"Better and worse mean an adjusted p below {level:g}{looks}."
        f"{equal} Inconclusive means that these seeds cannot tell, not that there is no effect. "
        "The A/A row is the baseline against itself on other seeds: what chance alone does."
    )
