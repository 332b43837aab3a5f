"""Pages to HTML: a folder of files with links between them, or one file with everything inside."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from reports.names import in_order
from reports.page import Figure, Page, Table

SAFE = "/,:;@+=()[] "
"""What a data URL has as it is; else each comma of a CSV file would take three letters."""


def _ordered(value: Any) -> Any:
    """Any text that comes into a page, so that no name in it turns the numbers beside it."""
    return in_order(value) if isinstance(value, str) and not isinstance(value, Markup) else value


ENVIRONMENT = Environment(
    loader=PackageLoader("reports"),
    finalize=_ordered,
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TESTS: dict[str, Callable[[Any], bool]] = {
    "figure": lambda part: isinstance(part, Figure),
    "table": lambda part: isinstance(part, Table),
}
ENVIRONMENT.tests.update(TESTS)  # pyright: ignore[reportArgumentType, reportCallIssue]


class Links(Protocol):
    """How pages refer to each other; `downloads`: data files are files, to be saved."""

    downloads: bool

    def to(self, path: str) -> str:
        """What opens a page or a file of the site."""
        ...

    def id(self, name: str) -> str:
        """The id of something on this page."""
        ...


class Files:
    """Links of a page that is a file of its own."""

    downloads = True

    def __init__(self, path: str) -> None:
        self.folder = posixpath.dirname(path)

    def to(self, path: str) -> str:
        return quote(posixpath.relpath(path, self.folder or "."))

    def id(self, name: str) -> str:
        return name


class Anchors:
    """Links of a page that is a part of one file: every id has the page's path before it."""

    downloads = False

    def __init__(self, path: str) -> None:
        self.path = path

    def to(self, path: str) -> str:
        return f"#{quote(path)}"

    def id(self, name: str) -> str:
        return f"{self.path}:{name}"


def body(page: Page, links: Links) -> Markup:
    """The main part of a page."""
    template = ENVIRONMENT.get_template("page.html")
    return Markup(template.render(page=page, links=links, json=_json))


def file(page: Page) -> str:
    """A page as a file of its own."""
    links = Files(page.path)
    made = ENVIRONMENT.get_template("file.html")
    return made.render(page=page, links=links, body=body(page, links))


def single(pages: list[Page], data: dict[str, str], assets: Path, plotly: Path) -> str:
    """All pages and data files in one file."""
    made = ENVIRONMENT.get_template("single.html")
    return made.render(
        pages=[(page, body(page, Anchors(page.path))) for page in pages],
        links=Anchors(""),
        files={
            name: "data:text/csv;charset=utf-8," + quote(text, SAFE) for name, text in data.items()
        },
        css=Markup((assets / "app.css").read_text("utf-8")),
        plotly=_script(plotly),
        script=_script(assets / "app.js"),
    )


def _script(path: Path) -> Markup:
    # The page's parser ends a script at the first "</script", wherever it stands.
    return Markup(path.read_text("utf-8").replace("</script", "<\\/script"))


def _json(figure: Figure) -> Markup:
    text = figure.plot.to_json()
    assert text is not None
    return Markup(text.replace("<", "\\u003c"))
