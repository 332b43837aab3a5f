"""The first page: which studies there are, and what came of each."""

from __future__ import annotations

from collections.abc import Sequence

from nas.results.search import distribution, progress
from nas.results.summary import StudyRow
from reports import words
from reports.case import Case
from reports.figures import compare as drawn
from reports.figures.search import distributions
from reports.page import FOOTER, Figure, Page, Section
from reports.pages import tables


def catalogue(cases: Sequence[Case], rows: Sequence[StudyRow]) -> Page:
    """The table of the studies, and each one's finding."""
    several = len(cases) > 1
    found = [
        Section(
            name=case.slug,
            title=case.results.study.question,
            finding=words.headline(case.results),
            note=f"{case.results.study.name}: {tables.states(row)}",
        )
        for case, row in zip(cases, rows, strict=True)
    ]
    footers = {case.footer for case in cases}
    count = "One study" if not several else f"{len(cases)} studies"
    return Page(
        path="index.html",
        kind="catalogue",
        title="Studies",
        heading="Studies",
        headline=f"{count} around Inception networks, each with its question and what came of it.",
        footer=footers.pop() if len(footers) == 1 else FOOTER,
        sections=(
            Section(
                name="studies",
                title="What was asked",
                parts=(tables.studies(rows, cases, "compare.html" if several else None),),
            ),
            *found,
        ),
    )


def compare_studies(cases: Sequence[Case], rows: Sequence[StudyRow]) -> Page:
    """Studies side by side: those that the reader ticked, or else the first four."""
    names = {case.slug: case.results.study.name for case in cases}
    history = {case.slug: progress(case.results.records) for case in cases}
    scores = {case.slug: distribution(case.results.records) for case in cases}
    searched = {key: rows for key, rows in scores.items() if rows}

    def stored(name: str) -> list[str]:
        return [case.file(name) for case in cases if case.slug in searched]

    figures: list[Section] = []
    if searched:
        figures = [
            Section(
                name="best",
                title="Best so far",
                finding="The best score within each study's own budget; one seed a candidate.",
                parts=(Figure(
                    name="progress",
                    plot=drawn.progress({key: history[key] for key in searched}, names),
                    caption="Best validation accuracy against the number of trained candidates.",
                    files=stored("progress.csv"),
                    picked=True,
                ),),
            ),
            Section(
                name="shares",
                title="All candidates",
                finding="A curve further to the right means that the whole space scores higher, "
                "not only its best.",
                parts=(Figure(
                    name="edf",
                    plot=distributions(searched),
                    caption="The share of the candidates trained to the end that score as much or "
                    "less.",
                    files=stored("distribution.csv"),
                    picked=True,
                ),),
            ),
        ]  # fmt: skip
    return Page(
        path="compare.html",
        kind="compare",
        title="Compare",
        heading="Studies side by side",
        headline="Tick the studies to compare; the address of this page then brings them back.",
        above=(("Studies", "index.html"),),
        sections=(
            Section(
                name="studies",
                title="Studies",
                parts=(tables.studies(rows, cases, "compare.html"),),
            ),
            *figures,
        ),
    )
