"""Networks of equal cost: what a change saved given back, or the baseline shrunk to what it costs.

Taking a branch away also takes multiply-adds away. A matched variant is as wide as the baseline can
pay for; a size control is the baseline, as narrow as the variant. Both change one factor over the
widths that the change left alone, and then single channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.experiment.cost import cost
from nas.experiment.experiment import Experiment
from nas.networks.layers import Layer
from nas.space.populations import Buildable, costs
from nas.tree.domain import Interval
from nas.tree.tree import edit, rewrite, walk

FACTORS = (0.8, 1.25)
"""The width factors of a matched variant; outside it would be another network."""
CONTROLS = (0.1, 4.0)
SHARE, MOST = 0.1, 0.01
"""How near a match must come: a tenth of what was saved, and at most 1 % of the cost."""
GRID, STEPS, PAIRS, ROUNDS, NEAR = 65, (1, 2, 4, 8), 128, 8, 1e-6


@dataclass(frozen=True, kw_only=True)
class Matched:
    """An experiment that costs what another does: its width factor, its mult-adds and those that
    were asked for."""

    experiment: Experiment
    factor: float
    mult_adds: int
    wanted: int


def match(variant: Experiment, baseline: Experiment, image_size: int | None = None) -> Matched:
    """The variant with what it saved given back: every width that it shares with the baseline
    times one factor, then polished by single channels, until it costs what the baseline does.

    The stem's widths are among them, those of the aux heads are not. Raises ValueError where the
    factor lies outside 0.8 to 1.25, and where no network comes as near as a tenth of the saving and
    1 % of the cost.

    >>> from nas import edit, googlenet
    >>> found = match(edit(googlenet, {"network.inception_3b.conv5x5": None}), googlenet)
    >>> round(found.factor, 3), found.mult_adds - found.wanted
    (1.024, 26)
    """
    wanted = cost(baseline, image_size).mult_adds
    return _reach(variant, wanted, _shared(variant, baseline), FACTORS, image_size)


def control(baseline: Experiment, mult_adds: int, image_size: int | None = None) -> Matched:
    """The baseline with every width times one factor, then polished by single channels, so that it
    costs this much. Raises ValueError where it cannot.

    >>> from nas import edit, googlenet
    >>> control(googlenet, 1_500_000_000).mult_adds
    1499999964
    """
    return _reach(baseline, mult_adds, widths(baseline), CONTROLS, image_size)


@lru_cache(maxsize=64)
def widths(experiment: Experiment) -> tuple[str, ...]:
    """The paths of the widths: whole numbers that, twice as large, change nothing but numbers of
    channels, and not in the aux heads alone."""
    before = experiment.layers()
    paths: list[str] = []
    for path, value in walk(experiment.network, "network"):
        if isinstance(value, int) and not isinstance(value, bool):
            try:
                after = edit(experiment, {path: 2 * value}).layers()
            except ValueError:
                continue
            if _main(after) != _main(before) and _form(after) == _form(before):
                paths.append(path)
    return tuple(paths)


def _form(layers: tuple[Layer, ...]) -> list[Any]:
    """Everything about the layers but their channels."""
    return [
        (x.name, x.op, x.inputs, x.shape[1:], x.kernel, x.stride, x.groups, x.rate, x.grid)
        for x in layers
    ]


def _main(layers: tuple[Layer, ...]) -> list[Layer]:
    return [layer for layer in layers if not layer.aux]


def _shared(variant: Experiment, baseline: Experiment) -> tuple[str, ...]:
    old, new = dict(walk(baseline)), dict(walk(variant))
    return tuple(path for path in widths(baseline) if old[path] == new.get(path))


def _reach(
    experiment: Experiment,
    wanted: int,
    paths: tuple[str, ...],
    factors: tuple[float, float],
    image_size: int | None,
) -> Matched:
    known = cost(experiment, image_size).mult_adds
    if known == wanted:
        return Matched(experiment=experiment, factor=1.0, mult_adds=known, wanted=wanted)
    if not paths:
        raise ValueError("the change leaves no width of the baseline alone, so none can be matched")
    trials = _Widths(experiment, paths, image_size)
    grid = np.geomspace(*factors, GRID)
    spans = trials.costs(trials.scaled(grid))
    if not spans[0] <= wanted <= spans[-1]:
        raise ValueError(
            f"a width factor of {factors[0]:g} to {factors[1]:g} gives {spans[0]:,.0f} to "
            f"{spans[-1]:,.0f} mult-adds, not {wanted:,}: it would be another network"
        )
    at = int(np.argmin(np.abs(spans - wanted)))
    grid = np.linspace(grid[max(0, at - 1)], grid[min(GRID - 1, at + 1)], GRID)
    starts = trials.scaled(grid)
    at = int(np.argmin(np.abs(trials.costs(starts) - wanted)))
    values, spent = trials.polished(starts[:, at], wanted)
    if abs(spent - wanted) > min(SHARE * abs(wanted - known), MOST * wanted):
        raise ValueError(
            f"the nearest to {wanted:,} mult-adds that widths of whole channels come is {spent:,}: "
            f"more than a tenth of the difference of {abs(wanted - known):,}, or than 1 %"
        )
    matched = _with(experiment, paths, values)
    return Matched(experiment=matched, factor=float(grid[at]), mult_adds=spent, wanted=wanted)


def _with(
    experiment: Experiment, paths: tuple[str, ...], values: NDArray[np.float64]
) -> Experiment:
    widths = dict(zip(paths, map(int, values), strict=True))
    return rewrite(experiment, lambda path, value: widths.get(path, value))


class _Widths:
    """An experiment with some of its widths open: their values are arrays (paths, N)."""

    def __init__(
        self, experiment: Experiment, paths: tuple[str, ...], image_size: int | None
    ) -> None:
        self.experiment, self.paths, self.image_size = experiment, paths, image_size
        held = dict(walk(experiment))
        self.canonical = np.array([held[path] for path in paths], float)
        self.template = rewrite(experiment, self._open)

    def _open(self, path: str, value: Any) -> Any:
        if path not in self.paths:
            return value
        return Interval(name=path, low=1, high=2**31, default=value)

    def scaled(self, factors: Any) -> NDArray[np.float64]:
        """The canonical widths times each factor."""
        return np.maximum(1, np.rint(np.multiply.outer(self.canonical, factors)))

    def costs(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The mult-adds (N,) of some widths; infinite where they make no network."""
        network, size = self.template.network, self.image_size or self.experiment.shape[1]
        shape = (self.experiment.shape[0], size, size)
        if isinstance(network, Buildable):
            positions = dict(zip(self.paths, values, strict=True))
            spent = costs(network, shape, self.experiment.classes, positions, values.shape[1])
            return np.where(spent.valid, spent.mult_adds, np.inf)
        return np.array([self._cost(column, size) for column in values.T])

    def _cost(self, values: NDArray[np.float64], size: int) -> float:
        try:
            return cost(_with(self.experiment, self.paths, values), size).mult_adds
        except ValueError:
            return np.inf

    def polished(self, start: NDArray[np.float64], wanted: int) -> tuple[NDArray[np.float64], int]:
        """The widths (paths,) near `start` that come nearest to the cost, and that: one width is
        changed by a few channels, or two are, while that helps."""
        here, left, count = start, np.inf, len(start)
        steps = np.array([sign * step for step in STEPS for sign in (1, -1)], float)
        ones = np.hstack([np.zeros((count, 1)), *(np.eye(count) * step for step in steps)])
        for _ in range(ROUNDS):
            off = wanted - self.costs(np.maximum(1, here[:, None] + ones))
            left, saved = off[0], off[0] - off
            # What two changes save is nearly the sum of what each does: only the best are counted.
            pairs = np.abs(saved[:, None] + saved[None, :] - left).ravel()
            best = np.argpartition(pairs, min(PAIRS, pairs.size - 1))[:PAIRS]
            first, second = divmod(best, len(saved))
            moved = np.maximum(1, here[:, None] + ones[:, first] + ones[:, second])
            off = wanted - self.costs(moved)
            at = int(np.argmin(np.abs(off)))
            if abs(off[at]) >= abs(left):
                break
            here, left = moved[:, at], off[at]
            if abs(left) <= NEAR * wanted:
                break
        return here, int(wanted - left)
