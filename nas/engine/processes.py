"""Ray's own processes on this machine: what they are told of the environment, and how they are.

Read from /proc; where there is none, nothing is found.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
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


def processes() -> dict[int, Process]:
    """Every process of this machine by its number."""
    found: dict[int, Process] = {}
    for folder in PROC.glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            start, _, rest = (folder / "stat").read_text(errors="replace").rpartition(")")
            fields, number = rest.split(), int(folder.name)
            found[number] = Process(
                number, int(fields[1]), fields[19], fields[0], start.partition("(")[2]
            )
    return found
