"""The layers of a trained network at another image size."""

from __future__ import annotations

from math import prod

from nas.networks.layers import Layer, Shape, Tape


def resized(layers: tuple[Layer, ...], shape: Shape) -> tuple[Layer, ...]:
    """The layers, without the aux heads, as they run on images of another shape (C, H, W) with the
    same weights.

    Raises ValueError where a window does not fit, or a linear layer would need other weights.
    """
    tape = Tape(shape)
    made = {"image": tape.image}
    for layer in layers:
        if layer.aux:
            continue
        name, (x, *others) = layer.name, (made[read] for read in layer.inputs)
        match layer.op:
            case "conv":
                width, groups = layer.shape[0], layer.groups
                y = tape.conv(
                    name, x, width, layer.kernel, layer.stride, groups, layer.bias, layer.padding
                )
            case "linear":
                if prod(x.shape) != prod(layer.in_shape):
                    raise ValueError(
                        f"{name} reads a map of {layer.in_shape}, not of {x.shape}: this network "
                        "is scored at the size that it was trained on"
                    )
                y = tape.linear(name, x, layer.shape[0])
            case "max_pool":
                y = tape.max_pool(name, x, layer.kernel, layer.stride, layer.padding)
            case "average_pool":
                y = tape.average_pool(name, x, layer.kernel, layer.stride)
            case "concat":
                y = tape.concat(name, x, *others)
            case "add":
                y = tape.add(name, x, *others)
            case "batch_norm" | "lrn" | "relu" | "dropout":
                y = tape.simple(layer.op, name, x, layer.rate)
        made[name] = y
    return tuple(tape.layers)
