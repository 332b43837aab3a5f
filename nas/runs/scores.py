"""How good class probabilities are, a network's or an ensemble's, and what they cost.

Shapes: N images, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Crops = Literal[1, 10, 144]
"""Over how many views of an image predictions are averaged."""
VIEWS: dict[Crops, int] = {1: 1, 10: 10, 144: 48}
"""How many different views a square image has, as all images of a data set are."""
SHORTER = (256, 288, 320, 352)
"""The shorter side of an image, in pixels, for views of 224 (paper, sec. 7)."""
BINS = 15
LEAST = 2.0**-24
"""The smallest number above 0 that stored probabilities, in float16, can be."""


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Class probabilities (N, K) of images with labels (N,): of which split, at how many pixels a
    side, over how many crops and members, and the mult-adds that one image took in all."""

    probabilities: NDArray[Any]
    labels: NDArray[np.int64]
    split: str
    image_size: int
    mult_adds: int
    crops: int = 1
    members: int = 1


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The score of predictions: top1 and top5 in percent (top5 is 100 for five classes or fewer;
    balanced is the mean of the classes' own top1, a class of few images counting as much as any),
    nll in nats, calibration error in percentage points; what was scored as in `Predictions`."""

    split: str
    images: int
    image_size: int
    crops: int
    members: int
    mult_adds: int
    top1: float
    balanced: float
    top5: float
    nll: float
    calibration_error: float


def shorter_sides(crops: Crops, size: int) -> list[int]:
    """To how many pixels the shorter side of an image is brought for these crops.

    Raises ValueError for a size at which two of the scales are the same.
    """
    if crops == 1:
        return [size]
    sides = [round(size * side / 224) for side in SHORTER]
    if len({size, *sides}) <= len(sides):
        raise ValueError(f"images of {size} pixels are too small for {crops} crops; take 1")
    return sides if crops == 144 else sides[:1]


def score(predictions: Predictions) -> Evaluation:
    """The evaluation of predictions."""
    probabilities, labels = predictions.probabilities.astype(np.float64), predictions.labels
    return Evaluation(
        split=predictions.split,
        images=len(labels),
        image_size=predictions.image_size,
        crops=predictions.crops,
        members=predictions.members,
        mult_adds=predictions.mult_adds,
        top1=top(probabilities, labels, 1),
        balanced=float(np.nanmean([each.accuracy for each in by_class(predictions)])),
        top5=top(probabilities, labels, 5),
        nll=nll(probabilities, labels),
        calibration_error=calibration_error(probabilities, labels),
    )


@dataclass(frozen=True, kw_only=True)
class ClassScore:
    """How many images of a class were scored, and the percentage of them that was told right; NaN
    of none."""

    label: int
    images: int
    accuracy: float


def by_class(predictions: Predictions) -> tuple[ClassScore, ...]:
    """The score of each class, in the order of the labels."""
    labels, classes = predictions.labels, predictions.probabilities.shape[1]
    likeliest = np.argsort(-predictions.probabilities, axis=1, kind="stable")[:, 0]
    images = np.bincount(labels, minlength=classes)
    right = np.bincount(labels, weights=likeliest == labels, minlength=classes)
    return tuple(
        ClassScore(label=at, images=int(n), accuracy=100 * float(hit) / int(n) if n else math.nan)
        for at, (n, hit) in enumerate(zip(images, right, strict=True))
    )


def ensemble(members: Sequence[Predictions]) -> Predictions:
    """The mean of the members' probabilities, at the sum of their costs (paper, sec. 7).

    Raises ValueError for none, and for members that were not scored on the same images alike.
    """
    if not members:
        raise ValueError("an ensemble needs a member or more")
    first, *others = members
    for other in others:
        for name in ("split", "crops"):
            one, two = getattr(first, name), getattr(other, name)
            if one != two:
                raise ValueError(f"an ensemble's members have one {name}, not {one} and {two}")
        if not np.array_equal(first.labels, other.labels):
            raise ValueError(
                "an ensemble's members are scored on the same images; give their runs one split "
                "seed, or take the test split"
            )
    return Predictions(
        probabilities=np.mean([each.probabilities.astype(np.float64) for each in members], axis=0),
        labels=first.labels,
        split=first.split,
        image_size=max(each.image_size for each in members),
        mult_adds=sum(each.mult_adds for each in members),
        crops=first.crops,
        members=sum(each.members for each in members),
    )


def top(probabilities: NDArray[Any], labels: NDArray[np.int64], k: int) -> float:
    """The percentage of images whose label is among the k likeliest classes."""
    likeliest = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return 100 * float((likeliest == labels[:, None]).any(1).mean())


def nll(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """The mean negative log-likelihood of the labels, in nats."""
    given = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(given, LEAST)).mean())


def calibration_error(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """The expected calibration error in percentage points: how far the confidence is from the share
    of right answers, over 15 bins of equal width (Guo et al. 2017, eq. 3)."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    apart = np.bincount(bins, weights=right - confidence, minlength=BINS)
    return 100 * float(np.abs(apart).sum()) / len(labels)
