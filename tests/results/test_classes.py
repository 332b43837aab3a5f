from dataclasses import replace

import numpy as np
import pytest

from nas.plan.arms import BASELINE
from nas.results.classes import classes
from nas.results.tables import Results
from reports.case import Case
from reports.pages.variant import variant
from reports.site import data
from tests.examples import BASE, ablation_records, keep_predictions

LIKELIEST = (0, 1, 1, 1), (0, 0, 1, 1)
"""Which class each of two runs says of images of the classes 0, 0, 1 and 2."""
SHARES = np.eye(10, dtype=np.float16)


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Two runs that kept their predictions of ten classes, seven of them without an image."""
    monkeypatch.setenv("NAS_HOME", str(tmp_path))
    study, runs = ablation_records({BASELINE: [50.0, 75.0], "other": [50.0, 50.0]})
    found = Results(study, runs)
    kept = [
        replace(run, predictions=keep_predictions(found.folder, SHARES[list(told)], [0, 0, 1, 2]))
        for run, told in zip(runs, LIKELIEST, strict=False)
    ]
    return Results(study, (*kept, *runs[2:]))


def test_a_class_is_told_by_the_mean_of_the_runs_that_scored_images_of_it(results):
    rows = classes(BASE.recipe.data, results.records[:2], results.folder)
    assert [(row.label, row.runs, row.images) for row in rows[:4]] == [
        (0, 2, 4), (1, 2, 2), (2, 2, 2), (3, 0, 0),
    ]  # fmt: skip
    assert [row.accuracy for row in rows[:3]] == [75.0, 100.0, 0.0]
    assert classes(BASE.recipe.data, results.records[2:], results.folder) == ()


def test_the_page_of_a_variant_says_its_worst_class_and_leaves_what_was_not_scored_blank(results):
    case = Case(results)
    pages = {row.name: variant(case, row) for row in case.shown}
    told = {name: [s for s in page.sections if s.name == "classes"] for name, page in pages.items()}
    (section,) = told.pop(next(name for name, found in told.items() if found))
    assert not any(told.values())
    assert section.finding == (
        "Balanced accuracy, the mean of the classes' own, is 58.33 %; the worst class is "
        "pullover with 0.00 %. No image validates dress, coat, sandal, shirt, sneaker and 2 more."
    )
    (table,) = section.parts
    cells = [cell.text for row in table.rows for cell in table.cells(row)]
    assert "100.00" in cells
    assert "nan" not in cells
    (file,) = (text for path, text in data([case]).items() if path.endswith("classes.csv"))
    assert "nan" not in file
