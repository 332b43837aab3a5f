"""The commands under Start: a study of one's own, what is shipped, what is wrong here."""

from __future__ import annotations

import shutil
import sys
from dataclasses import asdict
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import click

from nas.cli.find import find_space, find_study, space_names, space_question, study_names
from nas.cli.show import FORMAT, Column, size, table
from nas.cli.stored import STORAGE
from nas.experiment.cost import cost


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
def init(folder: Path) -> None:
    """Write a space, a study and a README of your own into DIR; they run as they are."""
    with as_file(files("nas") / "starter") as starter:
        made = sorted(path for path in starter.iterdir() if path.suffix in (".py", ".md"))
        there = [path.name for path in made if (folder / path.name).exists()]
        if there:
            raise ValueError(f"{folder} has a {there[0]} already; nothing was written")
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"{folder} is a file; give a folder")
        folder.mkdir(parents=True, exist_ok=True)
        for path in made:
            shutil.copyfile(path, folder / path.name)
    click.echo(f"{folder}: {', '.join(path.name for path in made)}")
    click.echo(f"next: cd {folder} && nas plan my_study.py")


@click.command()
@FORMAT
def studies(form: str) -> None:
    """The studies that are shipped; `nas plan NAME` says what one would run."""
    found = [find_study(name) for name in study_names()]
    rows = [{"name": study.name, "question": study.question} for study in found]
    table(rows, {"name": Column("study"), "question": Column("question")}, form)


@click.command()
@FORMAT
def spaces(form: str) -> None:
    """The search spaces that are shipped and what they ask; `nas space show NAME` has their
    decisions."""
    rows: list[dict[str, Any]] = []
    for name in space_names():
        found = find_space(name)
        rows.append(
            {
                "name": name,
                "decisions": len(found.domains),
                "candidates": found.size,
                "question": space_question(name),
                "mult_adds": cost(found.baseline.experiment).mult_adds,
                "dataset": found.baseline.experiment.recipe.data.name,
            }
        )
    table(
        rows,
        {
            "name": Column("space"),
            "decisions": Column("decisions"),
            "candidates": Column("candidates", size),
            "question": Column("question"),
        },
        form,
    )


@click.command()
@STORAGE
@FORMAT
def doctor(storage: str, form: str) -> None:
    """Versions, devices, Ray, the database, data sets and disk: what is wrong, and what to do.

    Exit code 0 when nothing is wrong, 3 otherwise.
    """
    from nas.cli.doctor import CHECKS

    made = [check for look in CHECKS for check in look(storage)]
    table(
        [asdict(check) for check in made],
        {name: Column(name) for name in ("check", "state", "found")}
        | {"todo": Column("what to do")},
        form,
    )
    if any(check.state == "wrong" for check in made):
        sys.exit(3)
