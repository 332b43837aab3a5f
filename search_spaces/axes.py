"""What may vary in GoogLeNet: one axis a question, to be composed with `|`.

An axis is a dict of patterns. Inside a module a leaf is decided by stage or by module.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from nas import Inception, choice, scaled, subsets, versus
from nas.networks.googlenet import STAGES

WIDTHS = ("conv1x1.width", "conv3x3.width", "conv5x5.width", "pool_proj.width")
RATIOS = ("conv3x3.ratio", "conv5x5.ratio")
ACTIVATIONS = ("conv3x3.activation", "conv5x5.activation")
BRANCHES = ("conv1x1", "conv3x3", "conv5x5", "pool_proj")

INSIDE: Mapping[str, Callable[..., Any]] = {
    **dict.fromkeys(WIDTHS, partial(scaled, 0.5, 0.75, 1, 1.25)),
    **dict.fromkeys(RATIOS, partial(versus, 1 / 4, 1 / 2, 3 / 4)),
    **dict.fromkeys(ACTIVATIONS, partial(versus, off=False)),
    **dict.fromkeys(BRANCHES, partial(versus, off=None)),
    # "3+3" sees as far as a 5x5 (Szegedy et al. 2016, sec. 3.1); 3 is what torchvision has.
    "conv5x5.kernel": partial(versus, 3, 7, "3+3"),
    "shortcut": partial(versus, True),
}
"""What may stand at a leaf inside a module."""


def by_stage(*leaves: str) -> dict[str, Any]:
    """A decision a stage over each of these leaves, the same in all its modules."""
    return {
        f"network.inception_{stage}?.{leaf}": INSIDE[leaf](name=f"stage{stage}.{leaf}")
        for stage in STAGES
        for leaf in leaves
    }


def by_module(*leaves: str) -> dict[str, Any]:
    """A decision a module over each of these leaves."""
    return {f"network.inception_*.{leaf}": INSIDE[leaf]() for leaf in leaves}


def _depth(stage: str, letters: str) -> dict[str, Any]:
    """One decision: how many modules the stage has. Its last module stays, for it makes the output;
    the one before it repeats, or those before it are dropped, the later ones first."""
    counts = [n for n in range(1, len(letters) + 2) if n != len(letters)]
    made: dict[str, Any] = {}
    for at, letter in enumerate(letters[:-1]):
        options: dict[str, Any] = {str(n): _kept if at < n - 1 else None for n in counts}
        if at == len(letters) - 2:
            options[str(counts[-1])] = _twice
        made[f"network.inception_{stage}{letter}"] = versus(**options, name=f"stage{stage}.modules")
    return made


def _kept(module: Inception) -> Inception:
    return module


def _twice(module: Inception) -> Inception:
    return replace(module, repeat=2)


BRANCH_WIDTHS = by_stage(*WIDTHS)
BOTTLENECK_RATIOS = by_stage(*RATIOS)
KERNELS = by_stage("conv5x5.kernel")
REDUCTION_ACTIVATIONS = by_stage(*ACTIVATIONS)
SHORTCUTS = by_module("shortcut")
DEPTH = {
    path: axis for stage, letters in STAGES.items() for path, axis in _depth(stage, letters).items()
}
AUX_PLACEMENT = {
    "network.aux_after": subsets("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", upto=2),
}
AUX_WEIGHT = {"recipe.aux_weight": choice(0.1, 0.3, 1.0)}
DROPOUT = {
    "network.dropout_at": subsets("stage3", "stage4", "stage5", "head", upto=2),
    "network.dropout": choice(0.2, 0.4, 0.6),
    "network.aux_head.dropout": choice(0.0, 0.4, 0.7),
}
STEM = {
    "network.stem.kind": versus("separable", "deep"),
    "network.stem.conv7x7": scaled(0.5, 0.75, 1, 1.25),
    "network.stem.reduce": scaled(0.5, 0.75, 1, 1.25),
    "network.stem.conv3x3": scaled(0.5, 0.75, 1, 1.25),
}
HEAD = {
    "network.head.pooling": versus("flatten"),
    "network.head.hidden": choice(None, 1024, 4096),
}
NORMALIZATION = {
    "network.normalization": versus("lrn", "batch", off="none"),
    # Without normalization the initial weights decide whether it trains at all.
    "recipe.initialization": versus("he", "torch"),
}
TRICKS = {
    "recipe.averaging": versus("polyak", off=None),  # the paper trained with Polyak averaging
    "recipe.augmentation": versus("crops", "flip", off=None),
    "network.head.pooling": versus("flatten"),  # average pooling against a fully connected head
}
