"""Commands that read what a study has left in the database."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nas.cli.show import EFFECTS_FORMAT, FORMAT, Column, changes, count, fixed, table, text
from nas.cli.stored import SMOKE, STORAGE, STUDY, opened, read, results
from nas.cost import cost
from nas.errors import NothingToReport
from nas.home import home, log_path
from nas.record import OVER

if TYPE_CHECKING:
    from nas.tables import Results

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
    from nas.lease import driver

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
            | {"log": str(log) if log.exists() else None}
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
            "score": Column("accuracy, %", fixed(".2f")),
            **told,
            "epochs": Column("epochs"),
            "mult_adds": Column("mult-adds", count, spare=True),
            "seconds": Column("seconds", fixed(".1f"), spare=True),
            "reason": Column("reason", text, spare=True),
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
    help="Runs from elsewhere, a CSV file with a run a row, instead of a STUDY.",
)
@click.option("--baseline", metavar="NAME", help="With --from: what the others are compared with.")
@click.option("--variant", default="variant", show_default=True, help="Its column of names.")
@click.option("--pair", default="seed", show_default=True, help="Its column of seeds.")
@click.option("--score", default="score", show_default=True, help="Its column of scores.")
@click.option("--cost", metavar="COLUMN", help="Its column of mult-adds.")
@click.option("--margin", type=float, help="Differences inside it count as equivalent.")
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
    if (table is None) == (not studies) or (table and (single or watch)):
        raise click.UsageError("give one STUDY or more, or --from FILE --baseline NAME")
    if table is not None:
        click.echo(_elsewhere(table, output, **columns))
        return
    from nas.home import home
    from reports.site import build, build_single

    write = build_single if single else build
    target = output or home() / ("report.html" if single else "site")
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
                click.echo(f"written with {sum(len(each.records) for each in found)} runs")


def _elsewhere(
    table: Path, output: Path | None, baseline: str | None, margin: float | None, **columns: Any
) -> Path:
    """Writes the report of runs from elsewhere; the path of its page."""
    import pandas as pd

    from nas.comparison import runs
    from nas.home import home
    from reports.site import build_runs

    if baseline is None:
        raise ValueError("--from needs --baseline NAME: the variant that others are compared with")
    if margin is not None and margin <= 0:
        raise ValueError(f"--margin must be above 0, not {margin:g}")
    try:
        given = pd.read_csv(table)
    except (ValueError, OSError) as error:
        raise ValueError(f"{table} is no CSV file of runs: {error}") from None
    samples = runs(given, baseline=baseline, **columns)
    return build_runs(table.name, samples, margin, output or home() / "site")


def _standing(found: Sequence[Results]) -> list[tuple[int, str]]:
    """What a new report would be written for: a run that began or ended."""
    return [(record.number, record.state) for each in found for record in each.records]


def effects_table(found: Results, form: str) -> None:
    """Prints the ablation table; as text, what stands behind its verdicts too."""
    from nas.rows import EFFECT_COLUMNS

    shown = form in ("table", "latex")
    rows = [{name: asdict(row)[name] for name in EFFECT_COLUMNS} for row in found.effects]
    if shown:
        rows = [
            row | {"interval": (line.low, line.high), "check": line.check}
            for row, line in zip(rows, found.effects, strict=True)
        ]
    failed = {"diverged": "diverged", "at_chance": "at chance"}
    told = {name: Column(head, count) for name, head in failed.items() if _any(rows, name)}
    several = any(row["kind"] not in (None, "raw", "factor") for row in rows)
    table(
        rows,
        {
            "change": Column("change"),
            **({"kind": Column("kind", text)} if several else {}),
            "n": Column("n"),
            "mean": Column("mean %", fixed(".2f")),
            **({} if several else {"sd": Column("sd", fixed(".2f"), spare=True)}),
            "delta": Column("delta", fixed("+.2f")),
            "interval": Column("95 % interval", _interval),
            "wins": Column("won", text),
            **({} if several else {"correlation": Column("r", fixed(".2f"), spare=True)}),
            "p_holm": Column("p Holm", fixed(".3g")),
            "check": Column("sign-flip", spare=True),
            "verdict": Column("verdict"),
            **told,
            "mult_adds": Column("mult-adds", count, spare=True),
        },
        form,
    )
    if form == "table":
        for line in notes(found):
            click.echo(line)


def _any(rows: Sequence[Mapping[str, Any]], name: str) -> bool:
    return any(row[name] for row in rows)


def notes(found: Results) -> Iterator[str]:
    """What the ablation's seeds can show, and what of a change is its cost alone."""
    visible = [row.visible for row in found.effects if isfinite(row.visible)]
    if visible:
        ends = dict.fromkeys(f"{value:.2f}" for value in (min(visible), max(visible)))
        yield (
            f"a difference of {' to '.join(ends)} points is seen in 80 % of cases, among "
            f"{sum(row.primary for row in found.effects)} changes"
        )
    for row in found.effects:
        if row.note:
            yield f"{row.name}: {row.note}"
    for row in found.decompositions:
        yield (
            f"{row.change}: {row.delta:+.2f} = {row.part:+.2f}{_ends(row.part_low, row.part_high)} "
            f"for the part {row.size:+.2f}{_ends(row.size_low, row.size_high)} for its mult-adds"
        )


def _ends(low: float, high: float) -> str:
    return f" ({_interval((low, high))})" if isfinite(low) else ""


def confirmations_table(found: Results, form: str) -> None:
    """Prints the confirmed candidates, and how often the test split has been read."""
    from nas.rows import CONFIRMATION_COLUMNS

    made = map(asdict, found.confirmations)
    rows = [{name: row[name] for name in CONFIRMATION_COLUMNS} for row in made]
    if form in ("table", "latex"):
        rows = [
            row
            | {
                "interval": (row["low"], row["high"]),
                "two_way": (row["low_two_way"], row["high_two_way"]),
            }
            for row in rows
        ]
    told = {"diverged": Column("diverged", count)} if _any(rows, "diverged") else {}
    if any(row["crops"] > 1 for row in rows):
        told["crops"] = Column("crops")
    table(
        rows,
        {
            "name": Column("confirmed"),
            "n": Column("n"),
            "mean": Column("test %", fixed(".2f")),
            "delta": Column("delta", fixed("+.2f")),
            "interval": Column("95 % interval", _interval),
            "two_way": Column("with images", _interval),
            "p_holm": Column("p Holm", fixed(".3g"), spare=True),
            "verdict": Column("verdict"),
            "searched": Column("search %", fixed(".2f")),
            "drop": Column("drop", fixed("+.2f")),
            **told,
            "mult_adds": Column("mult-adds", count),
        },
        form,
    )
    if form == "table":
        click.echo(looks(found))


def confirmed(found: Results) -> Iterator[str]:
    """A line for each candidate that fresh seeds have confirmed, or not."""
    for row in found.confirmations:
        if row.verdict != "baseline":
            yield (
                f"{row.name} on {row.n} fresh seeds and the test split: {row.delta:+.2f} points"
                f"{_ends(row.low, row.high)} against the baseline, {row.verdict}"
            )


def looks(found: Results) -> str:
    """One line: how often the test split has been read."""
    times = "once" if found.looks == 1 else f"{found.looks} times"
    return f"the test split has been read {times}"


def _interval(ends: tuple[float, float]) -> str:
    write = fixed("+.2f")
    return " .. ".join(filter(None, map(write, ends)))


def best_so_far(found: Results) -> None:
    """One line: the search's best candidate and the baseline."""
    if found.best is None:
        return
    base = next((row for row in found.candidates if row.role == "baseline" and row.n), None)
    over = "" if base is None else "1 seed" if base.n == 1 else f"{base.n} seeds"
    against = f"; the baseline {base.mean:.2f} % over {over}" if base else ""
    click.echo(
        f"best of the search, exploratory (one seed): {found.best.name}, "
        f"{found.best.mean:.2f} % at {found.best.mult_adds:,} mult-adds{against}"
    )
