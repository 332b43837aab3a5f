"""What a candidate costs, in closed form from its layers, and the budget that it must fit.

Convention: one multiply-add is one operation; convolutions and linear layers only, no bias, no
normalization, no pooling; one image, at inference, so without aux heads.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from nas.experiment.experiment import Experiment
from nas.networks.layers import Layer
from nas.tree.tree import Node

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
    if not isinstance(experiment, Experiment):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(
            f"a cost is one of an Experiment, such as candidate.experiment, not of a "
            f"{type(experiment).__name__}"
        )
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


Limit = float | Relative | tuple[float | Relative, float | Relative] | None
LIMITED = ("mult_adds", "params", "activations")


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A limit in numbers: `name` must lie from `least` to `most`."""

    name: str
    least: float
    most: float

    def __str__(self) -> str:
        name = self.name.replace("_", "-")
        band = f"{self.least:,.0f} to " if self.least else ""
        return f"{band}{self.most:,.0f} {name}"

    def explain(self, value: float) -> str:
        """Where a value lies: "5.5% over 1,500,000,000 mult-adds", or under, or within a band."""
        name = self.name.replace("_", "-")
        if value > self.most:
            return f"{_percent(value / self.most - 1)} over {self.most:,.0f} {name}"
        if value < self.least:
            return f"{_percent(1 - value / self.least)} below {self.least:,.0f} {name}"
        if self.least:
            return f"within {self}"
        return f"{_percent(1 - value / self.most)} under {self.most:,.0f} {name}"

    def excess(self, value: float) -> float:
        """How far a value is outside, as a share of the limit; at most 0 where it is inside."""
        over = value / self.most - 1
        return max(over, 1 - value / self.least) if self.least else over


@dataclass(frozen=True, kw_only=True)
class Budget(Node):
    """The most that a candidate may cost: multiply-adds for one image, parameters without aux
    heads, activations for one image; None does not limit. A pair is a band, least and most; each
    may be `relative`. `image_size` counts at another size than the recipe trains at. ValueError for
    a limit of 0 or below, a band that is empty, and for none at all.

    >>> from nas import googlenet
    >>> Budget(mult_adds=1.5e9).excess(googlenet, googlenet)
    {'mult_adds': 0.05511458133333336}
    >>> [str(bound) for bound in Budget(mult_adds=(1.49e9, 1.5e9)).bounds(googlenet)]
    ['1,490,000,000 to 1,500,000,000 mult-adds']
    """

    mult_adds: Limit = None
    params: Limit = None
    activations: Limit = field(default=None, metadata={"before": None})
    image_size: int | None = None

    def check(self) -> None:
        if all(getattr(self, name) is None for name in LIMITED):
            raise ValueError(
                "a Budget limits mult_adds, params, activations or several; leave budget=None "
                "instead"
            )
        for name in (*LIMITED, "image_size"):
            value = getattr(self, name)
            ends = cast("tuple[Any, ...]", value) if isinstance(value, tuple) else (value,)
            if len(ends) > 2:
                raise ValueError(f"Budget.{name} is a limit or a band (least, most), not {value!r}")
            for end in ends:
                if end is not None and not isinstance(end, Relative) and not end > 0:
                    raise ValueError(f"Budget.{name} must be above 0, not {end:g}")

    def bounds(self, baseline: Experiment) -> tuple[Bound, ...]:
        """The limits in numbers; ValueError for a band that is empty."""
        reference = cost(baseline, self.image_size)
        made: list[Bound] = []
        for name in LIMITED:
            limit: Limit = getattr(self, name)
            if limit is None:
                continue
            known = getattr(reference, name)
            low, high = limit if isinstance(limit, tuple) else (0.0, limit)
            bound = Bound(name=name, least=_absolute(low, known), most=_absolute(high, known))
            if bound.least > bound.most:
                raise ValueError(f"Budget.{name}: the band {bound} is empty")
            made.append(bound)
        return tuple(made)

    def limits(self, baseline: Experiment) -> dict[str, float]:
        """The most of each that is limited: {"mult_adds": ..., "params": ...}."""
        return {bound.name: bound.most for bound in self.bounds(baseline)}

    def explain(self, experiment: Experiment, baseline: Experiment) -> dict[str, str]:
        """Where an experiment lies against each limit, in words."""
        spent = cost(experiment, self.image_size)
        bounds = self.bounds(baseline)
        return {bound.name: bound.explain(getattr(spent, bound.name)) for bound in bounds}

    def excess(self, experiment: Experiment, baseline: Experiment) -> dict[str, float]:
        """How far outside each limit, as a share of it; at most 0 where the candidate fits."""
        spent = cost(experiment, self.image_size)
        bounds = self.bounds(baseline)
        return {bound.name: bound.excess(getattr(spent, bound.name)) for bound in bounds}


def _percent(share: float) -> str:
    return f"{share:.1%}" if share == 0 or share >= 0.0005 else f"{100 * share:.1g}%"


def _absolute(limit: float | Relative, known: float) -> float:
    return limit.factor * known if isinstance(limit, Relative) else float(limit)
