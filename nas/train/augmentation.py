"""Augmentation of a whole batch at once, on its device; each part draws from a stream of its own,
so that a part more changes no other's draws.

Shapes: N images, C channels, H height, W width.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from nas.experiment.recipe import Recipe
from nas.train.net import stream_seed

INTERPOLATIONS = ("bilinear", "nearest", "bicubic", "area")
LUMA = (0.2989, 0.587, 0.114)
"""What red, green and blue count in the brightness (ITU-R BT.601, as torchvision rounds it)."""


def augmentation(
    recipe: Recipe, order: torch.Generator, black: float, white: float
) -> Callable[[Tensor], Tensor]:
    """What a recipe does to images (N, C, H, W) whose pixels lie between black and white; the
    shape stays. Mirrors and crops are drawn from `order`, the rest from streams named by its seed.
    """

    def stream(name: str) -> torch.Generator:
        return torch.Generator().manual_seed(stream_seed(order.initial_seed(), name))

    kernels, colours = stream("interpolation"), stream("photometric")

    def augment(images: Tensor) -> Tensor:
        if recipe.augmentation == "flip":
            images = flip(images, order)
        elif recipe.augmentation == "crops":
            theta = crops(len(images), order).to(images.device, non_blocking=True)
            if recipe.interpolation == "random":
                kinds = torch.randint(len(INTERPOLATIONS), (len(images),), generator=kernels)
                images = resample_each(images, theta, kinds).clamp(black, white)
            else:
                images = resample(images, theta, "bilinear")
        if recipe.photometric:
            images = photometric(images, recipe.photometric, colours, black, white)
        return images

    return augment


def flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirrored half of the time."""
    mirror = (_draw(len(images), generator) < 0.5).to(images.device, non_blocking=True)
    return torch.where(mirror.view(-1, 1, 1, 1), images.flip(-1), images)


def crops(count: int, generator: torch.Generator) -> Tensor:
    """Random crops (N, 2, 3) of 8 to 100 % of the area with aspect ratio 3/4 to 4/3, mirrored half
    of the time (Szegedy et al. 2015, sec. 6), as `resample` takes them."""
    mirror = torch.where(_draw(count, generator) < 0.5, -1.0, 1.0)
    area = 0.08 + 0.92 * _draw(count, generator)
    ratio = torch.exp((2 * _draw(count, generator) - 1) * math.log(4 / 3))
    width = torch.sqrt(area * ratio).clamp(max=1)
    height = torch.sqrt(area / ratio).clamp(max=1)
    left = (2 * _draw(count, generator) - 1) * (1 - width)
    top = (2 * _draw(count, generator) - 1) * (1 - height)
    zero = torch.zeros_like(width)
    rows = torch.stack([width * mirror, zero, left], 1), torch.stack([zero, height, top], 1)
    return torch.stack(rows, 1)


def resample(images: Tensor, theta: Tensor, how: str) -> Tensor:
    """The part of each image that theta (N, 2, 3) says, at the image's own size. A row of theta
    holds a crop's extent and centre along W or H, where an image reaches from -1 to 1; a negative
    extent mirrors."""
    if how == "area":
        across = _overlaps(theta[:, 0, 0], theta[:, 0, 2], images.shape[3])
        down = _overlaps(theta[:, 1, 1], theta[:, 1, 2], images.shape[2])
        return down[:, None] @ images @ across[:, None].mT
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    return functional.grid_sample(
        images, grid, mode=how, padding_mode="reflection", align_corners=False
    )


def resample_each(images: Tensor, theta: Tensor, kinds: Tensor) -> Tensor:
    """`resample` with the interpolation of each image's number in `kinds` (N,), which is on the
    CPU, so that nothing waits for the device."""
    made = torch.empty_like(images)
    for kind, how in enumerate(INTERPOLATIONS):
        found = torch.nonzero(kinds == kind).flatten()
        if len(found):
            at = found.to(images.device, non_blocking=True)
            made[at] = resample(images[at], theta[at], how)
    return made


def _overlaps(extent: Tensor, centre: Tensor, side: int) -> Tensor:
    """What share (N, side, side) of each new pixel lies on each old one, along one axis."""
    edge = torch.arange(side, device=extent.device, dtype=extent.dtype)
    step = extent.abs()[:, None, None]
    start = ((centre - extent.abs() + 1) * side / 2)[:, None, None] + step * edge[:, None]
    shared = torch.minimum(start + step, edge + 1) - torch.maximum(start, edge)
    share = shared.clamp(min=0) / step
    return torch.where(extent[:, None, None] < 0, share.flip(1), share)


def photometric(
    images: Tensor, strength: float, generator: torch.Generator, black: float, white: float
) -> Tensor:
    """Brightness, contrast and saturation, each times a factor between 1 - strength and
    1 + strength, in random order (Howard 2013, sec. 2.2)."""
    count = len(images)
    factors = 1 + strength * (2 * torch.rand(count, 3, generator=generator) - 1)
    turns = torch.rand(count, 3, generator=generator).argsort(1)
    factors, turns = (each.to(images.device, non_blocking=True) for each in (factors, turns))
    return distort(images, factors, turns, black, white)


def distort(images: Tensor, factors: Tensor, turns: Tensor, black: float, white: float) -> Tensor:
    """Images whose distance from what has no brightness, contrast or saturation was multiplied by
    `factors` (N, 3), in the order of `turns` (N, 3): 0 is brightness, 1 contrast, 2 saturation."""
    shape = (-1, 1, 1, 1)
    pixels = images - black
    for turn in turns.unbind(1):
        grey = _grey(pixels)
        kind, factor = turn.view(shape), factors.gather(1, turn[:, None]).view(shape)
        even = torch.where(kind == 1, grey.mean((1, 2, 3), keepdim=True), grey)
        without = torch.where(kind == 0, torch.zeros_like(even), even)
        pixels = (factor * pixels + (1 - factor) * without).clamp(0, white - black)
    return pixels + black


def _grey(pixels: Tensor) -> Tensor:
    if pixels.shape[1] != len(LUMA):
        return pixels.mean(1, keepdim=True)
    red, green, blue = (weight * c for weight, c in zip(LUMA, pixels.split(1, 1), strict=True))
    return red + green + blue


def _draw(count: int, generator: torch.Generator) -> Tensor:
    return torch.rand(count, generator=generator)
