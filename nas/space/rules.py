"""Rules between the leaves of a tree, asked of one candidate or of many at once.

A rule is a plain function of the tree, named after what it asks, with its sentence as a docstring.
It returns a condition, or several that must all hold. A place of the tree stands for that of every
candidate that is asked about, so conditions are joined by & | ~ and not by and, or, not and if. A
condition about something that a candidate has not, such as the width of a dropped branch, holds; a
sum is one of what it has.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

from nas.experiment.experiment import Experiment
from nas.networks.layers import Layer, Shape
from nas.networks.operators import Op, Settings
from nas.networks.tape import Ref
from nas.space.populations import PopulationTape, Positions
from nas.tree.domain import Interval

Rule = Callable[[Any], Any]
Held = Sequence[tuple[Any, Any]]
"""What may stand at a place, and where among the candidates (N,) it does."""


class Place(NDArrayOperatorsMixin):
    """A place of the tree, or what was computed from some: what each of N candidates has there.

    Its attributes are the places under it, and it takes part in arithmetic and comparisons.
    ValueError for an attribute that there is not, and where its truth is asked for.
    """

    def __init__(self, held: Held, asked: Asked, path: str = "tree") -> None:
        self._held = [(value, here) for value, here in held if value is not None]
        self._asked, self._path = asked, path

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        under = [(getattr(value, name), here) for value, here in self._held if _has(value, name)]
        if self._held and not under:
            kinds = " or ".join(sorted({type(value).__name__ for value, _ in self._held}))
            raise ValueError(f"{self._path} ({kinds}) has no {name!r}")
        options = [option for leaf, here in under for option in self._asked.options(leaf, here)]
        return Place(options, self._asked, f"{self._path}.{name}")

    def has(self, item: str) -> Place:
        """Whether the tuple here has an item: `tree.network.aux_after.has("4a")`."""
        return self._new([(item in value, here) for value, here in self._held])

    def there(self) -> Place:
        """Whether there is anything here: `tree.network.inception_3b.conv5x5.there()`."""
        return self._new([(self._present(), True)])

    def __contains__(self, item: object) -> bool:
        raise ValueError(f"ask whether {self._path} has an item by .has({item!r}), not by in")

    def __bool__(self) -> bool:
        raise ValueError(
            "a rule is asked of many candidates at once: join conditions by & | ~, or return a "
            "list of them; and, or, not and if ask of one"
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Place:
        places = [x for x in inputs if isinstance(x, Place)]
        if ufunc in (np.bitwise_and, np.bitwise_or):
            values = [x.holds() if isinstance(x, Place) else x for x in inputs]
            return self._new([(ufunc(*values), True)])
        there = [place._present() for place in places]
        # A sum goes over what is there; all else is about something that must be.
        whole = ufunc in (np.add, np.subtract)
        present = np.logical_or.reduce(there) if whole else np.logical_and.reduce(there)
        values = [x.values() if isinstance(x, Place) else _scalar(x) for x in inputs]
        if ufunc is np.invert:
            values = [values[0].astype(bool)]
        try:
            return self._new([(ufunc(*values, **kwargs), present)])
        except TypeError as error:
            raise ValueError(f"{self._path}: {error}") from None

    def values(self) -> NDArray[Any]:
        """What stands here (N,), anything where there is nothing."""
        held, count = self._held, self._asked.count
        numbers = all(isinstance(value, bool | int | float | np.ndarray) for value, _ in held)
        values = np.zeros(count) if numbers else np.full(count, None, object)
        for value, here in held:
            if dataclasses.is_dataclass(value):
                raise ValueError(f"{self._path} is a {type(value).__name__}; name a leaf of it")
            values = np.where(here, value if numbers else _scalar(value), values)
        is_truth = held and all(np.asarray(value).dtype == bool for value, _ in held)
        return values.astype(bool) if is_truth else values

    def holds(self) -> NDArray[np.bool_]:
        """Where (N,) the condition holds, or is about something that is not there."""
        values, present = self.values(), self._present()
        if values.dtype != bool and present.any():
            raise ValueError(f"{self._path} is a value and no condition: compare it with another")
        return values.astype(bool) | ~present

    def _present(self) -> NDArray[np.bool_]:
        present = np.zeros(self._asked.count, bool)
        for _, here in self._held:
            present = present | here
        return present

    def _new(self, held: Held) -> Place:
        return Place(held, self._asked, self._path)


class Tree(Place):
    """The experiment as a rule sees it: its places, and the layers of its network."""

    def layers(self) -> list[Listed]:
        """Every layer that a candidate can have; it is there where a candidate has it."""
        return self._asked.layers()


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A layer as a rule sees it: plain name, module, branch and op; the sides of its input and
    output shapes (C, H, W) are places."""

    name: str
    module: str
    branch: str
    op: Op
    aux: bool
    in_shape: tuple[Place, ...]
    shape: tuple[Place, ...]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The candidates (N,) that are asked about: an experiment, decided or not, with the positions
    of its decisions."""

    experiment: Experiment
    shape: Shape
    classes: int
    positions: Positions = field(default_factory=dict[str, NDArray[Any]])
    count: int = 1

    def options(self, leaf: Any, here: Any) -> Iterator[tuple[Any, Any]]:
        """What may stand at a leaf, and where."""
        tape = PopulationTape(self.shape, self.positions, self.count)
        if isinstance(leaf, Interval):
            yield tape.number(leaf), here
            return
        for value, chosen in tape.options(leaf):
            both = here & chosen
            if value is leaf:
                yield value, both
            else:
                yield from self.options(value, both)

    def layers(self) -> list[Listed]:
        if not self.positions:
            layers = self.experiment.network.layers(self.shape, self.classes)
            return [self._listed(layer, True) for layer in layers]
        tape = _Listing(self.shape, self.positions, self.count)
        self.experiment.network.record_on(tape, self.classes)
        return [self._listed(layer, here) for layer, here in tape.listed]

    def _listed(self, layer: Layer, here: Any) -> Listed:
        def sides(shape: Shape) -> tuple[Place, ...]:
            return tuple(Place([(side, here)], self, layer.name) for side in shape)

        return Listed(
            name=layer.name,
            module=layer.module,
            branch=layer.branch,
            op=layer.op,
            aux=layer.aux,
            in_shape=sides(layer.in_shape),
            shape=sides(layer.shape),
        )


class _Listing(PopulationTape):
    """Lists the layers of N candidates, and where each is there."""

    def __init__(self, shape: Shape, positions: Positions, count: int) -> None:
        super().__init__(shape, positions, count)
        self.listed: list[tuple[Layer, Any]] = []

    def _record(
        self, op: Op, name: str, xs: tuple[Ref, ...], shape: Shape, settings: Settings
    ) -> Ref:
        output = super()._record(op, name, xs, shape, settings)
        layer = Layer(
            name=name, op=op, inputs=tuple(x.name for x in xs), in_shape=(xs or (output,))[0].shape,
            shape=output.shape, aux=self.aux,
        )  # fmt: skip
        self.listed.append((layer, self._here))
        return output


def sentence(rule: Rule) -> str:
    """A rule's sentence; ValueError for a function without a name or a docstring."""
    name = getattr(rule, "__name__", "<lambda>")
    text = (inspect.getdoc(rule) or "").strip()
    if not callable(rule) or name == "<lambda>" or not text:
        raise ValueError(
            f"a rule is a function with a name and a sentence as its docstring, not {rule!r}"
        )
    return f"{name}: {' '.join(text.split())}"


def _scalar(value: Any) -> Any:
    """A value that numpy takes as one, a tuple and a name too."""
    if not isinstance(value, tuple | str):
        return value
    scalar = np.empty((), object)
    scalar[()] = value
    return scalar


def holds(rule: Rule, asked: Asked) -> NDArray[np.bool_]:
    """Where (N,) a rule holds. ValueError where it cannot be asked."""
    try:
        answer: Any = rule(Tree([(asked.experiment, True)], asked))
        several = isinstance(answer, Iterable) and not isinstance(answer, Place | str)
        kept = np.ones(asked.count, bool)
        for condition in cast(Any, answer if several else [answer]):
            if isinstance(condition, Place):
                kept &= condition.holds()
            elif isinstance(condition, bool | np.bool_):
                kept &= bool(condition)
            else:
                raise ValueError(f"it returns {condition!r}, which is no condition")
    except (Exception, SystemExit) as error:
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        raise ValueError(f"the rule {sentence(rule).split(':')[0]}: {kind}{error}") from None
    return kept


def _has(value: Any, name: str) -> bool:
    return dataclasses.is_dataclass(value) and hasattr(value, name)
