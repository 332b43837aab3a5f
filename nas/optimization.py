"""The optimizer, its learning rate and the averaging of the weights, as a recipe says."""

from __future__ import annotations

from torch import nn
from torch.optim import SGD, Optimizer, lr_scheduler
from torch.optim.swa_utils import AveragedModel

from nas.recipe import Recipe


def optimizer(net: nn.Module, recipe: Recipe) -> Optimizer:
    """The optimizer of a network's parameters."""
    return SGD(
        net.parameters(),
        lr=recipe.lr,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
    )


def schedule(optimizer: Optimizer, recipe: Recipe, steps: int) -> lr_scheduler.LRScheduler:
    """The learning rate of each step, for epochs of so many steps."""
    total = steps * recipe.fidelity.epochs
    match recipe.lr_schedule:
        case "step":
            return lr_scheduler.StepLR(optimizer, step_size=8 * steps, gamma=0.96)
        case "cosine":
            return lr_scheduler.CosineAnnealingLR(optimizer, T_max=total)
        case "one_cycle":
            # One step more than there are: torch steps the schedule after the last batch too.
            return lr_scheduler.OneCycleLR(
                optimizer, max_lr=recipe.lr, total_steps=total + 1, cycle_momentum=False
            )
        case "constant":
            return lr_scheduler.ConstantLR(optimizer, factor=1)


def average(net: nn.Module, recipe: Recipe) -> AveragedModel | None:
    """The averaged network that is scored in the network's place, or None."""
    return AveragedModel(net, use_buffers=True) if recipe.averaging else None


def averaged(recipe: Recipe, done: int, total: int) -> bool:
    """Whether the weights after step `done` of `total` go into the average."""
    return recipe.averaging is not None and 2 * done > total
