"""Ray's own processes on this machine: what they are told of the environment, and how they are.

Read from /proc; where there is none, nothing is found.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

TOLD = (
    "HOME", "HOSTNAME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "SHELL", "TMPDIR", "TZ", "USER",
    "VIRTUAL_ENV", "CONDA_PREFIX", "NAS_DATA", "NAS_HOME", "NAS_FAILPOINT",
)  # fmt: skip
TOLD_LIKE = (
    "LC_", "LD_", "XDG_", "PYTHON", "MALLOC_", "RAY_", "TUNE_", "TORCH", "PYTORCH_", "OMP_",
    "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "CUDA", "CUBLAS_", "CUDNN_", "NVIDIA_", "NCCL_", "HIP_",
    "HSA_", "ROCR_",
)  # fmt: skip
"""What a trial needs of the environment: these names, and those that begin so. Whatever else there
is may be a secret, and Ray logs what it is told."""
PROC = Path("/proc")


@contextmanager
def discreet() -> Generator[None]:
    """What is started in this block is told of the environment what a trial needs, no more."""
    hidden = {
        name: value
        for name, value in os.environ.items()
        if name not in TOLD and not name.startswith(TOLD_LIKE)
    }
    for name in hidden:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(hidden)


class Process(NamedTuple):
    """A process as /proc has it: `began` tells it from a later one of the same number, `state` is
    "T" where it is stopped and "Z" where it has ended."""

    number: int
    parent: int
    began: str
    state: str
    program: str


NEEDED = {
    "gcs_server": "its head",
    "raylet": "its raylet",
    "ray::DashboardA": "its dashboard agent",
    "ray::RuntimeEnv": "its runtime-env agent",
}
"""Without each of these, by their names in /proc, Ray starts no worker."""


class Own:
    """The processes of the Ray that this process started, as they are met."""

    def __init__(self) -> None:
        self._met: dict[int, Process] = {}
        self._new: dict[int, Process] = {}

    def look(self) -> tuple[str, str]:
        """Looks for them anew; which has died, and which is stopped, in words."""
        now = processes()
        ours = {number: now[number] for number in descendants(now, os.getpid())}
        # At the second look: between fork and exec a worker has the name of its raylet.
        known = {n: p for n, p in self._new.items() if n in ours and ours[n].program == p.program}
        self._met = known | self._met
        self._new = {n: p for n, p in ours.items() if p.program in NEEDED and p.state != "Z"}
        halted = (p for n, p in self._met.items() if n in now and now[n].state == "T")
        return self.died(), next((NEEDED[process.program] for process in halted), "")

    def died(self) -> str:
        """Which of those that were met has died, in words; quickly."""
        for number, met in self._met.items():
            now = process(PROC / str(number))
            if now is None or now.began != met.began or now.state == "Z":
                return f"{NEEDED[met.program]} died"
        return ""


def descendants(known: Mapping[int, Process], number: int) -> set[int]:
    """The processes that a process started, and theirs."""
    children: dict[int, list[int]] = defaultdict(list)
    for process in known.values():
        children[process.parent].append(process.number)
    found, waiting = set[int](), [number]
    while waiting:
        new = children[waiting.pop()]
        found.update(new)
        waiting += new
    return found


def processes() -> dict[int, Process]:
    """Every process of this machine by its number."""
    every = (process(folder) for folder in PROC.glob("[0-9]*"))
    return {found.number: found for found in every if found}


def process(folder: Path) -> Process | None:
    """The process of a folder of /proc; None where it is gone."""
    try:
        start, _, rest = (folder / "stat").read_text(errors="replace").rpartition(")")
        fields = rest.split()
        name = start.partition("(")[2]
        return Process(int(folder.name), int(fields[1]), fields[19], fields[0], name)
    except (OSError, ValueError, IndexError):
        return None
