"""The `nas` command. Data goes to stdout, progress and notices to stderr.

Exit codes: 0 done, 1 some trials failed, 2 usage, 3 storage or cluster out of reach, 4 nothing
fits the budget, 5 nothing to report, 130 interrupted (the same command goes on).
"""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections import Counter
from pathlib import Path
from typing import Any, cast

import click
import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from nas.cost import By, cost
from nas.domain import Choice, Domain
from nas.find import find_experiment, find_space, find_study, set_paths

WIDE = 120
FORMATS = click.Choice(["table", "json", "csv"])
STORAGE = click.option(
    "--storage", metavar="URL", envvar="NAS_STORAGE",
    help="The database: sqlite:///FILE or postgresql+psycopg://HOST/NAME [$NAS_STORAGE].",
)  # fmt: skip


class Failure(click.ClickException):
    """One message and an exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = code  # pyright: ignore[reportAttributeAccessIssue] - click reads it here


class _Group(click.Group):
    """A user's mistake becomes one message, never a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ValueError as error:
            raise Failure(str(error), 2) from error
        except OSError as error:
            raise Failure(
                f"{error.filename or 'the system'}: {error.strerror or error}", 3
            ) from error


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Neural-architecture search and ablation around Inception networks.

    \b
    Exit codes: 0 done, 1 some trials failed, 2 usage, 3 storage or cluster
    out of reach, 4 nothing fits the budget, 5 nothing to report,
    130 interrupted (the same command goes on).
    """


@main.command("cost")
@click.argument("name")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PATH=VALUE",
    help="Change a leaf: network.inception_3a.conv5x5=null drops a branch.",
)
@click.option("--by", type=click.Choice(["module", "branch", "layer"]), default="module")
@click.option("--image-size", type=click.IntRange(1), help="Count for images of this size, pixels.")
@click.option("-f", "--format", "form", type=FORMATS, default="table")
def cost_command(
    name: str, settings: tuple[str, ...], by: str, image_size: int | None, form: str
) -> None:
    """Mult-adds, parameters and activations of NAME: a preset, or FILE.SPACE for its baseline."""
    experiment = set_paths(find_experiment(name), settings)
    spent = cost(experiment, image_size, cast(By, by))
    rows = [_plain_cost(row) for row in spent.rows]
    total = _plain_cost(spent)
    if form == "json":
        del total["name"]
        click.echo(json.dumps(total | {"rows": rows}, indent=2))
        return
    _print(pd.DataFrame([*rows, total]), form)


def _plain_cost(row: Any) -> dict[str, Any]:
    return {key: value for key, value in dataclasses.asdict(row).items() if key != "rows"}


@main.group()
def space() -> None:
    """Look at search spaces."""


@space.command("show")
@click.argument("name")
@click.option("-f", "--format", "form", type=FORMATS, default="table")
def space_show(name: str, form: str) -> None:
    """The decisions of the space FILE.SPACE, how many candidates it has, and its baseline."""
    found = find_space(name)
    rows = [
        {
            "decision": decision,
            "options": _options(domain),
            "canonical": str(domain.default),
            "leaves": len(found.sites[decision]),
        }
        for decision, domain in found.domains.items()
    ]
    spent = cost(found.baseline.experiment)
    if form == "json":
        head = {"name": name, "size": found.size, "mult_adds": spent.mult_adds}
        click.echo(json.dumps(head | {"params": spent.params, "decisions": rows}, indent=2))
        return
    _print(pd.DataFrame(rows), form)
    if form == "table":
        size = f"{found.size:,}" if found.size < 10**15 else f"{found.size:.3g}"
        click.echo(
            f"{len(rows)} decisions, {size} candidates; the baseline costs "
            f"{spent.mult_adds:,} mult-adds and has {spent.params:,} parameters"
        )


def _options(domain: Domain) -> str:
    if isinstance(domain, Choice):
        shown = domain.labels if len(domain.labels) <= 8 else (*domain.labels[:6], "...")
        more = f" ({len(domain.labels)})" if len(domain.labels) > 8 else ""
        return ", ".join(shown) + more
    step = f" in steps of {domain.step:g}" if domain.step else ""
    return f"{domain.low:g} to {domain.high:g}{step}"


@main.command()
@click.argument("study")
@click.option("--trials", type=click.IntRange(1), help="The search's total, in the study's place.")
@STORAGE
@click.option("--address", metavar="ADDR", help="A running Ray cluster's address.")
@click.option("--local", is_flag=True, help="In this process, one trial at a time, without Ray.")
@click.option("--smoke", is_flag=True, help="A few trials on synthetic images, in seconds.")
def run(
    study: str, trials: int | None, storage: str | None, address: str | None, local: bool,
    smoke: bool,
) -> None:  # fmt: skip
    """Run STUDY until its plan is met; run it again to go on where it stopped."""
    from nas.bridge import NothingFits, StudyStopped
    from nas.engine import run as run_study
    from nas.engine import with_trials
    from nas.machine import NoResources
    from nas.progress import Reporter
    from nas.storage import StorageError

    asked = find_study(study)
    if smoke:
        from nas.smoke import smoke as in_small

        asked = in_small(asked)
    if trials is not None:
        asked = with_trials(asked, trials)
    url = _url(storage)
    try:
        with Reporter() as reporter:
            outcome = run_study(
                asked, url, address=address, local=local, watch=reporter, notice=reporter.notice
            )
    except (StorageError, NoResources) as error:
        raise Failure(str(error), 3) from error
    except NothingFits as error:
        raise Failure(str(error), 4) from error
    except StudyStopped as error:
        raise Failure(f"{error}; what was told is kept", 1) from error
    if outcome.interrupted:
        again = " ".join(["nas", *sys.argv[1:]])
        click.echo(f"interrupted; nothing is lost: `{again}` goes on", err=True)
        sys.exit(130)
    if outcome.exhausted:
        click.echo("the search ended early: no candidate is left that fits and is new", err=True)
    results = _results(outcome.full_name, url)
    _conclude(results, study if not smoke else asked.name)
    if any(record.state == "failed" for record in results.records):
        sys.exit(1)


@main.command()
@click.argument("study")
@STORAGE
def status(study: str, storage: str | None) -> None:
    """Where STUDY stands: runs by state, the best candidate, the reasons of failures."""
    results = _results(_stored_name(study), _url(storage))
    states = Counter(record.state for record in results.records)
    table = [{"state": state, "runs": count} for state, count in states.items()]
    click.echo(f"{results.study.full_name}: {results.study.question}")
    _print(pd.DataFrame(table or [{"state": "none", "runs": 0}]), "table")
    over = sum(states[state] for state in ("complete", "stopped", "diverged"))
    click.echo(f"{over} of {results.study.planned} planned runs are over")
    _best(results)
    for reason, count in Counter(
        record.reason for record in results.records if record.state == "failed"
    ).items():
        click.echo(f"{count} failed: {reason}")


@main.command()
@click.argument("study")
@STORAGE
@click.option("-f", "--format", "form", type=FORMATS, default="table")
def effects(study: str, storage: str | None, form: str) -> None:
    """What each change of STUDY's ablation did, in percentage points, with its verdict."""
    results = _results(_stored_name(study), _url(storage))
    if not results.effects:
        raise Failure(f"{results.study.full_name} has no ablation", 5)
    if not any(row.n for row in results.effects):
        raise Failure(f"{results.study.full_name} has no finished ablation run yet", 5)
    _effects(results, form)


@main.command()
@click.argument("studies", nargs=-1, required=True, metavar="STUDY...")
@STORAGE
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder [nas-out/site].")
def report(studies: tuple[str, ...], storage: str | None, output: Path | None) -> None:
    """Write the report of each STUDY as a static site; open its index.html."""
    from nas.engine import home
    from reports.site import build

    url = _url(storage)
    found = [_results(_stored_name(study), url) for study in studies]
    empty = [results.study.full_name for results in found if not results.records]
    if empty:
        raise Failure(f"nothing to report: {', '.join(empty)} has no run yet", 5)
    page = build(found, output or home() / "site")
    click.echo(page)


def _results(name: str, url: str | None) -> Any:
    from nas.engine import default_url
    from nas.storage import StorageError, connect, records, study_names, study_record
    from nas.tables import Results

    try:
        with connect(url or default_url()) as storage:
            try:
                found = study_record(storage, name)
            except KeyError:
                known = ", ".join(study_names(storage)) or "none"
                raise Failure(
                    f"no runs of {name} in this database (it has: {known}); `nas run {name}` first",
                    5,
                ) from None
            return Results(found, tuple(records(storage, found.full_name)))
    except StorageError as error:
        raise Failure(str(error), 3) from error


def _stored_name(study: str) -> str:
    """The name in the database: a study file's own, or the name as it is given."""
    return find_study(study).full_name if study.endswith(".py") else study


def _url(storage: str | None) -> str | None:
    if storage is None:
        return None
    given = click.get_current_context().get_parameter_source("storage")
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(storage)
    except ArgumentError:
        raise Failure(
            "--storage takes a database URL such as sqlite:///runs.db, and this is none", 2
        ) from None
    if (
        url.password or "password" in url.query
    ) and given == click.core.ParameterSource.COMMANDLINE:
        raise Failure(
            "a password on the command line can be read by everybody on the machine; put it into "
            "~/.pgpass, or the URL into $NAS_STORAGE", 2
        )  # fmt: skip
    return storage


def _conclude(results: Any, study: str) -> None:
    if results.effects:
        _effects(results, "table")
    _best(results)
    click.echo(f"nas report {study}    writes the report")


def _effects(results: Any, form: str) -> None:
    from nas.rows import EFFECT_COLUMNS
    from nas.tables import frame

    if form != "table":
        _print(frame(results.effects, EFFECT_COLUMNS), form)
        return
    shown = [
        {
            "change": row.change,
            "n": row.n,
            "mean %": _fixed(row.mean),
            "sd": _fixed(row.sd),
            "delta": _fixed(row.delta, "+.2f"),
            "95 % interval": " .. ".join(
                filter(None, (_fixed(row.low, "+.2f"), _fixed(row.high, "+.2f")))
            ),
            "won": "" if row.wins is None else str(row.wins),
            "r": _fixed(row.correlation),
            "p Holm": _fixed(row.p_holm, ".3g"),
            "verdict": row.verdict,
            "mult-adds": row.mult_adds,
        }
        for row in results.effects
    ]
    _print(pd.DataFrame(shown), "table", spare=("mult-adds", "sd", "r"))


def _fixed(value: float, spec: str = ".2f") -> str:
    return "" if math.isnan(value) else format(value, spec)


def _best(results: Any) -> None:
    best = results.best
    if best is None:
        return
    base = next((row for row in results.candidates if row.role == "baseline" and row.n), None)
    against = f"; the baseline {base.mean:.2f} % over {base.n}" if base else ""
    click.echo(
        f"best of the search, exploratory (one seed): trial {best.number}, {best.mean:.2f} % at "
        f"{best.mult_adds:,} mult-adds{against}"
    )


def _print(table: pd.DataFrame, form: str, spare: tuple[str, ...] = ()) -> None:
    """Prints a table; on a narrow terminal without the `spare` columns."""
    if form == "csv":
        click.echo(table.to_csv(index=False), nl=False)
        return
    if form == "json":
        click.echo(table.to_json(orient="records", indent=2, double_precision=15))
        return
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)
    names = [name for name in table.columns if console.width >= WIDE or name not in spare]
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in names:
        numeric = pd.api.types.is_numeric_dtype(table[name])
        shown.add_column(name, justify="right" if numeric else "left")
    for values in table[names].itertuples(index=False):
        shown.add_row(*map(_cell, values))
    console.print(shown)


def _cell(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
