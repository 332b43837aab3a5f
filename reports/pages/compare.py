"""Variants of a study side by side: those that the reader ticked, four at most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nas.base.wording import times
from nas.results.rows import CandidateRow, CurveRow
from reports.case import Case
from reports.figures import compare as drawn
from reports.page import COUNT, Column, Figure, Page, Section, Table, signed
from reports.pages import tables
from reports.pages.differences import spell

COMPARED = 32
"""Variants that can be compared; the best of each kind."""


@dataclass(frozen=True)
class _Change:
    """A setting of a variant that is not the baseline's."""

    name: str
    path: str
    before: str
    here: str
    candidate_id: str


@dataclass(frozen=True)
class _Module:
    """A module of a variant."""

    name: str
    module: str
    variant_mult_adds: int
    change: int
    variant_params: int
    candidate_id: str


def compare(case: Case) -> Page:
    """The page that compares variants."""
    results = case.results
    rows = case.shown[:COMPARED]
    names = {row.candidate_id: row.name for row in rows}
    changed = [
        _Change(row.name, path, spell(old), spell(new), row.candidate_id)
        for row in rows
        for path, (old, new) in results.differences(row.candidate_id).items()
    ]
    parts = {key: case.modules[key] for key in names}
    costs = [
        _Module(
            names[key], each.module, each.variant_mult_adds, each.change, each.variant_params, key
        )
        for key, found in parts.items()
        for each in found
    ]
    numbers = {row.number: row.candidate_id for row in results.trials if row.role != "control"}
    runs: dict[str, list[CurveRow]] = {key: [] for key in names}
    for curve in results.curves:
        key = numbers.get(curve.number)
        if key in runs:
            runs[key].append(curve)
    picked = replace(tables.candidates(case), rows=rows, note="")
    sections = [
        Section(
            name="candidates",
            title="Which",
            finding="Without a choice these are the first four.",
            parts=(picked,),
        ),
        Section(
            name="accuracy",
            title="Accuracy against mult-adds",
            finding="The first table has these numbers; this is where they stand to each other.",
            parts=(
                Figure(
                    name="accuracy",
                    plot=drawn.accuracies(rows, names),
                    caption="Validation accuracy against mult-adds; hollow for one seed, with a "
                    "95 % interval from two on.",
                    files=(case.file("candidates.csv"),),
                    picked=True,
                ),
            ),
        ),
        Section(
            name="changes",
            title="What changed",
            finding="Every setting that is not the baseline's.",
            parts=(
                Table(
                    name="changes",
                    label="Settings that are not the baseline's",
                    columns=(
                        Column(name="name", title="candidate", words=True),
                        Column(name="path", title="setting", words=True),
                        Column(name="before", title="baseline's", words=True),
                        Column(name="here", title="candidate's", words=True),
                    ),
                    rows=changed,
                    key=lambda row: f"{row.candidate_id}-{row.path}",
                    variant=lambda row: row.candidate_id,
                ),
            ),
        ),
        Section(
            name="modules",
            title="Mult-adds by module",
            finding=_cheaper(case, rows),
            parts=(
                Figure(
                    name="modules",
                    plot=drawn.modules(parts, names),
                    caption="Mult-adds of each module.",
                    files=(case.file("modules.csv"),),
                    picked=True,
                ),
                Table(
                    name="modules",
                    label="What each module costs",
                    columns=(
                        Column(name="name", title="candidate", words=True),
                        Column(name="module", title="module", words=True),
                        Column(name="variant_mult_adds", title="mult-adds", write=COUNT),
                        Column(name="change", title="change", write=signed),
                        Column(name="variant_params", title="parameters", write=COUNT),
                    ),
                    rows=costs,
                    key=lambda row: f"{row.candidate_id}-{row.module}",
                    variant=lambda row: row.candidate_id,
                    file=case.file("modules.csv"),
                    stored=sum(map(len, case.modules.values())),
                    folded=True,
                ),
            ),
        ),
    ]
    if any(runs.values()):
        sections.append(
            Section(
                name="curves",
                title="Learning curves",
                finding="The first table has the mean accuracies after the last epoch.",
                parts=(
                    Figure(
                        name="curves",
                        plot=drawn.curves({k: v for k, v in runs.items() if v}, names),
                        caption="Validation accuracy by epoch: the mean over runs, and their "
                        "range.",
                        files=(case.file("curves.csv"),),
                        picked=True,
                    ),
                ),
            )
        )
    return Page(
        path=case.page("compare"),
        kind="compare",
        title="Compare",
        heading="Variants side by side",
        headline="Tick up to four; the address of this page then brings them back.",
        above=case.above("study"),
        tabs=case.tabs,
        sections=sections,
    )


def _cheaper(case: Case, rows: Sequence[CandidateRow]) -> str:
    """How many variants cost less than the baseline, and which the least."""
    change = {
        row.name: sum(part.change for part in case.modules[row.candidate_id])
        for row in rows
        if row.candidate_id != case.results.baseline_id
    }
    less = sum(value < 0 for value in change.values())
    said = f"{less} of {times(len(change), 'variant')} {'has' if less == 1 else 'have'} fewer "
    said += "mult-adds than the baseline"
    if not less:
        return f"{said}."
    least = min(change, key=lambda name: change[name])
    return f"{said}; “{least}” has the fewest, {signed(change[least])}."
