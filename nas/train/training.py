"""Training: one experiment on one seed, epoch by epoch, the same to the bit at one thread count."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import clip_grads_with_norm_

from nas.data.catalogue import load
from nas.data.images import split, stratified
from nas.experiment.recipe import Recipe
from nas.networks.layers import Layer
from nas.runs.record import Epoch, Protocol, Seeds, Settings
from nas.train.augmentation import augmentation
from nas.train.batches import Batches, laid_out
from nas.train.gradients import Gradients
from nas.train.net import Net, initialize, reseed_dropout, stream_seed
from nas.train.optimization import aux_weight, average, averaged, optimizer, schedule

TRAINING_VERSION = 3
"""Raised when the numbers of a run change; the golden curve of the tests goes red otherwise."""

EVALUATION_BATCH, EVALUATION_PIXELS = 1024, 2**20
"""How many images, and how many of their pixels a channel, are scored at once."""
FORMATS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}


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
        if settings.stratified:
            train, validation = stratified(data.train.labels, held_out, seeds.split, share)
        else:
            train, validation = split(len(data.train), held_out, seeds.split, share)
        self.index = {"train": train, "validation": validation}
        whole = len(data.train) - held_out
        if len(train) == 0:
            raise ValueError(f"Fidelity.share {share:g} leaves none of {whole} images")
        self.train = Batches(data, train, side, self.device)
        self.validation = Batches(data, validation, side, self.device)
        self.class_weights = _class_weights(self.recipe, self.train.labels)
        self.levels = -data.mean / data.std, (1 - data.mean) / data.std
        self.protocol = Protocol(
            data_sha256=data.sha256,
            split=f"{held_out} of {len(data.train)} held out by the split seed"
            + (f", {len(train)} of the rest drawn by it" if len(train) < whole else "")
            + (", each class in proportion" if settings.stratified else ""),
            evaluation="validation, last epoch, one crop",
            precision=settings.precision,
            threads=settings.threads,
            memory_format=settings.memory_format,
            fused=settings.fused,
            stratified=settings.stratified,
            training_version=TRAINING_VERSION,
        )
        self.mean, self.std = data.mean, data.std
        self.without_onednn = _breaks_onednn(layers, self.device)
        net = Net(layers, fused=settings.fused)
        initialize(net, seeds.init, self.recipe.initialization)
        self.format = FORMATS[settings.memory_format]
        self.net = net.to(self.device, memory_format=self.format)  # pyright: ignore
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

    def seconds_a_step(self, count: int) -> float:
        """How long a step on the first `count` images takes, with their batch. It trains."""
        count = min(count, len(self.train))
        torch.set_num_threads(self.settings.threads)
        self.net.train()
        began = time.perf_counter()
        with self._backend():
            loss, _ = self._step(*self.train.at(torch.arange(count)))
        float(loss.detach().sum())
        return time.perf_counter() - began

    def _next(self) -> Epoch:
        # An interrupt in the middle of torch.no_grad may have left the process without gradients.
        with torch.enable_grad(), self._backend():
            return self._epoch()

    def _backend(self) -> AbstractContextManager[None]:
        if self.without_onednn:
            return torch.backends.mkldnn.flags(enabled=False)
        return nullcontext()

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
        with self._autocast():
            outputs = self.net.outputs(laid_out(images, self.format))
            loss, *aux = (
                functional.cross_entropy(
                    logits, labels, self.class_weights, label_smoothing=smoothing
                )
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
        self.scored.eval()
        made: list[Tensor] = []
        count = max(1, min(EVALUATION_BATCH, EVALUATION_PIXELS // self.recipe.trained_size**2))
        for index in torch.arange(len(self.validation)).split(count):
            made.append(self.logits(self.validation.at(index)[0]))
        logits, labels = torch.cat(made), self.validation.labels
        self.probabilities = logits.softmax(1).half().cpu().numpy()
        right = int((logits.argmax(1) == labels).sum())
        return float(functional.cross_entropy(logits, labels)), 100 * right / len(labels)

    def logits(self, images: Tensor) -> Tensor:
        """What the network that is scored says of images (N, C, H, W): (N, K), in float32."""
        with self._autocast():
            return self.scored(laid_out(images, self.format)).float()

    def _autocast(self) -> torch.autocast:
        low = self.settings.precision == "bfloat16"
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=low)


def _class_weights(recipe: Recipe, labels: Tensor) -> Tensor | None:
    """What an image of each class counts in the loss (K,); None where all count alike."""
    if recipe.class_weights is None:
        return None
    counts = torch.bincount(labels, minlength=recipe.data.classes)
    return len(labels) / (len(counts) * counts.clamp(min=1))


def _breaks_onednn(layers: tuple[Layer, ...], device: torch.device) -> bool:
    """Whether there is a strided 1x1 convolution of few input channels on the CPU, where oneDNN's
    backward pass writes past its memory (oneDNN issue 6035)."""
    return device.type == "cpu" and any(
        layer.op == "conv" and layer.kernel == 1 and layer.stride > 1 and layer.in_shape[0] < 16
        for layer in layers
    )
