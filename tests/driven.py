"""A study in processes that can be killed, each a fork of one that has imported nas already."""

import dataclasses
import multiprocessing
import os
import time
from pathlib import Path

from nas import ASHA, TPE, Search
from nas.base import failpoints
from nas.base.errors import NasError
from nas.engine.driver import run
from tests.examples import small_study

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    ["nas.engine.driver", "nas.train.worker", "nas.train.audit", "torch._dynamo", "tests.driven"]
)
"""The first optimizer imports torch._dynamo, which takes a second."""
KILLED, STOPPED = -9, 3
"""How a process ends that was killed, and one that a NasError ended."""

STUDY = dataclasses.replace(
    small_study("faults"),
    plan=Search(trials=6, sampler=TPE(seed=1, startup=3), scheduler=ASHA(grace_period=1)),
)
"""Six trials of two epochs, of which some are stopped after the first."""


def _drive(url, home, failpoint):
    os.environ["NAS_HOME"] = str(home)
    failpoints.arm(failpoint)
    try:
        run(STUDY, url, local=True)
    except NasError as error:
        (Path(home) / "said").write_text(str(error))
        os._exit(STOPPED)


def start(url, home, failpoint):
    """A process that runs the study, with a failpoint armed."""
    process = FORKS.Process(target=_drive, args=(url, str(home), failpoint))
    process.start()
    return process


def killed(url, home, point, count=1):
    """Runs the study until it is killed at an instant; False when it ended before."""
    file = home / f"{point}-{count}-{time.monotonic_ns()}"
    process = start(url, home, f"{point}:{count}:kill:{file}")
    process.join()
    assert process.exitcode == (KILLED if file.exists() else 0)
    return file.exists()


def until_stopped(process):
    """Waits until a process has stopped itself."""
    while True:
        state = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "T":
            return
        assert process.is_alive()
        time.sleep(0.05)
