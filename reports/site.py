"""Studies to a static site: a folder, or one file, that opens without a server and a network."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from nas.results.elsewhere.pairing import Runs
from nas.results.summary import summary
from nas.results.tables import Results
from reports import writing
from reports.case import Case
from reports.figures.style import plotly_js
from reports.files import csv, files
from reports.folder import MANIFEST, listed, replace, require_ours, standing
from reports.page import Page
from reports.pages.ablation import ablation
from reports.pages.catalogue import catalogue, compare_studies
from reports.pages.compare import compare
from reports.pages.methods import methods
from reports.pages.runs import runs
from reports.pages.search import search
from reports.pages.study import study
from reports.pages.trials import trials
from reports.pages.variant import variant

ASSETS = Path(__file__).parent / "assets"
Content = tuple[list[Page], dict[str, str]]
MAKERS = {
    "ablation": ablation, "search": search, "compare": compare, "trials": trials,
    "methods": methods,
}  # fmt: skip


def build(studies: Sequence[Results], folder: Path, url: str | None = None) -> Path:
    """Writes the site of studies and gives the path of its first page.

    The other studies of a site that stands in the folder are read anew from the database at `url`
    and stay. ValueError when the folder is no site, where a file that no report wrote is in the
    way, or where a study of the site cannot be read there.
    """
    given = [each.study.full_name for each in studies]
    others = [name for name in standing(folder) if name not in given]
    cases = [Case(results) for results in (*studies, *_kept(others, folder, url))]
    return _build(lambda: (list(pages(cases)), data(cases)), [*given, *others], folder)


def _kept(names: Sequence[str], folder: Path, url: str | None) -> Iterator[Results]:
    """The studies of a site that are written again beside others."""
    from nas.results import stored
    from nas.store.database import connect, exists
    from nas.store.reading import study_names

    if not names:
        return
    way_out = "give another --output, or delete the folder"
    if url is None or not exists(url):
        raise ValueError(f"{folder} is the site of {', '.join(names)}; {way_out}")
    with connect(url) as storage:
        known = study_names(storage)
        for name in names:
            if name not in known:
                raise ValueError(
                    f"{folder} has {name} too, which is not in this database; {way_out}"
                )
            try:
                found = stored.read(storage, name)
                Case(found)
            except ValueError as error:
                raise ValueError(f"{folder} has {name} too: {error}; or {way_out}") from None
            yield found


def build_runs(
    name: str,
    found: Runs,
    margin: float | None,
    target: Path,
    cost: str | None = None,
    resolution: float = 0.0,
    *,
    single: bool = False,
) -> Path:
    """Writes the site of a table of runs from elsewhere, as `build` or `build_single` does; `cost`
    is the name of its column."""

    def made() -> Content:
        page, texts = runs(name, found, margin, cost, resolution)
        return [page], texts

    if single:
        return _single(*made(), target)
    list(_kept([other for other in standing(target) if other != name], target, None))
    return _build(made, [name], target)


def _build(content: Callable[[], Content], names: Sequence[str], folder: Path) -> Path:
    place = folder.resolve()
    require_ours(place)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=".site-", dir=place.parent))
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        _write(*content(), names, made)
        replace(place, made)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return folder / "index.html"


def build_single(studies: Sequence[Results], path: Path) -> Path:
    """Writes the site as one file and gives its path; ValueError where it cannot be written."""
    cases = [Case(results) for results in studies]
    return _single(list(pages(cases)), data(cases), path)


def _single(pages: list[Page], files: dict[str, str], path: Path) -> Path:
    text = writing.single(pages, files, ASSETS, plotly_js())
    try:
        if path.exists() and b"data-single" not in path.read_bytes():
            raise ValueError(f"{path} is no report; give another --output")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _unwritable(path, error) from error
    return path


def pages(cases: Sequence[Case]) -> Iterator[Page]:
    """Every page of the site, the catalogue first."""
    rows = [summary(case.results) for case in cases]
    yield catalogue(cases, rows)
    if len(cases) > 1:
        yield compare_studies(cases, rows)
    for case, row in zip(cases, rows, strict=True):
        yield study(case, row)
        yield from (MAKERS[kind](case) for kind in case.kinds if kind in MAKERS)
        yield from (variant(case, shown) for shown in case.shown)


def data(cases: Sequence[Case]) -> dict[str, str]:
    """Every data file of the site by its path."""
    made = {"data/studies.csv": csv([summary(case.results) for case in cases])}
    for case in cases:
        made |= {case.file(name): text for name, text in files(case).items()}
    return made


def _write(
    pages: Sequence[Page], files: Mapping[str, str], names: Sequence[str], folder: Path
) -> None:
    shutil.copytree(ASSETS, folder / "assets", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(plotly_js(), folder / "assets" / "plotly.min.js")
    for path, text in {page.path: writing.file(page) for page in pages}.items() | files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    manifest = {"made": time.time(), "studies": list(names), "files": listed(folder)}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2))


def _unwritable(path: Path, error: OSError) -> ValueError:
    return ValueError(f"{path} cannot be written ({error.strerror}); give another --output")
