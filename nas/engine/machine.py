"""What runs the trials, this process or a Ray cluster: checked before the first is asked for."""

from __future__ import annotations

import logging
import math
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import torch

from nas.base.errors import NoResources
from nas.base.wording import times
from nas.experiment.experiment import CLASSES, Experiment
from nas.experiment.recipe import Recipe
from nas.networks.layers import from_plain, to_plain
from nas.plan.study import Resources
from nas.runs.record import Settings
from nas.train.settings import fastest
from nas.tree.tree import from_json, to_json

Notice = Callable[[str], None]

LOOKED_EVERY = 5.0
"""Seconds after which the driver looks again which machines there are."""
GONE = 20.0
"""Seconds after which a head that does not listen is taken to be gone."""
ANSWERS = 120.0
"""Seconds within which a machine says what it sees; the first worker has to be started."""
WAYS_IN = (
    "start one by `ray start`, and say its HOST:PORT or auto",
    "somebody listens there: is it Ray, of this version, ~/.ray/auth_token the one of the cluster, "
    "and RAY_AUTH_MODE=token set?",
)
"""What to do where an address leads to no cluster; where somebody listens, and Ray does not answer.
"""
HERE = "local"
"""Ray's word for a cluster of this process's own, on this machine."""
LITTLE = 0.01
"""So much of a GPU is enough to see whether torch can use it."""


@dataclass(frozen=True, kw_only=True)
class Room:
    """What one machine has for trials; `node` is Ray's name of it."""

    node: str
    host: str
    cpus: float
    gpus: float


def at_once(resources: Resources, rooms: Iterable[Room]) -> int:
    """How many trials run at the same time on these machines; a trial runs on one of them."""
    rooms = tuple(rooms)
    gpus = resources.gpus if any(room.gpus for room in rooms) else 0
    slots = sum(
        min(_times(room.cpus, resources.cpus), _times(room.gpus, gpus) if gpus else sys.maxsize)
        for room in rooms
    )
    return min(slots, resources.concurrent or slots)


def _times(have: float, each: float) -> int:
    # Ten tenths of a GPU are one.
    return int(have / each + 1e-6)


def here() -> Room:
    """What this machine has."""
    cpus, gpus = os.cpu_count() or 1, torch.cuda.device_count()
    return Room(node="", host=socket.gethostname(), cpus=cpus, gpus=gpus)


def look(file: str) -> tuple[bool, bool]:
    """What a worker sees: whether there is the driver's file, and a GPU that torch can use."""
    return Path(file).exists(), torch.cuda.is_available()


def settings(resources: Resources, gpu: bool) -> Settings:
    """What a trial with these resources trains with, unless it is measured."""
    precision = "float32" if resources.precision == "auto" else resources.precision
    device = "cuda" if gpu else "cpu"
    return Settings(device=device, precision=precision, threads=resources.cpus)


def measure(job: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """What a worker does to find the fastest settings; plain values in and out."""
    recipe: Recipe = from_json(job["recipe"], CLASSES)
    found, said = fastest(from_plain(job["layers"]), recipe, job["device"], job["cpus"])
    return asdict(found), said


class _NoAnswer(NoResources):
    """A machine did not say what it sees."""


class Machine:
    """What runs the trials: checked before the first is asked for, and given back at the end.

    `folder` is where the workers write; a machine of the cluster that does not share it is refused.
    """

    def __init__(
        self,
        resources: Resources,
        address: str | None,
        local: bool,
        notice: Notice,
        folder: Path | None = None,
    ) -> None:
        # Without an address Ray would join any cluster that it finds here.
        self.address = address or os.environ.get("RAY_ADDRESS") or HERE
        self.resources, self.local = resources, local
        self.notice, self.folder = notice, folder
        self.started = False
        self._rooms: tuple[Room, ...] = ()
        self._seen = -math.inf
        self._head, self._over = "", threading.Event()
        self._unheard = set[str]()

    def __enter__(self) -> Machine:
        wanted = self.resources
        if self.local:
            self._rooms = (here(),)
        else:
            self._join()
        try:
            self._check(wanted)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _check(self, wanted: Resources) -> None:
        if not self.local:
            self._rooms = rooms()
        use_gpu = wanted.gpus > 0 and any(room.gpus for room in self._rooms)
        if wanted.gpus > 0 and not use_gpu:
            self.notice("no GPU here: the trials run on the CPU")
        if at_once(wanted, self._rooms) == 0:
            cpus = max((room.cpus for room in self._rooms), default=0)
            gpus = max((room.gpus for room in self._rooms), default=0)
            many = f" at most on each of {len(self._rooms)} machines"
            raise NoResources(
                f"a trial asks for {times(wanted.cpus, 'CPU')} and {times(wanted.gpus, 'GPU')}; "
                f"there are {cpus:g} and {gpus:g}{many if len(self._rooms) > 1 else ''}; lower the "
                "study's Resources or join a larger cluster"
            )
        self.per_trial = {"cpu": wanted.cpus} | ({"gpu": wanted.gpus} if use_gpu else {})
        seen = self._require_shared(self._rooms, use_gpu) if not self.local else use_gpu
        if use_gpu and not seen:
            self.notice("torch can use none of the GPUs here: the trials run on the CPU")
        self.settings = settings(wanted, use_gpu and seen)
        if not self.local and self.address != HERE:
            cpus, gpus = (sum(getattr(r, of) for r in self._rooms) for of in ("cpus", "gpus"))
            self.notice(
                f"Ray at {self._head}: {self._machines}, {times(cpus, 'CPU')}, "
                f"{times(gpus, 'GPU')}, room for "
                f"{times(at_once(wanted, self._rooms), 'trial')} at a time"
            )

    @property
    def concurrent(self) -> int:
        """How many trials run at the same time now: machines may come and go."""
        if not self.local and time.monotonic() - self._seen > LOOKED_EVERY:
            self._look_again()
            self._seen = time.monotonic()
        return at_once(self.resources, self._rooms)

    def _look_again(self) -> None:
        before, self._rooms = self._rooms, rooms()
        known = {room.node for room in before}
        new = [room for room in self._rooms if room.node not in known]
        try:
            self._require_shared(new)
        except _NoAnswer as error:
            # It is gone again, or it will be asked again: no reason to end the others.
            self._rooms = tuple(room for room in self._rooms if room.node in known)
            nodes = {room.node for room in new}
            if nodes != self._unheard:
                self.notice(f"left out for now: {error}")
            self._unheard = nodes
        now = at_once(self.resources, self._rooms)
        if now != at_once(self.resources, before):
            room = f"room for {times(now, 'trial')} at a time"
            self.notice(f"the cluster has {self._machines} now, {room}")

    @property
    def _machines(self) -> str:
        return times(len(self._rooms), "machine")

    def _watch(self) -> None:
        """Ends this process where the head of its cluster is gone: no call of Ray's returns then,
        and Ray itself would end it, without a word of ours. All that was told is stored."""
        heard = time.monotonic()
        while not self._over.wait(LOOKED_EVERY):
            try:
                _reach(self._head)
                heard = time.monotonic()
            except OSError as error:
                if time.monotonic() - heard > GONE:
                    self.notice(
                        f"the Ray cluster at {self._head} went away ({error}); start it again, and "
                        "the same command goes on"
                    )
                    os._exit(NoResources.code)

    def _require_shared(self, found: Sequence[Room], gpu: bool = False) -> bool:
        """Asks the machines whether they see the driver's folder; whether torch has a GPU on each
        that has some. NoResources where one does not see it."""
        if self.folder is None or not found:
            return False
        import ray

        own = ray.get_runtime_context().get_node_id()
        if not gpu and all(room.node == own for room in found):
            return False
        from ray.exceptions import RayError
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        with NamedTemporaryFile(dir=self.folder, prefix=".shared-") as file:
            asked = {
                room: ray.remote(look)
                .options(
                    num_cpus=0,
                    num_gpus=LITTLE if room.gpus else 0,
                    scheduling_strategy=NodeAffinitySchedulingStrategy(room.node, soft=False),
                )
                .remote(file.name)
                for room in found
            }
            try:
                told = dict(zip(asked, ray.get([*asked.values()], timeout=ANSWERS), strict=True))
            except RayError as error:
                hosts = ", ".join(sorted({room.host for room in found}))
                last = (str(error).strip().splitlines() or [type(error).__name__])[-1]
                raise _NoAnswer(
                    f"a machine of the cluster ({hosts}) cannot run trials: {last}"
                ) from error
        blind = sorted({room.host for room, (sees, _) in told.items() if not sees})
        if blind:
            raise NoResources(
                f"{', '.join(blind)} cannot see {self.folder}: the workers write checkpoints, "
                "predictions, weights and logs there; set $NAS_HOME to a folder that all machines "
                "share at one path"
            )
        return all(can for room, (_, can) in told.items() if room.gpus)

    def measured(self, baseline: Experiment) -> Settings:
        """The fastest settings for the baseline, measured where the trials run; told once."""
        job = {
            "layers": to_plain(baseline.trained_layers),
            "recipe": to_json(baseline.recipe),
            "device": self.settings.device,
            "cpus": self.settings.threads,
        }
        if self.local:
            found, said = measure(job)
        else:
            import ray

            gpus = self.per_trial.get("gpu", 0)
            task = ray.remote(num_cpus=self.settings.threads, num_gpus=gpus)(measure)
            found, said = ray.get(task.remote(job))
        self.notice(said)
        return Settings(**found)

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self.started:
            import ray

            ray.shutdown()

    def _join(self) -> None:
        os.environ.update(
            RAY_AIR_NEW_OUTPUT="0",
            RAY_USAGE_STATS_ENABLED="0",
            RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0",
            TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1",
            TUNE_DISABLE_SIGINT_HANDLER="1",
            TUNE_GLOBAL_CHECKPOINT_S="1000000",
        )
        import ray

        if self.address.startswith("ray://"):
            raise ValueError(
                "a driver runs on a machine of the cluster: log in to its head, or use `ray job "
                "submit`, and say --address auto there"
            )
        if not ray.is_initialized():
            main = threading.current_thread() is threading.main_thread()
            ends = (signal.SIGTERM, signal.SIGINT) if main else ()
            handlers = {end: signal.getsignal(end) for end in ends}
            heard = False
            try:
                heard = _reach(self.address)
                ray.init(
                    address=self.address,
                    include_dashboard=False if self.address == HERE else None,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                )
            except (OSError, RuntimeError, ValueError) as error:
                where = "this machine" if self.address == HERE else self.address
                raise NoResources(
                    f"no Ray cluster at {where}: {str(error).splitlines()[0]}; {WAYS_IN[heard]}"
                ) from error
            finally:
                # Ray takes these for itself, and would end a driver in the middle of a write.
                for end, handler in handlers.items():
                    signal.signal(end, handler)
            self.started = True
        self._head = ray.get_runtime_context().gcs_address
        if self.started:
            threading.Thread(target=self._watch, daemon=True).start()
        for name in ("ray.tune", "ray.train", "ray"):
            logging.getLogger(name).setLevel(logging.CRITICAL)


def rooms() -> tuple[Room, ...]:
    """The machines of the cluster that are alive and have CPUs."""
    import ray

    found = ((node, node["Resources"]) for node in ray.nodes() if node["Alive"])
    return tuple(
        Room(
            node=node["NodeID"],
            host=node["NodeManagerHostname"],
            cpus=have["CPU"],
            gpus=have.get("GPU", 0),
        )
        for node, have in found
        if "CPU" in have
    )


def _reach(address: str) -> bool:
    """Whether an address is HOST:PORT where somebody listens; OSError when nobody does: Ray itself
    would wait for five minutes."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():
        return False
    socket.create_connection((host, int(port)), timeout=10).close()
    return True
