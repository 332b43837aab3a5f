"""What is stored commands neither a terminal nor a spreadsheet."""

import csv
import io
import sys

import pandas as pd
import pytest

from nas.base.terminal import Plain, plain_streams, raw
from nas.cli.show import Column, table
from reports.files import csv as as_csv
from tests.commands import nas

COPY = "\x1b]52;c;cm0gLXJm\x07"
HOSTILE = ("=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "＝1+1")


@pytest.mark.parametrize("form", ["table", "csv", "json", "latex"])
def test_no_form_of_a_table_has_a_raw_escape(form, capsys):
    with plain_streams():
        table([{f"name{COPY}": f"wide{COPY}\x9b2J"}], {f"name{COPY}": Column(f"name{COPY}")}, form)
    said = capsys.readouterr().out
    assert "wide" in said
    assert not {"\x1b", "\x07", "\x9b"} & {*said}


def test_an_error_with_a_stored_name_has_no_raw_escape(tmp_path):
    rows = [f"a{COPY},{seed},{seed}" for seed in range(3)]
    (tmp_path / "runs.csv").write_text("\n".join(["variant,seed,score", *rows]))
    result = nas("report", "--from", tmp_path / "runs.csv", "--baseline", "b", code=2)
    assert r"a\x1b]52" in result.stderr
    assert "\x1b" not in result.output


def test_a_refused_word_with_an_escape_has_no_raw_one():
    for words in (("effects", f"who{COPY}"), (f"effcts{COPY}",), ("plan", "paper", f"--x{COPY}")):
        assert "\x1b" not in nas(*words, code=2).output


def test_a_plain_stream_writes_text_as_it_is_and_gives_the_one_below():
    below = io.StringIO()
    stream = Plain(below)
    stream.write("é\tone\nline\n")
    assert below.getvalue() == "é\tone\nline\n"
    assert raw(stream) is below
    assert raw(sys.stdout) is sys.stdout
    assert not hasattr(stream, "buffer")


@pytest.mark.parametrize("text", HOSTILE)
def test_no_csv_that_is_printed_or_written_has_a_formula(text, capsys):
    from nas.results.rows import SeedRow

    table([{text: text, "n": -0.5}], {text: Column(text)}, "csv")
    head, row = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert all(cell.startswith("'") for cell in (head[0], row[0]))
    assert row[1] == "-0.5"
    row = SeedRow(
        change=text, kind=None, stream=None, seed=text, score=-1.0, baseline=0.0,
        difference=-1.0, diverged=False, at_chance=False,
    )  # fmt: skip
    (made,) = csv.DictReader(io.StringIO(as_csv([row])))
    assert made["change"].startswith("'")
    assert made["seed"].startswith("'")
    assert made["score"] == "-1.0"


def test_exported_names_are_read_again_as_they_were(tmp_path):
    rows = [
        {"variant": name, "seed": f"-{seed}x", "score": 70 + gain + (seed * 7 % 5) / 10}
        for name, gain in (("-base", 0), ("=wide", -1))
        for seed in range(4)
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "runs.csv", index=False)
    nas("report", "--from", tmp_path / "runs.csv", "--baseline=-base", "-o", tmp_path / "a")
    words = ("--variant", "change", "--baseline=-base", "-o", tmp_path / "b")
    nas("report", "--from", tmp_path / "a" / "data" / "seeds.csv", *words)
    made = [(tmp_path / each / "data" / "ablation.csv").read_text() for each in "ab"]
    assert made[0] == made[1]
    assert "'=wide" in made[0]
