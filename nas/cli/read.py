"""The commands under Read: what a study has left in the database, as tables and pages."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
from click.shell_completion import get_completion_class

from nas.base.errors import NothingToReport
from nas.base.paths import home, log_path, study_folder
from nas.base.wording import times
from nas.cli.findings import (
    best_so_far,
    confirmations_table,
    confirmed,
    effects_table,
    looks,
    written,
)
from nas.cli.show import (
    COLUMNS,
    FORMAT,
    PAPER_FORMAT,
    Column,
    changes,
    count,
    fixed,
    table,
    text,
)
from nas.cli.stored import SMOKE, STORAGE, STUDY, opened, read, results, trial
from nas.experiment.cost import cost
from nas.experiment.experiment import rebuilt
from nas.runs.record import OVER

if TYPE_CHECKING:
    from nas.results.tables import Results
    from nas.runs.record import Record
    from nas.runs.scores import Crops, Predictions
    from nas.train.evaluation import Split

WATCHED_EVERY = 2.0
"""Seconds."""


@click.command()
@STUDY
@STORAGE
@SMOKE
@FORMAT
@click.option("--watch", is_flag=True, help="Again and again, until nobody runs it.")
def status(study: str, storage: str, smoke: bool, form: str, watch: bool) -> None:
    """Where STUDY stands: runs by state, the best candidate, the causes of failures and where the
    first of each wrote its log."""
    if watch and form != "table":
        raise ValueError("--watch shows a table; `nas run --json` tells programs what happens")
    before = None
    while True:
        began = time.monotonic()
        found, held = _now(study, storage, smoke)
        seen = (found, held is None)
        if seen != before:
            if watch:
                click.clear()
            _status(found, held, form)
        before = seen
        if not watch or not held:
            return
        # Not all of the time is for reading a large study.
        time.sleep(max(WATCHED_EVERY, time.monotonic() - began))


def _now(study: str, storage: str, smoke: bool) -> tuple[Results, str | None]:
    """A study's results, and who runs it."""
    from nas.store.lease import driver

    with opened(study, storage, smoke) as (database, name, meant):
        return read(database, name, meant), driver(database.engine, name)


def _status(found: Results, held: str | None, form: str) -> None:
    name = found.study.full_name
    states = Counter(str(record.state) for record in found.records)
    if not held and "running" in states:
        states["interrupted"] = states.pop("running")
    causes = _causes(found)
    if form == "json":
        told = {"study": name, "question": found.study.question, "planned": found.study.planned}
        told |= {"driver": held, "states": states, "failures": causes}
        click.echo(json.dumps(told, indent=2))
        return
    rows = [{"state": state, "runs": number} for state, number in states.items()]
    if form == "table":
        click.echo(f"{name}: {found.study.question}")
    table(rows, {"state": Column("state"), "runs": Column("runs", count)}, form)
    if form != "table":
        return
    # What `nas confirm` asked for is no part of the study's own plan.
    apart = () if found.study.confirmations else ("confirmation",)
    over = sum(r.state in OVER and r.role not in apart for r in found.records)
    click.echo(f"{over} of {found.study.planned} planned runs are over; " + (held or "idle"))
    best_so_far(found)
    if any(record.role == "confirmation" for record in found.records):
        for line in confirmed(found):
            click.echo(line)
        click.echo(looks(found))
    if causes:
        click.echo()
        table(
            causes,
            {
                "runs": Column("runs", count),
                "state": Column("state"),
                "cause": Column("cause"),
                "first": Column("first"),
                "log": Column("log", text, spare=True),
            },
        )
    if states["failed"]:
        click.echo("`nas retry` makes the failed ones part of the next run")


def _causes(found: Results) -> list[dict[str, Any]]:
    """Why runs gave no score, the most frequent cause first, with the first run of each and its
    log, where that is on this machine."""
    bad = [r for r in found.records if r.state in ("failed", "exceeded", "diverged")]
    counts = Counter((r.state, (r.reason or "").split("\n")[0]) for r in bad)
    first = {(r.state, (r.reason or "").split("\n")[0]): r.number for r in reversed(bad)}
    rows: list[dict[str, Any]] = []
    for (state, cause), number in counts.most_common():
        log = log_path(study_folder(found.study.full_name), first[state, cause])
        rows.append(
            {"runs": number, "state": state, "cause": cause, "first": first[state, cause]}
            | {"log": str(log) if log.exists() and log.stat().st_size else None}
        )
    return rows


@click.command()
@STUDY
@STORAGE
@SMOKE
@PAPER_FORMAT
@COLUMNS
def effects(study: str, storage: str, smoke: bool, form: str, columns: tuple[str, ...]) -> None:
    """What each change of STUDY's ablation did, in percentage points, with its verdict; and, to
    read, what is left of its search on fresh seeds (without an ablation in every form)."""
    found = results(study, storage, smoke)
    done = any(row.n for row in found.effects)
    if not done and not found.confirmations:
        what = "finished ablation run yet" if found.effects else "ablation and no confirmation"
        raise NothingToReport(f"{found.study.full_name} has no {what}")
    if done:
        effects_table(found, form, columns)
    if found.confirmations and not (done and (columns or form != "table")):
        confirmations_table(found, form, columns)


@click.command()
@STUDY
@STORAGE
@SMOKE
@click.option("--top", type=click.IntRange(1), default=5, show_default=True, help="How many.")
@PAPER_FORMAT
@COLUMNS
def best(
    study: str, storage: str, smoke: bool, top: int, form: str, columns: tuple[str, ...]
) -> None:
    """The best candidates of STUDY's search within the budget, and what they changed."""
    found = results(study, storage, smoke)
    if not found.explored and not found.study.trials:
        raise NothingToReport(
            f"{found.study.full_name} has no search; `nas effects {study}` shows its ablation"
        )
    if not found.explored:
        tried = sum(r.role == "candidate" and r.state in OVER for r in found.records)
        raise NothingToReport(
            f"{found.study.full_name} has no candidate within its budget that was trained to its "
            f"end; {tried} of its search's trials are over otherwise"
        )
    decided = {record.number: record.decisions for record in found.records}
    canonical = next((r.decisions for r in found.records if r.role == "reference"), {})
    spent = cost(found.baseline, found.study.image_size)
    rows: list[dict[str, Any]] = [
        {
            "number": row.number,
            "accuracy": row.mean,
            "mult_adds": row.mult_adds,
            "against_baseline": row.mult_adds / spent.mult_adds - 1,
            "params": row.params,
            "changed": {
                name: label
                for name, label in decided[row.number].items()
                if label != canonical.get(name)
            },
            "candidate_id": row.candidate_id,
        }
        for row in found.explored[:top]
    ]
    if columns:
        own = dict(zip((row.number for row in found.trials), found.decided, strict=True))
        rows = [row | own[row["number"]] for row in rows]
    table(
        rows,
        {
            "number": Column("trial"),
            "accuracy": Column("accuracy, %", fixed(".2f")),
            "mult_adds": Column("mult-adds", count),
            "against_baseline": Column("against the baseline", fixed("+.1%"), spare=True),
            "params": Column("parameters", count, spare=True),
            "changed": Column("changed", changes),
            **_decisions(found),
        },
        form,
        columns,
    )
    if form == "table":
        click.echo("exploratory: one seed each; the best of many is better than it will be again")


def _decisions(found: Results) -> dict[str, Column]:
    """A column for each decision of the runs, which is shown where it is chosen."""
    return {name: Column(name, text, shown=False) for own in found.decided[:1] for name in own}


@click.command()
@STUDY
@STORAGE
@SMOKE
@FORMAT
@COLUMNS
def trials(study: str, storage: str, smoke: bool, form: str, columns: tuple[str, ...]) -> None:
    """Every run of STUDY: what it was for, how it ended, what it scored and cost, and in JSON and
    CSV what it decided."""
    found, held = _now(study, storage, smoke)
    if not found.trials:
        raise NothingToReport(f"{found.study.full_name} has no run yet")
    rows = [asdict(row) | own for row, own in zip(found.trials, found.decided, strict=True)]
    if not held:
        rows = [
            row | ({"state": "interrupted"} if row["state"] == "running" else {}) for row in rows
        ]
    unit, digits = written(found)
    if columns or form == "table":
        rows = [row | {"what": row["change"] or row["role"]} for row in rows]
    table(
        rows,
        {
            "number": Column("trial"),
            "what": Column("what"),
            "state": Column("state"),
            "seed": Column("seed"),
            "score": Column("accuracy, %" if unit else "score", fixed(f".{digits}f")),
            "test": Column("test, %", fixed(".2f"), shown=found.looks > 0),
            "epochs": Column("epochs"),
            "mult_adds": Column("mult-adds", count, spare=True),
            "seconds": Column("seconds", fixed(".1f"), spare=True),
            "reason": Column("reason", text, spare=True),
            "mult_adds_fvcore": Column("by fvcore", count, shown=False),
            "params": Column("parameters", count, shown=False),
            "params_aux": Column("of aux heads", count, shown=False),
            **_decisions(found),
        },
        form,
        columns,
    )


def _class_names(found: Results, record: Record) -> tuple[str, ...]:
    """The names of a run's classes; none where the images that it saw are not here."""
    from nas.data.catalogue import class_names

    data = found.experiment(record.candidate_id).recipe.data
    return class_names(data, record.protocol.data_sha256) if record.protocol else ()


@click.command()
@click.argument("references", nargs=-1, required=True, metavar="TRIAL...")
@click.option(
    "--split", type=click.Choice(["validation", "train"]),
    help="Score it on these images, from its weights.",
)  # fmt: skip
@click.option(
    "--crops", type=click.Choice(["1", "10", "144"]), help="Views of an image, averaged [1]."
)
@click.option("--image-size", type=click.IntRange(1), metavar="PIXELS", help="[the run's own]")
@click.option("--together", is_flag=True, help="Score their mean prediction too: an ensemble.")
@click.option("--by", type=click.Choice(["class"]), help="A row for each class.")
@STORAGE
@FORMAT
def evaluate(
    references: tuple[str, ...], split: str | None, crops: str | None, image_size: int | None,
    together: bool, by: str | None, storage: str, form: str,
) -> None:  # fmt: skip
    """Score each TRIAL (STUDY:NUMBER) in full: top-1, top-5, likelihood, calibration, mult-adds.

    Balanced is the mean of the classes' own top-1, which --by class has. Without another option the
    stored predictions are scored: those on the validation split, or a confirmation's on the test
    split, which nothing else reads.
    """
    from nas.data.datasets import class_name
    from nas.export.export import kept_weights
    from nas.runs.scores import by_class, ensemble, score
    from nas.train.evaluation import predict, stored, taken_up

    def predicted(found: Results, record: Record) -> Predictions:
        study = found.study.full_name
        experiment = rebuilt(record.experiment, record.network_id, found.classes)
        if not (split or crops or image_size):
            return stored(record, experiment, study_folder(study))
        training = taken_up(record, experiment, kept_weights(record, study))
        views = cast("Crops", int(crops or 1))
        return predict(training, cast("Split", split or "validation"), views, image_size)

    named = {name: trial(name, storage) for name in references}
    once = {(found.study.full_name, record.number): name for name, (found, record) in named.items()}
    each = {name: predicted(*named[name]) for name in once.values()}
    called = {name: _class_names(*named[name]) for name in each}
    if together:
        first = next(iter(called.values()))
        called["together"] = first if len(set(called.values())) == 1 else ()
        each["together"] = ensemble(list(each.values()))
    if by:
        told = [
            {"trial": name, "class": class_name(own.label, called[name])} | asdict(own)
            for name, made in each.items()
            for own in by_class(made)
        ]
        columns = {
            "trial": Column("trial"),
            "class": Column("class"),
            "images": Column("images", count),
            "accuracy": Column("top-1 %", fixed(".2f")),
        }
        table(told, columns, form)
        return
    rows: list[dict[str, Any]] = []
    for name, made in each.items():
        scored = [own for own in by_class(made) if own.images]
        least = min(scored, key=lambda own: own.accuracy)
        worst = f"{class_name(least.label, called[name])}: {least.accuracy:.2f} %"
        rows.append({"trial": name} | asdict(score(made)) | {"worst": worst})
    table(
        rows,
        {
            "trial": Column("trial"),
            "split": Column("split"),
            "images": Column("images", count, spare=True),
            "image_size": Column("pixels", spare=True),
            "crops": Column("crops"),
            "top1": Column("top-1 %", fixed(".2f")),
            "balanced": Column("balanced %", fixed(".2f")),
            "worst": Column("worst class", spare=True),
            "top5": Column("top-5 %", fixed(".2f")),
            "nll": Column("nats", fixed(".3f")),
            "calibration_error": Column("calibration error", fixed(".2f")),
            "mult_adds": Column("mult-adds", count),
        },
        form,
    )


@click.command()
@click.argument("studies", nargs=-1, metavar="STUDY...")
@STORAGE
@SMOKE
@click.option(
    "--from",
    "table",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Runs from elsewhere, CSV or JSON with a run a row, instead of a STUDY.",
)
@click.option("--baseline", metavar="NAME", help="With --from: what the others are compared with.")
@click.option("--variant", default="variant", show_default=True, help="Its column of names.")
@click.option("--pair", default="seed", show_default=True, help="Its column of seeds.")
@click.option("--score", default="score", show_default=True, help="Its column of scores.")
@click.option("--cost", metavar="COLUMN", help="Its column of costs, such as mult-adds.")
@click.option("--margin", type=float, help="Differences inside it count as equivalent.")
@click.option("--resolution", type=float, default=0.0, help="Its scores' step.")
@click.option(
    "--higher-is-better/--lower-is-better",
    "higher_is_better",
    default=None,
    help="Which scores are good, where their name does not say it.",
)
@click.option("--state", metavar="COLUMN", help="Its column of states, if it is not found.")
@click.option(
    "--finished", metavar="WORD", multiple=True, help="The state that counts, if it is not known."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Folder [nas-out/site], or file [nas-out/report.html].",
)
@click.option("--single-file", "single", is_flag=True, help="One HTML file with all of it.")
@click.option("--watch", is_flag=True, help="Write it anew as runs end, until ctrl-C.")
def report(
    studies: tuple[str, ...],
    storage: str,
    smoke: bool,
    output: Path | None,
    single: bool,
    watch: bool,
    table: Path | None,
    **columns: Any,
) -> None:
    """Write the report of each STUDY as a static site, beside the studies that it has already; open
    its index.html.

    --from runs.csv --baseline NAME writes the ablation's page of any table of runs; the exports of
    MLflow, NNI, Optuna and its dashboard, Ray and Weights & Biases can be given as they are. What
    was taken for what is told on stderr and on the page.
    """
    if table and watch:
        raise click.UsageError("--watch follows the runs of a STUDY; leave it out with --from")
    if (table is None) == (not studies):
        raise click.UsageError("give one STUDY or more, or --from FILE --baseline NAME")
    target = output or home() / ("report.html" if single else "site")
    if table is not None:
        from nas.cli.elsewhere import report_of

        click.echo(report_of(table, target, single, **columns))
        return
    from reports.site import build, build_single

    def write(found: list[Results], target: Path) -> Path:
        return build_single(found, target) if single else build(found, target, storage)

    found = [results(study, storage, smoke) for study in studies]
    empty = [each.study.full_name for each in found if not each.records]
    if empty:
        raise NothingToReport(f"nothing to report: {', '.join(empty)} has no run yet")
    click.echo(write(found, target))
    known = _standing(found)
    with suppress(KeyboardInterrupt):
        while watch:
            time.sleep(WATCHED_EVERY)
            found = [results(study, storage, smoke) for study in studies]
            if _standing(found) != known:
                known = _standing(found)
                write(found, target)
                runs = sum(len(each.records) for each in found)
                click.echo(f"written with {times(runs, 'run')}")


def _standing(found: Sequence[Results]) -> list[tuple[int, str]]:
    """What a new report would be written for: a run that began or ended."""
    return [(record.number, record.state) for each in found for record in each.records]


def _port(default: int) -> Callable[[Any], Any]:
    return click.option(
        "--port", type=click.IntRange(0, 65535), default=default, show_default=True,
        help="0 takes a free one.",
    )  # fmt: skip


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), required=False, metavar="[DIR]")
@_port(8000)
def browse(folder: Path | None, port: int) -> None:
    """Serve the report in DIR [nas-out/site] on 127.0.0.1 until ctrl-C."""
    from nas.cli.serve import serve_folder

    site = folder or home() / "site"
    if not (site / "index.html").is_file():
        raise NothingToReport(f"no report in {site}: `nas report STUDY` writes one")
    serve_folder(site, port)


@click.command()
@STORAGE
@_port(8080)
@click.option("--write", is_flag=True, help="Let it change the database while nobody runs a study.")
def dashboard(storage: str, port: int, write: bool) -> None:
    """Serve Optuna Dashboard on the database, on 127.0.0.1 until ctrl-C.

    Each study there has our headline as its note, and our frontier and effects beside Optuna's
    figures; they are renewed as runs end. Without --write nothing in the database is changed.
    """
    from optuna_dashboard import wsgi

    from nas.cli.live import Shown, pushing
    from nas.cli.serve import serve_application
    from nas.store.database import connect, exists
    from nas.store.lease import driver
    from nas.store.reading import runs_of, study_names

    if not exists(storage):
        raise NothingToReport("there is no database yet: `nas run STUDY` makes it")
    with connect(storage) as database:
        for name in study_names(database):
            if not runs_of(database, name):
                click.echo(f"{name} is not shown: another program deleted its runs", err=True)

        def refused() -> str | None:
            if not write:
                return "this dashboard only reads; `nas dashboard --write` lets it write"
            held = (driver(database.engine, name) for name in study_names(database))
            return next((f"{who}; nothing is written beside it" for who in held if who), None)

        shown = database if write else Shown(database)
        with pushing(database, shown):
            serve_application(wsgi(shown), port, refused)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print completion for SHELL: eval "$(nas completion bash)" in ~/.bashrc turns it on."""
    from nas.cli.main import main

    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(main, {}, "nas", "_NAS_COMPLETE").source())
