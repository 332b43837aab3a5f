"""Our findings in Optuna Dashboard: a note and figures of each study, renewed as runs end."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.study._frozen import FrozenStudy
from optuna_dashboard import save_note, save_plotly_graph_object

from nas.base.errors import NothingToReport
from nas.results.tables import Results
from nas.store.lease import driver
from nas.store.reading import records, study_names, study_record
from reports.figures.ablation import forest
from reports.figures.frontier import frontier
from reports.words import headline, warnings, worst

EVERY = 30.0
"""Seconds between two looks at the database."""
MARKUP = frozenset("\\`*_{}[]<>()#!|~&$\"'")
"""What Markdown, HTML and formulas begin with."""


class Shown(_CachedStorage):
    """A database as a page shows it: what is said of a study is beside it in memory, so that
    nothing is written."""

    def __init__(self, backend: RDBStorage) -> None:
        super().__init__(backend)
        self._said: dict[int, dict[str, Any]] = defaultdict(dict)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        self._said[study_id] = {**self._said[study_id], key: value}

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        return super().get_study_system_attrs(study_id) | self._said[study_id]

    def get_all_studies(self) -> list[FrozenStudy]:
        found = super().get_all_studies()
        for study in found:
            study.system_attrs = study.system_attrs | self._said[study._study_id]
        return found


@contextmanager
def pushing(storage: RDBStorage, shown: RDBStorage | Shown) -> Generator[None]:
    """Pushes what there is in a database into what is shown of it, and what comes as long as the
    block runs."""
    known: dict[str, list[str]] = {}
    push(storage, known, shown)
    over = threading.Event()

    def renew() -> None:
        while not over.wait(EVERY):
            push(storage, known, shown)
        storage.remove_session()

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def push(
    storage: RDBStorage, known: dict[str, list[str]], shown: RDBStorage | Shown | None = None
) -> None:
    """Writes the note and the figures of every study whose runs are not those that are `known`; of
    one that somebody runs, only where nothing of it is written into the database."""
    for name in study_names(storage):
        if not isinstance(shown, Shown) and driver(storage.engine, name):
            continue
        try:
            found = records(storage, name)
        except NothingToReport:
            continue  # its runs were deleted by hand
        states = [record.state for record in found]
        if not found or known.get(name) == states:
            continue
        known[name] = states
        try:
            results = Results(study_record(storage, name), tuple(found))
        except ValueError:
            continue  # a network of the user's own, whose module is not loaded here
        _push(optuna.load_study(storage=shown or storage, study_name=name), results)


def _push(study: optuna.Study, results: Results) -> None:
    said = [f"## {plain(results.study.question)}", plain(headline(results))]
    if any(row.n for row in results.effects):
        said.append(plain(worst(results.effects)))
        figure = forest(results.effects, results.study.margin)
        figure.update_layout(title="Effect of each change, points", template="plotly_white")
        save_plotly_graph_object(study, figure, graph_object_id="effects")
    if any(row.n for row in results.candidates):
        figure = frontier(results.candidates, results.study.limits.get("mult_adds"))
        figure.update_layout(title="Accuracy against mult-adds", template="plotly_white")
        save_plotly_graph_object(study, figure, graph_object_id="frontier")
    said += [f"*{plain(warning)}*" for warning in warnings(results)]
    said.append(f"`nas report {results.study.name}` writes the whole report.")
    save_note(study, "\n\n".join(said))


def plain(text: str) -> str:
    """A text as it is for Markdown and HTML, on one line."""
    line = " ".join(text.split())
    return "".join(f"&#{ord(c)};" if c in MARKUP else c for c in line)
