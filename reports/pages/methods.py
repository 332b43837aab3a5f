"""How it was done, in words made from the database, and the checklist."""

from __future__ import annotations

from nas.results.methods import checklist, facts
from reports.case import Case
from reports.page import Column, Page, Section, Table


def methods(case: Case) -> Page:
    """The page of the methods."""
    told = facts(case.results)
    return case.tab(
        "methods",
        "How it was done",
        headline="Written from the database alone: what ran, not what was meant to.",
        sections=(
            Section(
                name="facts",
                title="Methods",
                parts=(
                    Table(
                        name="methods",
                        label="How the study was done",
                        columns=(
                            Column(name="about", title="about", words=True),
                            Column(name="text", title="what was done", words=True),
                        ),
                        rows=told,
                    ),
                ),
            ),
            *([_checklist(case)] if case.networks else []),
        ),
    )


def _checklist(case: Case) -> Section:
    checks = checklist(case.results)
    kept = sum(check.kept for check in checks)
    return Section(
        name="checklist",
        title="Checklist of best practice",
        finding=f"{kept} of {len(checks)} practices are kept, as far as the database can "
        "show.",
        parts=(
            Table(
                name="checklist",
                label="Practices of architecture search",
                columns=(
                    Column(name="practice", title="practice", words=True),
                    Column(name="kept", title="kept", words=True,
                           write=lambda kept: "✓ yes" if kept else "no"),
                    Column(name="evidence", title="what shows it", words=True),
                ),
                rows=checks,
            ),
        ),
        note="After Lindauer and Hutter (2020), Best practices for scientific research on "
        "neural architecture search, JMLR 21(243).",
    )  # fmt: skip
