"""The torch module of an experiment, built from the same list of layers as its cost."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.networks.layers import Layer, results
from nas.networks.operators import OPERATORS
from nas.train.fusion import Joined, siblings

# Shapes: N images, C channels, H height, W width, K classes.


class Dropout(nn.Module):
    """Dropout with a random stream of its own, so that another layer's draws change nothing."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        """x, any shape; in training a share `rate` is set to 0 and the rest scaled up."""
        if not self.training:
            return x
        keep = torch.empty_like(x).bernoulli_(1 - self.rate, generator=self.generator)
        return x * keep / (1 - self.rate)


class Function(nn.Module):
    """A function of torch, where a module stands; `listed`: it takes what it reads as a list."""

    def __init__(self, function: Any, *args: Any, listed: bool = False, **options: Any) -> None:
        super().__init__()
        self.function, self.args, self.listed, self.options = function, args, listed, options

    def forward(self, *xs: Tensor) -> Tensor:
        reads = (xs,) if self.listed else xs
        return self.function(*reads, *self.args, **self.options)


class Net(nn.Module):
    """The network of a list of layers. `forward` gives the logits (N, K); `outputs` gives the aux
    heads' beside them, by the name of the layer that makes them. `fused`: the 1x1 convolutions that
    read one map run as one; the function and the names of the parameters are the same."""

    def __init__(self, layers: tuple[Layer, ...], fused: bool = False) -> None:
        super().__init__()
        self.result = results(layers)[0].name
        self.heads = tuple(layer.name for layer in results(layers)[1:])
        overwritable = _overwritable(layers)
        modules: dict[str, nn.Module] = {}
        for layer in layers:
            modules[layer.name] = _module(layer, inplace=layer.inputs[0] in overwritable)
            _attach(self, layer.name, modules[layer.name])
        self._steps = _steps(layers, modules, fused)
        self._last = {name: step.writes[-1] for step in self._steps for name in step.reads}

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, C, H, W) to logits (N, K), without the aux heads."""
        return self._run(x, aux=False)[self.result]

    def outputs(self, x: Tensor) -> dict[str, Tensor]:
        """Images (N, C, H, W) to logits (N, K), those of the aux heads beside the network's."""
        return self._run(x, aux=True)

    def _run(self, x: Tensor, aux: bool) -> dict[str, Tensor]:
        held = {"image": x}
        for step in self._steps:
            if step.aux and not aux:
                continue
            reads = [held[name] for name in step.reads]
            if step.flat:
                reads = [x.flatten(1) for x in reads]
            outputs: Any = step.module(*reads)
            for name in step.reads:
                if self._last[name] == step.writes[-1]:
                    held.pop(name, None)
            rows = outputs if isinstance(step.module, Joined) else (outputs,)
            held.update(zip(step.writes, rows, strict=True))
        # A result may be an averaged map (N, K, 1, 1), as that of Network in Network is.
        return {name: held[name].flatten(1) for name in (self.result, *self.heads) if name in held}


def _overwritable(layers: tuple[Layer, ...]) -> set[str]:
    """The maps that may be overwritten: not the batch itself, nor one that two layers read."""
    read = Counter(name for layer in layers for name in layer.inputs)
    return {layer.name for layer in layers if read[layer.name] == 1 and OPERATORS[layer.op].spare}


class _Step(NamedTuple):
    """What runs at once: a layer, or the rows of several."""

    reads: tuple[str, ...]
    writes: tuple[str, ...]
    aux: bool
    module: nn.Module | Joined
    flat: bool = False


def _steps(layers: tuple[Layer, ...], modules: dict[str, nn.Module], fused: bool) -> list[_Step]:
    joined: dict[str, _Step] = {}
    inside: set[str] = set()
    for rows in siblings(layers) if fused else ():
        first = rows[0][0]
        parts = [[modules[layer.name] for layer in row] for row in rows]
        ends = tuple(row[-1].name for row in rows)
        together = Joined(parts, relu=rows[0][-1].op == "relu")
        joined[first.name] = _Step(first.inputs, ends, first.aux, together)
        inside |= {layer.name for row in rows for layer in row}
    steps: list[_Step] = []
    for layer in layers:
        if layer.name in joined:
            steps.append(joined[layer.name])
        elif layer.name not in inside:
            module, flat = modules[layer.name], OPERATORS[layer.op].flat
            steps.append(_Step(layer.inputs, (layer.name,), layer.aux, module, flat))
    return steps


def _module(layer: Layer, inplace: bool) -> nn.Module:
    """The module of a layer; dropout has our own, and a ReLU may write over what it reads."""
    if layer.op == "dropout":
        return Dropout(layer.rate)
    call = OPERATORS[layer.op].torch(layer)
    home, name = call.name.split(".")
    function = getattr({"nn": nn, "F": functional, "torch": torch}[home], name)
    if home == "nn":
        return function(*call.args, **call.options)
    options = {"inplace": True} if layer.op == "relu" and inplace else {}
    return Function(function, *call.args, listed=layer.op == "concat", **call.options, **options)


def _attach(root: nn.Module, path: str, module: nn.Module) -> None:
    *parents, name = path.split(".")
    for parent in parents:
        if parent not in root._modules:
            root.add_module(parent, nn.Module())
        root = root.get_submodule(parent)
    root.add_module(name, module)


def initialize(net: nn.Module, seed: int, scheme: str) -> None:
    """Draws every parameter from a stream of its own, named by the seed and the parameter's path,
    so that layers that two variants share start alike.

    "he": normal, variance 2 / fan-in (He et al. 2015, eq. 10), or 1 / fan-in before the softmax;
    zero biases. "torch": uniform in +-1 / sqrt(fan-in), weights and biases, as torch's layers do.
    """
    for path, module in net.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            fan_in = module.weight[0].numel()
            weights = _stream(seed, f"{path}.weight")
            if scheme == "torch":
                bound = 1 / math.sqrt(fan_in)
                nn.init.uniform_(module.weight, -bound, bound, generator=weights)
                if module.bias is not None:
                    stream = _stream(seed, f"{path}.bias")
                    nn.init.uniform_(module.bias, -bound, bound, generator=stream)
            else:
                gain = 1 if path.endswith("classifier") else 2
                nn.init.normal_(module.weight, 0, math.sqrt(gain / fan_in), generator=weights)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()


def reseed_dropout(net: nn.Module, seed: int, epoch: int, device: torch.device) -> None:
    """Starts each dropout layer's stream anew, named by seed, path and epoch."""
    for path, module in net.named_modules():
        if isinstance(module, Dropout):
            module.generator = _stream(seed, f"{path}.{epoch}", device)


def _stream(seed: int, name: str, device: torch.device | None = None) -> torch.Generator:
    return torch.Generator(device or "cpu").manual_seed(stream_seed(seed, name))


def stream_seed(seed: int, name: str) -> int:
    """The 63-bit seed of the stream of this name."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:8]) >> 1
