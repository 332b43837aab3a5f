"""What a candidate costs, in closed form from its layers, and the budget that it must fit.

Convention: one multiply-add is one operation; convolutions and linear layers only, no bias, no
normalization, no pooling; one image, at inference, so without aux heads.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from nas.experiment import Experiment
from nas.layers import Layer
from nas.tree import Node

By = Literal["module", "branch", "layer"]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Multiply-adds and activations for one image, learned parameters of the network and of its
    aux heads. `rows` has the same numbers part by part."""

    name: str = "total"
    mult_adds: int
    params: int
    params_aux: int
    activations: int
    rows: tuple[Cost, ...] = ()


def cost(experiment: Experiment, image_size: int | None = None, by: By = "module") -> Cost:
    """The cost of an experiment's network, for images of the recipe's size or another.

    `by` says of which parts the rows are. Raises ValueError where the network does not fit the
    image.

    >>> from nas import googlenet
    >>> found = cost(googlenet)
    >>> found.mult_adds, found.params, found.params_aux
    (1582671872, 6998552, 6379728)
    >>> found.rows[1].name, found.rows[1].mult_adds
    ('inception_3a', 128049152)
    """
    layers = experiment.layers(image_size)
    parts: dict[str, list[Layer]] = {}
    for layer in layers:
        parts.setdefault(_part(layer, by), []).append(layer)
    rows = [_sum(name, group) for name, group in parts.items()]
    counted = tuple(row for row in rows if row.params or row.params_aux)
    return dataclasses.replace(total(layers), rows=counted)


def total(layers: tuple[Layer, ...]) -> Cost:
    """The cost of a list of layers, without its parts."""
    return _sum("total", layers)


def _part(layer: Layer, by: By) -> str:
    if by == "layer":
        return layer.name
    return f"{layer.module}.{layer.branch}" if by == "branch" else layer.module


def _sum(name: str, layers: Iterable[Layer]) -> Cost:
    listed = list(layers)
    main = [layer for layer in listed if not layer.aux]
    return Cost(
        name=name,
        mult_adds=sum(layer.mult_adds for layer in main),
        params=sum(layer.params for layer in main),
        params_aux=sum(layer.params for layer in listed if layer.aux),
        activations=sum(layer.activations for layer in main),
    )


@dataclass(frozen=True, kw_only=True)
class Relative(Node):
    """A limit as a multiple of the baseline's cost."""

    factor: float

    def check(self) -> None:
        if self.factor <= 0:
            raise ValueError(f"relative() takes a factor above 0, not {self.factor:g}")


def relative(factor: float) -> Relative:
    """A limit of `factor` times what the baseline costs; ValueError for a factor of 0 or less.

    >>> from nas import tiny_googlenet
    >>> Budget(mult_adds=relative(0.5)).limits(tiny_googlenet)
    {'mult_adds': 173288.0}
    """
    return Relative(factor=factor)


@dataclass(frozen=True, kw_only=True)
class Budget(Node):
    """The most that a candidate may cost: multiply-adds for one image, parameters without aux
    heads; None does not limit. `image_size` counts at another size than the recipe trains at.

    Raises ValueError when it limits nothing, or at 0.

    >>> from nas import googlenet
    >>> budget = Budget(mult_adds=1.5e9)
    >>> round(budget.excess(googlenet, baseline=googlenet)["mult_adds"], 3)
    0.055
    """

    mult_adds: float | Relative | None = None
    params: float | Relative | None = None
    image_size: int | None = None

    def check(self) -> None:
        if self.mult_adds is None and self.params is None:
            raise ValueError("a Budget limits mult_adds, params or both; leave budget=None instead")
        for name in ("mult_adds", "params", "image_size"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, Relative) and not value > 0:
                raise ValueError(f"Budget.{name} must be above 0, not {value:g}")

    def limits(self, baseline: Experiment) -> dict[str, float]:
        """The limits in numbers: {"mult_adds": ..., "params": ...}, for the limited ones."""
        reference = cost(baseline, self.image_size)
        made: dict[str, float] = {}
        for name in ("mult_adds", "params"):
            limit: float | Relative | None = getattr(self, name)
            if isinstance(limit, Relative):
                made[name] = limit.factor * getattr(reference, name)
            elif limit is not None:
                made[name] = float(limit)
        return made

    def excess(self, experiment: Experiment, baseline: Experiment) -> dict[str, float]:
        """How far over each limit, as a share of it; at most 0 where the candidate fits."""
        spent = cost(experiment, self.image_size)
        limits = self.limits(baseline)
        return {name: getattr(spent, name) / limit - 1 for name, limit in limits.items()}
