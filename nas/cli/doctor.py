"""What this machine has, what is wrong, and what to do about it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

from nas.base.wording import times

ROOM = 5.0
"""GB of free disk below which a run may not end."""


GET = {
    "imagenet": "put its images into {home}/imagenet/train/CLASS/ and val/CLASS/",
    "cifar10": "the first run downloads it into {home}",
    "cifar100": "the first run downloads it into {home}",
    "fashion_mnist": "apt-get install dataset-fashion-mnist, or the first run downloads it",
    "fashion_small": "made of fashion_mnist at the first run",
}
"""How a data set that is not here is had."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at: whether it is well, what was found, and the way out."""

    check: str
    state: Literal["ok", "note", "wrong"]
    found: str
    todo: str = ""


def _versions(storage: str) -> Iterator[Check]:
    yield Check(check="python", state="ok", found=f"{platform.python_version()}, {sys.prefix}")
    for wanted in map(Requirement, requires("inception-nas") or ()):
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        todo = f"{sys.executable} -m pip install '{wanted}'"
        try:
            have = version(wanted.name)
        except PackageNotFoundError:
            yield Check(check=wanted.name, state="wrong", found="not installed", todo=todo)
            continue
        if wanted.specifier.contains(have, prereleases=True):
            yield Check(check=wanted.name, state="ok", found=have)
        else:
            found = f"{have}, where {wanted.specifier} is needed"
            yield Check(check=wanted.name, state="wrong", found=found, todo=todo)


def _devices(storage: str) -> Iterator[Check]:
    import torch

    cores = times(os.cpu_count() or 1, "core")
    yield Check(check="cpu", state="ok", found=f"{cores}, {platform.machine()}")
    gpus = [torch.cuda.get_device_name(at) for at in range(torch.cuda.device_count())]
    if gpus:
        yield Check(check="gpu", state="ok", found=", ".join(gpus))
    else:
        todo = "trials run on the CPU, one thread each unless Resources(cpus=...) says more"
        yield Check(check="gpu", state="note", found="none that torch can use", todo=todo)


def _ray(storage: str) -> Iterator[Check]:
    from nas.base.errors import NoResources
    from nas.engine.cluster import Cluster
    from nas.plan.study import Resources

    try:
        with Cluster(Resources(), None, lambda text: None) as cluster:
            found = f"starts here, {times(cluster.concurrent, 'trial')} at a time"
        yield Check(check="ray", state="ok", found=found)
    except (NoResources, OSError, RuntimeError) as error:
        todo = "`nas run --local` does without it"
        yield Check(check="ray", state="wrong", found=str(error), todo=todo)


def _database(storage: str) -> Iterator[Check]:
    from nas.base.errors import StorageError
    from nas.store.database import connect, exists, shown
    from nas.store.reading import study_names

    try:
        if not exists(storage):
            todo, found = "`nas run STUDY` makes it", f"none at {shown(storage)}"
            yield Check(check="database", state="note", found=found, todo=todo)
            return
        with connect(storage) as database:
            studies = times(len(study_names(database)), "study", "studies")
        yield Check(check="database", state="ok", found=f"{shown(storage)}, {studies}")
    except StorageError as error:
        todo = "give another --storage, or set $NAS_STORAGE"
        yield Check(check="database", state="wrong", found=str(error), todo=todo)


def _data(storage: str) -> Iterator[Check]:
    from nas.data.catalogue import READY
    from nas.data.datasets import DATASETS
    from nas.data.fashion_mnist import DEBIAN
    from nas.data.store import find, home, place

    for name, data in DATASETS.items():
        if name in READY:
            yield Check(check=name, state="ok", found="comes with nas")
            continue
        try:
            made = find(data)
        except ValueError as error:
            yield Check(check=name, state="wrong", found=str(error), todo="delete it")
            continue
        if made:
            yield Check(check=name, state="ok", found=f"made, at {place(data)}")
        elif name.startswith("fashion") and DEBIAN.exists():
            yield Check(check=name, state="ok", found=f"the first run makes it from {DEBIAN}")
        else:
            get = GET[name].format(home=home())
            yield Check(check=name, state="note", found="not made yet", todo=get)


def _disk(storage: str) -> Iterator[Check]:
    from nas.base.paths import home

    place = next(folder for folder in (home(), *home().parents) if folder.exists())
    yield _room("disk", place, ROOM, "free some space, or set $NAS_HOME to another disk")
    shared = Path("/dev/shm")  # noqa: S108 - where Ray keeps what workers share
    if shared.exists():
        yield _room("shared memory", shared, 0.1, "give /dev/shm more (docker: --shm-size=2g)")


def _room(name: str, place: Path, least: float, todo: str) -> Check:
    free = shutil.disk_usage(place).free / 1e9
    if not os.access(place, os.W_OK):
        return Check(check=name, state="wrong", found=f"{place} is not yours to write", todo=todo)
    state = "ok" if free >= least else "wrong"
    return Check(
        check=name, state=state, found=f"{free:.1f} GB free at {place}",
        todo="" if state == "ok" else todo,
    )  # fmt: skip


CHECKS: tuple[Callable[[str], Iterator[Check]], ...] = (
    _versions,
    _devices,
    _ray,
    _database,
    _data,
    _disk,
)
