"""Variants of a study side by side: those that the reader ticked, four at most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    rows = case.shown[:COMPARED]
    names = {row.candidate_id: row.name for row in rows}
    sections = (
        Section(
            name="candidates",
            title="Which",
            finding="Without a choice these are the first four.",
            parts=(replace(tables.candidates(case), rows=rows, note=""),),
        ),
        _accuracy(case, rows, names),
        _changes(case, names),
        _modules(case, rows, names),
        _curves(case, names),
    )
    return case.tab(
        "compare",
        "Variants side by side",
        headline="Tick up to four; the address of this page then brings them back.",
        sections=[section for section in sections if section],
    )


def _accuracy(case: Case, rows: Sequence[CandidateRow], names: Mapping[str, str]) -> Section:
    figure = Figure(
        name="accuracy",
        plot=drawn.accuracies(rows, names),
        caption="Validation accuracy against mult-adds; hollow for one seed, with a 95 % interval "
        "from two on.",
        files=(case.file("candidates.csv"),),
        picked=True,
    )
    return Section(
        name="accuracy",
        title="Accuracy against mult-adds",
        finding="The first table has these numbers; this is where they stand to each other.",
        parts=(figure,),
    )


def _changes(case: Case, names: Mapping[str, str]) -> Section:
    table = Table(
        name="changes",
        label="Settings that are not the baseline's",
        columns=(
            Column(name="name", title="candidate", words=True),
            Column(name="path", title="setting", words=True),
            Column(name="before", title="baseline's", words=True),
            Column(name="here", title="candidate's", words=True),
        ),
        rows=[
            _Change(name, path, spell(old), spell(new), key)
            for key, name in names.items()
            for path, (old, new) in case.results.differences(key).items()
        ],
        key=lambda row: f"{row.candidate_id}-{row.path}",
        variant=lambda row: row.candidate_id,
    )
    return Section(
        name="changes",
        title="What changed",
        finding="Every setting that is not the baseline's.",
        parts=(table,),
    )


def _modules(case: Case, rows: Sequence[CandidateRow], names: Mapping[str, str]) -> Section:
    parts = {key: case.modules[key] for key in names}
    figure = Figure(
        name="modules",
        plot=drawn.modules(parts, names),
        caption="Mult-adds of each module.",
        files=(case.file("modules.csv"),),
        picked=True,
    )
    table = Table(
        name="modules",
        label="What each module costs",
        columns=(
            Column(name="name", title="candidate", words=True),
            Column(name="module", title="module", words=True),
            Column(name="variant_mult_adds", title="mult-adds", write=COUNT),
            Column(name="change", title="change", write=signed),
            Column(name="variant_params", title="parameters", write=COUNT),
        ),
        rows=[
            _Module(
                names[key], row.module, row.variant_mult_adds, row.change, row.variant_params, key
            )
            for key, modules in parts.items()
            for row in modules
        ],
        key=lambda row: f"{row.candidate_id}-{row.module}",
        variant=lambda row: row.candidate_id,
        file=case.file("modules.csv"),
        stored=sum(map(len, case.modules.values())),
        folded=True,
    )
    return Section(
        name="modules",
        title="Mult-adds by module",
        finding=_cheaper(case, rows),
        parts=(figure, table),
    )


def _curves(case: Case, names: Mapping[str, str]) -> Section | None:
    trials = case.results.trials
    numbers = {row.number: row.candidate_id for row in trials if row.role != "control"}
    runs: dict[str, list[CurveRow]] = {key: [] for key in names}
    for curve in case.results.curves:
        key = numbers.get(curve.number)
        if key in runs:
            runs[key].append(curve)
    runs = {key: curves for key, curves in runs.items() if curves}
    if not runs:
        return None
    figure = Figure(
        name="curves",
        plot=drawn.curves(runs, names),
        caption="Validation accuracy by epoch: the mean over runs, and their range.",
        files=(case.file("curves.csv"),),
        picked=True,
    )
    return Section(
        name="curves",
        title="Learning curves",
        finding="The first table has the mean accuracies after the last epoch.",
        parts=(figure,),
    )


def _cheaper(case: Case, rows: Sequence[CandidateRow]) -> str:
    """How many variants cost less than the baseline, and which the least."""
    change = {
        row.name: sum(part.change for part in case.modules[row.candidate_id])
        for row in rows
        if row.candidate_id != case.results.baseline_id
    }
    less = sum(value < 0 for value in change.values())
    finding = f"{less} of {times(len(change), 'variant')} {'has' if less == 1 else 'have'} fewer "
    finding += "mult-adds than the baseline"
    if not less:
        return f"{finding}."
    least = min(change, key=lambda name: change[name])
    return f"{finding}; “{least}” has the fewest, {signed(change[least])}."
