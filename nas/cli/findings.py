"""What a study has found, printed: its effects, its confirmations, its best candidate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING, Any

import click

from nas.base.wording import often, times
from nas.cli.show import Column, count, fixed, table, text

if TYPE_CHECKING:
    from nas.results.tables import Results


def effects_table(found: Results, form: str, chosen: Sequence[str] = ()) -> None:
    """Prints the ablation table; as text, what stands behind its verdicts too."""
    from nas.results.rows import EFFECT_COLUMNS

    rows = [{name: asdict(row)[name] for name in EFFECT_COLUMNS} for row in found.effects]
    if chosen or form in ("table", "latex"):
        rows = [
            row | {"interval": (line.low, line.high), "check": line.check}
            for row, line in zip(rows, found.effects, strict=True)
        ]
    counted = any(row["mult_adds"] is not None for row in rows)
    unit, digits = written(found)
    score, difference = fixed(f".{digits}f"), fixed(f"+.{digits}f")
    several = any(row["kind"] not in (None, "raw", "factor") for row in rows)
    table(
        rows,
        {
            "change": Column("change"),
            "kind": Column("kind", text, shown=several),
            "n": Column("n"),
            "mean": Column(f"mean {unit}".strip(), score),
            "sd": Column("sd", score, spare=True, shown=not several),
            "delta": Column("delta", difference),
            "interval": Column("95 % interval", partial(_interval, digits=digits)),
            "wins": Column("won", text),
            "correlation": Column("r", fixed(".2f"), spare=True, shown=not several),
            "p_holm": Column("p Holm", fixed(".3g")),
            "check": Column("sign-flip", spare=True),
            "verdict": Column("verdict"),
            "diverged": Column("diverged", count, shown=_any(rows, "diverged")),
            "at_chance": Column("at chance", count, shown=_any(rows, "at_chance")),
            "mult_adds": Column("mult-adds", count, spare=True, shown=counted),
            "params": Column("parameters", count, shown=False),
            "low": Column("low", difference, shown=False),
            "high": Column("high", difference, shown=False),
        },
        form,
        chosen,
    )
    if form == "table":
        for line in notes(found):
            click.echo(line)


def written(found: Results) -> tuple[str, int]:
    """The unit of a study's scores and their decimals: those of a function are its own."""
    from reports.measure import measure_of

    measure = measure_of(found)
    return measure.unit, measure.decimals


def _any(rows: Sequence[Mapping[str, Any]], name: str) -> bool:
    return any(row[name] for row in rows)


def notes(found: Results) -> Iterator[str]:
    """What the ablation's seeds can show, and what of a change is its cost alone."""
    visible = [row.visible for row in found.effects if isfinite(row.visible)]
    unit, digits = written(found)
    points = " points" if unit else ""
    if visible:
        family = times(sum(row.primary for row in found.effects), "change")
        ends = dict.fromkeys(f"{value:.{digits}f}" for value in (min(visible), max(visible)))
        yield (
            f"a difference of {' to '.join(ends)}{points} is seen in 80 % of cases, if the spread "
            f"is what these seeds show, among {family}"
        )
    if found.study.margin_later is not None:
        yield (
            f"the margin of {found.study.margin_later:g}{points} was set later: nothing is called "
            "equivalent by it; ask in a new study, on fresh seeds"
        )
    for row in found.effects:
        if row.note:
            yield f"{row.name}: {row.note}"
    for row in found.interactions:
        if row.verdict in ("better", "worse"):
            yield (
                f"{row.first} x {row.second}: together {row.delta:+.{digits}f}"
                f"{_ends(row.low, row.high, digits)} beside what each does alone, {row.verdict}"
                + (f"; or it is {row.aliases}" if row.aliases else "")
            )
    for row in found.decompositions:
        yield (
            f"{row.change}: {row.delta:+.2f} = {row.part:+.2f}{_ends(row.part_low, row.part_high)} "
            f"for the part {row.size:+.2f}{_ends(row.size_low, row.size_high)} for its mult-adds"
        )


def _ends(low: float, high: float, digits: int = 2) -> str:
    return f" ({_interval((low, high), digits)})" if isfinite(low) else ""


def confirmations_table(found: Results, form: str, chosen: Sequence[str] = ()) -> None:
    """Prints the confirmed candidates, and how often the test split has been read."""
    from nas.results.rows import CONFIRMATION_COLUMNS

    made = map(asdict, found.confirmations)
    rows = [{name: row[name] for name in CONFIRMATION_COLUMNS} for row in made]
    if chosen or form in ("table", "latex"):
        rows = [
            row
            | {
                "interval": (row["low"], row["high"]),
                "two_way": (row["low_two_way"], row["high_two_way"]),
            }
            for row in rows
        ]
    several = any(row.crops > 1 for row in found.confirmations)
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
            "diverged": Column("diverged", count, shown=_any(rows, "diverged")),
            "crops": Column("crops", shown=several),
            "mult_adds": Column("mult-adds", count),
        },
        form,
        chosen,
    )
    if form == "table":
        click.echo(looks(found))


def confirmed(found: Results) -> Iterator[str]:
    """A line for each candidate that fresh seeds have confirmed, or not."""
    for row in found.confirmations:
        if row.role != "baseline":
            over = "" if row.n == row.planned else f"{row.n} of "
            images = _interval((row.low_two_way, row.high_two_way))
            yield (
                f"{row.name} on {over}{times(row.planned, 'fresh seed')} and the test split: "
                f"{row.delta:+.2f} points{_ends(row.low, row.high)} against the baseline, "
                f"{row.verdict}" + (f"; with other images {images}" if images else "")
            )


def looks(found: Results) -> str:
    """One line: how often the test split has been read."""
    return f"the test split has been read {often(found.looks)}"


def _interval(ends: tuple[float, float], digits: int = 2) -> str:
    write = fixed(f"+.{digits}f")
    return " .. ".join(filter(None, map(write, ends)))


def best_so_far(found: Results) -> None:
    """One line: the search's best candidate, and the baseline on the same seed."""
    if found.best is None:
        return
    beside = found.beside
    against = "" if beside is None else f"; the baseline {beside:.2f} % on that seed"
    click.echo(
        f"best of the search, exploratory (one seed): {found.best.name}, "
        f"{found.best.mean:.2f} % at {found.best.mult_adds:,} mult-adds{against}"
    )
