"""The layers of a network with their shapes: what the torch module and the cost are both made from.

A network's `layers(shape, classes)` records them on a `Tape`, one call a layer. Shapes are
(C, H, W), without the batch. An output that no later layer reads is a result: the one outside any
aux head holds the network's logits, the others those of the aux heads.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from math import prod
from typing import Any, NamedTuple, Protocol, runtime_checkable

from nas.networks.names import Names
from nas.networks.operators import OPERATORS, SIMPLE, Op, Settings, Shape, Simple, window
from nas.tree.tree import Node

COUNTS = ("width", "kernel", "stride", "groups")
"""Settings that are whole numbers of 1 or more."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer: what it does, what it reads (names of earlier layers; "image" is the input), and
    its input and output shape (C, H, W). `kernel` 0 pools over the whole map."""

    name: str
    op: Op
    inputs: tuple[str, ...]
    in_shape: Shape
    shape: Shape
    kernel: int = 1
    stride: int = 1
    padding: int = 0
    groups: int = 1
    bias: bool = False
    rate: float = 0.0
    aux: bool = False

    @property
    def module(self) -> str:
        """The first part of the name: stem, inception_3a, aux_4a, head."""
        return self.name.split(".")[0]

    @property
    def branch(self) -> str:
        """The second part of the name: conv1x1, conv3x3, conv5x5, pool_proj."""
        return ".".join(self.name.split(".")[1:2]).removesuffix("_norm").removesuffix("_relu")

    @property
    def weights(self) -> int:
        """Number of weights, without biases; a batch norm has one a channel."""
        read = OPERATORS[self.op].read
        if read is None:
            return 0
        return self.shape[0] * read(self.in_shape) // self.groups * self.kernel**2

    @property
    def params(self) -> int:
        """Number of learned parameters: weights and biases."""
        biased = self.bias or OPERATORS[self.op].biased
        return self.weights + (self.shape[0] if biased else 0)

    @property
    def mult_adds(self) -> int:
        """Multiply-adds for one image: convolutions and linear layers only, no bias."""
        return self.weights * prod(self.shape[1:]) if OPERATORS[self.op].counted else 0

    @property
    def activations(self) -> int:
        """Output elements of convolutions and linear layers, for one image."""
        return prod(self.shape) if OPERATORS[self.op].counted else 0


@runtime_checkable
class Network(Protocol):
    """What the cost, the trainer, the search and the report need of a network."""

    def layers(self, shape: Shape, classes: int) -> tuple[Layer, ...]:
        """The layers for images of shape (C, H, W); ValueError where they do not fit."""
        ...


def module_fields(network: Any) -> frozenset[str]:
    """The fields of a network that hold its modules: nodes of a type that several fields have."""
    alike: defaultdict[Any, list[str]] = defaultdict(list)
    for each in fields(network):
        alike[each.type].append(each.name)
    return frozenset(
        name
        for names in alike.values()
        if len(names) > 1 and any(isinstance(getattr(network, name), Node) for name in names)
        for name in names
    )


def to_plain(layers: Iterable[Layer]) -> list[dict[str, Any]]:
    """The layers' fields by their names. `dataclasses.asdict` would copy each value: a tenth of a
    second for a large network."""
    return [dict(vars(layer)) for layer in layers]


def from_plain(rows: Iterable[Mapping[str, Any]]) -> tuple[Layer, ...]:
    """The layers that `to_plain` wrote, also by way of JSON."""
    shapes = ("inputs", "in_shape", "shape")

    def fields(row: Mapping[str, Any]) -> dict[str, Any]:
        return {name: tuple(v) if name in shapes else v for name, v in row.items()}

    return tuple(Layer(**fields(row)) for row in rows)


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

    def equal(self, leaf: Any, value: Any) -> Any:
        """Where a leaf holds this value."""
        return leaf == value

    def contains(self, leaf: Any, item: str) -> Any:
        """Where the tuple at a leaf has this item."""
        return item in leaf

    def differ(self, x: Shape, y: Shape) -> Any:
        """Where two shapes are not the same."""
        return x != y

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

    def max_pool(self, name: str, x: Ref, kernel: int, stride: int, padding: int = 0) -> Ref:
        """Max pooling that rounds its output up, as the paper's does (112 to 56 to 28)."""
        return self.layer("max_pool", name, x, kernel=kernel, stride=stride, padding=padding)

    def average_pool(self, name: str, x: Ref, kernel: int = 0, stride: int = 1) -> Ref:
        """Average pooling without padding; kernel 0 averages the whole map to 1 x 1."""
        return self.layer("average_pool", name, x, kernel=kernel, stride=stride)

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
        for what in () if whole else COUNTS:
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


def results(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """The layers that no other reads: the network's logits first, then its aux heads'."""
    read = {name for layer in layers for name in layer.inputs}
    ends = [layer for layer in layers if layer.name not in read]
    return tuple(sorted(ends, key=lambda layer: layer.aux))


def check_results(layers: Any, classes: int) -> None:
    """Raises ValueError where what a network's `layers` gave does not end in its logits."""
    if not isinstance(layers, tuple) or not all(isinstance(layer, Layer) for layer in layers):  # pyright: ignore[reportUnknownVariableType]
        raise ValueError(
            f"layers() must return tuple(tape.layers), not a {type(layers).__name__}"  # pyright: ignore[reportUnknownArgumentType]
        )
    ends = results(layers)
    logits = [layer.name for layer in ends if not layer.aux]
    if len(logits) != 1:
        raise ValueError(
            "just one layer outside the aux heads is read by no other, that of the logits; here "
            f"{'these are: ' + ', '.join(logits) if logits else 'there is none'}; "
            "what an aux head records stands between tape.aux = True and tape.aux = False"
        )
    for layer in ends:
        if prod(layer.shape) != classes:
            raise ValueError(
                f"{layer.name} is read by no other layer, so it must give one logit for each of "
                f"the {classes} classes, not {prod(layer.shape)} numbers {layer.shape}; end in "
                "tape.linear(name, tape.average_pool(name, x), classes)"
            )


def inference(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """The layers that run at inference: all but the aux heads'."""
    return tuple(layer for layer in layers if not layer.aux)


def image_shape(layers: tuple[Layer, ...]) -> Shape:
    """The shape (C, H, W) of the images that the layers are for."""
    return next(layer.in_shape for layer in layers if layer.inputs[0] == "image")
