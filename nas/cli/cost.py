"""What networks cost, printed: one, against another, and beside what papers say."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from nas.cli.show import Column, count, fixed, table, text
from nas.experiment.cost import By
from nas.experiment.cost import cost as cost_of
from nas.experiment.experiment import Experiment


def cost_table(experiment: Experiment, by: By, image_size: int | None, form: str) -> None:
    """Prints the cost of each part, and the sum."""
    spent = cost_of(experiment, image_size, by)
    rows = [_plain(row) for row in spent.rows]
    total = _plain(spent)
    if form == "json":
        del total["name"]
        click.echo(json.dumps(total | {"rows": rows}, indent=2))
        return
    table(
        [*rows, total],
        {
            "name": Column(by),
            "mult_adds": Column("mult-adds", count),
            "params": Column("parameters", count),
            "params_aux": Column("in aux heads", count),
            "activations": Column("activations", count),
        },
        form,
    )


def _plain(row: Any) -> dict[str, Any]:
    return {key: value for key, value in asdict(row).items() if key != "rows"}


def against_table(old: Experiment, new: Experiment, image_size: int | None, form: str) -> None:
    """Prints what each module costs more or less than in another network."""
    parts, total = module_changes(old, new, image_size)
    if form == "json":
        click.echo(json.dumps({"modules": parts, "total": total}, indent=2))
        return
    signed = fixed("+,d")
    table(
        [*parts, total],
        {
            "module": Column("module"),
            "mult_adds_were": Column("mult-adds were", count, spare=True),
            "mult_adds": Column("mult-adds are", count),
            "change": Column("change", signed),
            "direct": Column("direct", signed),
            "propagated": Column("propagated", signed),
            "params": Column("parameters", count, spare=True),
            "params_change": Column("change", signed, spare=True),
        },
        form,
    )


def module_changes(
    old: Experiment, new: Experiment, image_size: int | None
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What each module costs in both networks, and the sums."""
    from nas.results.attribution import attribute

    parts: list[dict[str, Any]] = [
        {
            "module": row.module,
            "mult_adds_were": row.canonical_mult_adds,
            "mult_adds": row.variant_mult_adds,
            "change": row.change,
            "direct": row.direct,
            "propagated": row.propagated,
            "params_were": row.canonical_params,
            "params": row.variant_params,
            "params_change": row.change_params,
            "params_direct": row.direct_params,
            "params_propagated": row.propagated_params,
        }
        for row in attribute(old.layers(image_size), new.layers(image_size))
    ]
    numbers = [name for name in parts[0] if name != "module"]
    return parts, {"module": "total"} | {n: sum(part[n] for part in parts) for n in numbers}


def papers_table(found: dict[str, Experiment], form: str) -> None:
    """Prints table 1 of the paper beside its count, and the networks."""
    from nas.results.published import TABLE_1, K, compare

    rows = [asdict(row) for row in compare(found)]
    if form != "table":
        table(rows, {}, form)
        return
    share = fixed(".3f")
    printed = len(TABLE_1) + 1
    click.echo(f"Table 1 of the paper: parameters in K of {K:,} weights, operations in M\n")
    table(
        rows[:printed],
        {
            "name": Column("row"),
            "published_params": Column("paper K", lambda value: f"{value / K:,g}"),
            "params": Column("weights", count),
            "of_published_params": Column("ratio", share),
            "published_mult_adds": Column("paper M", lambda value: f"{value / 1e6:,g}"),
            "mult_adds": Column("mult-adds", count),
            "of_published_mult_adds": Column("ratio", share),
            "reason": Column("why"),
        },
    )
    click.echo(
        "\nratio: counted / printed. A weight costs one mult-add at each place of its map, so K and"
        "\nM of a row check each other; why: where they do not, what its K would come to.\n"
        "\nNetworks: parameters with biases; x: times the first one's\n"
    )
    times = fixed(".2f")
    table(
        rows[printed:],
        {
            "name": Column("network"),
            "image_size": Column("px"),
            "published_params": Column("published", lambda v: text(v and f"{v:,.0f}"), spare=True),
            "params": Column("parameters", count),
            "of_canonical_params": Column("x", times),
            "mult_adds": Column("mult-adds", count),
            "of_canonical_mult_adds": Column("x", times),
            "reason": Column(""),
        },
    )
