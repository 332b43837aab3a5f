"""Runs from elsewhere: one page with what an ablation of ours has, as far as a table can say it."""

from __future__ import annotations

from nas.results.contrasts import seed_rows
from nas.results.effects import effects
from nas.results.elsewhere.pairing import Runs
from nas.results.price import needs
from reports import words
from reports.figures import ablation as drawn
from reports.files import compared, csv
from reports.measure import measured
from reports.page import Figure, Page, Section
from reports.pages.ablation import forest, reading, seeds
from reports.pages.sure import sure
from reports.pages.tables import compared as table


def runs(
    name: str,
    found: Runs,
    margin: float | None,
    cost: str | None = None,
    resolution: float = 0.0,
) -> tuple[Page, dict[str, str]]:
    """The page of a table of runs, and its data files; `cost` is the name of its column."""
    samples, score = found.samples, found.score
    rows = effects(
        samples, margin=margin, resolution=resolution, higher_is_better=found.higher_is_better
    )
    pairs = tuple(seed_rows(samples))
    measure = measured(score, cost, [row.sd for row in rows], lower=not found.higher_is_better)
    listed = table(rows, "data/ablation", measure=measure)
    wanted = needs(rows, resolution)
    sections = [
        forest(rows, margin, "data", listed, measure=measure),
        sure(wanted, rows, "data/needs.csv", measure),
    ]
    base = rows[0].mult_adds
    if base:
        sections.append(
            Section(
                name="costs",
                title="Effect against cost",
                finding=words.saving(rows),
                parts=(
                    Figure(
                        name="quadrants",
                        plot=drawn.effect_and_cost(rows, base, measure),
                        caption=f"Difference in {score} against the change in {measure.cost}, both "
                        "to the baseline.",
                        files=("data/ablation.csv",),
                    ),
                ),
            )
        )
    read = reading(rows, margin, "", measure)
    sections += [
        seeds(pairs, rows, "data/seeds.csv", measure),
        Section(
            name="taken", title="What was taken for what", finding=f"{'; '.join(found.taken)}."
        ),
        Section(name="reading", title="How to read it", finding=read),
    ]
    page = Page(
        path="index.html",
        kind="ablation",
        title=name,
        heading="What mattered",
        headline=words.verdicts(rows, margin, measure),
        warnings=found.warnings,
        sections=sections,
        footer=f"Scores are as the column {score} has them; differences are in its unit.",
        facts=(f"runs of {name}", f"baseline {rows[0].change}", *found.taken[:2]),
    )
    files = compared(rows, pairs, measure) | {"needs.csv": csv(wanted)}
    return page, {f"data/{key}": text for key, text in files.items()}
