"""The commands under Run: a study's runs, one run again or as files."""

from __future__ import annotations

import atexit
import contextlib
import re
import shlex
import signal
import sys
import threading
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nas.base.errors import NothingToReport
from nas.base.wording import times
from nas.cli.findings import best_so_far, confirmations_table, effects_table
from nas.cli.show import FORMAT
from nas.cli.stored import SMOKE, STORAGE, STUDY, asked, opened, results, trial
from nas.experiment.experiment import rebuilt
from nas.plan.registration import with_seeds

if TYPE_CHECKING:
    from nas.engine.driver import Outcome
    from nas.plan.study import StudySpec
    from nas.results.tables import Results
    from nas.runs.record import Record, StudyRecord


TRIALS = click.option(
    "--trials", type=click.IntRange(1), help="The search's total, in the study's place."
)
ADDRESS = click.option("--address", metavar="ADDR", help="A running Ray cluster's address.")
LOCAL = click.option(
    "--local", is_flag=True, help="In this process, one trial at a time, without Ray."
)


MOST = 1000
"""More seeds than this at once are taken for a slip of the hand."""


class _More(click.ParamType[int]):
    """How many seeds are added: +4."""

    name = "+N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if (
            not str(value).startswith("+")
            or not str(value)[1:].isdecimal()
            or not set(value[1:]) - {"0"}
        ):
            self.fail(f"{value!r} is no number of seeds to add, such as +4")
        if len(str(value)) > len(f"+{MOST}") or int(value) > MOST:
            self.fail(
                f"{value} is more than {MOST} seeds for every arm; add at most +{MOST} at a time, "
                "and write more into the study's seeds="
            )
        return int(value)


@click.command()
@STUDY
@TRIALS
@click.option(
    "--seeds", type=_More(), help="Add seeds to the ablation; outside its planned looks its rows "
    "lose their p.",
)  # fmt: skip
@STORAGE
@ADDRESS
@LOCAL
@SMOKE
@click.option("--json", "lines", is_flag=True, help="What happens, one JSON object a line.")
def run(
    study: str,
    trials: int | None,
    seeds: int | None,
    storage: str,
    address: str | None,
    local: bool,
    smoke: bool,
    lines: bool,
) -> None:
    """Run STUDY until its plan is met; run it again to go on where it stopped.

    With --json, stdout has one JSON object a line: start, epoch, trial, notice and end, each with
    `event` and `time`.
    """
    wanted = _asked(study, smoke, trials)
    if seeds is not None:
        wanted = with_seeds(wanted, seeds, _stored(wanted, storage))
    outcome = drive(wanted, storage, lines, address=address, local=local)
    if lines:
        _end(results(study, storage, smoke))
        return
    if outcome.exhausted:
        click.echo(
            "the search ended early: no new candidate that fits the budget was found", err=True
        )
    if outcome.out_of_time:
        click.echo("the study's time limit is over; the same command goes on", err=True)
    found = results(study, storage, smoke)
    if found.effects:
        effects_table(found, "table")
    best_so_far(found)
    if wanted.confirmation:
        _fewer(wanted, found)
        confirmations_table(found, "table")
    click.echo(f"nas report {study}{' --smoke' if smoke else ''}    writes the report")
    _end(found)


@click.command()
@STUDY
@STORAGE
@SMOKE
@click.option("--now", is_flag=True, help="Without the trials under way; the next run goes on.")
def stop(study: str, storage: str, smoke: bool, now: bool) -> None:
    """Ask whoever runs STUDY, on this machine or another, to stop when the trials under way are
    over. `nas run` goes on."""
    from nas.store.lease import ask_to_stop

    with opened(study, storage, smoke) as (database, name, _):
        held = ask_to_stop(database.engine, name, "now" if now else "drain")
    if held is None:
        raise NothingToReport(f"nobody runs {name}")
    click.echo(f"{held}; it was asked to stop{' now' if now else ''}")


@click.command()
@STUDY
@STORAGE
@SMOKE
def retry(study: str, storage: str, smoke: bool) -> None:
    """Let the next `nas run` of STUDY run its failed trials again, from their first epoch."""
    from nas.store.lease import hold
    from nas.store.reading import reopen

    with opened(study, storage, smoke) as (database, name, _), hold(database.engine, name):
        numbers = reopen(database, name)
    if not numbers:
        raise NothingToReport(f"{name} has no failed trial that was not made since")
    named = ", ".join(map(str, numbers))
    again = f"nas run {study}{' --smoke' if smoke else ''}"
    click.echo(f"trial{'s' if len(numbers) > 1 else ''} {named}: `{again}` runs them again")


@click.command()
@STUDY
@click.option("--top", type=click.IntRange(0), help="Of the search's best; 0: the baseline alone.")
@click.option("--seeds", type=click.IntRange(1), help="Fresh seeds for each.")
@click.option("--show", is_flag=True, help="Print what there is; run nothing.")
@TRIALS
@STORAGE
@ADDRESS
@LOCAL
@SMOKE
@FORMAT
def confirm(
    study: str,
    top: int | None,
    seeds: int | None,
    show: bool,
    trials: int | None,
    storage: str,
    address: str | None,
    local: bool,
    smoke: bool,
    form: str,
) -> None:
    """Train the baseline and the best candidates of STUDY's search anew, on fresh seeds and in
    full, and score them on the test split.

    3 candidates and 5 seeds, unless the study says otherwise. Each run reads the test split once;
    run it again to go on where it stopped.
    """
    wanted = None if show else _asked(study, smoke, trials).confirming(top, seeds)
    if wanted:
        drive(wanted, storage, address=address, local=local, only=wanted.confirmation)
    found = results(study, storage, smoke)
    if wanted:
        _fewer(wanted, found)
    if not found.confirmations:
        raise NothingToReport(f"{found.study.full_name} has no finished confirmation run yet")
    confirmations_table(found, form)
    _end(found)


def _stored(study: StudySpec, url: str) -> StudyRecord | None:
    """The study as an earlier run has left it."""
    from nas.store.database import connect, exists
    from nas.store.reading import stored_name, study_record

    if not exists(url):
        return None
    with connect(url) as storage:
        name = stored_name(storage, study.full_names)
        return study_record(storage, name) if name else None


def _fewer(wanted: StudySpec, found: Results) -> None:
    """Says so where the search left fewer candidates to confirm than were asked for."""
    asked_for = wanted.confirmation.top if wanted.confirmation else 0
    left = len(found.explored)
    if left < asked_for:
        click.echo(
            f"{left} of the {asked_for} asked for {'is' if left == 1 else 'are'} confirmed: the "
            "search trained no more to the end within the budget", err=True,
        )  # fmt: skip


def _asked(name: str, smoke: bool, trials: int | None) -> StudySpec:

    wanted = asked(name, smoke)
    return wanted if trials is None else wanted.with_trials(trials)


def drive(study: StudySpec, storage: str, lines: bool = False, **how: Any) -> Outcome:
    """Runs a study with its progress on stderr, or with `lines` as JSON on stdout; an interrupt
    ends the command."""
    from nas.engine.driver import run as run_study
    from nas.engine.progress import Events, Reporter

    with interruptible(), Events() if lines else Reporter() as reporter:
        outcome = run_study(study, storage, watch=reporter, notice=reporter.notice, **how)
        reporter.end(outcome)
    if outcome.interrupted:
        again = continuing(sys.argv[1:])
        # The terminal itself may be what is gone.
        with contextlib.suppress(OSError):
            click.echo(f"interrupted; nothing is lost: `{again}` goes on", err=True)
        sys.exit(130)
    return outcome


def continuing(words: Sequence[str]) -> str:
    """The command that goes on with what a command was asked: seeds that it added are stored by
    now, and would be added once more."""
    return re.sub(r" --seeds[ =]\+\d+", "", shlex.join(["nas", *words]))


def _end(found: Results) -> None:
    if any(record.state == "failed" for record in found.records):
        sys.exit(1)


@contextlib.contextmanager
def interruptible() -> Generator[None]:
    """Takes an end of the terminal or a polite kill for what ctrl-C is; none of them is lost. The
    second ends the clearing away of the first, and more are not heard."""
    dropped = sys.unraisablehook
    again: list[threading.Timer] = []
    met: list[int] = []

    def interrupt(end: int, _: object) -> None:
        met.append(end)
        if len(met) - len(again) <= 2:
            raise KeyboardInterrupt

    def repeat(given: sys.UnraisableHookArgs) -> None:
        # Python drops one that meets a weak reference's callback, as in torch's tracing.
        if given.exc_type is not KeyboardInterrupt:
            return dropped(given)
        main = threading.main_thread().ident
        again.append(threading.Timer(0.1, signal.pthread_kill, (main, signal.SIGTERM)))
        return again[-1].start()

    ends = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    # What was started with nohup, or in the background, is to outlive its terminal.
    heard = [end for end in ends if signal.getsignal(end) is not signal.SIG_IGN]
    before = {end: signal.signal(end, interrupt) for end in heard}
    sys.unraisablehook = repeat
    try:
        yield
    finally:
        for timer in again:
            timer.cancel()
        sys.unraisablehook = dropped
        for end, handler in before.items():
            signal.signal(end, handler)
        if met:
            # Ray clears away as the process ends, too.
            atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)


@click.command()
@click.argument("reference", metavar="TRIAL")
@STORAGE
def replay(reference: str, storage: str) -> None:
    """Run TRIAL (STUDY:NUMBER) again and say whether it is the same to the bit, or where it parts.

    Exit code 0: equal; 1: it parts.
    """
    from nas.train.replay import replay as again

    _, record = trial(reference, storage)
    parted: str | None = None
    for step in again(record):
        click.echo(step.said)
        parted = parted or step.parted
    if parted:
        click.echo(f"it parts: {parted}")
        sys.exit(1)
    epochs = times(len(record.curve), "epoch")
    click.echo(f"trial {record.number} is equal to the bit over {epochs}")


@click.command()
@click.argument("reference", metavar="TRIAL")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="DIR", help="[./STUDY-NUMBER]"
)
@click.option("--retrain", is_flag=True, help="Train it again, where its weights are not here.")
@click.option("--normalised", is_flag=True, help="ONNX reads normalised images, not pixels.")
@STORAGE
def export(
    reference: str, output: Path | None, retrain: bool, normalised: bool, storage: str
) -> None:
    """Write TRIAL (STUDY:NUMBER) as weights (safetensors), ONNX and one Python file of plain torch.

    None of them needs nas. Python and ONNX are run beside the network, and left out, with exit code
    1, where they differ. ONNX reads pixels from 0 to 1 and normalises them itself; Python does with
    load(normalise=True). labels.txt has the classes' names; manifest.json says where the network is
    from.
    """
    from nas.data.catalogue import class_names
    from nas.export.export import TOLERANCE, kept_weights, require_complete
    from nas.export.export import export as write

    found, record = trial(reference, storage)
    experiment = rebuilt(record.experiment, record.network_id, found.classes)
    study, origin = found.study.full_name, "kept by the run"
    if retrain:
        require_complete(record)
        weights, origin = _retrained(record)
    else:
        weights = kept_weights(record, study)
    folder = output or Path(f"{found.study.name}-{record.number}")
    assert record.protocol is not None
    names = class_names(experiment.recipe.data, record.protocol.data_sha256)
    made = write(
        folder, weights, experiment=experiment, record=record, study=study, origin=origin,
        class_names=names, normalised=normalised,
    )  # fmt: skip
    click.echo(f"{folder}: {', '.join(made.written)}")
    for name, by in made.left_out.items():
        click.echo(
            f"{name} is left out: its logits are {by:.1g} away from the network's, more than "
            f"{TOLERANCE:g}", err=True,
        )  # fmt: skip
    if made.left_out:
        sys.exit(1)


def _retrained(record: Record) -> tuple[bytes, str]:
    """A run's weights by training it again, and how those compare with what is stored of it."""
    from nas.train.replay import replay as again

    weights, parted = b"", None
    for step in again(record):
        click.echo(step.said, err=True)
        weights, parted = step.weights or weights, parted or step.parted
    if parted is None:
        return weights, "trained again, equal to the bit"
    click.echo(f"these are not quite the weights of the run: {parted}", err=True)
    return weights, f"trained again; it parts: {parted}"
