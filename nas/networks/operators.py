"""The operators of layers: the shape that each gives, what it learns, its calls of torch and ONNX.

A rule holds for one network and for many at once: a side of a shape is a whole number, or an array
(N,) of those of N candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from nas.networks.layers import Layer
    from nas.networks.tape import Tape

Shape = tuple[int, ...]
Settings = dict[str, Any]
"""A `width`, and of the fields of a layer what its operator has a say in."""
Simple = Literal["batch_norm", "lrn", "relu", "dropout"]
"""What keeps the shape; `Tape.simple` records it."""
SIMPLE: tuple[Simple, ...] = get_args(Simple)
Op = Literal[Simple, "conv", "linear", "max_pool", "average_pool", "concat", "add"]


class Call:
    """A call as data: `nn.Conv2d(3, 64, 7, stride=2)`, or an ONNX node with its attributes. A
    function of F has what the layer reads in front of its arguments."""

    def __init__(self, name: str, *args: Any, **options: Any) -> None:
        self.name, self.args, self.options = name, args, options

    @property
    def arguments(self) -> list[str]:
        """The arguments as Python."""
        return [*map(repr, self.args), *(f"{name}={v!r}" for name, v in self.options.items())]


def _kept(tape: Tape, name: str, reads: Sequence[Shape], settings: Settings) -> Shape:
    return reads[0]


@dataclass(frozen=True, kw_only=True)
class Operator:
    """What holds for all layers of one kind.

    torch, onnx: the calls that make a layer of it.
    shape: what it gives for the shapes that it reads.
    again: its width, and the settings that follow from the shape (C, H, W) that it reads, when it
    is replayed.
    read: of that shape, the numbers that an output channel weighs at each place of its window.
    counted: whether its weights are mult-adds. biased: whether it always learns a bias.
    flat, over_maps: whether it flattens what it reads, or needs a map. whole: whether kernel 0 is
    the whole map. constants: what an ONNX node reads beside the map, that is not learned. alike:
    from which side on the shapes that it reads are the same, and what is said where they are not.
    training: whether it does anything then alone. spare: whether its output may be overwritten:
    torch does not keep it for the gradient, and it is not the input itself.
    """

    torch: Callable[[Layer], Call]
    onnx: Callable[[Layer], Call]
    shape: Callable[[Tape, str, Sequence[Shape], Settings], Shape] = _kept
    again: Callable[[Layer, Shape], Settings] = lambda layer, read: {}
    read: Callable[[Shape], Any] | None = None
    counted: bool = False
    biased: bool = False
    flat: bool = False
    over_maps: bool = False
    whole: bool = False
    alike: tuple[int, str] | None = None
    training: bool = False
    spare: bool = True
    constants: Callable[[Layer], list[list[list[float]]]] = lambda layer: []


def window(name: str, side: int, kernel: int, stride: int, padding: int, up: bool = False) -> int:
    """The side of the map that a window makes of one of `side` pixels; ValueError where the window
    is larger than the map. `up` rounds up, as max pooling does."""
    room = side + 2 * padding - kernel
    if room < 0:
        raise ValueError(
            f"{name}: a {kernel}x{kernel} window does not fit a map of {side}x{side}; "
            "take a larger image_size or a smaller window"
        )
    size = (room + (stride - 1 if up else 0)) // stride + 1
    # torch's rule: the last window starts inside the map or its left padding.
    return size - 1 if up and (size - 1) * stride >= side + padding else size


def _windowed(
    tape: Tape, name: str, reads: Sequence[Shape], settings: Settings, up: bool = False
) -> Shape:
    channels, *sides = reads[0]
    kernel, stride, padding = settings["kernel"], settings["stride"], settings.get("padding", 0)
    up = up and not settings.get("down", False)
    windows = (
        tape.window(name, side, kernel, stride, padding, up) if kernel else settings.get("grid", 1)
        for side in sides
    )
    return (settings.get("width", channels), *windows)


def _flattened(tape: Tape, name: str, reads: Sequence[Shape], settings: Settings) -> Shape:
    return (settings["width"],)


def _joined(tape: Tape, name: str, reads: Sequence[Shape], settings: Settings) -> Shape:
    sides = [tape.side(column) for column in zip(*(shape[1:] for shape in reads), strict=True)]
    return (sum(shape[0] for shape in reads), *(sides or (1, 1)))


def _width(layer: Layer, read: Shape) -> Settings:
    """Its own width; a convolution of one group a channel stays one, and keeps its multiplier."""
    if layer.groups == 1 or layer.groups != layer.in_shape[0]:
        return {"width": layer.shape[0]}
    return {"width": layer.shape[0] // layer.groups * read[0], "groups": read[0]}


def _conv2d(layer: Layer) -> Call:
    usual = {"stride": 1, "padding": 0, "groups": 1, "bias": True}
    options = {name: getattr(layer, name) for name in usual if getattr(layer, name) != usual[name]}
    return Call("nn.Conv2d", layer.in_shape[0], layer.shape[0], layer.kernel, **options)


def _max_pool2d(layer: Layer) -> Call:
    padding = {"padding": layer.padding} if layer.padding else {}
    up = {} if layer.down else {"ceil_mode": True}
    return Call("F.max_pool2d", layer.kernel, stride=layer.stride, **padding, **up)


def _average_pool2d(layer: Layer) -> Call:
    if layer.kernel:
        return Call("F.avg_pool2d", layer.kernel, stride=layer.stride)
    return Call("F.adaptive_avg_pool2d", layer.grid)


def _onnx_window(layer: Layer) -> dict[str, Any]:
    return {"kernel_shape": [layer.kernel] * 2, "strides": [layer.stride] * 2}


def _onnx_max_pool(layer: Layer) -> Call:
    """With the padding after each side with which rounding down gives what torch rounds up to: the
    runtimes differ in how they round up."""
    sides = zip(layer.in_shape[1:], layer.shape[1:], strict=True)
    reached = ((count - 1) * layer.stride + layer.kernel - side for side, count in sides)
    least = 0 if layer.down else layer.padding
    ends = [max(least, end - layer.padding) for end in reached]
    return Call("MaxPool", **_onnx_window(layer), pads=[layer.padding] * 2 + ends)


def _onnx_average_pool(layer: Layer) -> Call:
    if layer.kernel:
        return Call("AveragePool", **_onnx_window(layer))
    if layer.grid == 1:
        return Call("GlobalAveragePool")
    return Call("Einsum", equation="nchw,ph,qw->ncpq")


def _shares(layer: Layer) -> list[list[list[float]]]:
    """What each row of the map counts in each row of the grid that it is averaged to, (grid, H),
    and each column, (grid, W): torch's windows, which may overlap."""
    if layer.kernel or layer.grid == 1:
        return []

    def shares(side: int) -> Iterator[list[float]]:
        for at in range(layer.grid):
            start, end = at * side // layer.grid, -(-(at + 1) * side // layer.grid)
            yield [(start <= place < end) / (end - start) for place in range(side)]

    return [list(shares(side)) for side in layer.in_shape[1:]]


def _batch_norm2d(layer: Layer) -> Call:
    epsilon = {} if layer.epsilon == 1e-5 else {"eps": layer.epsilon}
    return Call("nn.BatchNorm2d", layer.shape[0], **epsilon)


OPERATORS: dict[Op, Operator] = {
    "conv": Operator(
        torch=_conv2d,
        onnx=lambda x: Call("Conv", **_onnx_window(x), pads=[x.padding] * 4, group=x.groups),
        shape=_windowed, again=_width, read=lambda read: read[0], counted=True, over_maps=True,
    ),
    "linear": Operator(
        torch=lambda x: Call("nn.Linear", prod(x.in_shape), x.shape[0]),
        onnx=lambda x: Call("Gemm", transB=1),
        shape=_flattened, again=_width, read=prod, counted=True, flat=True,
    ),
    "batch_norm": Operator(
        torch=_batch_norm2d,
        onnx=lambda x: Call("BatchNormalization", epsilon=x.epsilon),
        read=lambda read: 1, biased=True, over_maps=True,
    ),
    "lrn": Operator(
        torch=lambda x: Call("F.local_response_norm", 5),
        onnx=lambda x: Call("LRN", size=5, alpha=1e-4, beta=0.75, bias=1.0),
        over_maps=True,
    ),
    "relu": Operator(torch=lambda x: Call("F.relu"), onnx=lambda x: Call("Relu"), spare=False),
    "dropout": Operator(
        torch=lambda x: Call("F.dropout", x.rate),
        onnx=lambda x: Call("Identity"),
        training=True, spare=False,
    ),
    "max_pool": Operator(
        torch=_max_pool2d, onnx=_onnx_max_pool, shape=partial(_windowed, up=True), over_maps=True
    ),
    "average_pool": Operator(
        torch=_average_pool2d, onnx=_onnx_average_pool, shape=_windowed, over_maps=True,
        whole=True, constants=_shares,
    ),
    "concat": Operator(
        torch=lambda x: Call("torch.cat", dim=1),
        onnx=lambda x: Call("Concat", axis=1),
        shape=_joined, alike=(1, "maps of different sizes are not joined"),
    ),
    "add": Operator(
        torch=lambda x: Call("torch.add"),
        onnx=lambda x: Call("Add"),
        alike=(0, "maps of different shapes are not added"),
    ),
}  # fmt: skip
