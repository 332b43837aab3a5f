"""Our findings in Optuna Dashboard: a note and figures of each study, renewed as runs end."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager

import optuna
from optuna.storages import RDBStorage
from optuna_dashboard import save_note, save_plotly_graph_object

from nas.results.tables import Results
from nas.store.reading import records, study_names, study_record
from reports.figures.ablation import forest
from reports.figures.frontier import frontier
from reports.words import headline, warnings, worst

EVERY = 30.0
"""Seconds between two looks at the database."""


@contextmanager
def pushing(storage: RDBStorage) -> Generator[None]:
    """Pushes what there is, and what comes as long as the block runs."""
    known: dict[str, list[str]] = {}
    push(storage, known)
    over = threading.Event()

    def renew() -> None:
        while not over.wait(EVERY):
            push(storage, known)
        storage.remove_session()

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def push(storage: RDBStorage, known: dict[str, list[str]]) -> None:
    """Writes the note and the figures of every study whose runs are not those that are `known`."""
    for name in study_names(storage):
        found = records(storage, name)
        states = [record.state for record in found]
        if not found or known.get(name) == states:
            continue
        known[name] = states
        try:
            results = Results(study_record(storage, name), tuple(found))
        except ValueError:
            continue  # a network of the user's own, whose module is not loaded here
        _push(optuna.load_study(storage=storage, study_name=name), results)


def _push(study: optuna.Study, results: Results) -> None:
    said = [f"## {results.study.question}", headline(results)]
    if any(row.n for row in results.effects):
        said.append(worst(results.effects))
        figure = forest(results.effects, results.study.margin)
        figure.update_layout(title="Effect of each change, points", template="plotly_white")
        save_plotly_graph_object(study, figure, graph_object_id="effects")
    if any(row.n for row in results.candidates):
        figure = frontier(results.candidates, results.study.limits.get("mult_adds"))
        figure.update_layout(title="Accuracy against mult-adds", template="plotly_white")
        save_plotly_graph_object(study, figure, graph_object_id="frontier")
    said += [f"*{warning}*" for warning in warnings(results)]
    said.append(f"`nas report {results.study.name}` writes the whole report.")
    save_note(study, "\n\n".join(said))
