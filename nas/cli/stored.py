"""What commands read: the database that is meant, and a study's results in it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from nas.base.errors import NothingToReport
from nas.base.wording import near
from nas.cli.find import find_study, is_file, study_names
from nas.experiment.experiment import CLASSES
from nas.plan.registration import SMALL
from nas.tree.tree import classes_in

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

    from nas.plan.study import StudySpec
    from nas.results.tables import Results
    from nas.runs.record import Record


def _studies(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in study_names() if name.startswith(incomplete)]


STUDY = click.argument("study", shell_complete=_studies)


def _url(ctx: click.Context, param: click.Parameter, given: str | None) -> str:
    return url(given)


STORAGE = click.option(
    "--storage", metavar="URL", envvar="NAS_STORAGE", callback=_url,
    help="The database: sqlite:///FILE or postgresql+psycopg://HOST/NAME [$NAS_STORAGE].",
)  # fmt: skip
SMOKE = click.option("--smoke", is_flag=True, help="The study in small, on synthetic images.")


def url(given: str | None) -> str:
    """The URL of the database: as given, or that of the file under $NAS_HOME."""
    from nas.base.paths import default_url

    if given is None:
        return default_url()
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parts = make_url(given)
        parts.get_dialect()
    except (ArgumentError, ValueError):
        raise ValueError(
            "--storage takes a database URL such as sqlite:///runs.db, and this is none"
        ) from None
    if "@" in (parts.host or ""):
        raise ValueError("--storage: an @ in a password is written %40")
    source = click.get_current_context().get_parameter_source("storage")
    secret = parts.password or "password" in parts.query
    if secret and source == click.core.ParameterSource.COMMANDLINE:
        raise ValueError(
            "a password on the command line can be read by everybody on the machine; put it into "
            "~/.pgpass, or the URL into $NAS_STORAGE"
        )
    return given


def asked(name: str, smoke: bool) -> StudySpec:
    """The study of a name or file; with `smoke`, in small."""
    study = find_study(name)
    if not smoke:
        return study
    from nas.plan.smoke import smoke as in_small

    return in_small(study)


@contextmanager
def opened(
    name: str, url: str, smoke: bool = False
) -> Generator[tuple[RDBStorage, str, StudySpec | None]]:
    """The database, and the full name in it of the study that the name or file means now, or else
    of the newest of that name, with a notice; the study itself where it is here. NothingToReport
    where there is none."""
    from nas.store.database import connect, exists
    from nas.store.reading import study_names as stored

    shipped = is_file(name) or name in study_names()
    meant = asked(name, smoke) if shipped else None
    plain = meant.name if meant else f"{name}{SMALL}" if smoke else name
    kinds = {type(plan).__name__ for plan in meant.plans} if meant else set[str]()
    command = "confirm" if kinds == {"Confirmation"} else "run"
    again = f"`nas {command} {name}{' --smoke' if smoke else ''}`"
    if not exists(url):
        if not meant:
            raise ValueError(unknown(name, ()))
        raise NothingToReport(f"there is no database yet: {again} makes it")
    with connect(url) as storage:
        known = stored(storage)
        named = meant.full_names if meant else (plain,)
        wanted = next((full for full in named if full in known), None)
        if wanted is None:
            versions = [full for full in known if full.partition("@")[0] == plain]
            if not versions:
                if not meant:
                    raise ValueError(unknown(name, known))
                have = ", ".join(known) or "none"
                raise NothingToReport(
                    f"no runs of {plain} in this database (it has: {have}); {again} first"
                )
            wanted = versions[-1]
            if meant:
                click.echo(f"the study has changed since it ran: this is {wanted}", err=True)
            elif len(versions) > 1:
                others = ", ".join(versions[:-1])
                click.echo(f"this is {wanted}, the newest; there are also {others}", err=True)
        yield storage, wanted, meant


def results(name: str, url: str, smoke: bool = False) -> Results:
    """A study's results, of the study that `opened` finds."""
    with opened(name, url, smoke) as (storage, wanted, meant):
        return read(storage, wanted, meant)


def read(storage: RDBStorage, full_name: str, meant: StudySpec | None) -> Results:
    """The results of a study in an open database."""
    from nas.results import stored

    classes = CLASSES | classes_in(meant.space.template) if meant else CLASSES
    return stored.read(storage, full_name, classes)


def unknown(name: str, known: Sequence[str]) -> str:
    """That a name is no study: neither shipped nor in the database; the near ones."""
    names = [*study_names(), *(full.partition("@")[0] for full in known)]
    have = f"it has: {', '.join(known) or 'none'}"
    return f"no study {name!r} is shipped, and none is in this database ({have}){near(name, names)}"


def trial(reference: str, url: str) -> tuple[Results, Record]:
    """The results and the record of a trial STUDY:NUMBER; ValueError for another form or number."""
    study, colon, number = reference.rpartition(":")
    if not colon or not number.isdigit():
        raise ValueError(f"a trial is STUDY:NUMBER, such as quickstart:12, not {reference!r}")
    found = results(study, url)
    for record in found.stored:
        if record.number == int(number):
            return found, record
    numbers = [record.number for record in found.stored]
    have = f"the trials {min(numbers)} to {max(numbers)}" if numbers else "no trial yet"
    raise ValueError(f"{found.study.full_name} has {have}, not {number}")
