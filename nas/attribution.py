"""Where a difference in cost comes from: a module's own change, or the change of what it reads."""

from __future__ import annotations

import dataclasses

from nas.layers import Layer, Shape, window
from nas.rows import ModuleRow


def attribute(canonical: tuple[Layer, ...], variant: tuple[Layer, ...]) -> tuple[ModuleRow, ...]:
    """Multiply-adds and parameters by module, side by side, without aux heads.

    The change of a module's mult-adds is split into `direct`, what its own layers cost more or less
    on the input that the canonical network gives the module, and `propagated`, the rest: its input
    changed. A module that only one of the two has is direct as a whole. The parts add up to the
    change exactly.
    """
    before, after = _modules(canonical), _modules(variant)
    rows: list[ModuleRow] = []
    for name in {**before, **after}:
        old, new = before.get(name, []), after.get(name, [])
        spent = sum(layer.mult_adds for layer in new)
        alone = sum(layer.mult_adds for layer in _on(_inputs(old), new)) if old else spent
        known = sum(layer.mult_adds for layer in old)
        row = ModuleRow(
            module=name,
            canonical_mult_adds=known,
            variant_mult_adds=spent,
            canonical_params=sum(layer.params for layer in old),
            variant_params=sum(layer.params for layer in new),
            direct=alone - known,
            propagated=spent - alone,
        )
        if row.canonical_params or row.variant_params:
            rows.append(row)
    return tuple(rows)


def _modules(layers: tuple[Layer, ...]) -> dict[str, list[Layer]]:
    made: dict[str, list[Layer]] = {}
    for layer in layers:
        if not layer.aux:
            made.setdefault(layer.module, []).append(layer)
    return made


def _inputs(module: list[Layer]) -> list[Shape]:
    """The shapes that a module reads from outside, in the order in which it reads them."""
    own = {layer.name for layer in module}
    return [layer.in_shape for layer in module for name in layer.inputs[:1] if name not in own]


def _on(given: list[Shape], module: list[Layer]) -> list[Layer]:
    """A module's layers as they would be if it read maps of the `given` shapes."""
    own = {layer.name for layer in module}
    outside: dict[str, Shape] = {}
    shapes: dict[str, Shape] = {}
    made: list[Layer] = []
    for layer in module:
        read: list[Shape] = []
        for name in layer.inputs:
            if name not in own and name not in outside:
                # Inputs in their order: nearly always there is one, the module's.
                outside[name] = given[min(len(outside), len(given) - 1)]
            read.append(shapes[name] if name in own else outside[name])
        shape = _shape(layer, read)
        shapes[layer.name] = shape
        grouped = layer.groups == layer.in_shape[0] and layer.groups > 1
        groups = read[0][0] if grouped else layer.groups
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
