"""A trained network scored: on which images, over how many crops, at which size.

Shapes: N images, C channels, H height, W width, S the side of a view.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from nas.base.errors import OutOfReach
from nas.data.catalogue import load
from nas.experiment.cost import cost
from nas.experiment.experiment import Experiment
from nas.networks.layers import inference
from nas.networks.replay import resized
from nas.runs.predictions import kept
from nas.runs.record import Record
from nas.runs.scores import VIEWS, Crops, Predictions, shorter_sides
from nas.train.kept import read
from nas.train.training import EVALUATION_PIXELS, Training

Split = Literal["train", "validation", "test"]


@torch.no_grad()
def predict(
    training: Training,
    split: Split = "validation",
    crops: Crops = 1,
    image_size: int | None = None,
) -> Predictions:
    """The class probabilities of a run's network on a split, in float32: the mean over the views.
    Nothing else ever reads the test split.

    Raises ValueError for an image size that the network cannot be scored at.
    """
    size = image_size or training.recipe.trained_size
    data = load(training.recipe.data)
    part = data.test if split == "test" else data.train
    index = np.arange(len(part)) if split == "test" else training.index[split]
    layers = resized(training.layers, (part.images.shape[1], size, size))
    training.scored.eval()
    made: list[Tensor] = []
    passes = 0
    for at in np.array_split(index, -(-len(index) * size**2 // EVALUATION_PIXELS)):
        images = torch.from_numpy(part.images[at]).to(training.device).float() / 255
        total = torch.zeros((), device=training.device)
        for passes, view in enumerate(views(images, crops, size), 1):  # noqa: B007
            given = (view - data.mean) / data.std
            total = total + training.logits(given).softmax(1)
        made.append(total / passes)
    return Predictions(
        probabilities=torch.cat(made).cpu().numpy(),
        labels=part.labels[index],
        split=split,
        image_size=size,
        mult_adds=passes * sum(layer.mult_adds for layer in layers),
        crops=crops,
    )


def views(images: Tensor, crops: Crops, size: int) -> Iterator[Tensor]:
    """The views (N, C, S, S) of images (N, C, H, W) with S = `size`.

    1: the middle square. 10: the corners and the centre of that square at 256/224 of the size, and
    their mirror images (Krizhevsky et al. 2012, sec. 4.1). 144: at four scales the left, middle and
    right (or top, middle and bottom) square; of each its corners, its centre and itself at the
    size, and their mirror images (paper, sec. 7). An image that is square has one square instead of
    three alike, so 48 views with the same mean.

    Raises ValueError for a size at which two of the scales are the same.
    """
    from torchvision.transforms.v2 import functional as transforms  # here, as it takes a second

    if crops == 1:
        yield transforms.center_crop(transforms.resize(images, [size]), [size, size])
        return
    for side in shorter_sides(crops, size):
        scaled = transforms.resize(images, [side])
        for square in (
            _squares(scaled) if crops == 144 else [transforms.center_crop(scaled, [side])]
        ):
            whole = [transforms.resize(square, [size])] if crops == 144 else []
            for view in [*transforms.five_crop(square, [size]), *whole]:
                yield view
                yield view.flip(-1)


def _squares(images: Tensor) -> list[Tensor]:
    """The squares at the two ends and in the middle of the longer side."""
    height, width = images.shape[-2:]
    side, room = min(height, width), abs(height - width)
    starts = (0, room // 2, room) if room else (0,)
    along = -1 if width > height else -2
    return [images.narrow(along, start, side) for start in starts]


def taken_up(record: Record, experiment: Experiment, weights: bytes) -> Training:
    """A run's trained network, from the weights that `nas.train.worker.weights` packed.

    Raises ValueError where its data set is not the one that it was trained on, OutOfReach where the
    weights are not its network's.
    """
    assert record.protocol is not None
    # What is kept are the weights that were scored, averaged or not.
    recipe = dataclasses.replace(experiment.recipe, averaging=None)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    layers = inference(experiment.trained_layers)
    training = Training(layers, recipe, record.seeds, record.protocol.settings(device))
    if training.protocol.data_sha256 != record.protocol.data_sha256:
        raise ValueError(f"{recipe.data.name} has changed since trial {record.number} was trained")
    training.net.load_state_dict(read(weights, layers).tensors)
    return training


def stored(record: Record, experiment: Experiment, folder: str | Path) -> Predictions:
    """The predictions of a finished run from the folder of its study: for its validation images by
    one crop, or for the test images of a confirmation.

    Raises ValueError where it kept none, OutOfReach where they are elsewhere or damaged.
    """
    if record.predictions is None:
        raise ValueError(f"trial {record.number} ({record.state}) kept no predictions")
    found = kept(record, folder)
    if found is None:
        raise OutOfReach(
            f"the predictions of trial {record.number} are not in {folder}: they were deleted, or "
            "are on the machine that trained it; --split scores its weights"
        )
    size, crops = experiment.recipe.trained_size, record.crops or 1
    return Predictions(
        probabilities=found[0],
        labels=found[1],
        split="test" if record.crops else "validation",
        image_size=size,
        mult_adds=VIEWS[crops] * cost(experiment, size).mult_adds,
        crops=crops,
    )
