"""How a network is trained and scored; the defaults are the paper's sec. 6, where it says."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from nas.facts import DATASETS, Data
from nas.tree import Node


@dataclass(frozen=True, kw_only=True)
class Fidelity(Node):
    """How much of the training a run gets: epochs, and the share of the training images."""

    epochs: int = 250
    share: float = 1.0

    def check(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"Fidelity.epochs must be 1 or more, not {self.epochs}")
        if not 0 < self.share <= 1:
            raise ValueError(f"Fidelity.share must lie in (0, 1], not {self.share:g}")


@dataclass(frozen=True, kw_only=True)
class Recipe(Node):
    """Stochastic gradient descent with momentum, and everything that decides its result.

    dataset, image_size: the images, resized to image_size pixels a side; a shipped data set by its
    name, one's own by `image_folder` or `own_data`.
    initialization: "he" (He et al. 2015, zero biases) or "torch" (its layers' own).
    lr_schedule: "step" (down 4 % every 8 epochs, paper sec. 6), "cosine", "one_cycle", "constant".
    averaging: "polyak" scores the mean of the weights over the last half of the steps (sec. 6).
    augmentation: "crops" of 8 to 100 % of the area with aspect ratio 3/4 to 4/3 (sec. 6), with a
    mirror image half of the time; "flip" the mirror image alone.
    clip: the largest norm of the gradient. aux_weight: what an aux head's loss counts (sec. 5).
    The paper says nothing of learning rate, batch size and weight decay: those are ours.
    """

    dataset: str | Data = "imagenet"
    image_size: int = 224
    fidelity: Fidelity = Fidelity()
    initialization: Literal["he", "torch"] = "he"
    batch_size: int = 256
    lr: float = 0.05
    momentum: float = 0.9
    lr_schedule: Literal["step", "cosine", "one_cycle", "constant"] = "step"
    weight_decay: float = 0.0002
    clip: float | None = 1.0
    averaging: Literal["polyak"] | None = "polyak"
    augmentation: Literal["crops", "flip"] | None = "crops"
    label_smoothing: float = 0.0
    aux_weight: float = 0.3

    def check(self) -> None:
        if isinstance(self.dataset, Data):
            if self.dataset.source is None:
                raise ValueError(
                    f"{self.dataset.name} has no source: a shipped data set is given by its name, "
                    "one's own by image_folder() or own_data()"
                )
        elif self.dataset not in DATASETS:
            near = get_close_matches(self.dataset, DATASETS, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(
                f"no data set {self.dataset!r}: there are {', '.join(DATASETS)}{hint}; "
                "image_folder() and own_data() bring one's own"
            )
        for name in ("image_size", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"Recipe.{name} must be 1 or more, not {getattr(self, name)}")
        for name in ("lr", "clip"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"Recipe.{name} must be above 0, not {value:g}")
        for name in ("momentum", "label_smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"Recipe.{name} must lie in [0, 1), not {getattr(self, name):g}")
        for name in ("weight_decay", "aux_weight"):
            if getattr(self, name) < 0:
                raise ValueError(f"Recipe.{name} must be 0 or more, not {getattr(self, name):g}")

    @property
    def data(self) -> Data:
        """What is known of the data set beforehand."""
        return self.dataset if isinstance(self.dataset, Data) else DATASETS[self.dataset]
