"""The layers of a network with their shapes: what the torch module and the cost are both made from.

A network's `layers(shape, classes)` records them on a `Tape`, one call a layer. Shapes are
(C, H, W), without the batch. An output that no later layer reads is a result: the one outside any
aux head holds the network's logits, the others those of the aux heads.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from math import prod
from typing import Any, Protocol, runtime_checkable

from nas.networks.operators import OPERATORS, Op, Shape
from nas.tree.tree import Node

MOST_LAYERS = 10_000
MOST = 10**9
"""The layers of a network at most; its parameters, those of aux heads too, and its activations for
one image."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer: what it does, what it reads (names of earlier layers; "image" is the input), and
    its input and output shape (C, H, W).

    kernel: 0 averages the whole map to grid x grid, whatever its size. down: a max pool that rounds
    its output down. epsilon: what batch norm adds to the variance.
    """

    name: str
    op: Op
    inputs: tuple[str, ...]
    in_shape: Shape
    shape: Shape
    kernel: int = 1
    stride: int = 1
    padding: int = 0
    groups: int = 1
    bias: bool = False
    rate: float = 0.0
    aux: bool = False
    grid: int = 1
    down: bool = False
    epsilon: float = 1e-5

    @property
    def module(self) -> str:
        """The first part of the name: stem, inception_3a, aux_4a, head."""
        return self.name.split(".")[0]

    @property
    def branch(self) -> str:
        """The second part of the name: conv1x1, conv3x3, conv5x5, pool_proj."""
        return ".".join(self.name.split(".")[1:2]).removesuffix("_norm").removesuffix("_relu")

    @property
    def weights(self) -> int:
        """Number of weights, without biases; a batch norm has one a channel."""
        read = OPERATORS[self.op].read
        if read is None:
            return 0
        return self.shape[0] * read(self.in_shape) // self.groups * self.kernel**2

    @property
    def params(self) -> int:
        """Number of learned parameters: weights and biases."""
        biased = self.bias or OPERATORS[self.op].biased
        return self.weights + (self.shape[0] if biased else 0)

    @property
    def mult_adds(self) -> int:
        """Multiply-adds for one image: convolutions and linear layers only, no bias."""
        return self.weights * prod(self.shape[1:]) if OPERATORS[self.op].counted else 0

    @property
    def filled(self) -> bool:
        """Whether its windows fill the map, so that rounding down and up are one."""
        room = (side + 2 * self.padding - self.kernel for side in self.in_shape[1:])
        return not any(pixels % self.stride for pixels in room)

    @property
    def activations(self) -> int:
        """Output elements of convolutions and linear layers, for one image."""
        return prod(self.shape) if OPERATORS[self.op].counted else 0


@runtime_checkable
class Network(Protocol):
    """What the cost, the trainer, the search and the report need of a network."""

    def layers(self, shape: Shape, classes: int) -> tuple[Layer, ...]:
        """The layers for images of shape (C, H, W); ValueError where they do not fit."""
        ...


def module_fields(network: Any) -> frozenset[str]:
    """The fields of a network that hold its modules: nodes of a type that several fields have."""
    alike: defaultdict[Any, list[str]] = defaultdict(list)
    for each in fields(network):
        alike[each.type].append(each.name)
    return frozenset(
        name
        for names in alike.values()
        if len(names) > 1 and any(isinstance(getattr(network, name), Node) for name in names)
        for name in names
    )


LATER = {"grid": 1, "down": False, "epsilon": 1e-5}
"""Fields that layers once had not, and what they hold where a layer is as it was then."""


def to_plain(layers: Iterable[Layer]) -> list[dict[str, Any]]:
    """The layers' fields by their names, but for those that are as they were before there were such
    fields, so that old fingerprints stay. `dataclasses.asdict` would copy each value: a tenth of a
    second for a large network."""
    return [
        {name: value for name, value in vars(layer).items()
         if name not in LATER or value != LATER[name]}
        for layer in layers
    ]  # fmt: skip


def from_plain(rows: Iterable[Mapping[str, Any]]) -> tuple[Layer, ...]:
    """The layers that `to_plain` wrote, also by way of JSON."""
    shapes = ("inputs", "in_shape", "shape")

    def fields(row: Mapping[str, Any]) -> dict[str, Any]:
        return {name: tuple(v) if name in shapes else v for name, v in row.items()}

    return tuple(Layer(**fields(row)) for row in rows)


def results(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """The layers that no other reads: the network's logits first, then its aux heads'."""
    read = {name for layer in layers for name in layer.inputs}
    ends = [layer for layer in layers if layer.name not in read]
    return tuple(sorted(ends, key=lambda layer: layer.aux))


def check_results(layers: Any, classes: int) -> None:
    """Raises ValueError where what a network's `layers` gave does not end in its logits."""
    if not isinstance(layers, tuple) or not all(isinstance(layer, Layer) for layer in layers):  # pyright: ignore[reportUnknownVariableType]
        raise ValueError(
            f"layers() must return tuple(tape.layers), not a {type(layers).__name__}"  # pyright: ignore[reportUnknownArgumentType]
        )
    ends = results(layers)
    logits = [layer.name for layer in ends if not layer.aux]
    if len(logits) != 1:
        raise ValueError(
            "just one layer outside the aux heads is read by no other, that of the logits; here "
            f"{'these are: ' + ', '.join(logits) if logits else 'there is none'}; "
            "what an aux head records stands between tape.aux = True and tape.aux = False"
        )
    for layer in ends:
        if prod(layer.shape) != classes:
            raise ValueError(
                f"{layer.name} is read by no other layer, so it must give one logit for each of "
                f"the {classes} classes, not {prod(layer.shape)} numbers {layer.shape}; end in "
                "tape.linear(name, tape.average_pool(name, x), classes)"
            )


def check_size(layers: Iterable[Layer]) -> None:
    """Raises ValueError where a network is too large to be built anywhere: nothing is allocated
    to see it."""
    params = activations = 0
    for layer in layers:
        params += layer.params
        activations += 0 if layer.aux else layer.activations
    for number, what in ((params, "parameters"), (activations, "activations for an image")):
        if number > MOST:
            raise ValueError(f"{number:,} {what}; a network has {MOST:,} at most")


def inference(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """The layers that run at inference: all but the aux heads'."""
    return tuple(layer for layer in layers if not layer.aux)


def image_shape(layers: tuple[Layer, ...]) -> Shape:
    """The shape (C, H, W) of the images that the layers are for."""
    return next(layer.in_shape for layer in layers if layer.inputs[0] == "image")
