"""Runs from elsewhere: one page with what an ablation of ours has, as far as a table can say it."""

from __future__ import annotations

from collections.abc import Sequence

from nas.contrasts import seed_rows
from nas.effects import Sample, effects
from reports import words
from reports.figures import ablation as drawn
from reports.files import compared
from reports.page import Figure, Page, Section
from reports.pages.ablation import forest, reading, seeds
from reports.pages.tables import compared as table


def runs(
    name: str, samples: Sequence[Sample], margin: float | None, resolution: float = 0.0
) -> tuple[Page, dict[str, str]]:
    """The page of a table of runs, and its data files."""
    rows = effects(samples, margin=margin, resolution=resolution)
    pairs = tuple(seed_rows(samples))
    sections = [forest(rows, margin, table(rows, "data/ablation.csv"))]
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
                        plot=drawn.effect_and_cost(rows, base),
                        caption="Difference in score against the change in cost, both to the "
                        "baseline; the numbers are in the table above.",
                    ),
                ),
            )
        )
    sections += [
        seeds(pairs, rows, "data/seeds.csv"),
        Section(name="reading", title="How to read it", finding=reading(rows, margin, "")),
    ]
    page = Page(
        path="index.html",
        kind="ablation",
        title=name,
        heading="What mattered",
        headline=words.verdicts(rows, margin),
        sections=sections,
        footer="The scores are as the table of runs has them; differences are in its unit.",
        facts=(f"runs of {name}", f"baseline {rows[0].change}"),
    )
    return page, {f"data/{key}": text for key, text in compared(rows, pairs).items()}
