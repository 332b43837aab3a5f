"""The networks that GoogLeNet is held against, as trees of values; the defaults are published ones.

LeNet-5, AlexNet, Network in Network, and plain stacks, of which VGG-16 is one. Activations are
ReLUs. `width` multiplies every width but the classes; the ratios of a network stay. For images of
about 28 pixels a large first convolution is replaced: `conv1=Convolution(width=96)`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from nas.networks.layers import Layer, Shape
from nas.networks.tape import Ref, Tape
from nas.networks.units import Normalization, Units, above_0, at_least, share
from nas.tree.tree import Node


@dataclass(frozen=True, kw_only=True)
class Convolution(Node):
    """A convolution of `width` output channels. Padding None is half the kernel; `groups` towers
    each read and give their share of the channels."""

    width: int
    kernel: int = 3
    stride: int = 1
    padding: int | None = None
    groups: int = 1

    def check(self) -> None:
        at_least(1, self, "width", "kernel", "stride", "groups")
        at_least(0, self, "padding")


@dataclass(frozen=True, kw_only=True)
class LeNet5(Node):
    """LeNet-5 (LeCun et al. 1998, sec. II.B, fig. 2) in its usual form today: 61,706 parameters for
    one channel of 28 pixels and ten classes.

    The paper pads its images to 32 pixels, which is conv1's padding here. It counts 60,000
    parameters: its third layer reads some maps only (table I, 900 fewer connections' weights), its
    averages have a coefficient and a bias, its units are tanh and its classifier has fixed
    prototypes; here conv2 reads all maps, the averages learn nothing, and the classifier is linear.
    """

    conv1: Convolution = Convolution(width=6, kernel=5)
    conv2: Convolution = Convolution(width=16, kernel=5, padding=0)
    c5: int = 120
    f6: int = 84
    width: float = 1.0

    def check(self) -> None:
        at_least(1, self, "c5", "f6")
        above_0(self, "width")

    def layers(self, shape: Shape, classes: int) -> tuple[Layer, ...]:
        """The layers for images of shape (C, H, W); ValueError where a window does not fit."""
        build = _Stack(shape, self.width)
        x = build.convolution("conv1.conv", build.tape.image, self.conv1)
        x = build.tape.average_pool("conv1.pool", x, 2, 2)
        x = build.convolution("conv2.conv", x, self.conv2)
        x = build.tape.average_pool("conv2.pool", x, 2, 2)
        x = build.hidden("c5", x, self.c5)
        x = build.hidden("f6", x, self.f6)
        return build.classifier(x, classes)


@dataclass(frozen=True, kw_only=True)
class AlexNet(Node):
    """AlexNet (Krizhevsky et al. 2012, sec. 3.5, fig. 2): 60,965,224 parameters at 224 pixels and
    1000 classes, the "60 million" of its abstract.

    The paper's two towers are `groups=2`. conv1 pads by 2, which gives the 55 x 55 maps of its
    fig. 2. LRN follows the first two convolutions (sec. 3.3), overlapping pools the first two and
    the last (3.4), dropout the hidden layers (4.2). Batch norm would follow each convolution. The
    model of torchvision is another: one tower, and 64 and 192 channels first (61,100,840).

    grid: None leaves the last map as it is, and pools round up. A number averages it to grid x
    grid and rounds pools down, so that the weights are the same for images of any size: 6 gives
    those of 224 pixels.

    >>> layers = AlexNet().layers(shape=(3, 224, 224), classes=1000)
    >>> [layer.shape for layer in layers if layer.op == "max_pool"]
    [(96, 27, 27), (256, 13, 13), (256, 6, 6)]
    """

    conv1: Convolution = Convolution(width=96, kernel=11, stride=4, padding=2)
    conv2: Convolution = Convolution(width=256, kernel=5, groups=2)
    conv3: Convolution = Convolution(width=384)
    conv4: Convolution = Convolution(width=384, groups=2)
    conv5: Convolution = Convolution(width=256, groups=2)
    hidden: int = 4096
    dropout: float = 0.5
    normalization: Normalization = "lrn"
    width: float = 1.0
    grid: int | None = field(default=None, metadata={"before": None})

    def check(self) -> None:
        at_least(1, self, "hidden", "grid")
        above_0(self, "width")
        share(self, "dropout")

    def layers(self, shape: Shape, classes: int) -> tuple[Layer, ...]:
        """The layers for images of shape (C, H, W); ValueError where a window does not fit, or
        where groups do not divide the channels."""
        build = _Stack(shape, self.width, self.normalization, self.dropout, self.grid)
        x = build.tape.image
        for name in ("conv1", "conv2", "conv3", "conv4", "conv5"):
            x = build.convolution(f"{name}.conv", x, getattr(self, name))
            if name in ("conv1", "conv2"):
                x = build.lrn(f"{name}.lrn", x)
            if name in ("conv1", "conv2", "conv5"):
                x = build.pool(f"{name}.pool", x, 3)
        x = build.hidden("fc6", build.gridded(x), self.hidden)
        return build.classifier(build.hidden("fc7", x, self.hidden), classes)


@dataclass(frozen=True, kw_only=True)
class MlpConv(Node):
    """A convolution and two of 1x1 after it, to `first` and `second` channels: a small perceptron
    at each place of the map (Lin et al. 2014, sec. 3.1, fig. 2)."""

    conv: Convolution
    first: int
    second: int

    def check(self) -> None:
        at_least(1, self, "first", "second")


@dataclass(frozen=True, kw_only=True)
class NetworkInNetwork(Node):
    """Network in Network (Lin et al. 2014): perceptrons slid over the map, the last of which gives
    one map a class, averaged into its logit; no hidden linear layer.

    The paper gives no widths; these are of its authors' published ImageNet model, 7,595,176
    parameters. A block of None is dropped, and its 3x3 pool and dropout (sec. 4.1) with it. The
    smaller published one, for CIFAR-10, is the preset small_network_in_network at full width.
    """

    mlpconv1: MlpConv | None = MlpConv(
        conv=Convolution(width=96, kernel=11, stride=4, padding=0), first=96, second=96
    )
    mlpconv2: MlpConv | None = MlpConv(conv=Convolution(width=256, kernel=5), first=256, second=256)
    mlpconv3: MlpConv | None = MlpConv(conv=Convolution(width=384), first=384, second=384)
    conv4: Convolution = Convolution(width=1024)
    first4: int = 1024
    dropout: float = 0.5
    normalization: Literal["batch", "none"] = "none"
    width: float = 1.0

    def check(self) -> None:
        at_least(1, self, "first4")
        above_0(self, "width")
        share(self, "dropout")

    def layers(self, shape: Shape, classes: int) -> tuple[Layer, ...]:
        """The layers for images of shape (C, H, W); ValueError where a window does not fit."""
        build = _Stack(shape, self.width, self.normalization, self.dropout)
        x = build.tape.image
        for name in ("mlpconv1", "mlpconv2", "mlpconv3"):
            block: MlpConv | None = getattr(self, name)
            if block is None:
                continue
            x = build.convolution(f"{name}.conv", x, block.conv)
            for part in ("first", "second"):
                pointwise = Convolution(width=getattr(block, part), kernel=1)
                x = build.convolution(f"{name}.{part}", x, pointwise)
            x = build.drop(name, build.tape.max_pool(f"{name}.pool", x, 3, 2))
        x = build.convolution("mlpconv4.conv", x, self.conv4)
        x = build.convolution("mlpconv4.first", x, Convolution(width=self.first4, kernel=1))
        x = build.tape.conv("head.classifier", x, classes)
        x = build.tape.simple("relu", "head.relu", x)
        build.tape.average_pool("head.pool", x)
        return tuple(build.tape.layers)


@dataclass(frozen=True, kw_only=True)
class Stage(Node):
    """`depth` convolutions of `width` channels, one after the other."""

    width: int
    depth: int = 2
    kernel: int = 3

    def check(self) -> None:
        at_least(1, self, "width", "depth", "kernel")


@dataclass(frozen=True, kw_only=True)
class PlainNet(Node):
    """A plain stack: stages of 3x3 convolutions, a 2x2 pool after each, two hidden linear layers.

    The defaults are VGG-16 (Simonyan and Zisserman 2015, table 1, column D): 138,357,544 parameters
    at 224 pixels and 1000 classes. A stage of None is dropped, and its pool with it; hidden None
    puts GoogLeNet's head there, the average of the last map. Any image of 17 pixels or more gives
    five stages, for pools round up. With a `grid` they round down, and the last map is averaged to
    grid x grid: 7 gives VGG-16 the weights of 224 pixels for images of any size.
    """

    stage1: Stage | None = Stage(width=64)
    stage2: Stage | None = Stage(width=128)
    stage3: Stage | None = Stage(width=256, depth=3)
    stage4: Stage | None = Stage(width=512, depth=3)
    stage5: Stage | None = Stage(width=512, depth=3)
    hidden: int | None = 4096
    dropout: float = 0.5
    normalization: Literal["batch", "none"] = "none"
    width: float = 1.0
    grid: int | None = field(default=None, metadata={"before": None})

    def check(self) -> None:
        at_least(1, self, "hidden", "grid")
        above_0(self, "width")
        share(self, "dropout")

    def layers(self, shape: Shape, classes: int) -> tuple[Layer, ...]:
        """The layers for images of shape (C, H, W); ValueError where a window does not fit."""
        build = _Stack(shape, self.width, self.normalization, self.dropout, self.grid)
        x = build.tape.image
        for name in ("stage1", "stage2", "stage3", "stage4", "stage5"):
            stage: Stage | None = getattr(self, name)
            if stage is None:
                continue
            for at in range(1, stage.depth + 1):
                one = Convolution(width=stage.width, kernel=stage.kernel)
                x = build.convolution(f"{name}.conv{at}", x, one)
            x = build.pool(f"{name}.pool", x, 2)
        if self.hidden is None:
            x = build.drop("head", build.tape.average_pool("head.pool", x))
            return build.classifier(x, classes)
        x = build.hidden("fc6", build.gridded(x), self.hidden)
        return build.classifier(build.hidden("fc7", x, self.hidden), classes)


class _Stack(Units):
    """Puts the layers of one network on a tape, one behind the other."""

    def __init__(
        self, shape: Shape, factor: float, normalization: Normalization = "none",
        rate: float = 0.0, grid: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__(Tape(shape), normalization, factor)
        self.rate, self.grid = rate, grid

    def convolution(self, name: str, x: Ref, spec: Convolution) -> Ref:
        return self.unit(
            name, x, self.width(spec.width), spec.kernel, spec.stride, spec.groups, spec.padding
        )

    def pool(self, name: str, x: Ref, kernel: int) -> Ref:
        return self.tape.max_pool(name, x, kernel, 2, up=self.grid is None)

    def gridded(self, x: Ref) -> Ref:
        """A map of grid x grid, where there is a grid: x itself, or its averages."""
        if self.grid is None or x.shape[1:] == (self.grid, self.grid):
            return x
        return self.tape.average_pool("grid", x, grid=self.grid)

    def hidden(self, name: str, x: Ref, width: int) -> Ref:
        x = self.tape.linear(f"{name}.linear", x, self.width(width))
        return self.drop(name, self.tape.simple("relu", f"{name}.relu", x))

    def drop(self, name: str, x: Ref) -> Ref:
        return self.tape.simple("dropout", f"{name}.dropout", x, self.rate) if self.rate else x

    def classifier(self, x: Ref, classes: int) -> tuple[Layer, ...]:
        self.tape.linear("head.classifier", x, classes)
        return tuple(self.tape.layers)
