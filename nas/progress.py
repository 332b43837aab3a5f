"""What a run says while it goes on: one live region on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress

from rich.console import Console
from rich.live import Live
from rich.text import Text

from nas.engine import Progress
from nas.record import OVER, Record


class Reporter:
    """Shows a study's progress on stderr; use it as a context."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        self._live = Live(console=self.console, refresh_per_second=4, transient=False)
        self._told: set[int] | None = None

    def __enter__(self) -> Reporter:
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._live.stop()

    def notice(self, text: str) -> None:
        """One line that stays."""
        with suppress(OSError):
            self.console.print(text, soft_wrap=True)

    def __call__(self, progress: Progress) -> None:
        """Shows where the run stands; a terminal that is gone shows nothing."""
        with suppress(OSError):
            self._show(progress)

    def _show(self, progress: Progress) -> None:
        if self.console.is_terminal:
            self._live.update(Text(summary(progress)))
            return
        over = {
            r.number: r
            for r in progress.records
            if r.state not in ("running", "infeasible", "duplicate")
        }
        if self._told is None:
            self._told = set(over)
            self.console.print(summary(progress), soft_wrap=True)
        for number in sorted(set(over) - self._told):
            self._told.add(number)
            self.console.print(_line(over[number], progress), soft_wrap=True)


def summary(progress: Progress) -> str:
    """Done, running, stopped early, infeasible, failed; rate, time left; best and baseline."""
    states = Counter(record.state for record in progress.records)
    done = sum(states[state] for state in OVER)
    parts = [f"{progress.study.name}  {done}/{progress.study.planned} done"]
    named = {
        "running": "running",
        "stopped": "stopped early",
        "infeasible": "infeasible",
        "exceeded": "out of memory or time",
    }
    parts += [f"{states[state]} {name}" for state, name in named.items() if states[state]]
    parts.append(f"{states['failed']} failed")
    elapsed = time.monotonic() - progress.began
    fresh = sum(states.values()) - states["running"] - progress.done_before
    fresh -= states["infeasible"] + states["duplicate"]
    if fresh > 0 and elapsed > 0:
        rate = fresh / elapsed
        left = max(0, progress.study.planned - done) / rate
        parts += [f"{60 * rate:.1f} a minute", f"{_span(left)} left"]
    best = _best(progress)
    reference = (r for r in progress.records if r.role == "reference" and r.state == "complete")
    baseline = [r.score for r in reference]
    if best is not None:
        against = f" (baseline {baseline[0]:.2f} %)" if baseline else ""
        parts.append(f"best {best:.2f} %{against}")
    return " · ".join(parts)


def _best(progress: Progress) -> float | None:
    found = (r for r in progress.records if r.role == "candidate" and r.state == "complete")
    return max((r.score for r in found if r.score is not None), default=None)


def _line(record: Record, progress: Progress) -> str:
    score = "" if record.score is None else f" {record.score:.2f} %"
    what = record.change or record.role
    why = f" ({record.reason})" if record.reason else ""
    return f"trial {record.number}: {what}, {record.state}{score}{why} | {summary(progress)}"


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
