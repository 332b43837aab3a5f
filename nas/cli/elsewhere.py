"""The report of a table of runs from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any


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
