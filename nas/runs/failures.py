"""What a failure is: its class, and so what becomes of the run.

infrastructure: the machine under the run went away; the run is taken up again, and not blamed.
transient: it may pass, such as a connection or a worker that died; taken up again twice at most.
resource: out of memory, or over the time limit: the candidate asks for too much, a constraint.
deterministic: everything else would come again; the run fails at once.
"""

from __future__ import annotations

import errno
import re
from typing import Literal

from nas.base.wording import said

Failure = Literal["infrastructure", "transient", "resource", "deterministic"]

RETRIES = 2
"""How often a run is taken up again after a transient failure."""
SAME_FAILURES = 5
"""The same failure so many times stops a study."""
ATTEMPTS = 10
"""How often a run may be begun without an epoch to show for it: it may kill even its driver."""
FAILURES_IN_A_ROW = 10
"""Failures of whatever cause, with no run over in between, that stop a study."""

PASSING = (errno.EIO, errno.ESTALE, errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTUNREACH)
FULL = (errno.ENOSPC, errno.EDQUOT)
GONE = ("NodeDiedError", "ActorUnavailableError", "ObjectLostError", "OwnerDiedError")
NO_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory")


class TimeLimit(Exception):
    """A trial takes longer than Resources.trial_seconds."""

    def __init__(self) -> None:
        super().__init__("over the time limit of a trial")


def is_full(error: BaseException) -> bool:
    """Whether a disk is full: no run can go on."""
    return isinstance(error, OSError) and error.errno in FULL


def constraint(error: BaseException) -> str | None:
    """What a run had too little of, memory or seconds; None for another error."""
    if isinstance(error, TimeLimit):
        return "seconds"
    text = said(error).lower()
    if isinstance(error, MemoryError) or any(words in text for words in NO_MEMORY):
        return "memory"
    return None


def classified(error: BaseException) -> Failure:
    """The class of an error that a run met, or that Ray says a worker ended with."""
    name, words = type(error).__name__, said(error).lower()
    if constraint(error) is not None:
        return "resource"
    if name in GONE or ("node" in words and "died" in name.lower()):
        return "infrastructure"
    if isinstance(error, ConnectionError | TimeoutError) or "Died" in name or "Crashed" in name:
        return "transient"
    passes = isinstance(error, OSError) and error.errno in PASSING
    return "transient" if passes else "deterministic"


def cause(reason: str | None) -> str:
    """A reason without its numbers and addresses, which differ where the failure is the same."""
    return re.sub(r"0x[0-9a-fA-F]+|\d+", "#", reason or "")
