"""Axes that change modules and keep what they cost, as closely as whole channels allow.

What a module costs depends on what it reads, so these axes are made for a baseline.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from nas import PLACES, Experiment, Inception, Plain, versus
from nas.networks.inception import Module, Modules
from nas.networks.tape import Ref
from nas.space.populations import PopulationTape
from nas.tree.domain import Interval

SHARES = {"1/8": 1 / 8, "1/4": 1 / 4, "1/2": 1 / 2, "3/4": 3 / 4}
WIDEST = 2048
ANY: Any = Interval(name="width", low=1, high=WIDEST, default=1)
"""Every width at once."""


def shares(baseline: Experiment) -> dict[str, Any]:
    """One decision a stage: the share of the 5x5 branch in the mult-adds of the two large branches,
    for each module its own or the same for all. Their sum stays: no module of GoogLeNet costs
    0.5 % more or less on what it read before, none of the small one 2 %, of the tiny one 4 %."""
    return {
        f"network.inception_{row.place}": versus(
            **_shared(row), name=f"stage{row.place[0]}.5x5 share"
        )
        for row in _rows(baseline)
    }


def plain_below(baseline: Experiment) -> dict[str, Any]:
    """One decision: the first place with an Inception module. Below it stand plain 3x3 convolutions
    with widths in one proportion to their modules' outputs, such that the network's mult-adds stay:
    to 0.2 % in GoogLeNet, 1 % in the small and the tiny one. "nowhere" is a plain network."""
    rows = _rows(baseline)
    firsts = [*(row.place for row in rows[1:]), "nowhere"]
    widths = [_widths(rows, count) for count in range(1, len(rows) + 1)]
    return {
        f"network.inception_{row.place}": versus(
            **{
                first: Plain(width=below[at]) if at < len(below) else _kept
                for first, below in zip(firsts, widths, strict=True)
            },
            name="first inception",
        )
        for at, row in enumerate(rows)
    }


@dataclass(frozen=True, kw_only=True)
class _Row:
    """A module of a baseline: the channels it reads and gives, the pixels of its maps, and the
    factor of all widths."""

    place: str
    module: Inception
    channels: int
    width: int
    area: int
    factor: float


def _rows(baseline: Experiment) -> list[_Row]:
    first = {layer.module: layer for layer in reversed(baseline.layers())}
    last = {layer.module: layer for layer in baseline.layers()}
    return [
        _Row(
            place=place,
            module=getattr(baseline.network, name),
            channels=first[name].in_shape[0],
            width=last[name].shape[0],
            area=last[name].shape[1] * last[name].shape[2],
            factor=baseline.network.width,
        )
        for place in PLACES
        if (name := f"inception_{place}") in first
    ]


def _kept(module: Module) -> Module:
    return module


def _shared(row: _Row) -> dict[str, Inception]:
    """The module with each share: the 5x5 branch first, the 3x3 branch as wide as is left."""
    module, conv3x3, conv5x5 = row.module, row.module.conv3x3, row.module.conv5x5
    if conv3x3 is None or conv5x5 is None:
        raise ValueError(f"shares() needs both large branches; {row.place} has one or none")
    spent = partial(_spent, row.channels, row.factor)
    total, without = spent(module), spent(replace(module, conv5x5=None))
    both = total - spent(replace(module, conv3x3=None, conv5x5=None))
    widths = spent(replace(module, conv5x5=replace(conv5x5, width=ANY)))
    made: dict[str, Inception] = {}
    for label, share in SHARES.items():
        narrow = replace(conv5x5, width=_nearest(widths, without + share * both))
        left = spent(replace(module, conv5x5=narrow, conv3x3=replace(conv3x3, width=ANY)))
        wide = replace(conv3x3, width=_nearest(left, total))
        made[label] = replace(module, conv3x3=wide, conv5x5=narrow)
    return made


def _spent(channels: Any, factor: float, module: Module) -> Any:
    """The mult-adds of a module a pixel: a number, or an array where it or what it reads has many
    widths."""
    tape = PopulationTape((1, 1, 1), {ANY.name: np.arange(1.0, WIDEST + 1)}, WIDEST)
    Modules(tape, "none", factor).module("module", Ref("read", (channels, 1, 1)), module)
    return tape.totals()["mult_adds"]


def _nearest(spent: Any, target: float) -> int:
    """The width for which the mult-adds are nearest to the target."""
    return 1 + int(np.abs(spent - target).argmin())


def _widths(rows: Sequence[_Row], count: int) -> list[int]:
    """The widths of plain convolutions in the place of the lowest `count` modules, such that these
    and the module that reads them cost together what they did."""
    proportions = np.arange(1, WIDEST + 1) / 1000
    changed = rows[: count + 1]
    before = sum(row.area * _spent(row.channels, row.factor, row.module) for row in changed)
    channels: Any = rows[0].channels
    spent: Any = 0
    for row in rows[:count]:
        spec = np.maximum(1, np.rint(proportions * row.width / row.factor))
        width = np.maximum(1, np.rint(spec * row.factor))
        spent += row.area * 9 * channels * width
        channels = width
    for row in rows[count : count + 1]:
        spent += row.area * _spent(channels, row.factor, row.module)
    proportion = _nearest(spent, before) / 1000
    return [max(1, round(proportion * row.width / row.factor)) for row in rows[:count]]
