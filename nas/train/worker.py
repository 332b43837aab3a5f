"""What a worker runs: one experiment on one seed, step by step, with reports and checkpoints.

A job and a report are JSON values, never pickled objects of ours. Every epoch is on disk before it
is reported, so that a killed trial goes on from it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import math
import os
import platform
import socket
import time
import traceback
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch.optim.swa_utils import AveragedModel

from nas.base import failpoints
from nas.base.asking import within
from nas.base.paths import log_path, predictions_path
from nas.base.wording import one_line
from nas.experiment.experiment import CLASSES
from nas.networks.layers import from_plain, inference
from nas.runs.failures import FULL, Failure, TimeLimit, classified, constraint, is_full
from nas.runs.record import Epoch, Origin, Protocol, Seeds, Settings
from nas.runs.scores import Crops, top
from nas.train.audit import audit
from nas.train.evaluation import predict
from nas.train.training import Training
from nas.tree.tree import fingerprint, from_json, to_json

PACKAGES = ("inception-nas", "numpy", "torch")
"""Whose versions are kept with a run."""


class Job(TypedDict):
    """What the driver asks of a worker: a list of layers and a recipe, so that a worker needs no
    class of the user's. `counted` are the layers at the image size that the budget counts at;
    `crops` asks to score the test split over so many views, once, after the last epoch; `seconds`
    is how long all of it may take."""

    number: int
    layers: list[dict[str, Any]]
    counted: list[dict[str, Any]]
    recipe: dict[str, Any]
    seeds: dict[str, int]
    settings: dict[str, Any]
    folder: str
    crops: Crops | None
    seconds: float | None


class Report(TypedDict):
    """What a worker says after each step. `outcome` ends the run, or `failure`, by its class and
    with the constraint that it met; `test` is the accuracy on the test split in percent; `halt`
    says why no run can go on, with this one to be taken up again."""

    number: int
    epochs: list[dict[str, Any]]
    outcome: NotRequired[Literal["complete", "diverged"]]
    failure: NotRequired[Failure]
    constraint: NotRequired[str | None]
    reason: NotRequired[str]
    origin: NotRequired[dict[str, Any]]
    mult_adds_fvcore: NotRequired[int]
    protocol: NotRequired[dict[str, Any]]
    predictions: NotRequired[str]
    test: NotRequired[float]
    weights: NotRequired[str]
    halt: NotRequired[str]


class Trial:
    """A job under way in this process; `step` trains one epoch and reports it."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.training: Training | None = None
        self.curve: list[Epoch] = []
        self.predictions = ""
        self.test: float | None = None
        self._began, self._before = time.monotonic(), 0.0

    def step(self) -> Report:
        """Trains the next epoch; a failure is a report too."""
        report: Report = {"number": self.job["number"], "epochs": []}
        try:
            with within(self.left, TimeLimit):
                self._step(report)
        except Exception as error:
            if is_full(error):
                # The epoch is not on disk, so it has not been: it will be trained again.
                return {"number": self.job["number"], "epochs": [], "halt": os.strerror(FULL[0])}
            self._write_traceback()
            report["failure"], report["reason"] = classified(error), one_line(error)
            report["constraint"] = constraint(error)
        return report

    @property
    def log(self) -> Path:
        """Where the worker's output and the tracebacks of this run are."""
        return log_path(self.job["folder"], self.job["number"])

    def _write_traceback(self) -> None:
        with suppress(OSError):
            self.log.parent.mkdir(parents=True, exist_ok=True)
            with self.log.open("a") as log:
                log.write(traceback.format_exc())

    @property
    def left(self) -> float | None:
        """The seconds that the run has left, without those of the epochs of its checkpoint."""
        limit = self.job["seconds"]
        return None if limit is None else limit - (time.monotonic() - self._began) - self._before

    def _step(self, report: Report) -> None:
        if self.training is None:
            self.training = self._start(report)
            if self.curve and not (self.training.finished or self._diverged):
                # The driver decides about the epochs that it may not have seen, first.
                return
        self._advance(self.training, report)

    def _start(self, report: Report) -> Training:
        counted = audit(from_plain(self.job["counted"]))
        training = Training(
            from_plain(self.job["layers"]),
            from_json(self.job["recipe"], CLASSES),
            Seeds(**self.job["seeds"]),
            Settings(**self.job["settings"]),
        )
        report["mult_adds_fvcore"] = counted.mult_adds
        report["protocol"] = to_json(protocol(training, self.job["crops"]))
        report["origin"] = asdict(origin(training.settings.device))
        self._run = self._identity(report["protocol"])
        saved = self._saved()
        if saved is not None:
            self.predictions, self.test = saved["predictions"], saved.get("test")
            training.restore(saved["training"])
            self.curve = [Epoch(**epoch) for epoch in json.loads(saved["curve"])]
            self._before = sum(epoch.seconds for epoch in self.curve)
            report["epochs"] = [asdict(epoch) for epoch in self.curve]
        return training

    def _saved(self) -> dict[str, Any] | None:
        """The newest checkpoint of this run that is whole."""
        for path in checkpoints(self.job["folder"], self.job["number"])[:2]:
            saved = _read(path)
            if saved is not None and saved["run"] == self._run:
                return saved
        return None

    def _identity(self, protocol: dict[str, Any]) -> str:
        """What a checkpoint must be of: another database may use the same folder and numbers, and
        the data set or the trainer may have changed since."""
        job = self.job
        return fingerprint([job["layers"], job["recipe"], job["seeds"], job["settings"], protocol])

    @property
    def _diverged(self) -> bool:
        last = self.curve[-1:]
        return any(not math.isfinite(e.train_loss) or not math.isfinite(e.loss) for e in last)

    def _advance(self, training: Training, report: Report) -> None:
        if not training.finished and not self._diverged:
            failpoints.reach("before_epoch")
            epoch = next(iter(training))
            failpoints.reach("after_epoch", self.job["number"], epoch.epoch, epoch.train_loss)
            self.curve.append(epoch)
            report["epochs"].append(asdict(epoch))
        diverged = self._diverged
        over = training.finished or diverged
        folder, number = self.job["folder"], self.job["number"]
        crops = self.job["crops"]
        content = None
        if over and crops and self.test is None:
            # Nobody has seen the score of a worker that dies before this is on disk.
            made = predict(training, "test", crops)
            self.test = top(made.probabilities, made.labels, 1)
            content = packed(made.probabilities, made.labels)
        elif over and not crops and training.probabilities is not None:
            content = packed(training.probabilities, training.labels)
        if content is not None:
            self.predictions = _keep(predictions_path(folder, _sha256(content)), content)
        saved = {
            "run": self._run,
            "training": training.state(),
            "curve": json.dumps([asdict(epoch) for epoch in self.curve]),
            "predictions": self.predictions,
            "test": self.test,
        }
        _save(folder, number, _pack(saved))
        if over:
            report["outcome"] = "diverged" if diverged else "complete"
            report["predictions"] = self.predictions
            if self.test is not None:
                report["test"] = self.test
            if diverged:
                report["reason"] = f"the loss was not finite in epoch {training.epoch}"
            else:
                content = weights(training)
                report["weights"] = _keep(weights_path(folder, _sha256(content)), content)


def origin(device: str) -> Origin:
    """Where this process trains on a device."""
    name = torch.cuda.get_device_name() if device == "cuda" else platform.machine()
    versions = {"python": platform.python_version()} | {each: version(each) for each in PACKAGES}
    return Origin(host=socket.gethostname(), device=f"{device}: {name}", versions=versions)


def checkpoints(folder: str | Path, number: int) -> tuple[Path, ...]:
    """The files of a running trial: its last epoch, the one before, and what was never finished."""
    path = Path(folder) / "checkpoints" / f"{number}.pt"
    return (path, path.with_suffix(".before.pt"), *path.parent.glob(f"{number}.*.partial"))


def protocol(training: Training, crops: Crops | None) -> Protocol:
    """The protocol of a run, which reads the test split over so many crops, or not at all."""
    if crops is None:
        return training.protocol
    views = "one crop" if crops == 1 else f"{crops} crops"
    said = f"{training.protocol.evaluation}; test, last epoch, {views}"
    return dataclasses.replace(training.protocol, evaluation=said)


def weights_path(folder: str | Path, sha256: str) -> Path:
    """Where a complete run's weights are kept, by the hash of the file: safetensors."""
    return Path(folder) / "weights" / f"{sha256}.safetensors"


def weights(training: Training) -> bytes:
    """What is kept of a finished training, as safetensors: the tensors that were scored, without
    the aux heads, by the names of `nas.train.net.Net`; and mean and std of the pixels for them."""
    kept = {layer.name for layer in inference(training.layers)}
    net = training.scored
    tensors = (net.module if isinstance(net, AveragedModel) else net).state_dict()
    return safetensors.torch.save(
        {
            name: t.cpu().contiguous()
            for name, t in tensors.items()
            if name.rpartition(".")[0] in kept
        },
        metadata={"pixels": json.dumps({"mean": training.mean, "std": training.std})},
    )


def _keep(path: Path, content: bytes) -> str:
    """Writes a file that is named by its hash, and gives that."""
    _write(path, content)
    return path.stem


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def predictions_sha256(training: Training) -> str:
    """The name that a finished training's predictions are kept under."""
    assert training.probabilities is not None
    return _sha256(packed(training.probabilities, training.labels))


def packed(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> bytes:
    """Predictions as the file that is kept: `probabilities` (N, K) in float16, `labels` (N,)."""
    buffer = io.BytesIO()
    np.savez(buffer, probabilities=probabilities.astype(np.float16), labels=labels)
    return buffer.getvalue()


def _pack(values: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save(dict(values), buffer)
    payload = buffer.getvalue()
    return hashlib.sha256(payload).digest() + payload


def _read(path: Path) -> dict[str, Any] | None:
    """A checkpoint's values; None when there is none, or when it is torn."""
    if not path.exists():
        return None
    content = path.read_bytes()
    payload = content[32:]
    if hashlib.sha256(payload).digest() != content[:32]:
        return None
    return torch.load(io.BytesIO(payload), weights_only=True)


def _save(folder: str | Path, number: int, content: bytes) -> None:
    """Writes a checkpoint; the one before stays beside it."""
    path, before, *_ = checkpoints(folder, number)
    with _written(path, content) as partial:
        if path.exists():
            path.replace(before)
        failpoints.reach("between_checkpoints")
        partial.replace(path)
    failpoints.reach("after_checkpoint")


def _write(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all."""
    with _written(path, content) as partial:
        partial.replace(path)


@contextmanager
def _written(path: Path, content: bytes) -> Generator[Path]:
    """A file with this content on the disk, to be renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    failpoints.reach("in_checkpoint")
    yield partial
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
