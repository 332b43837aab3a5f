"""Commands that read what a study has left in the database."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from nas.base.errors import NothingToReport
from nas.base.paths import home, log_path
from nas.cli.findings import (
    best_so_far,
    confirmations_table,
    confirmed,
    effects_table,
    looks,
    written,
)
from nas.cli.show import EFFECTS_FORMAT, FORMAT, Column, changes, count, fixed, table, text
from nas.cli.stored import SMOKE, STORAGE, STUDY, opened, read, results
from nas.experiment.cost import cost
from nas.runs.record import OVER

if TYPE_CHECKING:
    from nas.results.tables import Results

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
        log = log_path(home() / found.study.full_name, first[state, cause])
        rows.append(
            {"runs": number, "state": state, "cause": cause, "first": first[state, cause]}
            | {"log": str(log) if log.exists() and log.stat().st_size else None}
        )
    return rows


@click.command()
@STUDY
@STORAGE
@SMOKE
@EFFECTS_FORMAT
def effects(study: str, storage: str, smoke: bool, form: str) -> None:
    """What each change of STUDY's ablation did, in percentage points, with its verdict; and, to
    read, what is left of its search on fresh seeds (without an ablation in every form)."""
    found = results(study, storage, smoke)
    done = any(row.n for row in found.effects)
    if not done and not found.confirmations:
        what = "finished ablation run yet" if found.effects else "ablation and no confirmation"
        raise NothingToReport(f"{found.study.full_name} has no {what}")
    if done:
        effects_table(found, form)
    if found.confirmations and (form == "table" or not done):
        confirmations_table(found, form)


@click.command()
@STUDY
@STORAGE
@SMOKE
@click.option("--top", type=click.IntRange(1), default=5, show_default=True, help="How many.")
@FORMAT
def best(study: str, storage: str, smoke: bool, top: int, form: str) -> None:
    """The best candidates of STUDY's search within the budget, and what they changed."""
    found = results(study, storage, smoke)
    if not found.explored:
        tried = sum(r.role == "candidate" and r.state in OVER for r in found.records)
        raise NothingToReport(
            f"{found.study.full_name} has no candidate within its budget that was trained to its "
            f"end; {tried} of its search's trials are over otherwise"
        )
    decided = {record.number: record.decisions for record in found.records}
    canonical = next((r.decisions for r in found.records if r.role == "reference"), {})
    spent = cost(found.baseline, found.study.image_size)
    rows = [
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
    table(
        rows,
        {
            "number": Column("trial"),
            "accuracy": Column("accuracy, %", fixed(".2f")),
            "mult_adds": Column("mult-adds", count),
            "against_baseline": Column("against the baseline", fixed("+.1%"), spare=True),
            "params": Column("parameters", count, spare=True),
            "changed": Column("changed", changes),
        },
        form,
    )
    if form == "table":
        click.echo("exploratory: one seed each; the best of many is better than it will be again")


@click.command()
@STUDY
@STORAGE
@SMOKE
@FORMAT
def trials(study: str, storage: str, smoke: bool, form: str) -> None:
    """Every run of STUDY: what it was for, how it ended, what it scored and cost."""
    found, held = _now(study, storage, smoke)
    if not found.trials:
        raise NothingToReport(f"{found.study.full_name} has no run yet")
    rows = [asdict(row) for row in found.trials]
    if not held:
        rows = [
            row | ({"state": "interrupted"} if row["state"] == "running" else {}) for row in rows
        ]
    told: dict[str, Column] = {}
    unit, digits = written(found)
    if form == "table":
        rows = [row | {"what": row["change"] or row["role"]} for row in rows]
        told = {"test": Column("test, %", fixed(".2f"))} if found.looks else {}
    table(
        rows,
        {
            "number": Column("trial"),
            "what": Column("what"),
            "state": Column("state"),
            "seed": Column("seed"),
            "score": Column("accuracy, %" if unit else "score", fixed(f".{digits}f")),
            **told,
            "epochs": Column("epochs"),
            "mult_adds": Column("mult-adds", count, spare=True),
            "seconds": Column("seconds", fixed(".1f"), spare=True),
            "reason": Column("reason", text, spare=True),
        },
        form,
    )
