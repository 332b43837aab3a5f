"""Commands that count: a network's cost, against another's, and beside what papers say."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, cast

import click

from nas.cli.find import find_experiment, set_paths, space_names
from nas.cli.show import FORMAT, Column, count, fixed, table, text
from nas.cli.stored import STORAGE, trial
from nas.experiment.cost import By
from nas.experiment.cost import cost as cost_of
from nas.experiment.experiment import Experiment
from nas.experiment.presets import PRESETS
from nas.tree.tree import differences, spelled

IMAGE_SIZE = click.option(
    "--image-size", type=click.IntRange(1), help="Count for images of this size, pixels."
)


def _networks(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in (*PRESETS, *space_names()) if name.startswith(incomplete)]


@click.command()
@click.argument("name", required=False, shell_complete=_networks)
@click.option(
    "--set", "settings", multiple=True, metavar="PATH=VALUE",
    help="Change a leaf: network.inception_3a.conv5x5=null drops a branch.",
)  # fmt: skip
@click.option("--by", type=click.Choice(["module", "branch", "layer"]), help="Parts [module].")
@IMAGE_SIZE
@click.option(
    "--against", metavar="BASELINE", shell_complete=_networks,
    help="What NAME costs more or less than BASELINE, by module.",
)  # fmt: skip
@click.option(
    "--compare", is_flag=True,
    help="Table 1 of the paper beside its count, and classic networks; NAME may be left out.",
)  # fmt: skip
@STORAGE
@FORMAT
def cost(
    name: str | None, settings: tuple[str, ...], by: str | None, image_size: int | None,
    against: str | None, compare: bool, storage: str, form: str,
) -> None:  # fmt: skip
    """Mult-adds, parameters and activations of NAME.

    NAME and BASELINE are presets, spaces FILE.SPACE (their baselines) or trials STUDY:NUMBER. With
    --against, a module's change is direct (its own layers, on the baseline's input) or propagated
    (its input changed); `nas diff` also lists the leaves.
    """
    if compare and (against or by or image_size):
        raise ValueError(
            "--compare counts whole networks, each at its own size; it goes without --against, "
            "--by and --image-size"
        )
    if against and by:
        raise ValueError("--against splits by module; leave --by out")
    if name is None and (settings or not compare):
        raise ValueError(
            f"`nas cost` takes a NAME: {', '.join(PRESETS)}, a space FILE.SPACE or a trial "
            "STUDY:NUMBER; only --compare goes without"
        )
    if name is None:
        _compare({}, form)
        return
    found = set_paths(_experiment(name, storage), settings)
    if compare:
        changed = " with " + " ".join(settings) if settings else ""
        _compare({name + changed: found}, form)
    elif against:
        _against(_experiment(against, storage), found, image_size, form)
    else:
        _cost(found, cast(By, by or "module"), image_size, form)


def _cost(experiment: Experiment, by: By, image_size: int | None, form: str) -> None:
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


def _against(old: Experiment, new: Experiment, image_size: int | None, form: str) -> None:
    parts, total = _changes(old, new, image_size)
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


def _changes(
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


def _compare(found: dict[str, Experiment], form: str) -> None:
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


@click.command()
@click.argument("a", shell_complete=_networks)
@click.argument("b", shell_complete=_networks)
@STORAGE
@IMAGE_SIZE
@FORMAT
def diff(a: str, b: str, storage: str, image_size: int | None, form: str) -> None:
    """What B changes in A, leaf by leaf, and what that costs: `nas cost B --against A`.

    A and B are presets, spaces FILE.SPACE (their baselines) or trials STUDY:NUMBER.
    """
    old, new = _experiment(a, storage), _experiment(b, storage)
    sites = [
        {"path": path, "a": _leaf(before), "b": _leaf(after)}
        for path, (before, after) in differences(old, new).items()
    ]
    if form == "json":
        parts, total = _changes(old, new, image_size)
        click.echo(json.dumps({"sites": sites, "modules": parts, "total": total}, indent=2))
        return
    if form == "table":
        if not sites:
            click.echo("no difference")
            return
        table(sites, {"path": Column("leaf"), "a": Column(a), "b": Column(b)})
    _against(old, new, image_size, form)


def _experiment(name: str, storage: str) -> Experiment:
    if ":" not in name:
        return find_experiment(name)
    results, record = trial(name, storage)
    return results.experiment(record.candidate_id)


def _leaf(value: Any) -> Any:
    return value if isinstance(value, str | int | float) else spelled(value)
