"""What may stand at an undecided leaf of a tree.

The words of the language (`choice`, `between`, `versus`, `scaled`, `subsets`) make an `Axis`: a
domain that does not know yet which leaf it is for. An edit of a tree binds it to the leaf's old
value, the canonical one, and puts a `Choice` or an `Interval` in its place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any, TypeVar, cast

T = TypeVar("T")
_UNSET: Any = object()

Label = str | int | float
"""How a decision is written down: an option's name, or the number drawn from an interval."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option of a choice: its label, and the value that it puts into the tree."""

    label: str
    value: Any


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Some options under one name; leaves that share the name share the decision.

    `ordered` options have a meaningful distance and are stored as positions; `off` is the label of
    the option that takes the thing away, if there is one.
    """

    name: str
    options: tuple[Option, ...]
    default: str
    ordered: bool = False
    off: str | None = None
    log = False

    def __str__(self) -> str:
        return f"({', '.join(self.labels)})"

    @cached_property
    def labels(self) -> tuple[str, ...]:
        return tuple(option.label for option in self.options)

    @cached_property
    def values(self) -> tuple[Any, ...]:
        """What the options put into the tree."""
        return tuple(option.value for option in self.options)

    @property
    def size(self) -> int:
        """How many options there are."""
        return len(self.options)

    @cached_property
    def nested(self) -> bool:
        """Whether an option holds decisions of its own."""
        return any(map(is_open, self.values))

    @property
    def numbers(self) -> Interval | None:
        """What a sampler draws from: the positions of ordered options, None of others' labels."""
        if not self.ordered:
            return None
        at = self.position(self.default)
        return Interval(name=self.name, low=0, high=self.size - 1, step=1, default=at)

    def label(self, position: float) -> str:
        """The label of the option at a position."""
        return self.labels[int(position)]

    def position(self, label: Label) -> int:
        """The position of a label."""
        return self.labels.index(str(label))

    def value(self, label: Label) -> Any:
        """The value under a label; ValueError names the labels there are."""
        for option in self.options:
            if option.label == label:
                return option.value
        raise ValueError(f"{self.name} has no option {label!r}; it has {', '.join(self.labels)}")

    def stored(self, label: Label) -> Label:
        """A label as a database has it: of ordered options the position."""
        return self.position(label) if self.ordered else label

    def read(self, stored: Any) -> Label:
        """The label of what a database has."""
        return self.labels[stored] if self.ordered else stored

    def changed(self, change: Callable[[Option], Any]) -> Choice:
        """The same options with other values."""
        options = (replace(option, value=change(option)) for option in self.options)
        return replace(self, options=tuple(options))

    def keeps(self, labels: tuple[Label, ...]) -> bool:
        """Whether the canonical option is among these."""
        return self.default in labels

    def kept(self, labels: tuple[Label, ...]) -> Any:
        """The choice between these labels; with a single one, the value under it."""
        for label in labels:
            self.value(label)
        left = tuple(option for option in self.options if option.label in labels)
        return left[0].value if len(left) == 1 else replace(self, options=left)


@dataclass(frozen=True, kw_only=True)
class Interval:
    """The numbers from low to high, both included, in steps where `step` is given.

    A position is a number of steps from the low end, and the number itself where there are none.
    """

    name: str
    low: float
    high: float
    default: float
    step: float | None = None
    log: bool = False
    off: None = None
    ordered = True
    nested = False
    labels = ()

    def __str__(self) -> str:
        return f"[{self.low:g}, {self.high:g}] step {self.step} log {self.log}"

    @property
    def values(self) -> tuple[float, float]:
        """The two ends."""
        return self.low, self.high

    @property
    def size(self) -> int | float:
        """How many numbers there are; infinite without a step."""
        if self.step is None:
            return math.inf
        return math.floor((self.high - self.low) / self.step + 1e-9) + 1

    @property
    def numbers(self) -> Interval:
        return self

    def label(self, position: float) -> float:
        """The number at a position, to twelve digits, as it would be written."""
        if self.step is None:
            return float(position)
        value = self.low + int(position) * self.step
        if math.isclose(value, self.default, rel_tol=1e-9):
            return self.default
        value = min(max(float(f"{value:.12g}"), self.low), self.high)
        return round(value) if isinstance(self.default, int) else value

    def position(self, label: Label) -> int | float:
        """The position of a number."""
        if self.step is None:
            return float(label)
        return round((float(label) - self.low) / self.step)

    def value(self, label: Label) -> Any:
        """The number itself; ValueError when it is outside."""
        if isinstance(label, str) or not self.low <= label <= self.high:
            raise ValueError(
                f"{self.name} lies between {self.low:g} and {self.high:g}, not {label!r}"
            )
        if self.step is not None and not _on_step(label, self.low, self.step):
            raise ValueError(f"{self.name}: {label!r} is not on a step of {self.step:g}")
        return label

    def stored(self, label: Label) -> Label:
        """The number itself."""
        return label

    read = stored

    def changed(self, change: Callable[[Option], Any]) -> Interval:
        """The interval: it has no options."""
        return self

    def keeps(self, labels: tuple[Label, ...]) -> bool:
        """Whether the canonical number lies between these; ValueError for other than two ends."""
        if len(labels) != 2 or not labels[0] < labels[1]:  # pyright: ignore[reportOperatorIssue]
            raise ValueError(f"{self.name}: an interval is restricted to two ends, not {labels}")
        return float(labels[0]) <= self.default <= float(labels[1])

    def kept(self, labels: tuple[Label, ...]) -> Any:
        """The interval between two ends; with a single number, that."""
        low, *high = map(self.value, labels)
        return replace(self, low=low, high=high[0]) if high else low


Domain = Choice | Interval
"""A decision: the one place that knows its labels, its positions and the values under them."""


def is_open(value: Any) -> bool:
    """Whether a value is a decision, or a node with one under it."""
    return isinstance(value, Domain) or getattr(value, "_undecided", False)


@dataclass(frozen=True, kw_only=True, eq=False)
class Axis:
    """A domain before it knows its leaf: `bind(name, old value)` makes the Choice or Interval."""

    name: str | None
    bind: Callable[[str, Any], Domain]


def choice(*options: T, name: str | None = None) -> T:
    """These values and no others; ValueError where the canonical one is not among them.

    >>> from nas import SearchSpace, googlenet
    >>> space = SearchSpace(googlenet, {"recipe.lr_schedule": choice("step", "cosine")})
    >>> space.domains["recipe.lr_schedule"].labels
    ('step', 'cosine')
    """
    _several(options)

    def bind(name: str, old: Any) -> Choice:
        return _choice(name, [(_label(value), value) for value in options], old)

    return cast(T, Axis(name=name, bind=bind))


def versus(*alternatives: T, off: Any = _UNSET, name: str | None = None, **labelled: Any) -> T:
    """The canonical value, whatever it is at each leaf, against some others.

    Under one name the canonical values may differ from leaf to leaf: the label "canonical" stands
    for each leaf's own. `off=` gives the value that takes the thing away (None drops a branch),
    any other keyword an alternative under that label: a value, or a function of the leaf's
    canonical value. Without a name, an alternative that is the canonical value is left out.
    ValueError where no alternative is left, and for a function without a label.

    >>> from nas import SearchSpace, googlenet
    >>> space = SearchSpace(googlenet, {"recipe.augmentation": versus("flip", off=None)})
    >>> space.domains["recipe.augmentation"].labels
    ('canonical', 'flip', 'off')
    >>> print(space.at({"recipe.augmentation": "off"}).experiment.recipe.augmentation)
    None
    """
    tied = name is not None
    if not alternatives and off is _UNSET and not labelled:
        raise ValueError("versus() needs an alternative or off=")
    for value in alternatives:
        if callable(value):
            raise ValueError(f"versus() needs a label for the function {value!r}: LABEL=FUNCTION")

    def bind(name: str, old: Any) -> Choice:
        others: list[tuple[str, Any]] = [(_label(value), value) for value in alternatives]
        others += [(label, _applied(name, value, old)) for label, value in labelled.items()]
        if off is not _UNSET:
            others.append(("off", off))
        kept = [(label, value) for label, value in others if tied or value != old]
        if not kept:
            raise ValueError(f"{name}: versus() gives no alternative to the canonical {old!r}")
        return _choice(name, [("canonical", old), *kept], old, ordered=False)

    return cast(T, Axis(name=name, bind=bind))


def scaled(*factors: float, name: str | None = None) -> int:
    """The canonical width times each factor, rounded, at least 1 channel.

    ValueError for a leaf that is no width, and where 1 is not among the factors.

    >>> from nas import SearchSpace, googlenet
    >>> width = "network.inception_3a.conv3x3.width"
    >>> space = SearchSpace(googlenet, {width: scaled(0.5, 1, 1.25)})
    >>> space.at({width: "1.25"}).experiment.network.inception_3a.conv3x3.width
    160
    """
    _several(factors)
    if not all(isinstance(cast(Any, factor), int | float) for factor in factors):
        raise ValueError(f"scaled() takes factors such as 0.5, not {factors!r}")
    if any(factor <= 0 for factor in factors):
        raise ValueError(f"scaled() takes factors above 0, not {sorted(factors)[0]:g}")

    def bind(name: str, old: Any) -> Choice:
        if not isinstance(old, int) or isinstance(old, bool):
            raise ValueError(f"scaled() stands for a width, and {name} is {old!r}")
        options = [
            Option(label=f"{factor:g}", value=max(1, round(old * factor)))
            for factor in sorted(factors)
        ]
        if 1 not in factors:
            raise ValueError(f"{name}: scaled() needs the canonical factor 1 among its factors")
        return Choice(name=name, options=_distinct(name, options), default="1", ordered=True)

    return cast(int, Axis(name=name, bind=bind))


def between(
    low: T, high: T, *, step: float | None = None, log: bool = False, name: str | None = None
) -> T:
    """Every number from low to high, both included, in steps where `step` is given.

    Integers go in steps of 1; `log` draws evenly in the logarithm. ValueError where the canonical
    number does not lie between them or not on a step.

    >>> from nas import SearchSpace, googlenet
    >>> SearchSpace(googlenet, {"network.dropout": between(0.0, 0.8, step=0.2)}).size
    5
    >>> SearchSpace(googlenet, {"recipe.lr": between(0.01, 0.1, log=True)}).size
    inf
    """
    least, most = cast(float, low), cast(float, high)
    if not least < most:
        raise ValueError(f"between() needs low < high, not {low!r} and {high!r}")
    if log and least <= 0:
        raise ValueError(f"between(log=True) needs low above 0, not {low!r}")
    if log and step is not None:
        raise ValueError("between() takes step= or log=True, not both")
    if step is not None and not step > 0:
        raise ValueError(f"between() needs a step above 0, not {step!r}")
    if isinstance(low, int) and isinstance(high, int) and step is None:
        step = 1

    def bind(name: str, old: Any) -> Interval:
        if not isinstance(old, int | float) or not least <= old <= most:
            raise ValueError(
                f"{name}: the canonical value {old!r} is not between {low!r} and {high!r}"
            )
        if step is not None and not _on_step(old, least, step):
            raise ValueError(f"{name}: the canonical value {old!r} is not on a step of {step:g}")
        canonical = old if isinstance(low, int) and isinstance(high, int) else float(old)
        return Interval(name=name, low=least, high=most, step=step, log=log, default=canonical)

    return cast(T, Axis(name=name, bind=bind))


def subsets(*items: str, upto: int | None = None, name: str | None = None) -> tuple[str, ...]:
    """Every subset of the items with at most `upto` of them, as one decision.

    The empty subset is the off option. Eight items with upto=2 make 1 + 8 + 28 = 37 options.
    ValueError where the canonical set is not among them.

    >>> from nas import SearchSpace, googlenet
    >>> space = SearchSpace(googlenet, {"network.aux_after": subsets("4a", "4d")})
    >>> space.domains["network.aux_after"].labels
    ('off', '4a', '4d', '4a+4d')
    """
    if len(set(items)) < len(items):
        raise ValueError(f"subsets() was given an item twice: {', '.join(items)}")
    most = len(items) if upto is None else upto
    if not items or most < 1:
        raise ValueError("subsets() needs an item and upto of 1 or more")

    def bind(name: str, old: Any) -> Choice:
        sets = [chosen for size in range(most + 1) for chosen in combinations(items, size)]
        options = [("+".join(chosen) or "off", chosen) for chosen in sets]
        canonical = next((chosen for chosen in sets if set(chosen) == set(old)), old)
        return _choice(name, options, canonical, ordered=False)

    return cast("tuple[str, ...]", Axis(name=name, bind=bind))


def _choice(
    name: str, labelled: Iterable[tuple[str, Any]], old: Any, ordered: bool | None = None
) -> Choice:
    options = [Option(label=label, value=value) for label, value in labelled]
    default = next((option.label for option in options if option.value == old), None)
    if default is None:
        labels = ", ".join(option.label for option in options)
        raise ValueError(f"{name}: the canonical value {_label(old)} is not among {labels}")
    if ordered is None:
        values = [option.value for option in options]
        numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
        ordered = numbers and values == sorted(values)
    empty = [option.label for option in options if option.value is None or option.value == ()]
    off = "off" if any(option.label == "off" for option in options) else (empty or [None])[0]
    return Choice(
        name=name, options=_distinct(name, options), default=default, ordered=ordered, off=off
    )


def _applied(name: str, value: Any, old: Any) -> Any:
    """A value, or what a function makes of the canonical one."""
    try:
        return value(old) if callable(value) else value
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _on_step(value: float, low: float, step: float) -> bool:
    steps = (value - low) / step
    return abs(steps - round(steps)) < 1e-9


def _distinct(name: str, options: list[Option]) -> tuple[Option, ...]:
    labels = [option.label for option in options]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise ValueError(f"{name} has the option {twice[0]} twice")
    return tuple(options)


def _label(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return "+".join(_label(item) for item in cast("tuple[Any, ...]", value)) or "off"
    if value is None or isinstance(value, str | int):
        return "off" if value is None else str(value)
    return type(value).__name__.lower()


def _several(options: tuple[Any, ...]) -> None:
    if len(options) == 1 and isinstance(options[0], list):
        raise ValueError(f"give the options one by one, not as the list {options[0]!r}")
    if len(options) < 2:
        raise ValueError("a domain needs two options or more; a single one is no decision")
