"""Many candidates at once: their costs as arrays, from the same `record_on` as a single network's.

A population is one array of option positions for each decision. The tape runs over the template,
whose leaves are undecided: a number becomes an array, each option of a structure is put on the tape
where it stands, and what describes no network is marked.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import isinf, prod
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from nas.experiment.cost import Cost
from nas.networks.layers import MOST, MOST_LAYERS
from nas.networks.operators import OPERATORS, Op, Settings, Shape, window
from nas.networks.tape import Ref, Tape
from nas.tree.domain import Choice, Domain

Positions = Mapping[str, NDArray[Any]]
"""For each decision the positions (N,) of the options of a Choice, the steps (N,) of an Interval
that has some, or the values (N,) of another."""


NAMES = ("mult_adds", "params", "params_aux", "activations")


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What N candidates cost, as `Cost` has it: arrays (N,) of whole numbers, in float64, which is
    exact below 2^53; `valid` (N,) says which of them are networks."""

    mult_adds: NDArray[np.float64]
    params: NDArray[np.float64]
    params_aux: NDArray[np.float64]
    activations: NDArray[np.float64]
    valid: NDArray[np.bool_]


@runtime_checkable
class Buildable(Protocol):
    """A network that can be put on a tape whose leaves are undecided."""

    def record_on(self, tape: Tape, classes: int) -> None:
        """Puts the network on the tape."""
        ...


def join(parts: Sequence[Costs]) -> Costs:
    """Several populations as one, in their order."""
    columns = (*NAMES, "valid")
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in columns}
    return Costs(**joined)


def one(cost: Cost | None) -> Costs:
    """A population of one candidate; None is no network."""
    counted = {name: np.array([getattr(cost, name) if cost else 0.0], float) for name in NAMES}
    return Costs(valid=np.array([cost is not None]), **counted)


class PopulationTape(Tape):
    """Sums the costs of N candidates while their networks are put on it."""

    def __init__(self, shape: Shape, positions: Positions, count: int) -> None:
        super().__init__(shape)
        self.positions, self.count = positions, count
        self.valid: Any = True
        self._here: Any = True
        self._recorded = 0
        # Layers that share their window, map size and biases are summed before they are weighed:
        # input times output channels by (aux, window, map), output channels by (aux, map, biased).
        self._pairs: dict[tuple[bool, int, int], Any] = {}
        self._widths: dict[tuple[bool, int, bool], Any] = {}
        self._other: dict[str, Any] = {}

    def options(self, leaf: Any) -> Iterable[tuple[Any, Any]]:
        if not isinstance(leaf, Domain):
            return ((leaf, True),)
        at = self.positions[leaf.name]
        return ((value, at == number) for number, value in enumerate(_values(leaf)))

    def halves(self, leaf: Any) -> Iterable[tuple[Any, Any]]:
        if not isinstance(leaf, Domain) or all(value is not None for value in leaf.values):
            return ((leaf, True),)
        gone = self._table(leaf, lambda value: value is None, bool)
        return ((None, gone), (leaf, ~gone))

    def number(self, leaf: Any) -> Any:
        if not isinstance(leaf, Domain):
            return leaf
        if isinf(leaf.size):
            return self.positions[leaf.name]
        return self._table(leaf, lambda value: 1 if value is None else value, float)

    def rounded(self, width: Any, factor: Any) -> Any:
        if isinstance(width, Choice) and isinstance(factor, int | float):
            return self._table(
                width, lambda w: 1 if w is None else max(1, round(w * factor)), float
            )
        first, second = self.number(width), self.number(factor)
        if isinstance(first, int | float) and isinstance(second, int | float):
            return max(1, round(first * second))
        channels = first * second
        return np.maximum(np.rint(channels, out=channels), 1.0, out=channels)

    def holds(self, leaf: Any, test: Callable[[Any], bool]) -> Any:
        return self._table(leaf, test, bool) if isinstance(leaf, Choice) else test(leaf)

    @contextmanager
    def where(self, here: Any) -> Generator[None]:
        before = self._here
        self._here = before & here
        try:
            yield
        finally:
            self._here = before

    def pick(self, options: Sequence[tuple[Any, Ref]]) -> Ref:
        first = options[0][1]
        if len(options) == 1 and options[0][0] is True:
            return first
        shape: list[Any] = []
        for at, sides in enumerate(zip(*(ref.shape for _, ref in options), strict=True)):
            if at and _whole(sides) and len({*sides}) == 1:
                shape.append(sides[0])
            else:
                shape.append(sum(ref.shape[at] * (here * 1.0) for here, ref in options))
        return Ref(first.name, tuple(shape))

    def require(self, holds: Any, rule: str) -> None:
        self.valid = self.valid & (holds | np.logical_not(self._here))

    def check(self, op: Op, name: str, xs: tuple[Ref, ...], settings: Settings) -> None:
        """Nothing: the leaves are undecided, and each candidate is checked when it is built."""

    def side(self, sides: Sequence[Any]) -> Any:
        # A branch that is dropped somewhere has no map there, so the largest is the others'.
        return sides[0] if _whole(sides) else np.maximum.reduce(sides)

    def window(
        self, name: str, side: Any, kernel: int, stride: int, padding: int, up: bool = False
    ) -> Any:
        room = side + 2 * padding - kernel
        if isinstance(side, int) and room >= 0:
            return window(name, side, kernel, stride, padding, up)
        self.require(room >= 0, name)
        if isinstance(side, int):
            return 1
        size = np.maximum(room + (stride - 1 if up else 0), 0) // stride + 1
        return size - (up & ((size - 1) * stride >= side + padding)) if up else size

    def _record(
        self, op: Op, name: str, xs: tuple[Ref, ...], shape: Shape, settings: Settings
    ) -> Ref:
        self._recorded += 1
        if self._recorded > MOST_LAYERS:
            # Of all options together: some candidate may have too many of its own.
            raise Undecided(name)
        rule = OPERATORS[op]
        if rule.read is None:
            return Ref(name, shape)
        width: Any = shape[0] if self._here is True else shape[0] * self._here
        read: Any = rule.read(xs[0].shape)
        area: Any = prod(shape[1:]) if rule.counted else 0
        cells, pairs = settings.get("kernel", 1) ** 2, width * read
        bias, groups = rule.biased or settings.get("bias", False), settings.get("groups", 1)
        if not _is_one(groups):
            self.require((shape[0] % groups == 0) & (read % groups == 0), name)
            pairs = pairs / groups
        if isinstance(area, int) and isinstance(bias, bool):
            _into(self._pairs, (self.aux, cells, area), pairs)
            _into(self._widths, (self.aux, area, bias), width)
        else:
            _into(self._other, "params_aux" if self.aux else "params", pairs * cells + width * bias)
            if not self.aux:
                _into(self._other, "mult_adds", pairs * (cells * area))
                _into(self._other, "activations", width * area)
        return Ref(name, shape)

    def totals(self) -> dict[str, Any]:
        """The sums over all layers: mult_adds, params, params_aux, activations."""
        totals: dict[str, Any] = {name: self._other.get(name, 0.0) for name in NAMES}
        for (aux, cells, area), pairs in self._pairs.items():
            totals["params_aux" if aux else "params"] += cells * pairs
            totals["mult_adds"] += 0 if aux else cells * area * pairs
        for (aux, area, bias), width in self._widths.items():
            totals["params_aux" if aux else "params"] += bias * width
            totals["activations"] += 0 if aux else area * width
        return totals

    def _table(self, domain: Domain, change: Callable[[Any], Any], kind: type) -> NDArray[Any]:
        values = _values(domain)
        if any(isinstance(value, Domain) for value in values):
            raise Undecided(domain.name)
        return np.array([change(value) for value in values], kind).take(
            self.positions[domain.name], mode="clip"
        )


class Undecided(Exception):
    """An option that is itself undecided, or more layers than a network has: such a space is
    counted one candidate at a time."""


def costs(network: Any, shape: Shape, classes: int, positions: Positions, count: int) -> Costs:
    """The costs of the `count` candidates of a template's network, for images of one shape."""
    tape = PopulationTape(shape, positions, count)
    network.record_on(tape, classes)

    def column(values: Any) -> NDArray[Any]:
        return np.broadcast_to(values, (count,))

    totals = tape.totals()
    small = (totals["params"] + totals["params_aux"] <= MOST) & (totals["activations"] <= MOST)
    return Costs(
        valid=column(tape.valid & small),
        **{name: column(values) for name, values in totals.items()},
    )


def _into(sums: dict[Any, Any], key: Any, values: Any) -> None:
    known = sums.get(key)
    if isinstance(known, np.ndarray):
        known += values
    else:
        total = values if known is None else known + values
        sums[key] = np.array(total, float) if isinstance(total, np.ndarray) else total


def _values(domain: Domain) -> Sequence[Any]:
    """The value at each position."""
    if isinstance(domain, Choice):
        return domain.values
    return [domain.label(position) for position in range(int(domain.size))]


def _whole(sides: Sequence[Any]) -> bool:
    return all(isinstance(side, int) for side in sides)


def _is_one(value: Any) -> bool:
    return isinstance(value, int) and value == 1
