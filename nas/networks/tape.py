"""The tape that a network's layers are recorded on, one call a layer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from nas.networks.layers import MOST_LAYERS, Layer
from nas.networks.names import Names
from nas.networks.operators import OPERATORS, SIMPLE, Op, Settings, Shape, Simple, window

COUNTS = ("width", "kernel", "stride", "groups", "grid")
"""Settings that are whole numbers of 1 or more."""


class Ref(NamedTuple):
    """An output on the tape: the layer's name and its shape (C, H, W)."""

    name: str
    shape: Shape


class Tape:
    """Records layers one by one; each call gives the output that the next call reads.

    Raises ValueError for what cannot be built: a name that is taken, a window that does not fit,
    groups that do not divide the channels, maps that cannot be joined or added, and what `check`
    refuses.

    >>> tape = Tape((3, 224, 224))
    >>> x = tape.conv("conv7x7", tape.image, 64, kernel=7, stride=2)
    >>> tape.max_pool("pool", x, kernel=3, stride=2)
    Ref(name='pool', shape=(64, 56, 56))
    >>> tape.layers[0].weights, tape.layers[0].mult_adds
    (9408, 118013952)
    """

    def __init__(self, shape: Shape) -> None:
        self.image = Ref("image", shape)
        self.layers: list[Layer] = []
        self.aux = False
        self.names = Names()
        self._outputs = {"image": (self.image, False)}  # by name, and whether it is aux

    def options(self, leaf: Any) -> Iterable[tuple[Any, Any]]:
        """What may stand at a leaf, and where it does: itself, everywhere."""
        return ((leaf, True),)

    def halves(self, leaf: Any) -> Iterable[tuple[Any, Any]]:
        """A leaf that may hold a number or None: both, and where each stands."""
        return ((leaf, True),)

    def rounded(self, width: Any, factor: Any) -> Any:
        """A width times a factor, as channels: rounded, at least 1."""
        return max(1, round(width * factor))

    def number(self, leaf: Any) -> Any:
        """The number at a leaf."""
        return leaf

    def holds(self, leaf: Any, test: Callable[[Any], bool]) -> Any:
        """Where what is at a leaf passes a test."""
        return test(leaf)

    @contextmanager
    def where(self, here: Any) -> Generator[None]:
        """What is recorded in this block stands only `here`."""
        yield

    def pick(self, options: Sequence[tuple[Any, Ref]]) -> Ref:
        """The output of the option that stands here."""
        return options[0][1]

    def require(self, holds: Any, rule: str) -> None:
        """Raises ValueError with the rule where it does not hold."""
        if not holds:
            raise ValueError(rule)

    def conv(
        self,
        name: str,
        x: Ref,
        width: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        bias: bool = True,
        padding: int | None = None,
    ) -> Ref:
        """A convolution with `width` output channels, padded by half its kernel unless told."""
        if padding is None:
            padding = kernel // 2 if isinstance(kernel, int) else 0  # pyright: ignore[reportUnnecessaryIsInstance]
        return self.layer(
            "conv", name, x, width=width, kernel=kernel, stride=stride, groups=groups, bias=bias,
            padding=padding,
        )  # fmt: skip

    def linear(self, name: str, x: Ref, width: int) -> Ref:
        """A linear layer over the flattened input."""
        return self.layer("linear", name, x, width=width, bias=True)

    def max_pool(
        self, name: str, x: Ref, kernel: int, stride: int, padding: int = 0, up: bool = True
    ) -> Ref:
        """Max pooling that rounds its output up, as the paper's does (112 to 56 to 28), or down."""
        return self.layer(
            "max_pool", name, x, kernel=kernel, stride=stride, padding=padding, down=not up
        )

    def average_pool(
        self, name: str, x: Ref, kernel: int = 0, stride: int = 1, grid: int = 1
    ) -> Ref:
        """Average pooling without padding; kernel 0 averages the whole map to grid x grid, as
        torch's AdaptiveAvgPool2d does."""
        return self.layer("average_pool", name, x, kernel=kernel, stride=stride, grid=grid)

    def simple(self, op: Simple, name: str, x: Ref, rate: float | None = None) -> Ref:
        """A layer that keeps the shape; `rate` is the share that dropout sets to zero."""
        if op not in SIMPLE:
            raise ValueError(
                f"{name}: simple() records {', '.join(SIMPLE)}, and there is no {op!r}"
            )
        if op == "dropout" and rate is None:
            raise ValueError(f"{name}: dropout needs a rate, such as rate=0.5")
        return self.layer(op, name, x, rate=0.0 if rate is None else rate)

    def concat(self, name: str, *xs: Ref) -> Ref:
        """The channels of several maps of one size, one after the other."""
        return self.layer("concat", name, *xs)

    def add(self, name: str, x: Ref, y: Ref) -> Ref:
        """The sum of two maps of one shape."""
        return self.layer("add", name, x, y)

    def layer(self, op: Op, name: str, *xs: Ref, **settings: Any) -> Ref:
        """A layer of any operator, with the `width` that it is given and settings of `Layer`."""
        self.check(op, name, xs, settings)
        shape = OPERATORS[op].shape(self, name, [x.shape for x in xs], settings)
        return self._record(op, name, xs, shape, settings)

    def check(self, op: Op, name: str, xs: tuple[Ref, ...], settings: Settings) -> None:
        """Raises ValueError where the layer cannot be built: of what it reads, a count that is
        none, a padding, a rate, groups."""
        self._check_inputs(op, name, xs)
        known, whole = settings.get, OPERATORS[op].whole and settings.get("kernel") == 0
        for what in ("grid",) if whole else COUNTS:
            count = known(what, 1)
            if type(count) is not int or count < 1:
                way_out = "max(1, round(...)) makes one" if what == "width" else f"say {what}=1"
                raise ValueError(
                    f"{name}: {what} is a whole number of 1 or more, not {count!r}; {way_out}"
                )
        padding, rate, groups = known("padding", 0), known("rate", 0.0), known("groups", 1)
        pools = "width" not in settings
        if type(padding) is not int or padding < 0 or (pools and padding > known("kernel", 1) // 2):
            raise ValueError(
                f"{name}: padding is a whole number of 0 or more, in a pool at most half its "
                f"kernel, not {padding!r}"
            )
        if not isinstance(rate, int | float) or not 0 <= rate < 1:
            raise ValueError(
                f"{name}: rate is the share that is dropped, 0 or more and below 1, not {rate!r}"
            )
        if groups != 1 and (xs[0].shape[0] % groups or settings["width"] % groups):
            raise ValueError(
                f"{name}: {groups} groups divide the channels that a convolution reads and gives; "
                f"they do not divide {xs[0].shape[0]} and {settings['width']}"
            )

    def _check_inputs(self, op: Op, name: str, xs: tuple[Ref, ...]) -> None:
        rule = OPERATORS[op]
        if not xs:
            raise ValueError(f"{name}: {op} needs an output to read")
        for x in xs:
            known = self._outputs.get(getattr(x, "name", ""))
            if known is None or x != known[0]:
                raise ValueError(
                    f"{name}: a layer reads what earlier calls on the same tape gave, each an "
                    f"argument of its own, not {x!r:.60}"
                )
            if known[1] and not self.aux:
                raise ValueError(
                    f"{name}: no aux head is there at inference, so the network cannot read its "
                    f"{x.name}; read what the head reads"
                )
            if rule.over_maps and len(x.shape) != 3:
                raise ValueError(
                    f"{name}: {op} reads a map (C, H, W), and {x.name} is {x.shape}; it belongs "
                    "before the first linear layer"
                )
        if rule.alike and len({x.shape[rule.alike[0] :] for x in xs}) > 1:
            shapes = ", ".join(f"{x.name} {x.shape}" for x in xs)
            raise ValueError(f"{name}: {rule.alike[1]}: {shapes}")

    def window(
        self, name: str, side: Any, kernel: int, stride: int, padding: int, up: bool = False
    ) -> Any:
        """The side of the map that a window makes of one of `side` pixels."""
        return window(name, side, kernel, stride, padding, up)

    def side(self, sides: Sequence[Any]) -> Any:
        """The side that maps of one size have."""
        return sides[0]

    def _record(
        self, op: Op, name: str, xs: tuple[Ref, ...], shape: Shape, settings: Settings
    ) -> Ref:
        self.names.add(name)
        if len(self.layers) == MOST_LAYERS:
            raise ValueError(f"{name}: a network has {MOST_LAYERS:,} layers at most")
        settings.pop("width", None)
        self.layers.append(
            Layer(
                name=name, op=op, inputs=tuple([x.name for x in xs]), in_shape=xs[0].shape,
                shape=shape, aux=self.aux, **settings,
            )
        )  # fmt: skip
        output = Ref(name, shape)
        self._outputs[name] = (output, self.aux)
        return output
