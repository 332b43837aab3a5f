"""The layers of a network as they are on other shapes than those that they were listed for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from nas.networks.layers import Layer, Shape, inference
from nas.networks.operators import OPERATORS, Op, Settings
from nas.networks.tape import Ref, Tape

SETTINGS = ("kernel", "stride", "padding", "groups", "bias", "rate", "grid", "down", "epsilon")


class _Loose(Tape):
    """A tape on which layers read whatever there is."""

    def check(self, op: Op, name: str, xs: tuple[Ref, ...], settings: Settings) -> None:
        """Nothing: what a module would cost is asked also where it could not be built."""


def reading(layers: Iterable[Layer], shapes: Mapping[str, Shape]) -> tuple[Layer, ...]:
    """Some layers of a network as they would be if those that they read from outside gave these
    shapes; ValueError where a window does not fit."""
    refs = {name: Ref(name, shape) for name, shape in shapes.items()}
    return tuple(_replayed(layers, _Loose(()), refs))


def resized(layers: tuple[Layer, ...], shape: Shape) -> tuple[Layer, ...]:
    """The layers, without the aux heads, as they run on images of another shape (C, H, W) with the
    same weights.

    Raises ValueError where a window does not fit, or a linear layer would need other weights.
    """
    tape, kept = Tape(shape), inference(layers)
    for layer, again in zip(kept, _replayed(kept, tape, {"image": tape.image}), strict=True):
        if again.weights != layer.weights:
            raise ValueError(
                f"{layer.name} reads a map of {layer.in_shape}, not of {again.in_shape}: this "
                "network is scored at the size that it was trained on"
            )
    return tuple(tape.layers)


def _replayed(layers: Iterable[Layer], tape: Tape, outputs: dict[str, Ref]) -> Iterator[Layer]:
    for layer in layers:
        reads = [outputs[name] for name in layer.inputs]
        settings = {name: getattr(layer, name) for name in SETTINGS}
        settings |= OPERATORS[layer.op].again(layer, reads[0].shape)
        outputs[layer.name] = tape.layer(layer.op, layer.name, *reads, **settings)
        yield tape.layers[-1]
