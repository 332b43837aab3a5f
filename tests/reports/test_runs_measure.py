import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nas.compare import runs
from reports.files import latex
from reports.measure import ACCURACY, amount, measured
from reports.page import Figure, Table
from reports.pages import runs as made


@pytest.fixture
def samples():
    """Fractions, with a cost in billions."""
    rng = np.random.default_rng(0)
    base = 0.912 + rng.normal(0, 0.001, 5)
    rows = [
        {"variant": name, "seed": at, "top1": score + shift + rng.normal(0, 0.0005), "gflops": cost}
        for name, shift, cost in (("small", 0.0, 0.56), ("wide", -0.004, 0.9))
        for at, score in enumerate(base)
    ]
    found = runs(pd.DataFrame(rows), baseline="small", score="top1", cost="gflops")
    costs = {"small": 0.56, "wide": 0.9}
    fixed = [replace(each, mult_adds=costs[each.arm.change]) for each in found.samples]
    return replace(found, samples=tuple(fixed))


def page(samples, margin=None):
    made_page, files = made.runs("table.csv", samples, margin, "gflops")
    parts = [part for section in made_page.sections for part in section.parts]
    return made_page, files, parts


def test_fractions_are_written_with_the_digits_that_their_spread_needs(samples):
    told, files, parts = page(samples)
    (table,) = (part for part in parts if isinstance(part, Table) and part.name == "ablation")
    cells = {cell.column: cell.text for cell in table.cells(table.rows[1])}
    row = table.rows[1]
    assert cells["delta"] == f"−{abs(row.delta):.5f}"
    assert cells["mult_adds"] == "0.9"
    assert f"“wide”, −{abs(row.delta):.5f} (" in told.sections[0].finding
    assert f"${row.delta:.5f}$" in files["data/ablation.tex"]


def test_a_table_of_runs_is_told_in_its_own_columns_names_and_without_our_units(samples):
    told, files, parts = page(samples, margin=0.01)
    words = [told.headline, told.footer]
    for section in told.sections:
        words += [section.title, section.finding, section.note]
    for part in parts:
        if isinstance(part, Figure):
            layout = part.plot.to_json()
            words += [part.caption, layout]
        else:
            words += [part.note, *(f"{each.title} {each.note}" for each in part.columns)]
    text = " ".join(words) + files["data/ablation.tex"]
    for ours in ("mult-adds", "points", "validation accuracy", "accuracy, %", "mean, %"):
        assert ours not in text
    axes = [part.plot.layout.xaxis.title.text for part in parts if isinstance(part, Figure)]
    assert axes[:2] == ["difference in top1", "change in gflops, %"]
    assert "mean top1" in text
    assert "parameters" not in text


def test_what_writes_a_score_loads_nothing_that_draws():
    script = "import sys, reports.measure; print('plotly' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert told.stdout == "False\n"


def test_the_digits_follow_the_spread_of_the_scores():
    spreads = {0.0013: 4, 0.34: 2, 1.2: 1, 55.0: 0, math.nan: 2, 0.0: 2}
    for spread, decimals in spreads.items():
        assert measured("loss", None, [spread]).decimals == decimals
    assert ACCURACY.said(-0.5) == "−0.50 points"
    assert (amount(1582671872), amount(4.1), amount(0.5600000001)) == (
        "1,582,671,872",
        "4.1",
        "0.56",
    )


def test_our_own_tables_keep_their_form():
    assert latex([]).count("mult-adds") == 1
