"""The report of a table of runs from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from nas.base.wording import times

LARGE = 100_000
"""Rows from which a table takes long enough to say how far it is."""


def report_of(
    table: Path,
    target: Path,
    single: bool,
    baseline: str | None,
    margin: float | None,
    resolution: float,
    **columns: Any,
) -> Path:
    """Writes the report of runs from elsewhere; the path of its page."""
    from nas.compare import require_sizes, runs
    from nas.results.elsewhere.files import read
    from reports.site import build_runs

    if baseline is None:
        raise ValueError("--from needs --baseline NAME: the variant that others are compared with")
    require_sizes(margin, resolution)
    given = read(table)
    large = len(given) > LARGE
    if large:
        click.echo(f"{times(len(given), 'row')} read; they are paired", err=True)
    found = runs(given, baseline=baseline, **columns)
    for line in (*found.taken, *found.warnings):
        click.echo(line, err=True)
    if large:
        click.echo(f"{times(len(found.samples), 'variant')} are compared and drawn", err=True)
    return build_runs(table.name, found, margin, target, columns["cost"], resolution, single=single)
