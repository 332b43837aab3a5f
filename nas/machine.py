"""What runs the trials, this process or a Ray cluster: checked before the first is asked for."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch

from nas.errors import NoResources
from nas.experiment import CLASSES, Experiment
from nas.layers import from_plain
from nas.measure import fastest
from nas.recipe import Recipe
from nas.record import Settings
from nas.study import Resources
from nas.tree import from_json, to_json

Notice = Callable[[str], None]


def at_once(resources: Resources, cpus: float, gpus: float) -> int:
    """How many trials run at the same time where there are so many CPUs and GPUs."""
    slots = cpus // resources.cpus
    if resources.gpus and gpus:
        slots = min(slots, gpus // resources.gpus)
    return int(min(slots, resources.concurrent or slots))


def here() -> tuple[int, int]:
    """How many CPUs and GPUs this machine has."""
    return os.cpu_count() or 1, torch.cuda.device_count()


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


class Machine:
    """What runs the trials: checked before the first is asked for, and given back at the end."""

    def __init__(
        self, resources: Resources, address: str | None, local: bool, notice: Notice
    ) -> None:
        self.resources, self.address, self.local = resources, address, local
        self.notice = notice
        self.started = False

    def __enter__(self) -> Machine:
        wanted = self.resources
        cpus, gpus = here() if self.local else self._join()
        use_gpu = wanted.gpus > 0 and gpus > 0
        if wanted.gpus > 0 and not use_gpu:
            self.notice("no GPU here: the trials run on the CPU")
        if wanted.cpus > cpus or (use_gpu and wanted.gpus > gpus):
            self.__exit__()
            raise NoResources(
                f"a trial asks for {wanted.cpus} CPUs and {wanted.gpus:g} GPUs; there are "
                f"{cpus:g} and {gpus:g}; lower the study's Resources or join a larger cluster"
            )
        self.concurrent = at_once(wanted, cpus, gpus)
        self.per_trial = {"cpu": wanted.cpus} | ({"gpu": wanted.gpus} if use_gpu else {})
        self.settings = settings(wanted, use_gpu)
        return self

    def measured(self, baseline: Experiment) -> Settings:
        """The fastest settings for the baseline, measured where the trials run; told once."""
        job = {
            "layers": [asdict(layer) for layer in baseline.trained_layers],
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
        if self.started:
            import ray

            ray.shutdown()

    def _join(self) -> tuple[float, float]:
        os.environ.update(
            RAY_AIR_NEW_OUTPUT="0",
            RAY_USAGE_STATS_ENABLED="0",
            RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0",
            TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1",
            TUNE_DISABLE_SIGINT_HANDLER="1",
            TUNE_GLOBAL_CHECKPOINT_S="1000000",
        )
        import ray

        if not ray.is_initialized():
            main = threading.current_thread() is threading.main_thread()
            ends = (signal.SIGTERM, signal.SIGINT) if main else ()
            handlers = {end: signal.getsignal(end) for end in ends}
            wanted = self.address or os.environ.get("RAY_ADDRESS")
            try:
                _reach(wanted)
                ray.init(
                    address=self.address,
                    include_dashboard=None if self.address else False,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                )
            except (OSError, RuntimeError) as error:
                raise NoResources(
                    f"no Ray cluster at {wanted or 'this machine'}: {str(error).splitlines()[0]}"
                ) from error
            finally:
                # Ray takes these for itself, and would end a driver in the middle of a write.
                for end, handler in handlers.items():
                    signal.signal(end, handler)
            self.started = True
        for name in ("ray.tune", "ray.train", "ray"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        have = ray.cluster_resources()
        return have.get("CPU", 0), have.get("GPU", 0)


def _reach(address: str | None) -> None:
    """OSError when nobody listens at HOST:PORT; Ray itself would wait for five minutes."""
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host, int(port)), timeout=10).close()
