"""The columns of `nas best`, `nas effects` and `nas trials` can be chosen."""

import csv
import io
import json
from dataclasses import replace

import pytest

from nas.cli.show import Column, named, table
from nas.plan.description import describe
from nas.store.database import connect
from nas.store.writing import Ledger
from search_spaces.tiny import widths
from tests.commands import nas
from tests.examples import small_study, sqlite

CHOSEN = {
    "best": ("changed", "number", "network.aux_after", "accuracy"),
    "effects": ("interval", "change", "p_margin", "delta"),
    "trials": ("score", "what", "network.aux_after", "seed"),
}
"""Of each command, columns in another order: shown ones, and one that is not shown if not asked."""


@pytest.fixture(autouse=True)
def finished(ran, monkeypatch):
    """The study `mine` was run; its database is the one that is read."""
    monkeypatch.setenv("NAS_HOME", str(ran[0] / "out"))


def said(what, form, *columns):
    return nas(what, "mine", "-f", form, *(["--columns", ",".join(columns)] if columns else []))


@pytest.mark.parametrize("what", CHOSEN)
def test_chosen_columns_are_in_every_form_in_their_order(what):
    names = CHOSEN[what]
    told = json.loads(said(what, "json", *names).stdout)
    rows = list(csv.DictReader(io.StringIO(said(what, "csv", *names).stdout)))
    assert {tuple(row) for row in (*told, *rows)} == {names}
    assert len(told) == len(rows) == len(json.loads(said(what, "json").stdout))
    heads = said(what, "table", *names).stdout.splitlines()[0]
    places = [heads.index(head) for head in HEADS[what]]
    assert places == sorted(places)


HEADS = {
    "best": ("changed", "trial", "network.aux_after", "accuracy, %"),
    "effects": ("95 % interval", "change", "p_margin", "delta"),
    "trials": ("accuracy, %", "what", "network.aux_after", "seed"),
}


@pytest.mark.parametrize("what", CHOSEN)
def test_a_chosen_value_is_the_one_that_is_printed_without_choice(what):
    every = json.loads(said(what, "json").stdout)
    names = [name for name in CHOSEN[what] if name in every[0]]
    assert json.loads(said(what, "json", *names).stdout) == [
        {name: row[name] for name in names} for row in every
    ]


def test_the_best_are_a_booktabs_table_for_a_paper():
    first, *lines, last = said("best", "latex").stdout.splitlines()
    assert (first, last) == (r"\begin{tabular}{rrrrrl}", r"\end{tabular}")
    rows = [line for line in lines if line.endswith(r"\\")]
    assert rows[0].startswith(r"trial & accuracy, \% & mult-adds & against the baseline &")
    assert len(rows) == 1 + len(json.loads(said("best", "json").stdout))


@pytest.mark.parametrize("what", ["best", "effects"])
def test_latex_has_the_chosen_columns(what):
    first, _, head, *_ = said(what, "latex", *CHOSEN[what]).stdout.splitlines()
    assert [name.strip() for name in head.removesuffix(r"\\").split("&")] == [
        name.replace("%", r"\%").replace("_", r"\_") for name in HEADS[what]
    ]
    assert len(first.removesuffix("}").rpartition("{")[2]) == len(HEADS[what])


@pytest.mark.parametrize("what", CHOSEN)
@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_an_unknown_column_is_refused_with_those_that_there_are(what, form):
    result = nas(what, "mine", "-f", form, "--columns", "mult_add,number", code=2)
    assert result.stdout == ""
    assert "--columns: there is no column 'mult_add'" in result.stderr
    assert "did you mean mult_adds?" in result.stderr
    for name in CHOSEN[what]:
        assert name in result.stderr


def test_the_best_of_an_ablation_are_its_effects(tmp_path):
    url = sqlite(tmp_path)
    ablation = replace(describe(small_study("parts")), trials=0)
    with connect(url) as storage:
        Ledger(storage, ablation)
    said = nas("best", "parts", "--storage", url, code=5).stderr
    assert "has no search; `nas effects parts` shows its ablation" in said


def test_no_column_is_no_choice():
    assert "no column ''" in nas("trials", "mine", "--columns", "", code=2).stderr
    assert "no column ''" in nas("trials", "mine", "--columns", "seed,", code=2).stderr


def test_a_name_with_a_comma_is_chosen_in_quotes():
    assert named('seed, "a, b" ,=x') == ("seed", "a, b", "=x")
    assert named(None) == ()


def test_a_chosen_column_is_shown_on_a_narrow_terminal(capsys):
    rows = [{"a": "x" * 100, "b": 1.23456, "c": "y" * 100}]
    columns = {"a": Column("A"), "c": Column("C", spare=True)}
    table(rows, columns, chosen=("c", "b", "a"))
    head, first, *_ = capsys.readouterr().out.splitlines()
    assert head.split() == ["C", "b", "A"]
    assert "1.235" in first


def test_ends_that_are_not_known_are_none_in_json():
    first = json.loads(said("effects", "json", "change", "interval").stdout)[0]
    assert first == {"change": "baseline", "interval": [None, None]}


def test_decisions_are_no_columns_of_the_best_until_they_are_chosen():
    assert not {*json.loads(said("best", "json").stdout)[0]} & {*widths.domains}
