"""The same run again, held against what the database has of it."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass

from nas.experiment.experiment import rebuilt
from nas.runs.record import Epoch, Protocol, Record
from nas.train.training import Training
from nas.train.worker import predictions_sha256, protocol, weights

TIMES = ("seconds", "images_per_second")


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one part of a replay says; `parted` is set where it is not what is stored. The last
    step of a complete run has its weights, as `nas.train.worker.weights` packs them."""

    said: str
    parted: str | None = None
    weights: bytes | None = None


def replay(record: Record) -> Iterator[Step]:
    """Trains a run again, as many epochs as it has, and compares each number of each.

    Yields the protocol, then each epoch, then the predictions, then the weights; the test split,
    which a confirmation's predictions are for, is not read again. Raises ValueError for a run that
    never ended an epoch.
    """
    if not record.curve or record.protocol is None:
        raise ValueError(f"trial {record.number} was {record.state} before its first epoch")
    stored = record.protocol
    experiment = rebuilt(record.experiment, record.network_id)
    training = Training(
        experiment.trained_layers, experiment.recipe, record.seeds, stored.settings("cpu")
    )
    yield _protocol(stored, protocol(training, record.crops))
    for before in record.curve:
        yield _epoch(before, next(iter(training)))
    if record.crops:
        yield Step(said="the test split is not read again")
    elif record.predictions and training.finished:
        same = predictions_sha256(training) == record.predictions
        said = "the predictions have another hash"
        yield Step(
            said=f"predictions {'equal' if same else 'differ'}", parted=None if same else said
        )
    if training.finished and record.state == "complete":
        yield _weights(record.weights, weights(training))


def _weights(stored: str | None, made: bytes) -> Step:
    if stored is None:
        return Step(said="weights: none are stored to compare with", weights=made)
    same = hashlib.sha256(made).hexdigest() == stored
    parted = None if same else "the weights have another hash"
    return Step(said=f"weights {'equal' if same else 'differ'}", parted=parted, weights=made)


def _protocol(stored: Protocol, now: Protocol) -> Step:
    for field in dataclasses.fields(stored):
        old, new = getattr(stored, field.name), getattr(now, field.name)
        if old != new:
            name = field.name.replace("_", " ")
            return Step(said=f"protocol differs: {name}", parted=f"{name} was {old}, is {new}")
    return Step(said="protocol equal")


def _epoch(stored: Epoch, now: Epoch) -> Step:
    found = now.values
    for name, old in stored.values.items():
        new = found.get(name, math.nan)
        # The database keeps no difference between the numbers that are not finite.
        lost = not math.isfinite(old) and not math.isfinite(new)
        if name in TIMES or old == new or lost:
            continue
        spoken = name.replace("_", " ")
        return Step(
            said=f"epoch {stored.epoch} differs: {spoken}",
            parted=f"in epoch {stored.epoch} {spoken} was {old!r}, is {new!r}",
        )
    return Step(said=f"epoch {stored.epoch} equal: {now.accuracy:.2f} %, loss {now.loss:.4f}")
