import os
from pathlib import Path

import pandas as pd
import pytest
from browser import chrome
from examples import ablation_records, record, small_study, sqlite
from playwright.sync_api import sync_playwright

from nas.ablation import BASELINE, CONTROL
from nas.engine import run
from nas.storage import connect, records, study_record
from nas.tables import Results, frame
from reports.site import build, headline

SCREENS = {"desktop, light": (1200, 900), "phone, dark": (375, 800)}
HOSTILE = ("<script>alert(1)</script>", "</script><b>x", "‮evil", "🦊" * 300)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A real study, run here."""
    folder = tmp_path_factory.mktemp("study")
    study = small_study(trials=5, ablation_seeds=3)
    before = os.environ.get("NAS_HOME")
    os.environ["NAS_HOME"] = str(folder)
    try:
        run(study, sqlite(folder), local=True)
    finally:
        os.environ.pop("NAS_HOME")
        if before is not None:
            os.environ["NAS_HOME"] = before
    with connect(sqlite(folder)) as storage:
        stored = study_record(storage, study.full_name)
        return Results(stored, tuple(records(storage, study.full_name)))


@pytest.fixture(scope="module")
def site(results, tmp_path_factory):
    return build([results], tmp_path_factory.mktemp("out") / "site").parent


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=chrome(), args=["--no-sandbox"])
        yield opened
        opened.close()


def pages(site: Path):
    found = [path for path in site.rglob("*.html") if path.parent.name != "v"]
    return [*found, *sorted(site.rglob("v/*.html"))[:2]]


@pytest.mark.parametrize("screen", SCREENS)
def test_every_page_draws_its_figures_without_an_error_or_a_request_that_leaves(
    site, browser, screen
):
    width, height = SCREENS[screen]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=screen.split(", ")[1],
        offline=True,
    )
    for path in pages(site):
        page = context.new_page()
        said, asked = [], []
        page.on("console", lambda message, said=said: said.append(message.text))
        page.on("pageerror", lambda error, said=said: said.append(str(error)))
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.goto(path.as_uri())
        for figure in page.locator("figure[data-fig]").all():
            figure.scroll_into_view_if_needed()
            page.wait_for_function("f => f.dataset.rendered", arg=figure.element_handle())
            assert figure.locator(".main-svg").count() > 0
        assert said == []
        assert all(url.startswith(("file:", "data:", "blob:")) for url in asked)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        text = page.inner_text("body").lower()
        assert "nan" not in text.replace("finance", "").split()
        assert "undefined" not in text
        page.close()
    context.close()


def test_the_ablation_pages_values_are_the_tables(results, site, browser):
    (path,) = site.rglob("ablation.html")
    page = browser.new_page()
    page.goto(path.as_uri())
    for at, row in enumerate(results.effects):
        line = page.locator("table[data-table=ablation] tbody tr").nth(at)
        assert line.locator("[data-col=change]").inner_text() == row.change
        for column in ("mean", "delta", "correlation", "p_holm"):
            shown = line.locator(f"td[data-col={column}]").get_attribute("data-value")
            value = getattr(row, column)
            assert (shown == "") if value != value else float(shown) == pytest.approx(value, 1e-9)
    page.close()


def test_the_forest_plots_what_the_table_says(results, site, browser):
    (path,) = site.rglob("ablation.html")
    page = browser.new_page()
    page.goto(path.as_uri())
    page.wait_for_selector("figure[data-fig=forest][data-rendered]")
    traces = page.evaluate(
        "document.querySelector('#forest .plot').data"
        ".filter(t => t.error_x).map(t => ({y: [...t.y], x: [...t.x]}))"
    )
    drawn = {
        change: x for trace in traces for change, x in zip(trace["y"], trace["x"], strict=True)
    }
    assert drawn == pytest.approx(
        {row.change: row.delta for row in results.effects if row.verdict != "baseline"}
    )
    page.close()


def test_without_javascript_headline_tables_and_files_are_all_there(results, site, browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    (path,) = site.glob("studies/*/index.html")
    page.goto(path.as_uri())
    assert headline(results) in page.inner_text("main")
    assert page.locator("table[data-table=ablation] tbody tr").count() == len(results.effects)
    for link in page.locator("a[download]").all():
        target = (path.parent / link.get_attribute("href")).resolve()
        assert target.is_file()
    context.close()


def test_csv_files_hold_the_rows_of_the_tables(results, site):
    (folder,) = site.glob("data/*")
    for name, rows in (("trials", results.trials), ("curves", results.curves)):
        stored = pd.read_csv(folder / f"{name}.csv")
        assert len(stored) == len(rows)
        assert list(stored.columns) == list(frame(rows).columns)


def test_plotly_is_there_once_and_no_page_is_heavy(site):
    assert len(list(site.rglob("plotly*.js"))) == 1
    assert all(path.stat().st_size < 1_500_000 for path in site.rglob("*.html"))


def test_two_builds_are_alike_but_for_the_manifest(results, tmp_path):
    first, second = (build([results], tmp_path / name).parent for name in ("a", "b"))
    files = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert files == sorted(p.relative_to(second) for p in second.rglob("*") if p.is_file())
    for path in files:
        if path.name != "manifest.json":
            assert (first / path).read_bytes() == (second / path).read_bytes()


def test_a_folder_that_holds_something_else_is_left_alone(results, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(ValueError, match="holds something else than a report"):
        build([results], tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "mine"


def test_hostile_names_are_text(tmp_path, browser):
    changes = {name: [97.0 - at, 97.5 - at] for at, name in enumerate(HOSTILE)}
    study, made = ablation_records({BASELINE: [98.0, 98.5]} | changes)
    folder = build([Results(study, made)], tmp_path / "site").parent
    page = browser.new_page()
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.on("dialog", lambda dialog: said.append("dialog"))
    (path,) = folder.rglob("ablation.html")
    page.goto(path.as_uri())
    page.wait_for_selector("figure[data-fig=forest][data-rendered]")
    assert said == []
    shown = page.locator("table[data-table=ablation] tbody th").all_inner_texts()
    assert shown == [BASELINE, *HOSTILE]
    page.close()


@pytest.mark.parametrize(
    "made",
    [
        (),
        (record(0, 98.0, role="reference"),),
        (record(0, None, role="reference", state="failed", reason="ValueError: broken"),),
        (record(0, None, candidate_id="x", role="candidate", state="infeasible", excess=0.5),),
    ],
    ids=["empty", "baseline only", "all failed", "all infeasible"],
)
def test_every_state_of_a_study_builds_and_never_shows_nan(made, tmp_path):
    study, _ = ablation_records({BASELINE: [98.0, 98.5], CONTROL: [98.0, 98.5]})
    page = build([Results(study, made)], tmp_path / "site")
    for path in page.parent.rglob("*.html"):
        text = path.read_text().replace("inconclusive", "")
        assert ">nan" not in text
        assert "None" not in text
        assert "undefined" not in text


def test_the_headline_counts_verdicts_and_calls_one_seed_exploratory():
    study, made = ablation_records(
        {BASELINE: [98.0, 98.5, 98.25], "bad": [90.0, 90.25, 90.5], "same": [98.25, 98.5, 97.5]}
    )
    more = record(9, 99.0, candidate_id="x", role="candidate", mult_adds=900)
    said = headline(Results(study, (*made, more)))
    assert said.startswith(
        "Of 2 changes 1 hurts, 0 help, 1 is inconclusive, at n = 3 paired seeds."
    )
    assert "99.00 % at 900 mult-adds on one seed: exploratory, not confirmed" in said
