import csv
import io
import re
from dataclasses import replace

import pandas as pd
import pytest

from nas import edit
from nas.plan.arms import BASELINE, CONTROL
from nas.results.flow import pace
from nas.results.tables import Results
from reports.case import Case
from reports.files import files
from reports.page import Figure, Table
from reports.site import build, data, pages
from tests.examples import BASE, ablation_records, built, epoch, search_records

SCORES = {
    BASELINE: [98.0, 98.5, 97.5],
    "no 5x5": [90.0, 90.75, 89.5],
    "no aux heads": [98.25, 98.25, 97.5],
    CONTROL: [98.0, 97.75, 98.5],
}
WORDS = ("methods", "checklist", "differences", "canonical", "changes")
"""Tables without numbers."""


@pytest.fixture(scope="module")
def cases():
    study, made = ablation_records(SCORES)
    trees = {"no 5x5": edit(BASE, {"network.inception_3a.conv5x5": None})}
    norms = {"stem": 1.0, "inception_3a": 2.0, "head": 3.0}
    made = tuple(
        replace(
            built(r, trees.get(r.change, BASE)),
            curve=(replace(r.curve[-1], gradients=norms),),
        )
        for r in made
    )  # fmt: skip
    return [Case(Results(study, made)), Case(Results(*search_records(40, startup=40)))]


def parts(cases, kind):
    """Every part of a kind, with the page that it is on."""
    return [
        (page, part)
        for page in pages(cases)
        for section in page.sections
        for part in section.parts
        if isinstance(part, kind)
    ]


def test_the_file_of_the_runs_has_their_decisions_and_no_formula():
    study, (first, *others) = ablation_records(SCORES)
    made = (replace(first, decisions={"=width": "=1+1", "depth": 3}), *others)
    text = files(Case(Results(study, made)))["trials.csv"]
    first, second, *_ = csv.DictReader(io.StringIO(text))
    assert list(first)[-3:] == ["network_id", "'=width", "depth"]
    assert (first["'=width"], first["depth"]) == ("'=1+1", "3")
    assert (second["'=width"], second["depth"]) == ("", "")


def test_every_number_of_a_table_is_in_the_file_that_it_names(cases):
    stored = {path: text for path, text in data(cases).items() if path.endswith(".csv")}
    tables = parts(cases, Table)
    assert {table.name for page, table in tables if table.file is None} <= {*WORDS}
    for page, table in tables:
        if table.file is None:
            continue
        told = pd.read_csv(io.StringIO(stored[table.file]), keep_default_na=False, dtype=str)
        said = len(table.rows) if table.stored is None else table.stored
        assert said == len(told), (page.path, table.name)
        for column in (each for each in table.columns if not each.words):
            for name in column.ends or (column.of or column.name,):
                shown = [
                    float(value)
                    for row in table.rows
                    if table.mark(row) != "total" and (value := getattr(row, name)) is not None
                ]
                kept = pd.to_numeric(told[name]).to_numpy()
                missing = [v for v in shown if v == v and not any(abs(kept - v) <= 1e-9 * abs(v))]
                assert not missing, (page.path, table.name, name)


def test_every_figure_names_the_files_of_its_numbers(cases):
    stored = data(cases)
    for page, figure in parts(cases, Figure):
        assert figure.files, (page.path, figure.name)
        assert all(file in stored for file in figure.files), (page.path, figure.name)


def test_every_figure_of_a_study_has_a_finding_and_a_table_beside_it_or_its_numbers_above(cases):
    sections = [
        (page.kind, section, [part.name for part in section.parts if isinstance(part, Figure)])
        for page in pages(cases)
        for section in page.sections
        if page.path.startswith("studies/")
    ]
    assert all(section.finding for _, section, figures in sections if figures)
    bare = {
        (kind, name)
        for kind, section, figures in sections
        for name in figures
        if not any(isinstance(part, Table) for part in section.parts)
    }
    # Means, costs and differences of each arm or variant are in the first table of the page.
    assert bare <= {
        ("ablation", "waterfall"), ("ablation", "path"), ("ablation", "places"),
        ("compare", "accuracy"), ("compare", "curves"),
    }  # fmt: skip


def test_the_pace_of_an_arm_is_the_mean_of_its_runs_and_stopped_runs_are_apart():
    made = ablation_records({BASELINE: [98.0, 99.0]})[1]
    first = replace(made[0], curve=(epoch(1, 50.0), epoch(2, 94.0), epoch(3, 98.0)))
    second = replace(made[1], curve=(epoch(1, 95.0), epoch(2, 99.0), epoch(3, 99.0)))
    stopped = search_records(3)[1][1:]
    rows = pace((replace(first, role="reference", change=None), second, *stopped))
    assert [(r.name, r.runs, r.epochs) for r in rows] == [
        (BASELINE, 2, 3), ("search trials", 2, 4), ("search trials, stopped early", 1, 4),
    ]  # fmt: skip
    assert (rows[0].accuracy, rows[0].reached) == (98.5, 1.5)


def test_a_change_that_saves_mult_adds_is_below_zero_on_the_page_and_in_the_file(cases):
    (table,) = (table for _, table in parts(cases, Table) if table.name == "costs")
    row = table.rows[0]
    assert row.added == row.direct + row.propagated < 0
    (text,) = (text for path, text in data(cases).items() if path.endswith("prices.csv"))
    assert list(pd.read_csv(io.StringIO(text))["added"]) == [each.added for each in table.rows]


def test_what_a_heading_means_is_written_under_its_table_and_only_part_of_a_file_is_said_to_be(
    cases, tmp_path
):
    site = build([case.results for case in cases], tmp_path / "site").parent
    (path,) = site.glob("studies/stored*/ablation.html")
    text = re.sub(r"<[^>]+>", "", path.read_text())
    for said in (
        "pairing r: correlation of the two over the seeds",
        "won: seeds on which",
        "visible: the smallest difference",
        "propagated: the map that the module reads",
        "All 12 rows, unrounded: seeds.csv",
        "These rows, unrounded: ablation.csv, ",
    ):
        assert said in text  # fmt: skip
    assert 'ablation.tex" download>ablation.tex' in path.read_text()
