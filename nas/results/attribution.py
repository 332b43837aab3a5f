"""Where a difference in cost comes from: a module's own change, or the change of what it reads."""

from __future__ import annotations

import dataclasses

from nas.networks.layers import Layer, Shape, window
from nas.results.rows import ModuleRow


def attribute(canonical: tuple[Layer, ...], variant: tuple[Layer, ...]) -> tuple[ModuleRow, ...]:
    """Multiply-adds and parameters by module, side by side, without aux heads.

    A module's change is split into `direct`, what its own layers cost more or less on the input
    that the canonical network gives the module, and `propagated`, the rest: its input changed. A
    module that only one of the two has is direct as a whole. The parts add up to the change
    exactly.
    """
    before, after = _modules(canonical), _modules(variant)
    old_shapes, new_shapes = _shapes(canonical), _shapes(variant)
    rows: list[ModuleRow] = []
    for name in {**before, **after}:
        old, new = before.get(name, []), after.get(name, [])
        alone = new
        if old and new:
            try:
                given = _given(_outside(old), _outside(new), old_shapes, new_shapes)
                alone = _on(given, new)
            except ValueError:
                pass  # on the canonical input the variant's module would not fit: all is its own
        (known, known_params), (spent, params) = _sum(old), _sum(new)
        own, own_params = _sum(alone)
        row = ModuleRow(
            module=name,
            canonical_mult_adds=known,
            variant_mult_adds=spent,
            canonical_params=known_params,
            variant_params=params,
            direct=own - known,
            propagated=spent - own,
            direct_params=own_params - known_params,
            propagated_params=params - own_params,
        )
        if row.canonical_params or row.variant_params:
            rows.append(row)
    return tuple(rows)


def _sum(layers: list[Layer]) -> tuple[int, int]:
    """Multiply-adds and parameters."""
    return sum(layer.mult_adds for layer in layers), sum(layer.params for layer in layers)


def _shapes(layers: tuple[Layer, ...]) -> dict[str, Shape]:
    return {"image": layers[0].in_shape} | {layer.name: layer.shape for layer in layers}


def _modules(layers: tuple[Layer, ...]) -> dict[str, list[Layer]]:
    made: dict[str, list[Layer]] = {}
    for layer in layers:
        if not layer.aux:
            made.setdefault(layer.module, []).append(layer)
    return made


def _outside(module: list[Layer]) -> list[str]:
    """What a module reads from outside, each once, in the order in which it is read."""
    own = {layer.name for layer in module}
    read = [name for layer in module for name in layer.inputs if name not in own]
    return list(dict.fromkeys(read))


def _given(
    old: list[str], new: list[str], old_shapes: dict[str, Shape], new_shapes: dict[str, Shape]
) -> dict[str, Shape]:
    """For each input of the variant's module the shape that the canonical network gives it: that
    of the same name, or else of the same place among the inputs."""
    made: dict[str, Shape] = {}
    for at, name in enumerate(new):
        same = name if name in old else old[at] if at < len(old) else None
        made[name] = old_shapes[same] if same else new_shapes[name]
    return made


def _on(given: dict[str, Shape], module: list[Layer]) -> list[Layer]:
    """A module's layers as they would be if it read maps of the `given` shapes."""
    shapes = dict(given)
    made: list[Layer] = []
    for layer in module:
        read = [shapes[name] for name in layer.inputs]
        shapes[layer.name] = _shape(layer, read)
        grouped = layer.groups == layer.in_shape[0] and layer.groups > 1
        groups = read[0][0] if grouped else layer.groups
        shape = shapes[layer.name]
        made.append(dataclasses.replace(layer, in_shape=read[0], shape=shape, groups=groups))
    return made


def _shape(layer: Layer, read: list[Shape]) -> Shape:
    """What a layer gives for inputs of these shapes."""
    first = read[0]
    if layer.op == "linear":
        return layer.shape
    if layer.op == "concat":
        return (sum(shape[0] for shape in read), *first[1:])
    if layer.op in ("conv", "max_pool", "average_pool"):
        if layer.kernel == 0:
            return (first[0], *(1 for _ in first[1:]))
        up = layer.op == "max_pool"
        size = (
            window(layer.name, side, layer.kernel, layer.stride, layer.padding, up)
            for side in first[1:]
        )
        depthwise = layer.groups == layer.in_shape[0] and layer.groups > 1
        multiple = layer.shape[0] // layer.in_shape[0] if depthwise else 0
        channels = layer.shape[0] if layer.op == "conv" else first[0]
        return (multiple * first[0] or channels, *size)
    return first
