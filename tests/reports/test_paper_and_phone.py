import shutil
from dataclasses import dataclass, replace

import pytest

from nas import edit
from nas.plan.arms import BASELINE
from nas.results.tables import Results
from reports import writing
from reports.page import Column, Page, Section, Table
from reports.site import ASSETS, build
from tests.examples import BASE, ablation_records, built, record, search_records

MINUS = "−"
A4 = 718  # pixels of its width between the browser's margins


@dataclass(frozen=True)
class Line:
    name: int
    here: str


def lines(*given):
    """A table of a number and a text a line."""
    return Table(
        name="lines",
        label="Lines",
        columns=(Column(name="name", title="line"), Column(name="here", title="here", words=True)),
        rows=[Line(at, text) for at, text in enumerate(given)],
        key=lambda row: str(row.name),
    )


@pytest.fixture
def opened(page, tmp_path):
    """Opens a page of one table."""

    def show(table):
        shutil.copytree(ASSETS, tmp_path / "assets", dirs_exist_ok=True)
        made = Page(path="a.html", kind="a", title="a", heading="a",
                    sections=[Section(name="a", title="a", parts=[table])])  # fmt: skip
        (tmp_path / "a.html").write_text(writing.file(made))
        page.goto((tmp_path / "a.html").as_uri())
        return page

    return show


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site of a stored study with an ablation, a search and a confirmation."""
    name = "no_convolution_of_a_kernel_of_5_by_5_in_any_of_the_modules"
    study, made = ablation_records({BASELINE: [98.0, 98.5, 98.25], name: [97.0, 97.75, 97.0]})
    less = edit(BASE, {"network.inception_3a.conv5x5": None})
    made = [built(r, less) if r.change == name else r for r in made]
    made += [replace(r, number=100 + r.number) for r in search_records(40)[1][1:]]
    best = max(
        (r for r in made if r.role == "candidate" and r.state == "complete"),
        key=lambda r: r.score,
    )
    for key in (None, best.candidate_id):
        for at, score in enumerate((98.5, 98.75, 98.25)):
            run = record(900 + len(made), score, role="confirmation", seed=1000 + at,
                         candidate_id=key, mult_adds=1_582_671_872)  # fmt: skip
            made.append(replace(run, test=score, crops=1))
    results = Results(replace(study, trials=40), tuple(made))
    return build([results], tmp_path_factory.mktemp("paper") / "site").parent


def changed(site):
    """The page of the changed network."""
    return next(p for p in site.rglob("v/*.html") if 'data-table="differences"' in p.read_text())


def order(page, column):
    return page.locator(f"table [data-col={column}]").all_inner_texts()[1:]


def test_numbers_are_sorted_as_numbers_whatever_their_column(opened):
    page = opened(lines("10", "none", f"{MINUS}1.5", "0.5", "2", "0.25", "", f"{MINUS}10", "3, 12",
                        "3, 4", "1", "1e-05"))  # fmt: skip
    heads = page.locator("table thead button")
    heads.nth(1).click()
    rising = [f"{MINUS}10", f"{MINUS}1.5", "1e-05", "0.25", "0.5", "1", "2", "10"]
    words = ["3, 4", "3, 12", "none"]
    assert order(page, "here") == [*rising, *words, ""]
    heads.nth(1).click()
    assert order(page, "here") == [*words[::-1], *rising[::-1], ""]  # what is missing stays last
    heads.nth(0).click()
    assert order(page, "name") == [str(at) for at in range(12)]


def test_the_filter_finds_what_a_keyboard_writes_and_each_word_of_it(opened):
    page = opened(lines(f"{MINUS}1.25 points", "pool proj", "4a: pool", "4b", *["other"] * 12))
    for asked, found in (("-1.25", 1), (f"{MINUS}1.25", 1), ("POOL 4a", 1), ("pool", 2), ("0p", 0)):
        page.get_by_label("Filter").fill(asked)
        assert page.locator("tbody tr:visible").count() == found
        assert page.locator("output").inner_text() == f"{found} of 16 rows"


def test_a_row_has_a_link_by_pointer_and_by_keyboard_at_one_stop_a_table(opened):
    page = opened(lines(*"abcdefghijklmnop"))
    page.get_by_label("Filter").fill("c")
    page.get_by_label("Filter").fill("")
    page.locator("tbody tr").nth(5).hover()
    link = page.locator("tbody a.here")
    assert link.get_attribute("href") == "#lines-5"
    link.click()
    assert page.url.endswith("#lines-5")
    assert page.locator("tr:target").get_attribute("id") == "lines-5"
    page.locator(".wide").focus()
    for _ in range(3):  # over the two headings
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#lines-0"
    for _ in range(2):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    assert page.url.endswith("#lines-1")
    assert link.count() == 1
    assert order(page, "name") == [str(at) for at in range(16)]  # it is no part of the row's name


def test_a_page_printed_without_scrolling_has_its_figures(site, page):
    page.set_viewport_size({"width": 1200, "height": 300})
    page.goto(changed(site).as_uri())
    page.wait_for_function("window.Plotly")  # comes by itself once the page is idle
    assert page.locator("figure[data-rendered]").count() < page.locator("figure").count()
    first, second = len(page.pdf()), len(page.pdf())
    assert first == pytest.approx(second, rel=0.02)


def test_paper_has_whole_listings_and_tables_that_can_be_read(site, page):
    page.emulate_media(media="print")
    page.set_viewport_size({"width": A4, "height": 900})
    for path in (site / "index.html", *site.glob("studies/*/*.html"), changed(site)):
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= A4, path
        points = "all => all.map(e => parseFloat(getComputedStyle(e).fontSize) * 0.75)"
        told = page.locator(".finding").evaluate_all(points)
        for size in page.locator("td, caption, figcaption").evaluate_all(points):
            assert 8 <= size <= min(told, default=10), path
    page.locator("details").evaluate_all("all => all.forEach(each => each.open = true)")
    for listing in page.locator("pre").all():
        assert listing.evaluate("p => p.scrollHeight <= p.clientHeight + 1")
        assert listing.evaluate("p => p.scrollWidth <= p.clientWidth")


def test_a_phone_shows_the_last_column_of_what_changed(site, page):
    page.set_viewport_size({"width": 375, "height": 800})
    page.goto(changed(site).as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    for name in ("differences", "canonical"):
        cells = page.locator(f"table[data-table={name}] td:last-child")
        assert cells.count()
        rights = cells.evaluate_all("all => all.map(c => c.getBoundingClientRect().right)")
        assert max(rights) <= 375


def test_a_screen_of_1200_shows_the_last_column_of_the_confirmation(site, page):
    page.set_viewport_size({"width": 1200, "height": 900})
    page.goto(next(site.glob("studies/*/index.html")).as_uri())
    wide = page.locator(".wide:has(table[data-table=confirmation])")
    assert wide.evaluate("w => w.scrollWidth <= w.clientWidth")


def test_without_javascript_no_figure_leaves_a_gap_and_the_page_says_why(site, browser):
    context = browser.new_context(java_script_enabled=False)
    opened = context.new_page()
    for path in site.glob("studies/*/*.html"):
        opened.goto(path.as_uri())
        figures = opened.locator("figure").count()
        assert opened.locator("noscript p:visible").count() == (figures > 0)
        for plot in opened.locator(".plot").all():
            assert plot.bounding_box()["height"] == 0
    context.close()
