"""What a machine has for trials, and what a trial with its resources trains with."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from nas.base.errors import NoResources
from nas.base.wording import times
from nas.experiment.experiment import CLASSES
from nas.experiment.recipe import Recipe
from nas.networks.layers import from_plain
from nas.plan.study import Resources
from nas.runs.record import Settings
from nas.train.settings import fastest
from nas.tree.tree import from_json

Notice = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Room:
    """What one machine has for trials; `node` is Ray's name of it."""

    node: str
    host: str
    cpus: float
    gpus: float


def here() -> Room:
    """What this machine has."""
    cpus, gpus = os.cpu_count() or 1, torch.cuda.device_count()
    return Room(node="", host=socket.gethostname(), cpus=cpus, gpus=gpus)


def at_once(resources: Resources, rooms: Sequence[Room]) -> int:
    """How many trials run at the same time on these machines; a trial runs on one of them."""
    gpus = resources.gpus if any(room.gpus for room in rooms) else 0
    slots = sum(
        min(_times(room.cpus, resources.cpus), _times(room.gpus, gpus) if gpus else sys.maxsize)
        for room in rooms
    )
    return min(slots, resources.concurrent or slots)


def _times(have: float, each: float) -> int:
    # Ten tenths of a GPU are one.
    return int(have / each + 1e-6)


def require_room(resources: Resources, rooms: Sequence[Room], notice: Notice) -> bool:
    """Whether trials on these machines have GPUs; a notice where they are to, and there is none.

    Raises NoResources where no machine has room for a trial.
    """
    gpu = resources.gpus > 0 and any(room.gpus for room in rooms)
    if resources.gpus > 0 and not gpu:
        notice("no GPU here: the trials run on the CPU")
    if at_once(resources, rooms) == 0:
        cpus = max((room.cpus for room in rooms), default=0)
        gpus = max((room.gpus for room in rooms), default=0)
        each = f" at most on each of {len(rooms)} machines" if len(rooms) > 1 else ""
        raise NoResources(
            f"a trial asks for {times(resources.cpus, 'CPU')} and {times(resources.gpus, 'GPU')}; "
            f"there are {cpus:g} and {gpus:g}{each}; lower the study's Resources or join a larger "
            "cluster"
        )
    return gpu


def settings(resources: Resources, gpu: bool) -> Settings:
    """What a trial with these resources trains with, unless it is measured."""
    precision = "float32" if resources.precision == "auto" else resources.precision
    device = "cuda" if gpu else "cpu"
    return Settings(device=device, precision=precision, threads=resources.cpus)


def measure(job: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """What a worker does to find the fastest settings; plain values in and out."""
    recipe: Recipe = from_json(job["recipe"], CLASSES)
    best, why = fastest(from_plain(job["layers"]), recipe, job["device"], job["cpus"])
    return asdict(best), why
