"""Named instants at which a test does harm to this process; without $NAS_FAILPOINT they do nothing.

NAS_FAILPOINT=NAME:COUNT:HARM:FILE does the harm when the instant NAME is reached for the COUNTth
time: kill (SIGKILL), stop (SIGSTOP), hang, block (in native code that no signal interrupts), fail
(RuntimeError), flaky (ConnectionError) or memory (MemoryError). It is done once: who does it makes
FILE, and where FILE is nothing happens. Every instant that is reached is a line of FILE.log.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from pathlib import Path

POINTS = (
    "after_lease", "after_ask", "after_report", "in_commit", "after_flush", "before_tell",
    "after_tell", "before_epoch", "after_epoch", "in_checkpoint", "between_checkpoints",
    "after_checkpoint",
)  # fmt: skip
"""What is reached, in this order: the driver's instants, then the worker's."""

_given = os.environ.get("NAS_FAILPOINT")
_counts: dict[str, int] = {}


def arm(given: str | None) -> None:
    """Arms one instant in this process, as $NAS_FAILPOINT does; None disarms it."""
    global _given
    _given = given
    _counts.clear()


def reach(name: str, *what: object) -> None:
    """Says that an instant is reached, and with what, such as the number of a run."""
    if _given is not None:
        _harm(name, _given, ":".join(map(repr, what)))


def _harm(name: str, given: str, what: str) -> None:
    _counts[name] = _counts.get(name, 0) + 1
    wanted, count, harm, file = given.split(":", 3)
    with Path(f"{file}.log").open("a") as log:
        log.write(f"{name} {what}\n")
    if (name, _counts[name]) != (wanted, int(count)):
        return
    try:
        Path(file).touch(exist_ok=False)
    except FileExistsError:
        return
    said = f"the failpoint {name}"
    if harm in ("kill", "stop"):
        os.kill(os.getpid(), signal.SIGKILL if harm == "kill" else signal.SIGSTOP)
    elif harm == "hang":
        time.sleep(10**6)
    elif harm == "block":
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        ctypes.PyDLL(None).sleep(10**6)
    else:
        raise {"fail": RuntimeError, "flaky": ConnectionError, "memory": MemoryError}[harm](said)
