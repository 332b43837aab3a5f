"""Where a difference in cost comes from: a module's own change, or the change of what it reads."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from nas.networks.layers import Layer, Shape
from nas.networks.replay import reading
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
        alone: Iterable[Layer] = new
        if old and new:
            # Where the variant's module would not fit on the canonical input, all is its own.
            with suppress(ValueError):
                alone = reading(new, _canonical(old, new, old_shapes, new_shapes))
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


def _sum(layers: Iterable[Layer]) -> tuple[int, int]:
    """Multiply-adds and parameters."""
    costs = [(layer.mult_adds, layer.params) for layer in layers]
    return sum(mult_adds for mult_adds, _ in costs), sum(params for _, params in costs)


def _shapes(layers: tuple[Layer, ...]) -> dict[str, Shape]:
    return {"image": layers[0].in_shape} | {layer.name: layer.shape for layer in layers}


def _modules(layers: tuple[Layer, ...]) -> dict[str, list[Layer]]:
    modules: dict[str, list[Layer]] = {}
    for layer in layers:
        if not layer.aux:
            modules.setdefault(layer.module, []).append(layer)
    return modules


def _outside(module: list[Layer]) -> list[str]:
    """What a module reads from outside, each once, in the order in which it is read."""
    own = {layer.name for layer in module}
    read = [name for layer in module for name in layer.inputs if name not in own]
    return list(dict.fromkeys(read))


def _canonical(
    old: list[Layer], new: list[Layer], old_shapes: dict[str, Shape], new_shapes: dict[str, Shape]
) -> dict[str, Shape]:
    """For each input of the variant's module the shape that the canonical network gives it: that
    of the same name, or else of the same place among the inputs."""
    known = _outside(old)
    shapes: dict[str, Shape] = {}
    for at, name in enumerate(_outside(new)):
        same = name if name in known else known[at] if at < len(known) else None
        shapes[name] = old_shapes[same] if same else new_shapes[name]
    return shapes
