"""Which settings train a network fastest here: tried on real batches, one change after another."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from typing import Any

import torch

from nas.experiment.recipe import Recipe
from nas.networks.layers import Layer
from nas.runs.record import Settings, seeds
from nas.train.training import Training

ROUNDS = 3
PATIENCE = 5.0
"""Seconds after which two settings are compared by the rounds that there are."""
MULT_ADDS = 2e9
"""Multiply-adds of the images of one measured step, so that all of it takes seconds."""
LEAST = 4
"""The fewest images of a measured step."""
GAIN = 0.95
"""What a setting's time must be of the former one's: less is noise."""


def fastest(
    layers: tuple[Layer, ...], recipe: Recipe, device: str, cpus: int
) -> tuple[Settings, str]:
    """The fastest settings for a network on this machine, and what was measured, in words.

    From float32, channels last, fused and all `cpus` as threads, each is changed in turn, where the
    device can; a change stays that makes a training step 5 % faster. Raises what `Training` does.
    """
    best = Settings(device=device, threads=cpus)
    former: list[str] = []
    step = 0.0
    for change in changes(device, cpus):
        other = dataclasses.replace(best, **change)
        step, its = _in_turns(layers, recipe, best, other)
        if its < GAIN * step:
            best, other, step, its = other, best, its, step
        former.append(f"{other}: {1e3 * its:.0f}")
    return best, f"measured {best}: {1e3 * step:.0f} ms a step ({'; '.join(former)})"


def changes(device: str, cpus: int) -> Iterator[dict[str, Any]]:
    """What is tried on a device, besides what it starts from."""
    if _computes_bfloat16(device):
        yield {"precision": "bfloat16"}
    yield {"memory_format": "contiguous"}
    yield {"fused": False}
    if cpus > 1:
        yield {"threads": 1}


def _computes_bfloat16(device: str) -> bool:
    """Whether bfloat16 is worth a try: a CPU that has to emulate it takes minutes for a step."""
    if device == "cpu":
        return torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.cuda.is_bf16_supported(including_emulation=False)


def _in_turns(layers: tuple[Layer, ...], recipe: Recipe, *tried: Settings) -> tuple[float, float]:
    """Seconds of a training step under two settings: the best of a few, in turns."""
    count = int(MULT_ADDS / sum(layer.mult_adds for layer in layers))
    count = min(recipe.batch_size, max(LEAST, count))
    # No schedule and no average: a step more or less is none of theirs.
    plain = dataclasses.replace(recipe, lr_schedule="constant", averaging=None, batch_size=count)
    runs = [Training(layers, plain, seeds(0), settings) for settings in tried]
    seconds: list[list[float]] = [[], []]
    began = time.perf_counter()
    for at in range(1 + ROUNDS):
        if at > 1 and time.perf_counter() - began > PATIENCE:
            break
        for run, spent in zip(runs, seconds, strict=True):
            spent.append(run.seconds_a_step(count))
    first, second = (min(spent[1:]) for spent in seconds)
    return first, second
