"""The group of commands: its help, and what becomes of errors."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
import warnings
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

import click

from nas.base.errors import EXIT_CODES, LeftOut, NasError
from nas.base.terminal import plain_streams
from nas.base.wording import said

COMMANDS: dict[str, dict[str, str]] = {
    "Start": {
        "init": "a study of your own",
        "studies": "the shipped studies",
        "spaces": "the shipped search spaces",
        "doctor": "what is wrong here",
    },
    "Look": {
        "cost": "mult-adds of a network",
        "space": "a space's decisions",
        "diff": "two networks compared",
        "plan": "what a study would run",
    },
    "Run": {
        "run": "a study, or go on",
        "stop": "a run, when trials end",
        "retry": "what failed, next time",
        "confirm": "the best, on test data",
        "replay": "the same trial again",
        "export": "weights, ONNX, Python",
    },
    "Read": {
        "status": "where a study stands",
        "effects": "what each change did",
        "best": "the best candidates",
        "trials": "every run",
        "evaluate": "top-5, crops, ensembles",
        "report": "write the site",
        "browse": "serve the site",
        "dashboard": "Optuna Dashboard",
        "completion": "for your shell",
    },
}
"""Under each heading, which is also the name of their module: the commands, and what each gives."""


class Group(click.Group):
    """Loads a command's module when it is asked for; says an error in one message."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for commands in COMMANDS.values() for name in commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for heading, commands in COMMANDS.items():
            if cmd_name in commands:
                return getattr(importlib.import_module(f"nas.cli.{heading.lower()}"), cmd_name)
        return None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = get_close_matches(args[0], self.list_commands(ctx), n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise click.UsageError(f"{error.message}{hint}", ctx) from None

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One screen of 24 lines and 80 columns."""
        formatter.write(f"Usage: {ctx.command_path} [--debug] COMMAND ...   ")
        formatter.write(f"({ctx.command_path} COMMAND -h says more)\n{self.help}\n\n")
        for heading, commands in COMMANDS.items():
            cells = [f"{name:<11}{what}" for name, what in commands.items()]
            for at in range(0, len(cells), 2):
                left, right = (*cells[at : at + 2], "")[:2]
                head = heading if at == 0 else ""
                formatter.write(f"{head:<7}{left:<38} {right}".rstrip() + "\n")
        formatter.write("\nExit codes\n")
        for code, meaning in EXIT_CODES.items():
            formatter.write(f"{code:>5}  {meaning}\n")

    def main(self, *args: Any, **settings: Any) -> Any:
        with plain_streams(), warnings.catch_warnings():
            warnings.showwarning = _warned
            warnings.simplefilter("default", LeftOut)
            return super().main(*args, **settings)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except BrokenPipeError:
            # Who reads has seen enough; what is still to be written has nowhere to go.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)
        except KeyboardInterrupt as error:
            if error.args:
                click.echo(said(error), err=True)
            sys.exit(130)
        except SystemExit:
            raise
        except BaseException as error:
            if ctx.params.get("debug"):
                traceback.print_exc()
            text, code = told(error)
            with suppress(OSError):  # the terminal itself may be what is gone
                click.echo(f"Error: {text}", err=True)
            sys.exit(code)


def _warned(message: Warning | str, category: type[Warning], *where: Any) -> None:
    """A warning of ours in its words alone, another as Python writes it."""
    ours = issubclass(category, LeftOut)
    text = str(message) if ours else warnings.formatwarning(message, category, *where[:2])
    click.echo(f"Warning: {text}" if ours else text, err=True, nl=ours)


def told(error: BaseException) -> tuple[str, int]:
    """An error's one message and exit code."""
    if isinstance(error, NasError):
        return said(error), error.code
    if isinstance(error, ValueError):
        return said(error), 2
    if isinstance(error, OSError):
        return f"{error.filename or 'the system'}: {error.strerror or said(error)}", 3
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{place.filename.rpartition('/')[2]}, line {place.lineno}"
    return (
        f"{type(error).__name__}: {said(error)} ({where}); this is a mistake of nas, not yours: "
        "`nas --debug ...` shows where it happened",
        1,
    )


@click.group(
    "nas",
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Search and ablation around Inception networks, within a mult-add budget.",
)
@click.version_option(package_name="inception-nas", prog_name="nas")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug: bool) -> None:
    """The group itself does nothing."""
