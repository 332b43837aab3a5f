"""Training: one experiment on one seed, epoch by epoch, the same to the bit at one thread count."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import clip_grads_with_norm_

from nas.augmentation import augmentation
from nas.data.catalogue import load
from nas.data.images import DataSet, split
from nas.gradients import Gradients
from nas.layers import Layer
from nas.network import Net, initialize, reseed_dropout, stream_seed
from nas.optimization import aux_weight, average, averaged, optimizer, schedule
from nas.recipe import Recipe
from nas.record import Epoch, Protocol, Seeds

TRAINING_VERSION = 1
"""Raised when the numbers of a run change; the golden curve of the tests goes red otherwise."""

EVALUATION_BATCH = 1024
KEPT_BYTES = 2**26
"""Images that take no more than this are prepared once; the rest batch by batch, so that no worker
has a copy of a large data set."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the machine trains; float32 and bfloat16, and one thread and two, give other bits."""

    device: str = "cpu"
    precision: Literal["float32", "bfloat16"] = "float32"
    threads: int = 1


class Training:
    """A run under way. Iterate over it for its epochs; `state` and `restore` carry it across
    processes. Raises ValueError for a data set that cannot be loaded."""

    def __init__(
        self, layers: tuple[Layer, ...], recipe: Recipe, seeds: Seeds, settings: Settings
    ) -> None:
        torch.set_num_threads(settings.threads)
        self.layers, self.recipe, self.seeds, self.settings = layers, recipe, seeds, settings
        self.device = torch.device(settings.device)
        data, held_out = load(self.recipe.data), self.recipe.data.validation
        share, side = self.recipe.fidelity.share, self.recipe.trained_size
        train, validation = split(len(data.train), held_out, seeds.split, share)
        self.index = {"train": train, "validation": validation}
        whole = len(data.train) - held_out
        if len(train) == 0:
            raise ValueError(f"Fidelity.share {share:g} leaves none of {whole} images")
        self.train = _Batches(data, train, side, self.device)
        self.validation = _Batches(data, validation, side, self.device)
        self.levels = -data.mean / data.std, (1 - data.mean) / data.std
        self.protocol = Protocol(
            data_sha256=data.sha256,
            split=f"{held_out} of {len(data.train)} held out by the split seed"
            + (f", {len(train)} of the rest drawn by it" if len(train) < whole else ""),
            evaluation="validation, last epoch, one crop",
            precision=settings.precision,
            threads=settings.threads,
            training_version=TRAINING_VERSION,
        )
        self.without_onednn = _breaks_onednn(layers, self.device)
        net = Net(layers)
        initialize(net, seeds.init, self.recipe.initialization)
        self.net = net.to(self.device, memory_format=torch.channels_last)  # pyright: ignore
        self.gradients = Gradients(self.net)
        self.steps = max(1, len(self.train) // self.recipe.batch_size)
        self.total = self.steps * self.recipe.fidelity.epochs
        self.average = average(net, self.recipe, self.total)
        self.optimizer = optimizer(self.net, self.recipe)
        self.schedule = schedule(self.optimizer, self.recipe, self.steps)
        self.epoch = 0
        self.probabilities: NDArray[np.float16] | None = None

    def __iter__(self) -> Iterator[Epoch]:
        while self.epoch < self.recipe.fidelity.epochs:
            yield self._next()

    @property
    def finished(self) -> bool:
        return self.epoch >= self.recipe.fidelity.epochs

    @property
    def labels(self) -> NDArray[np.int64]:
        """The labels (N,) of the validation images, in the order of `probabilities` (N, K)."""
        return self.validation.labels.cpu().numpy()

    @property
    def scored(self) -> nn.Module:
        """The network that is scored: its averaged weights, once there are some."""
        averaged = self.average is not None and int(self.average.n_averaged) > 0
        return self.average if averaged and self.average else self.net

    def state(self) -> dict[str, Any]:
        """Everything that the next epoch depends on, as tensors and plain values."""
        return {
            "epoch": self.epoch,
            "net": self.net.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes up where `state` was taken."""
        self.epoch = state["epoch"]
        self.net.load_state_dict(state["net"])
        if self.average:
            self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])

    def _next(self) -> Epoch:
        if not self.without_onednn:
            return self._epoch()
        with torch.backends.mkldnn.flags(enabled=False):
            return self._epoch()

    def _epoch(self) -> Epoch:
        began = time.perf_counter()
        self.epoch += 1
        self.net.train()
        order = torch.Generator().manual_seed(stream_seed(self.seeds.order, f"order.{self.epoch}"))
        reseed_dropout(self.net, self.seeds.dropout, self.epoch, self.device)
        size = min(self.recipe.batch_size, len(self.train))
        augment = augmentation(self.recipe, order, *self.levels)
        shuffled = torch.randperm(len(self.train), generator=order)
        losses = torch.zeros(1 + len(self.net.heads), device=self.device)
        right = torch.zeros((), dtype=torch.int64, device=self.device)
        for step in range(self.steps):
            images, labels = self.train.at(shuffled[step * size : (step + 1) * size])
            made, logits = self._step(augment(images), labels)
            losses += made
            right += (logits.argmax(1) == labels).sum()
        trained = self.steps * size
        train_loss, *aux_losses = (loss / self.steps for loss in losses.tolist())
        train_accuracy = 100 * int(right) / trained
        seconds = time.perf_counter() - began
        loss, accuracy = self._evaluate()
        return Epoch(
            epoch=self.epoch,
            train_loss=train_loss,
            train_accuracy=train_accuracy,
            loss=loss,
            accuracy=accuracy,
            lr=float(self.optimizer.param_groups[0]["lr"]),
            seconds=seconds,
            images_per_second=trained / seconds,
            aux_losses=dict(zip(self.net.heads, aux_losses, strict=True)),
            gradients=self.gradients.epoch(),
        )

    def _step(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The losses, the aux heads' after the network's, and the logits (N, K)."""
        smoothing = self.recipe.label_smoothing
        with self.autocast():
            outputs = self.net.outputs(images)
            loss, *aux = (
                functional.cross_entropy(logits, labels, label_smoothing=smoothing)
                for logits in outputs.values()
            )
        weight = aux_weight(self.recipe, self.schedule.last_epoch, self.total)
        total = loss + weight * sum(aux)
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        norm = self.gradients.step()
        if self.recipe.clip is not None:
            clip_grads_with_norm_(self.gradients.parameters, self.recipe.clip, norm)
        self.optimizer.step()
        self.schedule.step()
        if self.average and averaged(self.recipe, self.schedule.last_epoch, self.total):
            self.average.update_parameters(self.net)
        return torch.stack([loss, *aux]).detach(), outputs[self.net.result]

    @torch.no_grad()
    def _evaluate(self) -> tuple[float, float]:
        net = self.scored
        net.eval()
        made: list[Tensor] = []
        for index in torch.arange(len(self.validation)).split(EVALUATION_BATCH):
            with self.autocast():
                made.append(net(self.validation.at(index)[0]).float())
        logits, labels = torch.cat(made), self.validation.labels
        self.probabilities = logits.softmax(1).half().cpu().numpy()
        right = int((logits.argmax(1) == labels).sum())
        return float(functional.cross_entropy(logits, labels)), 100 * right / len(labels)

    def autocast(self) -> torch.autocast:
        """What the network runs under, in training and after."""
        low = self.settings.precision == "bfloat16"
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=low)


def _breaks_onednn(layers: tuple[Layer, ...], device: torch.device) -> bool:
    """Whether there is a strided 1x1 convolution of few input channels on the CPU, where oneDNN's
    backward pass writes past its memory (oneDNN issue 6035)."""
    return device.type == "cpu" and any(
        layer.op == "conv" and layer.kernel == 1 and layer.stride > 1 and layer.in_shape[0] < 16
        for layer in layers
    )


class _Batches:
    """Some images of a data set, resized and normalised on the device; where they are many, only
    when a batch asks for them. `labels` (N,)."""

    def __init__(
        self, data: DataSet, index: NDArray[np.int64], side: int, device: torch.device
    ) -> None:
        self.labels = torch.from_numpy(data.train.labels[index]).to(device)
        self._data, self._index, self._side, self._device = data, index, side, device
        size = 4 * len(index) * data.train.images.shape[1] * side**2
        self._kept = self._prepared(index) if size <= KEPT_BYTES else None

    def __len__(self) -> int:
        return len(self.labels)

    def at(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """The images (M, C, H, W) and labels (M,) at these positions (M,)."""
        there = index.to(self._device)
        if self._kept is not None:
            return self._kept[there], self.labels[there]
        return self._prepared(self._index[index.numpy()]), self.labels[there]

    def _prepared(self, index: NDArray[np.int64]) -> Tensor:
        images = torch.from_numpy(self._data.train.images[index])
        pixels = images.to(self._device).float() / 255
        side = self._side
        if pixels.shape[-2:] != (side, side):
            pixels = functional.interpolate(
                pixels, (side, side), mode="bilinear", antialias=True, align_corners=False
            )
        scaled = (pixels - self._data.mean) / self._data.std
        return scaled.contiguous(memory_format=torch.channels_last)
