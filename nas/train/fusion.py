"""The 1x1 convolutions that read one map, run as one and split again: the same function."""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.networks.layers import Layer

Row = tuple[Layer, ...]


def siblings(layers: tuple[Layer, ...]) -> list[tuple[Row, ...]]:
    """The convolutions that can run as one, each with the batch norm and the ReLU that it alone
    feeds: of kernel 1, stride 1 and no padding, over one map, with the same layers behind them.

    >>> from nas import googlenet
    >>> [row[0].name for row in siblings(googlenet.layers())[0]]
    ['inception_3a.conv1x1.conv', 'inception_3a.conv3x3.reduce', 'inception_3a.conv5x5.reduce']
    """
    readers: dict[str, list[Layer]] = defaultdict(list)
    for layer in layers:
        for name in layer.inputs:
            readers[name].append(layer)
    alike: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    for layer in layers:
        if layer.op == "conv" and (
            layer.kernel, layer.stride, layer.padding, layer.groups
        ) == (1, 1, 0, 1):  # fmt: skip
            row = [layer]
            for op in ("batch_norm", "relu"):
                behind = readers[row[-1].name]
                if len(behind) == 1 and behind[0].op == op:
                    row.append(behind[0])
            kinds = ((part.op, part.epsilon) for part in row)
            alike[layer.inputs, layer.bias, layer.aux, *kinds].append(tuple(row))
    return [tuple(rows) for rows in alike.values() if len(rows) > 1]


class Joined:
    """Rows of modules, each a convolution with its batch norm and ReLU, computed together. The
    modules keep their parameters, their gradients and their running statistics."""

    def __init__(self, rows: list[list[nn.Module]], relu: bool) -> None:
        self.convs = [part for row in rows for part in row if isinstance(part, nn.Conv2d)]
        self.norms = [part for row in rows for part in row if isinstance(part, nn.BatchNorm2d)]
        self.relu = relu
        self.widths = [conv.out_channels for conv in self.convs]

    def __call__(self, x: Tensor) -> tuple[Tensor, ...]:
        """A map (N, C, H, W) to the output of each row."""
        biases = [conv.bias for conv in self.convs if conv.bias is not None]
        weight = torch.cat([conv.weight for conv in self.convs])
        y = functional.conv2d(x, weight, torch.cat(biases) if biases else None)
        if self.norms:
            y = self._normalized(y)
        return (y.relu_() if self.relu else y).split(self.widths, 1)

    def _normalized(self, y: Tensor) -> Tensor:
        first = self.norms[0]
        mean = torch.cat([norm.get_buffer("running_mean") for norm in self.norms])
        variance = torch.cat([norm.get_buffer("running_var") for norm in self.norms])
        weight = torch.cat([norm.weight for norm in self.norms])
        bias = torch.cat([norm.bias for norm in self.norms])
        y = functional.batch_norm(
            y, mean, variance, weight, bias, first.training, first.momentum or 0.0, first.eps
        )
        if first.training:
            parts = zip(
                self.norms, mean.split(self.widths), variance.split(self.widths), strict=True
            )
            for norm, its_mean, its_variance in parts:
                norm.get_buffer("running_mean").copy_(its_mean)
                norm.get_buffer("running_var").copy_(its_variance)
                norm.get_buffer("num_batches_tracked").add_(1)
        return y
