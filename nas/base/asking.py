"""Code of a user's that is asked for a value: what it raises, and how long it may take."""

from __future__ import annotations

import signal
import threading
import time
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager

from nas.base.wording import one_line

ANSWERS = 10.0
"""Seconds within which it answers."""


class Late(BaseException):
    """It did not answer in time; no `except Exception` of its own takes this for its own."""


@contextmanager
def asking(what: str) -> Generator[None]:
    """Makes a ValueError that names `what` was asked of whatever the block raises: any exception,
    `sys.exit()` too, or more than ANSWERS seconds in Python, in the main thread. A ValueError stays
    what it is; a KeyboardInterrupt is somebody's ctrl-C, and no answer."""
    try:
        with within(ANSWERS, Late):
            yield
    except Late:
        raise ValueError(f"{what} gave no answer in {ANSWERS:g} seconds") from None
    except ValueError:
        raise
    except (Exception, SystemExit) as error:
        *_, (frame, line) = traceback.walk_tb(error.__traceback__)
        place = f"{frame.f_code.co_filename.rpartition('/')[2]}, line {line}"
        raise ValueError(f"{what} raised {one_line(error)} ({place})") from None


@contextmanager
def within(seconds: float | None, late: Callable[[], BaseException]) -> Generator[None]:
    """Raises `late()` after so many seconds, in the main thread: another has no alarm."""
    if seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_: object) -> None:
        raise late()

    before, began = signal.signal(signal.SIGALRM, ring), time.monotonic()
    # Again and again: Python drops one that meets a destructor.
    rest, every = signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3), 1.0)
    try:
        yield
    finally:
        left = max(rest - (time.monotonic() - began), 1e-3) if rest else 0.0
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, left, every)
