"""How the weights change, by a recipe: optimizer, learning rate, aux heads' weight, averaging."""

from __future__ import annotations

import math

from torch import nn
from torch.optim import SGD, AdamW, Optimizer, RMSprop, lr_scheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from nas.experiment.recipe import Recipe


def optimizer(net: nn.Module, recipe: Recipe) -> Optimizer:
    """The optimizer of a network's parameters."""
    weights, lr, momentum = net.parameters(), recipe.lr, recipe.momentum
    decay = recipe.weight_decay
    match recipe.optimizer:
        case "sgd" | "nesterov" as kind:
            nesterov = kind == "nesterov"
            return SGD(weights, lr, momentum, weight_decay=decay, nesterov=nesterov)
        case "rmsprop":
            return RMSprop(weights, lr, alpha=0.9, eps=1.0, weight_decay=decay, momentum=momentum)
        case "adamw":
            return AdamW(weights, lr, betas=(momentum, 0.999), weight_decay=decay)


def schedule(optimizer: Optimizer, recipe: Recipe, steps: int) -> lr_scheduler.LRScheduler:
    """The learning rate of each step, for epochs of so many steps; `last_epoch` counts them."""
    total = steps * recipe.fidelity.epochs
    rise = int(total * recipe.warmup)
    if recipe.lr_schedule == "one_cycle":
        # One step more than there are: torch steps the schedule after the last batch too.
        return lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=recipe.lr,
            total_steps=total + 1,
            pct_start=(rise + 1) / (total + 1) if rise else 0.3,
            cycle_momentum=False,
        )
    if rise == 0:
        return _fall(optimizer, recipe, steps, total, rise)
    warmup = lr_scheduler.LinearLR(optimizer, start_factor=1 / (rise + 1), total_iters=rise)
    fall = _fall(optimizer, recipe, steps, total, rise)
    return lr_scheduler.SequentialLR(optimizer, [warmup, fall], milestones=[rise])


def _fall(
    optimizer: Optimizer, recipe: Recipe, steps: int, total: int, rise: int
) -> lr_scheduler.LRScheduler:
    match recipe.lr_schedule:
        case "step":
            # At the same epochs with a warm-up as without (Goyal et al. 2017, sec. 2.2).
            return lr_scheduler.LambdaLR(
                optimizer, lambda step: 0.96 ** ((step + rise) // (8 * steps))
            )
        case "cosine":
            return lr_scheduler.CosineAnnealingLR(optimizer, T_max=total - rise)
        case _:
            return lr_scheduler.ConstantLR(optimizer, factor=1)


def aux_weight(recipe: Recipe, done: int, total: int) -> float:
    """What an aux head's loss counts in the step after `done` of `total`."""
    match recipe.aux_schedule:
        case "constant":
            return recipe.aux_weight
        case "linear":
            return recipe.aux_weight * (1 - done / total)
        case "half":
            return recipe.aux_weight if 2 * done < total else 0.0


def average(net: nn.Module, recipe: Recipe, total: int) -> AveragedModel | None:
    """The mean of the weights over `total` steps, which is scored in the network's place."""
    match recipe.averaging:
        case None:
            return None
        case "polyak":
            return AveragedModel(net, use_buffers=True)
        case "ema":
            forgets = get_ema_multi_avg_fn(math.exp(-10 / total))
            return AveragedModel(net, multi_avg_fn=forgets, use_buffers=True)


def averaged(recipe: Recipe, done: int, total: int) -> bool:
    """Whether the weights after step `done` of `total` go into the mean."""
    return recipe.averaging == "ema" or 2 * done > total
