"""What a run says while it goes on: one live region on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import math
import sys
import time
from contextlib import redirect_stdout, suppress
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from nas.base.terminal import raw
from nas.base.wording import plain
from nas.engine.driver import Outcome
from nas.engine.executor import Progress
from nas.runs.record import OVER, Record, State


class Reporter:
    """Shows a study's progress on stderr; use it as a context."""

    def __init__(self) -> None:
        self.console = Console(file=raw(sys.stderr), highlight=False, markup=False, emoji=False)
        self._live = Live(console=self.console, refresh_per_second=4, transient=False)
        self._told: set[int] | None = None

    def __enter__(self) -> Reporter:
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._live.stop()

    def end(self, outcome: Outcome) -> None:
        """Nothing: what came of it is the caller's to say."""

    def notice(self, text: str) -> None:
        """One line that stays."""
        with suppress(OSError):
            self.console.print(plain(text), soft_wrap=True)

    def __call__(self, progress: Progress) -> None:
        """Shows where the run stands; a terminal that is gone shows nothing."""
        with suppress(OSError):
            self._show(progress)

    def _show(self, progress: Progress) -> None:
        if self.console.is_terminal:
            self._live.update(Text(plain(summary(progress))))
            return
        if self._told is None:
            self._told = set()
            self.console.print(plain(summary(progress)), soft_wrap=True)
        record = progress.changed
        if record is not None and record.state != "running" and record.number not in self._told:
            self._told.add(record.number)
            self.console.print(plain(_line(record, progress)), soft_wrap=True)


class Events:
    """Writes what happens to stdout, one JSON object a line; use it as a context.

    Every one has `event` and `time`, in seconds since 1970: start (study, planned, over), epoch
    (trial, with all numbers of the epoch by their names), trial (one that is over), notice (text)
    and end (outcome, and how many runs are in which state).
    """

    def __init__(self) -> None:
        self._out = sys.stdout
        # Ray tells of a lost worker on stdout, whatever it is told.
        self._others = redirect_stdout(sys.stderr)
        self._last: Progress | None = None
        self._told: set[int] = set()
        self._epochs: dict[int, int] = {}

    def __enter__(self) -> Events:
        self._others.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._others.__exit__(None, None, None)

    def notice(self, text: str) -> None:
        self._write("notice", text=text)

    def __call__(self, progress: Progress) -> None:
        record = progress.changed
        if self._last is None:
            study = progress.study
            told = {"study": study.full_name, "planned": study.planned}
            self._write("start", **told, over=progress.done_before)
        self._last = progress
        if record is None or record.number in self._told:
            return
        for epoch in record.curve[self._epochs.get(record.number, 0) :]:
            self._write("epoch", trial=record.number, **epoch.values)
        self._epochs[record.number] = len(record.curve)
        if record.state != "running":
            self._told.add(record.number)
            self._write(
                "trial", trial=record.number, role=record.role, change=record.change,
                state=record.state, score=record.score, reason=record.reason,
                mult_adds=record.mult_adds, candidate_id=record.candidate_id,
            )  # fmt: skip

    def end(self, outcome: Outcome) -> None:
        """The last line."""
        why = {
            "interrupted": outcome.interrupted,
            "exhausted": outcome.exhausted,
            "out of time": outcome.out_of_time,
        }
        # What nobody runs any more is no longer running.
        found = dict(+self._last.states) if self._last else {}
        states = {"interrupted" if name == "running" else name: n for name, n in found.items()}
        said = next((name for name, met in why.items() if met), "done")
        self._write("end", study=outcome.full_name, outcome=said, states=states)

    def _write(self, event: str, **values: Any) -> None:
        finite = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in values.items()
        }
        with suppress(OSError):
            said = json.dumps({"event": event, "time": time.time()} | finite)
            print(said, file=self._out, flush=True)


def summary(progress: Progress) -> str:
    """Done, running, stopped early, infeasible, failed; rate, time left; best and baseline."""
    states = progress.states
    done = sum(states[state] for state in OVER)
    parts = [f"{progress.study.name}  {done}/{progress.study.planned} done"]
    named: dict[State, str] = {
        "running": "running",
        "stopped": "stopped early",
        "infeasible": "infeasible",
        "exceeded": "out of memory or time",
    }
    parts += [f"{states[state]} {name}" for state, name in named.items() if states[state]]
    parts.append(f"{states['failed']} failed")
    elapsed = time.monotonic() - progress.began
    fresh = done - progress.done_before
    if fresh > 0 and elapsed > 0:
        rate = fresh / elapsed
        left = max(0, progress.study.planned - done) / rate
        parts += [f"{60 * rate:.1f} a minute", f"{_span(left)} left"]
    scores = progress.history.best
    if "candidate" in scores:
        baseline = scores.get("reference")
        against = "" if baseline is None else f" (baseline {baseline:.2f} %)"
        parts.append(f"best {scores['candidate']:.2f} %{against}")
    return " · ".join(parts)


def _line(record: Record, progress: Progress) -> str:
    score = ""
    if record.score is not None:
        score = f" {progress.study.baseline.subject.told(record.score)}"
    if record.test is not None:
        score = f" {record.test:.2f} % on test"
    what = record.change or record.role
    why = f" ({record.reason})" if record.reason else ""
    return f"trial {record.number}: {what}, {record.state}{score}{why} | {summary(progress)}"


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
