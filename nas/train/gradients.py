"""Gradient flow: how large the gradient is that reaches each module, epoch by epoch."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Gradients:
    """The norm of each module's gradient, before any clipping, by the first part of its parameters'
    names: stem, inception_3a, aux_4a, head. It stays on the device, so that no step waits for it.
    """

    def __init__(self, net: nn.Module) -> None:
        owners = [path.split(".")[0] for path, _ in net.named_parameters()]
        self.parameters = list(net.parameters())
        self.modules = list(dict.fromkeys(owners))
        device = self.parameters[0].device
        self._owner = torch.tensor([self.modules.index(name) for name in owners], device=device)
        self._sum, self._steps = torch.zeros(len(self.modules), device=device), 0

    @torch.no_grad()
    def step(self) -> Tensor:
        """Takes in the gradients of a step; the norm of them all."""
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        norms = torch.stack(torch._foreach_norm(gradients))  # pyright: ignore
        squares = torch.zeros_like(self._sum).index_add_(0, self._owner, norms.square())
        self._sum += squares.sqrt()
        self._steps += 1
        return torch.linalg.vector_norm(norms)

    def epoch(self) -> dict[str, float]:
        """The mean norm of each module over the steps since the last call."""
        means = (self._sum / max(1, self._steps)).tolist()
        self._sum, self._steps = torch.zeros_like(self._sum), 0
        return dict(zip(self.modules, means, strict=True))
