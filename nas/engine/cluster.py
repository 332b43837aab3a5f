"""A Ray cluster runs the trials: joined and checked before the first is asked for."""

from __future__ import annotations

import logging
import math
import os
import signal
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Self

import ray
import torch
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from nas.base.errors import NoResources
from nas.base.wording import times
from nas.engine.executor import Executor, Session
from nas.engine.machine import Notice, Room, at_once, measure, require_room, settings
from nas.engine.processes import Own, discreet
from nas.engine.ray_tune import carry
from nas.plan.study import Resources

LOOKED_EVERY = 5.0
"""Seconds after which the driver looks again which machines there are."""
GLANCED_EVERY = 0.1
"""Seconds after which it looks whether those that it met are there."""
SILENT = 6
"""So many looks in a row without an answer, or at a process that is stopped, are enough."""
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


class _NoAnswer(NoResources):
    """A machine did not say what it sees."""


class Cluster(Executor):
    """The machines of a Ray cluster, or Ray on this one.

    `folder` is where the workers write; a machine of the cluster that does not share it is refused.
    """

    def __init__(
        self,
        resources: Resources,
        address: str | None,
        notice: Notice,
        folder: Path | None = None,
    ) -> None:
        super().__init__(notice)
        self.resources, self.folder = resources, folder
        # Without an address Ray would join any cluster that it finds here.
        self.address = address or os.environ.get("RAY_ADDRESS") or HERE
        self._started = False
        self._rooms: tuple[Room, ...] = ()
        self._seen = -math.inf
        self._head, self._over, self._beats = "", threading.Event(), 0
        self._unheard = set[str]()

    def __enter__(self) -> Self:
        self._started = join(self.address)
        self._head = ray.get_runtime_context().gcs_address
        if self._started:
            for each in (self._beat, self._watch):
                threading.Thread(target=each, daemon=True).start()
        try:
            self._check()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._started:
            ray.shutdown()

    def carry(self, session: Session) -> None:
        carry(session, lambda: self.concurrent, self.per_trial)

    @property
    def concurrent(self) -> int:
        """How many trials run at the same time now: machines may come and go."""
        if time.monotonic() - self._seen > LOOKED_EVERY:
            self._look_again()
            self._seen = time.monotonic()
        return at_once(self.resources, self._rooms)

    def _check(self) -> None:
        wanted, self._rooms = self.resources, rooms()
        gpu = require_room(wanted, self._rooms, self.notice)
        self.per_trial = {"cpu": wanted.cpus} | ({"gpu": wanted.gpus} if gpu else {})
        usable = self._require_shared(self._rooms, gpu)
        if gpu and not usable:
            self.notice("torch can use none of the GPUs here: the trials run on the CPU")
        self.settings = settings(wanted, gpu and usable)
        if self.address != HERE:
            cpus, gpus = (sum(getattr(r, of) for r in self._rooms) for of in ("cpus", "gpus"))
            self.notice(
                f"Ray at {self._head}: {self._machines}, {times(cpus, 'CPU')}, "
                f"{times(gpus, 'GPU')}, room for "
                f"{times(at_once(wanted, self._rooms), 'trial')} at a time"
            )

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
        """Ends this process where its cluster is gone: no call of Ray's returns then, and Ray
        itself would end it, without a word of ours. All that was told is stored."""
        own, answered, silent, stopped, looks = Own(), 0, 0, 0, 0
        while not self._over.wait(GLANCED_EVERY):
            # Ray ends this process within a second of an agent's death, and says nothing.
            lost, looks = own.died(), looks + 1
            # Looks are counted, not seconds: this process may have been stopped itself.
            if looks % (LOOKED_EVERY // GLANCED_EVERY) == 0:
                silent = 0 if self._beats != answered else silent + 1
                answered = self._beats
                _, still = own.look() if self.address == HERE else ("", "")
                stopped = stopped + 1 if still else 0
                if stopped >= SILENT:
                    lost = f"{still} is stopped"
                elif silent >= SILENT:
                    lost = "nothing answers"
            if lost and not self._over.is_set():
                self._leave(lost)

    def _leave(self, why: str) -> None:
        here = self.address == HERE
        where = "on this machine" if here else f"cluster at {self._head}"
        again = "" if here else "start it again, and "
        self.notice(
            f"Ray {where} went away ({why}); nothing is lost: {again}the same command goes on"
        )
        os._exit(NoResources.code)

    def _beat(self) -> None:
        """Counts Ray's answers, while it answers that this machine is part of it."""
        node = ray.get_runtime_context().get_node_id()
        while not self._over.is_set():
            with suppress(Exception):
                if any(each["Alive"] and each["NodeID"] == node for each in ray.nodes()):
                    self._beats += 1
            self._over.wait(LOOKED_EVERY / 2)

    def _require_shared(self, new: Sequence[Room], gpu: bool = False) -> bool:
        """Asks the machines whether they see the driver's folder; whether torch has a GPU on each
        that has some. NoResources where one does not see it."""
        if self.folder is None or not new:
            return False
        own = ray.get_runtime_context().get_node_id()
        if not gpu and all(room.node == own for room in new):
            return False
        with NamedTemporaryFile(dir=self.folder, prefix=".shared-") as file:
            answers = _asked(new, file.name)
        blind = sorted({room.host for room, (sees, _) in answers.items() if not sees})
        if blind:
            raise NoResources(
                f"{', '.join(blind)} cannot see {self.folder}: the workers write checkpoints, "
                "predictions, weights and logs there; set $NAS_HOME to a folder that all machines "
                "share at one path"
            )
        return all(can for room, (_, can) in answers.items() if room.gpus)

    def _measure(self, job: dict[str, Any]) -> tuple[dict[str, Any], str]:
        gpus = self.per_trial.get("gpu", 0)
        task = ray.remote(num_cpus=self.settings.threads, num_gpus=gpus)(measure)
        return ray.get(task.remote(job))


def look(file: str) -> tuple[bool, bool]:
    """What a worker sees: whether there is the driver's file, and a GPU that torch can use."""
    return Path(file).exists(), torch.cuda.is_available()


def _asked(machines: Sequence[Room], file: str) -> dict[Room, tuple[bool, bool]]:
    """What `look` says on each of these machines."""
    tasks = [
        ray.remote(look)
        .options(
            num_cpus=0,
            num_gpus=LITTLE if room.gpus else 0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(room.node, soft=False),
        )
        .remote(file)
        for room in machines
    ]
    try:
        return dict(zip(machines, ray.get(tasks, timeout=ANSWERS), strict=True))
    except RayError as error:
        hosts = ", ".join(sorted({room.host for room in machines}))
        last = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise _NoAnswer(f"a machine of the cluster ({hosts}) cannot run trials: {last}") from error


def join(address: str) -> bool:
    """Joins a cluster, or starts one here, without a word of Ray's own; False where this process is
    part of one already. NoResources where there is none."""
    os.environ.update(
        RAY_AIR_NEW_OUTPUT="0",
        RAY_USAGE_STATS_ENABLED="0",
        RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0",
        TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1",
        TUNE_DISABLE_SIGINT_HANDLER="1",
        TUNE_GLOBAL_CHECKPOINT_S="1000000",
    )
    if address.startswith("ray://"):
        raise ValueError(
            "a driver runs on a machine of the cluster: log in to its head, or use `ray job "
            "submit`, and say --address auto there"
        )
    starts = not ray.is_initialized()
    if starts:
        main = threading.current_thread() is threading.main_thread()
        ends = (signal.SIGTERM, signal.SIGINT) if main else ()
        handlers = {end: signal.getsignal(end) for end in ends}
        listens = False
        try:
            listens = _reach(address)
            with discreet() if address == HERE else nullcontext():
                ray.init(
                    address=address,
                    include_dashboard=False if address == HERE else None,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                )
        except (OSError, RuntimeError, ValueError) as error:
            where = "this machine" if address == HERE else address
            raise NoResources(
                f"no Ray cluster at {where}: {str(error).splitlines()[0]}; {WAYS_IN[listens]}"
            ) from error
        finally:
            # Ray takes these for itself, and would end a driver in the middle of a write.
            for end, handler in handlers.items():
                signal.signal(end, handler)
    for name in ("ray.tune", "ray.train", "ray"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return starts


def rooms() -> tuple[Room, ...]:
    """The machines of the cluster that are alive and have CPUs."""
    alive = ((node, node["Resources"]) for node in ray.nodes() if node["Alive"])
    return tuple(
        Room(
            node=node["NodeID"],
            host=node["NodeManagerHostname"],
            cpus=have["CPU"],
            gpus=have.get("GPU", 0),
        )
        for node, have in alive
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
