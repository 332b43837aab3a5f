"""nas report: the static site of studies, or of a table of runs from elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nas.base.errors import NothingToReport
from nas.base.wording import times
from nas.cli.stored import SMOKE, STORAGE, results

if TYPE_CHECKING:
    from nas.results.tables import Results

WATCHED_EVERY = 2.0
"""Seconds."""


@click.command()
@click.argument("studies", nargs=-1, metavar="STUDY...")
@STORAGE
@SMOKE
@click.option(
    "--from",
    "table",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Runs from elsewhere, a CSV file with a run a row, instead of a STUDY.",
)
@click.option("--baseline", metavar="NAME", help="With --from: what the others are compared with.")
@click.option("--variant", default="variant", show_default=True, help="Its column of names.")
@click.option("--pair", default="seed", show_default=True, help="Its column of seeds.")
@click.option("--score", default="score", show_default=True, help="Its column of scores.")
@click.option("--cost", metavar="COLUMN", help="Its column of costs, such as mult-adds.")
@click.option("--margin", type=float, help="Differences inside it count as equivalent.")
@click.option("--resolution", type=click.FloatRange(0), default=0.0, help="Its scores' step.")
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
    """Write the report of each STUDY as a static site; open its index.html.

    --from runs.csv --baseline NAME writes the ablation's page of any table of runs; the exports of
    MLflow, Optuna and Weights & Biases can be given as they are.
    """
    if table and watch:
        raise click.UsageError("--watch follows the runs of a STUDY; leave it out with --from")
    if (table is None) == (not studies):
        raise click.UsageError("give one STUDY or more, or --from FILE --baseline NAME")
    from nas.base.paths import home

    target = output or home() / ("report.html" if single else "site")
    if table is not None:
        click.echo(_elsewhere(table, target, single, **columns))
        return
    from reports.site import build, build_single

    write = build_single if single else build
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


def _elsewhere(
    table: Path,
    target: Path,
    single: bool,
    baseline: str | None,
    margin: float | None,
    resolution: float,
    **columns: Any,
) -> Path:
    """Writes the report of runs from elsewhere; the path of its page."""
    import pandas as pd

    from nas.compare import runs
    from reports.site import build_runs

    if baseline is None:
        raise ValueError("--from needs --baseline NAME: the variant that others are compared with")
    if margin is not None and not margin > 0:
        raise ValueError(f"--margin must be above 0, not {margin:g}")
    try:
        # A variant may well be called None, null or NA.
        given = pd.read_csv(table, keep_default_na=False, na_values=["", "nan", "NaN"])
    except (ValueError, OSError) as error:
        raise ValueError(f"{table} is no CSV file of runs: {error}") from None
    samples = runs(given, baseline=baseline, **columns)
    return build_runs(
        table.name,
        samples,
        margin,
        target,
        score=columns["score"],
        cost=columns["cost"],
        resolution=resolution,
        single=single,
    )


def _standing(found: Sequence[Results]) -> list[tuple[int, str]]:
    """What a new report would be written for: a run that began or ended."""
    return [(record.number, record.state) for each in found for record in each.records]
