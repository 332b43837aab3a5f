"""The commands under Look: nothing is trained, nothing is written, but by the pilot of a plan."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, cast

import click

from nas.base.wording import times
from nas.cli.cost import against_table, cost_table, module_changes, papers_table
from nas.cli.find import find_experiment, find_space, literal, set_paths, space_names
from nas.cli.run import ADDRESS, LOCAL, drive
from nas.cli.show import FORMAT, Column, changes, count, size, table, text
from nas.cli.stored import SMOKE, STORAGE, STUDY, asked, trial
from nas.experiment.cost import LIMITED, Budget, By
from nas.experiment.cost import cost as cost_of
from nas.experiment.experiment import Experiment
from nas.experiment.presets import PRESETS
from nas.space.rules import sentence
from nas.space.space import Candidate, SearchSpace
from nas.tree.domain import Choice, Domain, Interval, Label
from nas.tree.tree import differences, spelled


def _spaces(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in space_names() if name.startswith(incomplete)]


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
        papers_table({}, form)
        return
    found = set_paths(_experiment(name, storage), settings)
    if compare:
        changed = " with " + " ".join(settings) if settings else ""
        papers_table({name + changed: found}, form)
    elif against:
        against_table(_experiment(against, storage), found, image_size, form)
    else:
        cost_table(found, cast(By, by or "module"), image_size, form)


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
        parts, total = module_changes(old, new, image_size)
        click.echo(json.dumps({"sites": sites, "modules": parts, "total": total}, indent=2))
        return
    if form == "table":
        if not sites:
            click.echo("no difference")
            return
        table(sites, {"path": Column("leaf"), "a": Column(a), "b": Column(b)})
    against_table(old, new, image_size, form)


def _experiment(name: str, storage: str) -> Experiment:
    if ":" not in name:
        return find_experiment(name)
    results, record = trial(name, storage)
    return results.experiment(record.candidate_id)


def _leaf(value: Any) -> Any:
    return value if isinstance(value, str | int | float) else spelled(value)


@click.group()
def space() -> None:
    """Look at search spaces."""


@space.command()
@click.argument("name", shell_complete=_spaces)
@FORMAT
def show(name: str, form: str) -> None:
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
    rules = [sentence(rule) for rule in found.where]
    spent = cost_of(found.baseline.experiment)
    if form == "json":
        size = found.size if math.isfinite(found.size) else None
        head = {"name": name, "size": size, "rules": rules, "mult_adds": spent.mult_adds}
        click.echo(json.dumps(head | {"params": spent.params, "decisions": rows}, indent=2))
        return
    table(
        rows, {name: Column(name) for name in ("decision", "options", "canonical", "leaves")}, form
    )
    if form == "table":
        click.echo(
            f"{times(len(rows), 'decision')}, {_amount(found.size, 'candidates')}; the baseline "
            f"costs {spent.mult_adds:,} mult-adds and has {spent.params:,} parameters"
        )
        for rule in rules:
            click.echo(f"rule {rule}")


DECISIONS = click.option(
    "--at", "settings", multiple=True, metavar="DECISION=LABEL",
    help="A decision of the point; the others are canonical.",
)  # fmt: skip


class _Limit(click.ParamType[Any]):
    """A limit of a budget: the most, or LEAST:MOST."""

    name = "MOST or LEAST:MOST"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            ends = tuple(float(end) for end in str(value).split(":"))
        except ValueError:
            self.fail(f"{value!r} is no number such as 1.5e9, nor two such as 1.49e9:1.5e9")
        return ends[0] if len(ends) == 1 else ends


def _budgeted(command: Any) -> Any:
    """The options of a budget, as the argument `budget`."""

    @functools.wraps(command)
    def with_budget(*args: Any, **kwargs: Any) -> Any:
        limits = {name: kwargs.pop(name) for name in LIMITED}
        some = any(limit is not None for limit in limits.values())
        return command(*args, **kwargs, budget=Budget(**limits) if some else None)

    for name in reversed(LIMITED):
        said = f"The most {name.replace('_', '-')} that fit, or LEAST:MOST."
        flag = f"--{name.replace('_', '-')}"
        with_budget = click.option(flag, type=_Limit(), help=said)(with_budget)
    return with_budget


@space.command()
@click.argument("name", shell_complete=_spaces)
@click.option(
    "-n", "number", type=click.IntRange(1), default=5, show_default=True, help="How many."
)
@_budgeted
@click.option("--seed", type=int, default=0, show_default=True)
@FORMAT
def sample(name: str, number: int, budget: Budget | None, seed: int, form: str) -> None:
    """Random candidates of FILE.SPACE, uniform over what is a network and fits the budget."""
    from itertools import islice

    import numpy as np

    found = find_space(name)
    _candidates(found, islice(found.fitting(np.random.default_rng(seed), budget), number), form)


@space.command()
@click.argument("name", shell_complete=_spaces)
@DECISIONS
@FORMAT
def neighbours(name: str, settings: tuple[str, ...], form: str) -> None:
    """The candidates of FILE.SPACE one decision away from a point."""
    found = find_space(name)
    _candidates(found, found.neighbours(found.at(_decisions(found, settings))), form)


@space.command()
@click.argument("name", shell_complete=_spaces)
@DECISIONS
@_budgeted
def explain(name: str, settings: tuple[str, ...], budget: Budget | None) -> None:
    """What a point of FILE.SPACE costs against a budget, or the rule that it breaks."""
    found = find_space(name)
    click.echo(found.explain(_decisions(found, settings), budget))


def _decisions(space: SearchSpace, settings: tuple[str, ...]) -> dict[str, Label]:
    made: dict[str, Label] = {}
    for setting in settings:
        # A name may hold "=", a label cannot be empty: the last "=" parts them.
        decision, equals, label = setting.rpartition("=")
        if not equals:
            raise ValueError(f"--at takes DECISION=LABEL, not {setting!r}")
        if decision in made:
            raise ValueError(f"--at decides {decision} twice")
        number = isinstance(space.domains.get(decision), Interval)
        made[decision] = literal(label) if number else label
    return made


def _candidates(space: SearchSpace, found: Iterable[Candidate], form: str) -> None:
    canonical = space.baseline.decisions
    rows: list[dict[str, Any]] = []
    for candidate in found:
        spent = cost_of(candidate.experiment)
        changed = {k: v for k, v in candidate.decisions.items() if v != canonical.get(k)}
        rows.append(
            {
                "mult_adds": spent.mult_adds,
                "params": spent.params,
                "changed": changed,
                "candidate_id": candidate.experiment.candidate_id,
            }
        )
    table(
        rows,
        {
            "mult_adds": Column("mult-adds", count),
            "params": Column("parameters", count),
            "changed": Column("changed", changes),
        },
        form,
    )


def _options(domain: Domain) -> str:
    if isinstance(domain, Choice):
        shown = domain.labels if len(domain.labels) <= 8 else (*domain.labels[:6], "...")
        more = f" ({len(domain.labels)})" if len(domain.labels) > 8 else ""
        return ", ".join(shown) + more
    step = f" in steps of {domain.step:g}" if domain.step else ""
    return f"{domain.low:g} to {domain.high:g}{step}"


class _Changes(click.ParamType[Any]):
    """Leaves of a fidelity, as LEAF=NUMBER,LEAF=NUMBER."""

    name = "LEAF=NUMBER,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        made: dict[str, Any] = {}
        for change in str(value).split(","):
            leaf, _, number = change.partition("=")
            made[leaf.strip()] = literal(number.strip())
        if not all(type(number) in (int, float) for number in made.values()):
            self.fail(f"{value!r} is no list such as epochs=3,share=0.5")
        return made


@click.command()
@STUDY
@click.option("--pilot", is_flag=True, help="Train random candidates on a few seeds first.")
@click.option("--candidates", type=click.IntRange(3), metavar="N", help="Of the pilot [8].")
@click.option("--seeds", type=click.IntRange(2), metavar="N", help="Of the pilot [2].")
@click.option(
    "--fidelity", type=_Changes(),
    help="Train the pilot's candidates like this too, and compare the ranks.",
)  # fmt: skip
@STORAGE
@ADDRESS
@LOCAL
@SMOKE
@FORMAT
def plan(
    study: str, pilot: bool, candidates: int | None, seeds: int | None,
    fidelity: dict[str, Any] | None, storage: str, address: str | None, local: bool, smoke: bool,
    form: str,
) -> None:  # fmt: skip
    """What STUDY would run, what fits, how long it takes and what its seeds can show.

    Nothing is trained but a few steps of the baseline, to measure the speed where no run has yet.

    --pilot trains, into the study STUDY-pilot, and says how much of the variance of scores is
    architecture and what a search could find; the same command again reads what is stored.
    --fidelity epochs=3,share=0.5 says how well cheap runs rank, beside how well full ones do.
    """
    from nas.engine.forecast import forecast

    wanted = asked(study, smoke)
    if not pilot and (candidates or seeds or fidelity or address or local):
        raise ValueError(
            "--candidates, --seeds, --fidelity, --address and --local are about how a pilot runs: "
            "say --pilot too"
        )
    rows = list(forecast(wanted, storage, _notice))
    if pilot:
        # Here, so that the commands that only look load nothing that runs.
        from nas.engine.pilot import cheaper, findings
        from nas.engine.pilot import pilot as pilot_of

        full = pilot_of(wanted, candidates or 8, seeds or 2)
        cheap = cheaper(full, fidelity) if fidelity else None
        for each in filter(None, (full, cheap)):
            drive(each, storage, address=address, local=local)
        rows += findings(wanted, full, cheap, storage)
    told = [asdict(row) for row in rows]
    if form == "table":
        told = [row | {"value": _amount(row["value"], row["unit"])} for row in told]
    table(
        told,
        {"item": Column("what"), "value": Column("how much"), "detail": Column("", text)},
        form,
    )


def _notice(text: str) -> None:
    click.echo(text, err=True)


def _amount(value: Any, unit: str) -> str:
    if value is None or isinstance(value, str):
        return value or "not known"
    if unit == "share":
        return f"{value:.1%}"
    if unit == "hours" and value < 1.5:
        value, unit = round(60 * value, 1), "minutes"
    number = size(value) if isinstance(value, int) else f"{value:g}"
    return f"{number} {unit.removesuffix('s') if number == '1' else unit}"
