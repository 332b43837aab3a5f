import functools
import hashlib
import json
import re
import threading
from contextlib import contextmanager
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe

from nas import edit, googlenet
from nas.engine.driver import run
from nas.plan.arms import BASELINE, CONTROL
from nas.results.rows import EFFECT_COLUMNS
from nas.results.tables import Results, frame, trials
from nas.store.database import connect
from nas.store.reading import records, study_record
from nas.tree.tree import fingerprint
from reports.figures.style import BLUE, ORANGE
from reports.files import latex
from reports.names import in_order
from reports.site import build, build_runs, build_single
from reports.words import headline
from tests.examples import (
    ablation_records,
    built,
    record,
    search_only,
    search_records,
    small_study,
    sqlite,
)

HOSTILE = (
    "<script>alert(1)</script>", "</script><b>x", '"><img src=x onerror=alert(1)>', "‮evil",
    "🦊" * 300, '<a href="https://example.com/">click</a>', "<b>bold</b><br>line", r"$\frac{1}{2}$",
    "%{y}", "0.01", "שלום",
)  # fmt: skip
SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A real study, run here."""
    folder = tmp_path_factory.mktemp("study")
    study = small_study(trials=8, ablation_seeds=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAS_HOME", str(folder))
        run(study, sqlite(folder), local=True)
    with connect(sqlite(folder)) as storage:
        stored = study_record(storage, study.full_name)
        return Results(stored, tuple(records(storage, study.full_name)))


@pytest.fixture(scope="module")
def site(results, tmp_path_factory):
    """The site of that study and of a stored search."""
    more = Results(*search_records(40, startup=40))
    return build([results, more], tmp_path_factory.mktemp("out") / "site").parent


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@contextmanager
def served(folder):
    """The folder's address over HTTP."""
    handler = functools.partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def one(site, name, study="small"):
    (path,) = site.glob(f"studies/{study}*/{name}")
    return path


def kinds(site):
    """A page of each kind, and two variants."""
    small = one(site, "index.html").parent
    found = [site / "index.html", site / "compare.html", *small.glob("*.html")]
    found += [one(site, f"{name}.html", "searched") for name in ("index", "search")]
    return [*found, *sorted(small.glob("v/*.html"))[:2]]


def draw(page):
    """Scrolls to every figure that can be seen and waits until it is drawn."""
    for figure in page.locator("figure[data-fig]:visible").all():
        figure.scroll_into_view_if_needed()
        page.wait_for_function("f => f.dataset.rendered", arg=figure.element_handle())
        drawn = "f => f.querySelector('.plot').data.some(t => (t.x ?? t.values ?? []).length)"
        assert figure.evaluate(drawn)
        assert figure.locator(".main-svg").count() > 0


@pytest.mark.parametrize(
    ("way", "width", "scheme"), [("file", 1200, "light"), ("http", 375, "dark")]
)
def test_every_page_draws_its_figures_and_is_accessible_without_a_request_that_leaves(
    site, browser, way, width, scheme
):
    with served(site) as address:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, offline=way == "file"
        )
        root = site.as_uri() + "/" if way == "file" else address
        for path in kinds(site):
            opened = context.new_page()
            said, asked = [], []
            opened.on("console", lambda message, said=said: said.append(message.text))
            opened.on("pageerror", lambda error, said=said: said.append(str(error)))
            opened.on("request", lambda request, asked=asked: asked.append(request.url))
            opened.goto(root + path.relative_to(site).as_posix())
            draw(opened)
            assert said == []
            assert all(url.startswith((root, "data:", "blob:")) for url in asked)
            assert opened.locator("html").get_attribute("data-theme") == scheme
            assert opened.evaluate("document.documentElement.scrollWidth") <= width
            text = opened.inner_text("body")
            assert not re.search(r"\b(nan|undefined|none\.none)\b", text, re.IGNORECASE)
            assert "flops" not in text.lower().replace("mult-adds (flops)", "")
            found = Axe().run(opened).response["violations"]
            assert [each["id"] for each in found if each["impact"] in SERIOUS] == []
            opened.close()
        context.close()


def test_at_most_three_figures_are_drawn_before_scrolling(site, page):
    page.set_viewport_size({"width": 1200, "height": 900})
    page.goto(one(site, "search.html", "searched").as_uri())
    page.wait_for_selector("figure[data-rendered]")
    page.wait_for_timeout(1000)
    assert 1 <= page.locator("figure[data-rendered]").count() <= 3
    assert page.locator("figure[data-fig]").count() > 5


def test_the_ablation_pages_values_are_the_tables(results, site, page):
    page.goto(one(site, "ablation.html").as_uri())
    table = frame(results.effects, EFFECT_COLUMNS)
    shown = ("n", "mean", "sd", "delta", "correlation", "p_holm", "wins", "mult_adds", "params")
    lines = page.locator("table[data-table=ablation] tbody tr")
    assert lines.count() == len(table)
    for at, row in table.iterrows():
        line = lines.nth(at)
        assert line.get_attribute("data-variant") == results.effects[at].candidate_id
        assert line.locator("[data-col=change]").inner_text() == row.change
        for column in shown:
            said = line.locator(f"td[data-col={column}]").get_attribute("data-value")
            if pd.isna(row[column]):
                assert said == ""
            else:
                assert float(said) == pytest.approx(row[column], 1e-9)
        ends = line.locator("td[data-col=interval]")
        for end in ("low", "high"):
            said = ends.get_attribute(f"data-{end}")
            assert said == "" if pd.isna(row[end]) else float(said) == pytest.approx(row[end], 1e-9)


def test_the_forest_plots_what_the_table_says(results, site, page):
    page.goto(one(site, "ablation.html").as_uri())
    page.wait_for_selector("figure[data-fig=forest][data-rendered]")
    traces = page.evaluate(
        "document.querySelector('#forest .plot').data.filter(t => t.error_x).map(t => "
        "({y: [...t.y], x: [...t.x], up: [...t.error_x.array], down: [...t.error_x.arrayminus]}))"
    )
    drawn = {
        change: (x, x - down, x + up)
        for t in traces
        for change, x, down, up in zip(t["y"], t["x"], t["down"], t["up"], strict=True)
    }
    told = {r.change: (r.delta, r.low, r.high) for r in results.effects if r.role != "baseline"}
    assert drawn.keys() == told.keys()
    for change, values in told.items():
        assert drawn[change] == pytest.approx(values, 1e-9)


def test_without_javascript_words_tables_and_files_are_all_there(results, site, browser):
    context = browser.new_context(java_script_enabled=False)
    opened = context.new_page()
    path = one(site, "index.html")
    opened.goto(path.as_uri())
    assert headline(results) in opened.inner_text("main")
    assert opened.locator("table[data-table=ablation] tbody tr").count() == len(results.effects)
    assert opened.locator("p.finding").count() >= 2
    for link in opened.locator("a[download]").all():
        assert (path.parent / link.get_attribute("href")).resolve().is_file()
    context.close()


def test_every_link_of_every_page_leads_somewhere(site):
    for path in site.rglob("*.html"):
        for href in re.findall(r'href="([^"]+)"', path.read_text()):
            if not href.startswith(("data:", "#")):
                assert (path.parent / href).resolve().is_file(), (path, href)


def test_sort_filter_and_theme_live_in_the_address(site, browser):
    context = browser.new_context(color_scheme="light")
    page = context.new_page()
    page.goto(one(site, "trials.html", "searched").as_uri())
    table = page.locator("table[data-table=trials]")
    table.locator("thead th[data-col=score] button").click()
    table.locator("thead th[data-col=score] button").press("Enter")
    page.get_by_label("Filter").fill("stopped")
    page.locator("button.theme").focus()
    page.keyboard.press("Enter")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    before = table.locator("tbody tr:visible").all_inner_texts()
    scores = [float(row.split("\t")[4]) for row in before]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) < 41
    again = context.new_page()
    again.goto(page.url)
    assert again.locator("tbody tr:visible").all_inner_texts() == before
    assert again.locator("html").get_attribute("data-theme") == "dark"
    again.get_by_role("link", name="Methods").click()
    again.wait_for_selector("[data-page=methods]")
    assert again.locator("html").get_attribute("data-theme") == "dark"
    context.close()


def test_every_figure_and_row_has_an_id_of_its_own(site, page):
    for path in kinds(site):
        page.goto(path.as_uri())
        ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
        assert len(ids) == len(set(ids)), path
        asked = "figure[data-fig], table[data-table] tbody tr"
        assert page.evaluate(f"[...document.querySelectorAll('{asked}')].every(e => e.id)")


def test_every_control_is_reached_by_the_keyboard(site, page):
    page.goto(one(site, "index.html").as_uri())
    controls = page.locator("a[href]:visible, button:visible, input:visible, summary:visible")
    wanted = controls.count()
    reached = set()
    for _ in range(wanted + 20):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("(e => e.outerHTML + e.textContent)(document.activeElement)"))
    every = set(controls.evaluate_all("all => all.map(e => e.outerHTML + e.textContent)"))
    assert every <= reached


def test_ticked_variants_are_compared_and_come_back_from_the_address(site, page):
    page.goto(one(site, "index.html").as_uri())
    boxes = page.locator("table[data-table=candidates] input[type=checkbox]")
    for at in (0, 2):
        boxes.nth(at).check()
    picked = [boxes.nth(at).get_attribute("value") for at in (0, 2)]
    page.get_by_role("link", name="Compare 2").click()
    page.wait_for_selector("[data-page=compare]")
    page.wait_for_selector("figure[data-fig=accuracy][data-rendered]")
    shown = page.locator("#accuracy .plot").evaluate("p => p.data.map(t => t.meta)")
    assert shown == picked
    lines = page.locator("table[data-table=modules] tbody tr:not([hidden])")
    assert set(lines.evaluate_all("all => all.map(r => r.dataset.variant)")) == set(picked)
    box = page.locator("table[data-table=candidates] input:not(:checked)").first
    box.check()
    page.wait_for_function("document.querySelector('#accuracy .plot').data.length === 3")


def test_of_many_variants_the_ticked_differ_in_colour_and_symbol(tmp_path, page):
    scores = {BASELINE: [98.0, 98.5]} | {f"change {at}": [97.0, 97.5 - at] for at in range(8)}
    path = next(
        build([Results(*ablation_records(scores))], tmp_path / "s").parent.rglob("compare.html")
    )
    page.goto(path.as_uri())
    boxes = page.locator("table[data-table=candidates] input[type=checkbox]")
    picked = [boxes.nth(at).get_attribute("value") for at in (1, 7)]
    page.goto(f"{path.as_uri()}?pick={','.join(picked)}")
    draw(page)
    assert page.locator("#accuracy .plot").evaluate(
        "p => p.data.map(t => [t.meta, t.marker.color, t.marker.symbol])"
    ) == [[picked[0], BLUE, "circle"], [picked[1], ORANGE, "square"]]
    lines = page.locator("#curves .plot").evaluate(
        "p => p.data.filter(t => !t.fill).map(t => [t.line.color, t.line.dash])"
    )
    assert lines == [[BLUE, "solid"], [ORANGE, "dash"]]


def test_a_phone_shows_every_name_and_points_over_its_width(site, browser):
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    for kind, name in (("ablation", "forest"), ("ablation", "slopes"), ("search", "slices")):
        page.goto(one(site, f"{kind}.html").as_uri())
        draw(page)
        figure = page.locator(f"#{name} .plot")
        box = figure.bounding_box()
        assert figure.locator(".nsewdrag").first.bounding_box()["width"] > 0.7 * box["width"]
        assert figure.locator(".xtick text").count() > 1
        texts = figure.locator(".xtick text, .annotation-text, .xtitle, .ytitle")
        boxes = texts.evaluate_all("all => all.map(t => t.getBoundingClientRect().toJSON())")
        for each in (each for each in boxes if each["width"]):
            assert each["left"] >= box["x"] - 1
            assert each["right"] <= box["x"] + box["width"] + 1
    names = page.locator("#slices .annotation-text")
    assert names.count() == page.locator("table[data-table=slices] tbody tr").count()
    context.close()


def test_names_beside_points_do_not_cover_each_other(site, page):
    page.goto(one(site, "index.html").as_uri())
    draw(page)
    boxes = page.locator("#frontier .annotation-text-g").evaluate_all(
        "all => all.map(t => t.getBoundingClientRect().toJSON())"
    )
    assert len(boxes) > 3
    for at, box in enumerate(boxes):
        for other in boxes[at + 1 :]:
            assert not over(box, other)


def over(a, b):
    """Whether two boxes share more than their edges."""
    return (
        min(a["right"], b["right"]) - max(a["left"], b["left"]) > 3
        and min(a["bottom"], b["bottom"]) - max(a["top"], b["top"]) > 4
    )


def test_studies_are_compared_from_the_catalogue(site, page):
    page.goto((site / "index.html").as_uri())
    for box in page.locator("table[data-table=studies] input[type=checkbox]").all():
        box.check()
    page.get_by_role("link", name="Compare 2").click()
    page.wait_for_selector("figure[data-fig=progress][data-rendered]")
    assert page.locator("#progress .plot").evaluate("p => p.data.length") == 2


def test_one_file_has_every_page_and_every_number(results, site, browser, tmp_path):
    path = build_single([results, Results(*search_records(40))], tmp_path / "report.html")
    context = browser.new_context(offline=True)
    page = context.new_page()
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(path.as_uri())
    assert page.locator("article:visible").count() == 1
    page.get_by_role("link", name="small", exact=True).first.click()
    page.wait_for_function("document.activeElement.dataset.page === 'study'")
    page.locator("a.skip").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.closest('article:not([hidden])').dataset.page")
    assert page.evaluate("document.activeElement.tagName") == "H1"
    page.locator("article:visible nav").get_by_role("link", name="Ablation").click()
    draw(page)
    assert page.evaluate("document.body.dataset.page") == "ablation"
    with page.expect_download() as download:
        page.locator("article:visible").get_by_role("link", name="ablation.csv").first.click()
    told = pd.read_csv(download.value.path())
    pd.testing.assert_frame_equal(
        told, pd.read_csv(next(site.glob("data/small*/ablation.csv"))), check_exact=True
    )
    page.reload()
    assert page.evaluate("document.body.dataset.page") == "ablation"
    found = Axe().run(page).response["violations"]
    assert [each["id"] for each in found if each["impact"] in SERIOUS] == []
    assert said == []
    context.close()
    plain = browser.new_context(java_script_enabled=False)
    page = plain.new_page()
    page.goto(path.as_uri())
    assert page.locator("article:visible").count() == path.read_text().count("<article ")
    plain.close()


def test_csv_files_hold_the_rows_of_the_tables(results, site, page):
    folder = next(site.glob("data/small*"))
    for name, table in (("trials", trials(results)), ("curves", frame(results.curves))):
        stored = pd.read_csv(folder / f"{name}.csv")
        assert len(stored) == len(table)
        assert list(stored.columns) == list(table.columns)
    page.goto(one(site, "trials.html").as_uri())
    assert page.locator("table[data-table=trials] tbody tr").count() == len(results.trials)
    for path in site.rglob("*.csv"):
        assert len(pd.read_csv(path))


def test_a_print_has_every_figure_that_the_screen_had(site, page):
    page.goto(one(site, "ablation.html").as_uri())
    draw(page)
    page.emulate_media(media="print")
    assert page.locator("button:visible").count() == page.locator("button.sort:visible").count()
    assert page.pdf().startswith(b"%PDF")


def test_a_print_from_the_dark_is_light_as_wide_as_the_paper_and_unfolded(site, browser):
    context = browser.new_context(color_scheme="dark", viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(one(site, "ablation.html").as_uri())
    draw(page)
    look = """() => ({
        theme: document.documentElement.dataset.theme,
        ink: getComputedStyle(document.querySelector('#forest .ytick text')).fill,
        widths: [...document.querySelectorAll('figure .main-svg')].map(s => s.clientWidth),
        open: [...document.querySelectorAll('details')].every(d => d.open),
    })"""
    before = page.evaluate(look)
    page.evaluate(
        f"addEventListener('beforeprint', () => setTimeout(() => window.paper = ({look})()))"
    )
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.wait_for_function("window.paper")
    paper = page.evaluate("paper")
    assert (paper["theme"], paper["ink"], paper["open"]) == ("light", "rgb(27, 27, 25)", True)
    assert max(paper["widths"]) <= 680
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 718, "height": 900})  # A4 between the browser's margins
    assert page.evaluate("document.documentElement.scrollWidth") <= 718
    page.set_viewport_size({"width": 1440, "height": 900})
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.wait_for_function("document.querySelector('figure .main-svg').clientWidth > 700")
    after = page.evaluate(look)
    assert (after["theme"], after["open"]) == (before["theme"], before["open"]) == ("dark", False)
    context.close()


def test_the_canonical_network_shows_no_difference_and_a_dropped_branch_where_it_acts(
    tmp_path, page
):
    dropped = edit(googlenet, {"network.inception_3b.conv5x5": None})
    study, made = ablation_records({BASELINE: [70.0, 71.0], "3b: no 5x5 branch": [69.0, 70.5]})
    ids = {BASELINE: googlenet, "3b: no 5x5 branch": dropped}
    arms = tuple(replace(a, candidate_id=ids[a.change].candidate_id) for a in study.arms)
    study = replace(study, baseline=googlenet, arms=arms, limits={})
    made = tuple(
        replace(
            built(r, ids[r.change]),
            candidate_id=ids[r.change].candidate_id, curve=(), params=1,
        )
        for r in made
    )  # fmt: skip
    site = build([Results(study, made)], tmp_path / "site").parent
    page.goto(one(site, f"v/{googlenet.candidate_id}.html", "stored").as_uri())
    assert "no difference" in page.inner_text("main").lower()
    changes = page.locator("table[data-table=modules] td[data-col=change]")
    assert set(changes.evaluate_all("all => all.map(c => c.dataset.value)")) == {"0"}
    page.goto(one(site, f"v/{dropped.candidate_id}.html", "stored").as_uri())
    rows = page.locator("table[data-table=modules] tbody tr").evaluate_all(
        "all => all.map(r => [r.cells[0].textContent, ...['change', 'direct', 'propagated'].map("
        "c => Number(r.querySelector(`td[data-col=${c}]`).dataset.value))])"
    )
    parts = {name: numbers for name, *numbers in rows if any(numbers)}
    assert parts.keys() == {"inception_3b", "inception_4a", "total"}
    assert parts["inception_3b"][2] == 0
    assert parts["inception_4a"][1] == 0
    for change, direct, propagated in parts.values():
        assert change == direct + propagated < 0
    assert parts["total"][0] == parts["inception_3b"][0] + parts["inception_4a"][0]


def test_a_thousand_trials_stay_light(tmp_path):
    results = Results(*search_records(1000))
    site = build([results], tmp_path / "site").parent
    assert len(list(site.rglob("plotly*.js"))) == 1
    assert all(path.stat().st_size < 1_500_000 for path in site.rglob("*.html"))
    assert sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) < 10_000_000
    assert build_single([results], tmp_path / "one.html").stat().st_size < 7_000_000


def test_ten_thousand_trials_are_thinned_and_the_captions_say_so(tmp_path):
    site = build([Results(*search_records(10_000))], tmp_path / "site").parent
    assert all(path.stat().st_size < 3_000_000 for path in site.rglob("*.html"))
    assert "1,000 at even distances are drawn" in one(site, "index.html", "searched").read_text()
    assert "8,001 more are in the file" in one(site, "trials.html", "searched").read_text()
    assert len(pd.read_csv(next(site.glob("data/*/trials.csv")))) == 10_001


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
    # An export has a manifest too.
    (tmp_path / "manifest.json").write_text('{"trial": "stored:3"}')
    with pytest.raises(ValueError, match="holds something else than a report"):
        build([results], tmp_path)
    (tmp_path / "manifest.json").write_text('{"studies": ["mine"]}')
    with pytest.raises(ValueError, match="holds something else than a report"):
        build([results], tmp_path)
    with pytest.raises(ValueError, match="is no report"):
        build_single([results], tmp_path / "thesis.tex")
    assert (tmp_path / "thesis.tex").read_text() == "mine"


def test_a_site_takes_away_what_a_site_wrote_and_nothing_else(tmp_path):
    first, second = (Results(*ablation_records({BASELINE: [98.0], c: [97.0]})) for c in "ab")
    outside, folder = tmp_path / "thesis.tex", tmp_path / "site"
    outside.write_text("mine")
    build([first], folder)
    kept = {"notes.txt", "data/notes.txt", "studies/own/index.html"}
    for name in kept:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("mine")
    (folder / "link").symlink_to(tmp_path)
    sha256 = hashlib.sha256(b"mine").hexdigest()
    manifest = json.loads((folder / "manifest.json").read_text())
    names = ("../thesis.tex", str(outside), "link/thesis.tex", "data/../../thesis.tex")
    manifest["files"] |= dict.fromkeys(names, sha256)
    manifest["files"] |= {"notes.txt": "0" * 64, "x": None}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    gone = {p for p in folder.rglob("*") if "/v/" in str(p)}
    build([second], folder)
    assert outside.read_text() == "mine"
    assert {(folder / name).read_text() for name in kept} == {"mine"}
    assert (folder / "link").is_symlink()
    assert gone
    assert len([p for p in folder.rglob("*") if "/v/" in str(p)]) == len(gone)
    listed = json.loads((folder / "manifest.json").read_text())["files"]
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert found - listed.keys() == kept | {"manifest.json"}


def test_a_site_writes_over_no_file_of_ones_own(tmp_path):
    results = Results(*ablation_records({BASELINE: [98.0]}))
    for name in ("index.html", "data/studies.csv", "assets/app.js"):
        folder = tmp_path / name.replace("/", "-")
        build([results], folder)
        (folder / name).write_text("mine")
        with pytest.raises(ValueError, match="is not as a report wrote it"):
            build([results], folder)
        (folder / name).unlink()
        (folder / name).symlink_to(tmp_path / "elsewhere")
        with pytest.raises(ValueError, match="is not as a report wrote it"):
            build([results], folder)
        assert not (tmp_path / "elsewhere").exists()


def test_a_report_keeps_the_other_studies_of_its_site(tmp_path, monkeypatch):
    monkeypatch.setenv("NAS_HOME", str(tmp_path))
    first, second = (replace(search_only(1), name=name) for name in ("first", "second"))
    for each in (first, second):
        run(each, sqlite(tmp_path), local=True)
    pages = [first.report(sqlite(tmp_path)), second.report(sqlite(tmp_path))]
    assert pages[0] == pages[1]
    first.report(sqlite(tmp_path))
    assert all(f"studies/{name}" in pages[0].read_text() for name in ("first", "second"))
    assert len(list(pages[0].parent.glob("studies/*/index.html"))) == 2
    made = json.loads((pages[0].parent / "manifest.json").read_text())["studies"]
    assert made == [first.full_name, second.full_name]
    lost = rf"has {second.full_name} too, which is not in this database; give another --output"
    (tmp_path / "other").mkdir()
    run(first, sqlite(tmp_path / "other"), local=True)
    with pytest.raises(ValueError, match=lost):
        first.report(sqlite(tmp_path / "other"))
    with pytest.raises(ValueError, match=rf"is the site of {first.full_name}, {second.full_name}"):
        build_runs("runs.csv", [], None, pages[0].parent)
    assert len(list(pages[0].parent.glob("studies/*/index.html"))) == 2


def test_hostile_names_are_text_on_every_page(tmp_path, page):
    changes = {name: [97.0 - at, 97.5 - at] for at, name in enumerate(HOSTILE)}
    study, made = ablation_records({BASELINE: [98.0, 98.5]} | changes)
    study = replace(study, question=HOSTILE[1])
    object.__setattr__(study, "name", HOSTILE[0])  # no database gives such a name to a page
    made = (replace(made[0], state="failed", score=None, curve=(), reason=HOSTILE[2]), *made[1:])
    results = Results(study, made)
    site = build([results], tmp_path / "site").parent
    single = build_single([results], tmp_path / "one.html")
    said = []
    page.on("console", lambda message: said.append(message.text))  # MathJax would be missed here
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: (said.append("dialog"), dialog.dismiss()))
    for path in [*site.rglob("*.html"), single]:
        page.set_viewport_size({"width": 375, "height": 720})
        page.goto(path.as_uri())
        page.wait_for_timeout(100)
        assert page.locator("img").count() == 0
        for width in (375, 1280):
            page.set_viewport_size({"width": width, "height": 720})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.goto(next(site.rglob("ablation.html")).as_uri())
    draw(page)
    assert said == []
    assert page.locator(".plot a").count() == 0
    assert page.locator(".plot [style*='font-weight: bold']").count() == 0
    shown = page.locator("table[data-table=ablation] tbody th").all_inner_texts()
    assert shown == [BASELINE, *(in_order(name) for name in HOSTILE)]
    drawn = page.locator("#forest .ytick text").evaluate_all("all => all.map(t => t.textContent)")
    assert [name for name in drawn if len(name) < 34] == [
        in_order(name) for name in HOSTILE if len(name) < 34
    ]


def test_a_name_leaves_the_numbers_after_it_in_their_order(tmp_path, page):
    for name in ("\u202eevil", "שלום"):
        study, made = ablation_records({BASELINE: [98.0, 98.5], name: [91.0, 91.75]})
        site = build([Results(study, made)], tmp_path / fingerprint(name)).parent
        page.goto(next(site.rglob("ablation.html")).as_uri())
        # Where each letter of the finding is drawn on its line, from its own text's order.
        places = page.evaluate("""() => {
            const text = document.querySelector('p.finding').firstChild;
            const start = text.data.indexOf('−6.88');
            return [...'−6.88 points'].map((_, at) => {
                const range = document.createRange();
                range.setStart(text, start + at);
                range.setEnd(text, start + at + 1);
                const box = range.getBoundingClientRect();
                return box.top * 1e4 + box.left;
            });
        }""")
        assert places == sorted(places)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ((), "No run has been stored yet"),
        ((record(0, 98.0, role="reference"),), "Only the baseline has run so far"),
        (
            (record(0, None, role="reference", state="failed", reason="ValueError: broken"),),
            "ValueError: broken",
        ),
        (
            (record(0, None, candidate_id="x", role="candidate", state="infeasible", excess=0.5),),
            "the budget refused the only one of the proposals",
        ),
        ((record(0, 97.0, candidate_id="x", role="candidate"),), "exploratory, not confirmed"),
    ],
    ids=["empty", "baseline only", "all failed", "all infeasible", "one trial"],
)
def test_every_state_of_a_study_builds_and_says_why(made, reason, tmp_path):
    study, _ = ablation_records({BASELINE: [98.0, 98.5], CONTROL: [98.0, 98.5]})
    results = Results(study, made)
    site = build([results], tmp_path / "site").parent
    assert reason in headline(results)
    assert len(list(site.rglob("*.html"))) >= 4
    for path in site.rglob("*.html"):
        text = re.sub(r"<(script|pre).*?</\1>", "", path.read_text(), flags=re.DOTALL)
        assert not re.search(r">\s*(nan|None)\b|undefined", text), path


def test_a_page_of_null_variants_claims_nothing_and_one_clear_effect_is_better(tmp_path, page):
    rng = np.random.default_rng(8)
    base = rng.normal(97, 0.5, 8).round(2)
    nulls = {f"null {at}": [*(base + rng.normal(0, 0.3, 8)).round(2)] for at in range(20)}
    clear = {"clear": [*(base + 1 + rng.normal(0, 0.1, 8)).round(2)]}
    study, made = ablation_records({BASELINE: [*base]} | nulls | clear | {CONTROL: [*base[::-1]]})
    page.goto(
        next(build([Results(study, made)], tmp_path / "s").parent.rglob("ablation.html")).as_uri()
    )
    rows = page.locator("table[data-table=ablation] tbody tr")
    said = dict(
        rows.evaluate_all(
            "all => all.map(r => [r.cells[0].textContent, "
            "r.querySelector('[data-col=verdict]').textContent])"
        )
    )
    assert {said[name] for name in nulls} == {"inconclusive"}
    assert said["clear"] == "better"
    assert said[CONTROL] == "control"
    checks = rows.locator("[data-col=sign_flip]").all_inner_texts()
    assert not any("too small" in text for text in checks)


def test_three_seeds_are_too_few_for_the_exact_check(tmp_path):
    scores = {BASELINE: [98.0, 98.5, 97.5], "one": [97.0, 97.75, 96.5], "two": [98.0, 98.25, 97.0]}
    site = build([Results(*ablation_records(scores))], tmp_path / "site").parent
    text = next(site.rglob("ablation.html")).read_text()
    assert text.count("n too small") == 2


def test_latex_has_the_tables_numbers_and_bold_only_for_better_and_worse():
    scores = {BASELINE: [98.0, 98.5, 98.25], "no_batch & norm": [90.0, 90.25, 90.5],
              "same": [98.25, 98.5, 97.5]}  # fmt: skip
    effects = Results(*ablation_records(scores)).effects
    lines = [line for line in latex(effects).splitlines() if line.endswith(r"\\")][1:]
    assert len(lines) == len(effects)
    for line, row in zip(lines, effects, strict=True):
        assert (r"\textbf" in line) == (row.verdict in ("better", "worse"))
        if row.role != "baseline":
            assert f"{row.delta:+.2f}" in line
            assert f"${row.low:+.2f}$ to ${row.high:+.2f}$" in line
    assert r"no\_batch \& norm" in lines[1]


def test_the_headline_counts_verdicts_and_calls_one_seed_exploratory():
    study, made = ablation_records(
        {BASELINE: [98.0, 98.5, 98.25], "bad": [90.0, 90.25, 90.5], "same": [98.25, 98.5, 97.5]}
    )
    more = record(9, 99.0, candidate_id="x", role="candidate", mult_adds=900)
    said = headline(Results(study, (*made, more)))
    assert said.startswith(
        "Of 2 changes 1 hurts (“bad”), 0 help, 1 is inconclusive, at n = 3 paired seeds."
    )
    assert "99.00 % at 900 mult-adds on one seed: exploratory, not confirmed" in said
