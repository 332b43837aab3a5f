"""How a network is trained and scored; the defaults are the paper's sec. 6, where it says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from nas.base.wording import near
from nas.data.datasets import DATASETS, Data
from nas.tree.tree import Node


@dataclass(frozen=True, kw_only=True)
class Fidelity(Node):
    """How much of the training a run gets: epochs, the share of the training images, and image_size
    where it is trained and scored on smaller images than the recipe's, at which it is counted."""

    epochs: int = 250
    share: float = 1.0
    image_size: int | None = field(default=None, metadata={"before": None})

    def check(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"Fidelity.epochs must be 1 or more, not {self.epochs}")
        if not 0 < self.share <= 1:
            raise ValueError(f"Fidelity.share must lie in (0, 1], not {self.share:g}")
        if self.image_size is not None and self.image_size < 1:
            raise ValueError(f"Fidelity.image_size must be 1 or more, not {self.image_size}")


@dataclass(frozen=True, kw_only=True)
class Recipe(Node):
    """The images, the optimizer, and everything else that decides what a network becomes.

    dataset, image_size: the images, resized to image_size pixels a side; a shipped data set by its
    name, one's own by `image_folder` or `own_data`.
    initialization: "he" (He et al. 2015, zero biases) or "torch" (its layers' own).
    optimizer: "sgd" with momentum (paper, sec. 6), "nesterov" (Sutskever et al. 2013), "rmsprop"
    with decay 0.9 and epsilon 1 (Szegedy et al. 2016, sec. 8), "adamw" (Loshchilov and Hutter 2019;
    momentum is its beta 1). Each wants an lr of its own.
    lr_schedule: "step" (down 4 % every 8 epochs, sec. 6), "cosine" (Loshchilov and Hutter 2017),
    "one_cycle" (Smith and Topin 2018), "constant". warmup: the share of the training over which the
    rate rises evenly from 0 (Goyal et al. 2017, sec. 2.2); one_cycle rises over 0.3 unless given.
    weight_decay, clip: the L2 penalty, and the largest norm of the gradient (Pascanu et al. 2013).
    averaging: "polyak" scores the mean of the weights over the last half of the steps (sec. 6);
    "ema" their exponential mean over about a tenth of the steps (Karras et al. 2024, sec. 3).
    augmentation: "crops" of 8 to 100 % of the area with aspect ratio 3/4 to 4/3 (sec. 6), with a
    mirror image half of the time; "flip" the mirror image alone.
    interpolation: how crops are resampled, "bilinear" or "random": for each image bilinear, area,
    nearest or bicubic with equal probability (sec. 6).
    photometric: by how much brightness, contrast and saturation change at most, in random order;
    0.5 in Howard 2013, which the paper used (sec. 6).
    class_weights: "balanced" weighs each training image's loss by how few its class has: the mean
    number of images of a class over its own (King and Zeng 2001).
    label_smoothing: the share of a label given to all classes alike (Szegedy et al. 2016, sec. 7).
    aux_weight: what an aux head's loss counts (sec. 5); aux_schedule: "constant", "linear" down to
    0 at the end, "half" of the training and then 0.
    The paper says nothing of learning rate, batch size and weight decay: those are ours. It gives
    no strength for photometric and doubts random interpolation: both are off unless asked for.
    """

    dataset: str | Data = "imagenet"
    image_size: int = 224
    fidelity: Fidelity = Fidelity()
    initialization: Literal["he", "torch"] = "he"
    batch_size: int = 256
    optimizer: Literal["sgd", "nesterov", "rmsprop", "adamw"] = field(
        default="sgd", metadata={"before": "sgd"}
    )
    lr: float = 0.05
    momentum: float = 0.9
    lr_schedule: Literal["step", "cosine", "one_cycle", "constant"] = "step"
    warmup: float = field(default=0.0, metadata={"before": 0.0})
    weight_decay: float = 0.0002
    clip: float | None = 1.0
    averaging: Literal["polyak", "ema"] | None = "polyak"
    augmentation: Literal["crops", "flip"] | None = "crops"
    interpolation: Literal["bilinear", "random"] = field(
        default="bilinear", metadata={"before": "bilinear"}
    )
    photometric: float = field(default=0.0, metadata={"before": 0.0})
    label_smoothing: float = 0.0
    aux_weight: float = 0.3
    aux_schedule: Literal["constant", "linear", "half"] = field(
        default="constant", metadata={"before": "constant"}
    )
    class_weights: Literal["balanced"] | None = field(default=None, metadata={"before": None})

    def check(self) -> None:
        if isinstance(self.dataset, Data):
            if self.dataset.source is None:
                raise ValueError(
                    f"{self.dataset.name} has no source: a shipped data set is given by its name, "
                    "one's own by image_folder() or own_data()"
                )
        elif self.dataset not in DATASETS:
            raise ValueError(
                f"no data set {self.dataset!r}: there are {', '.join(DATASETS)}"
                f"{near(self.dataset, DATASETS)}; image_folder() and own_data() bring one's own"
            )
        for name in ("image_size", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"Recipe.{name} must be 1 or more, not {getattr(self, name)}")
        for name in ("lr", "clip"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"Recipe.{name} must be above 0, not {value:g}")
        for name in ("momentum", "label_smoothing", "warmup"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"Recipe.{name} must lie in [0, 1), not {getattr(self, name):g}")
        for name in ("weight_decay", "aux_weight"):
            if getattr(self, name) < 0:
                raise ValueError(f"Recipe.{name} must be 0 or more, not {getattr(self, name):g}")
        if not 0 <= self.photometric <= 1:
            raise ValueError(f"Recipe.photometric must lie in [0, 1], not {self.photometric:g}")
        if self.trained_size > self.image_size:
            raise ValueError(
                f"Fidelity.image_size {self.trained_size} is above Recipe.image_size "
                f"{self.image_size}; a fidelity makes a run cheaper"
            )
        if self.optimizer == "nesterov" and self.momentum == 0:
            raise ValueError("Recipe.optimizer nesterov needs a momentum above 0")

    @property
    def trained_size(self) -> int:
        """Pixels a side of the images that a run is trained and scored on."""
        return self.fidelity.image_size or self.image_size

    @property
    def data(self) -> Data:
        """What is known of the data set beforehand."""
        return self.dataset if isinstance(self.dataset, Data) else DATASETS[self.dataset]
