"""Augmentation of a whole batch at once, on its device, from one random stream."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def augment(images: Tensor, how: str | None, generator: torch.Generator) -> Tensor:
    """Images (N, C, H, W) to the same shape. "flip": mirrored half of the time. "crops": also a
    crop of 8 to 100 % of the area with aspect ratio 3/4 to 4/3 (Szegedy et al. 2015, sec. 6)."""
    if how is None:
        return images
    count = len(images)

    def draw() -> Tensor:
        return torch.rand(count, generator=generator, device=generator.device).to(images.device)

    mirror = torch.where(draw() < 0.5, -1.0, 1.0)
    if how == "flip":
        return torch.where(mirror.view(-1, 1, 1, 1) < 0, images.flip(-1), images)
    area = 0.08 + 0.92 * draw()
    ratio = torch.exp((2 * draw() - 1) * math.log(4 / 3))
    width = torch.sqrt(area * ratio).clamp(max=1)
    height = torch.sqrt(area / ratio).clamp(max=1)
    left = (2 * draw() - 1) * (1 - width)
    top = (2 * draw() - 1) * (1 - height)
    zero = torch.zeros_like(width)
    theta = torch.stack(
        [torch.stack([width * mirror, zero, left], 1), torch.stack([zero, height, top], 1)], 1
    )
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
