"""GoogLeNet as a tree of values; the defaults are the paper's table 1 (Szegedy et al. 2015)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from nas.networks.inception import Bottleneck, Conv, Inception, Module, Modules
from nas.networks.layers import Layer, Shape
from nas.networks.tape import Ref, Tape
from nas.networks.units import Normalization, above_0, at_least, share
from nas.tree.tree import Node

STAGES = {"3": "ab", "4": "abcde", "5": "ab"}
PLACES = tuple(stage + module for stage, modules in STAGES.items() for module in modules)
MODULES = {f"inception_{place}": place for place in PLACES}
"""The fields that hold modules, and their places."""
DROPOUTS = (*(f"stage{stage}" for stage in STAGES), "head")


def _known(node: Node, name: str, places: tuple[str, ...]) -> None:
    for place in getattr(node, name):
        if place not in places:
            raise ValueError(
                f"{type(node).__name__}.{name} knows {', '.join(places)}; there is no {place!r}"
            )


@dataclass(frozen=True, kw_only=True)
class Stem(Node):
    """What comes before the modules.

    "dense": 7x7/2, pool, 1x1, 3x3, pool (table 1). "separable": the 7x7 as a depthwise convolution
    of multiplier 8 and a 1x1, the only one with the 2.7K parameters and 34M operations of table 1.
    "deep": three 3x3 for the 7x7, the first two of half its channels (Szegedy et al. 2016, table 1;
    He et al. 2019, fig. 2b). "small", for images of about 28 pixels: one 3x3 of `conv3x3` channels
    and one pool.
    """

    kind: Literal["dense", "separable", "deep", "small"] = "dense"
    conv7x7: int = 64
    reduce: int = 64
    conv3x3: int = 192

    def check(self) -> None:
        at_least(1, self, "conv7x7", "reduce", "conv3x3")


@dataclass(frozen=True, kw_only=True)
class AuxHead(Node):
    """An auxiliary classifier (paper, sec. 5): average pool, 1x1 convolution, hidden linear layer,
    dropout, classifier. It is trained with and thrown away at inference. `grid` averages a map of
    any size to grid x grid, instead of windows of `kernel` pixels."""

    kernel: int = 5
    stride: int = 3
    conv: int = 128
    hidden: int = 1024
    dropout: float = 0.7
    grid: int | None = field(default=None, metadata={"before": None})

    def check(self) -> None:
        at_least(1, self, "kernel", "stride", "conv", "hidden", "grid")
        share(self, "dropout")


@dataclass(frozen=True, kw_only=True)
class Head(Node):
    """The classifier's input: the last map averaged to 1 x 1, or flattened whole; through a hidden
    linear layer of `hidden` outputs where there is one."""

    pooling: Literal["average", "flatten"] = "average"
    hidden: int | None = field(default=None, metadata={"before": None})

    def check(self) -> None:
        at_least(1, self, "hidden")


def _table1(conv1x1: int, reduce3: int, conv3: int, reduce5: int, conv5: int, pool: int):
    return Inception(
        conv1x1=Conv(width=conv1x1),
        conv3x3=Bottleneck(width=conv3, ratio=reduce3 / conv3, kernel=3),
        conv5x5=Bottleneck(width=conv5, ratio=reduce5 / conv5, kernel=5),
        pool_proj=Conv(width=pool),
    )


@dataclass(frozen=True, kw_only=True)
class GoogLeNet(Node):
    """GoogLeNet (paper, table 1): a stem, nine modules, a classifier and auxiliary classifiers.

    A module of None is dropped, and its aux head with it. `width` multiplies every width but the
    classes. LRN stands twice in the stem; batch norm would follow each convolution, and adds
    `epsilon` to the variance. `dropout` is the share of what is dropped at each place of
    `dropout_at`: at the end of a stage, before its pool, or in the head, before the classifier.
    `pool5` is the window of the pool before stage 5. Raises ValueError for a place that there is
    not.

    >>> layers = GoogLeNet().layers(shape=(3, 224, 224), classes=1000)
    >>> next(layer.shape for layer in layers if layer.name == "inception_3a.concat")
    (256, 28, 28)
    >>> GoogLeNet().inception_3a.conv3x3
    Bottleneck(width=128, ratio=0.75, kernel=3, activation=True)
    """

    stem: Stem = Stem()
    inception_3a: Module = _table1(64, 96, 128, 16, 32, 32)
    inception_3b: Module = _table1(128, 128, 192, 32, 96, 64)
    inception_4a: Module = _table1(192, 96, 208, 16, 48, 64)
    inception_4b: Module = _table1(160, 112, 224, 24, 64, 64)
    inception_4c: Module = _table1(128, 128, 256, 24, 64, 64)
    inception_4d: Module = _table1(112, 144, 288, 32, 64, 64)
    inception_4e: Module = _table1(256, 160, 320, 32, 128, 128)
    inception_5a: Module = _table1(256, 160, 320, 32, 128, 128)
    inception_5b: Module = _table1(384, 192, 384, 48, 128, 128)
    aux_after: tuple[str, ...] = ("4a", "4d")
    aux_head: AuxHead = AuxHead()
    normalization: Normalization = "lrn"
    dropout: float = 0.4
    head: Head = Head()
    width: float = 1.0
    dropout_at: tuple[str, ...] = field(default=("head",), metadata={"before": ("head",)})
    pool5: int = field(default=3, metadata={"before": 3})
    epsilon: float = field(default=1e-5, metadata={"before": 1e-5})

    def check(self) -> None:
        share(self, "dropout")
        above_0(self, "width")
        above_0(self, "epsilon")
        at_least(1, self, "pool5")
        _known(self, "aux_after", PLACES)
        _known(self, "dropout_at", DROPOUTS)

    def layers(self, shape: Shape, classes: int) -> tuple[Layer, ...]:
        """The layers for images of shape (C, H, W); ValueError where a window does not fit."""
        tape = Tape(shape)
        self.record_on(tape, classes)
        return tuple(tape.layers)

    def record_on(self, tape: Tape, classes: int) -> None:
        """Puts the network on a tape, from the image to the logits. Its leaves may be undecided,
        where the tape is a population's."""
        _Builder(self, tape).network(classes)


class _Builder(Modules):
    """Puts one GoogLeNet on a tape, from the image to the logits."""

    def __init__(self, spec: GoogLeNet, tape: Tape) -> None:
        super().__init__(tape, spec.normalization, spec.width, spec.epsilon)
        self.spec = spec

    def network(self, classes: int) -> None:
        tape = self.tape
        x = self.choose(tape.options(self.spec.stem), lambda stem: self.stem(tape.image, stem))
        for stage, modules in STAGES.items():
            if stage != "3":
                x = self.pool(stage, x)
            for letter in modules:
                x = self.place(stage + letter, x, classes)
            x = self.dropout(f"stage{stage}", x)
        self.choose(tape.options(self.spec.head), lambda head: self.head(x, head, classes))

    def pool(self, stage: str, x: Ref) -> Ref:
        windows = self.tape.options(self.spec.pool5 if stage == "5" else 3)
        return self.choose(
            windows, lambda kernel: self.tape.max_pool(f"pool{stage}.pool", x, kernel, 2)
        )

    def dropout(self, place: str, x: Ref) -> Ref:
        rate = self.spec.dropout
        here = self.tape.holds(self.spec.dropout_at, lambda places: place in places)
        dropped = rate and here is not False
        return self.tape.simple("dropout", f"{place}.dropout", x, rate=rate) if dropped else x

    def head(self, x: Ref, head: Head, classes: int) -> Ref:
        tape = self.tape

        def pool(pooling: str) -> Ref:
            return tape.average_pool("head.pool", x) if pooling == "average" else x

        pooled = self.choose(tape.options(head.pooling), pool)

        def classify(hidden: Any) -> Ref:
            y = pooled
            if hidden is not None:
                y = tape.linear("head.hidden", y, self.width(hidden))
                y = tape.simple("relu", "head.hidden_relu", y)
            return tape.linear("head.classifier", self.dropout("head", y), classes)

        return self.choose(tape.halves(head.hidden), classify)

    def stem(self, x: Ref, stem: Stem) -> Ref:
        return self.choose(self.tape.options(stem.kind), lambda kind: self.stem_of(stem, kind, x))

    def stem_of(self, stem: Stem, kind: str, x: Ref) -> Ref:
        tape = self.tape
        if kind == "small":
            x = self.unit("stem.conv3x3", x, self.width(stem.conv3x3), 3)
            return self.lrn("stem.lrn1", tape.max_pool("stem.pool1", x, 3, 2))
        width = self.width(stem.conv7x7)
        if kind == "separable":
            channels = x.shape[0]
            x = tape.conv("stem.depthwise", x, 8 * channels, 7, 2, groups=channels, bias=False)
            x = self.unit("stem.conv7x7", x, width)
        elif kind == "deep":
            half = tape.rounded(width, 0.5)
            x = self.unit("stem.deep2", self.unit("stem.deep1", x, half, 3, 2), half, 3)
            x = self.unit("stem.deep3", x, width, 3)
        else:
            x = self.unit("stem.conv7x7", x, width, 7, 2)
        x = self.lrn("stem.lrn1", tape.max_pool("stem.pool1", x, 3, 2))
        x = self.unit("stem.reduce", x, self.width(stem.reduce))
        x = self.unit("stem.conv3x3", x, self.width(stem.conv3x3), 3)
        return tape.max_pool("stem.pool2", self.lrn("stem.lrn2", x), 3, 2)

    def place(self, place: str, x: Ref, classes: int) -> Ref:
        name = f"inception_{place}"
        options = list(self.tape.options(getattr(self.spec, name)))
        y = self.choose(options, lambda module: self.module(name, x, module))
        there: Any = False
        for module, here in options:
            there = there | here if module is not None else there
        aux = there & self.tape.holds(self.spec.aux_after, lambda places: place in places)
        if aux is not False:
            with self.tape.where(aux):
                self.aux(f"aux_{place}", y, classes)
        return y

    def aux(self, name: str, x: Ref, classes: int) -> None:
        tape = self.tape
        tape.aux = True
        for head, here in tape.options(self.spec.aux_head):
            for grid, grid_here in tape.options(head.grid):
                for kernel, kernel_here in tape.options(head.kernel if grid is None else 0):
                    for stride, stride_here in tape.options(head.stride if grid is None else 1):
                        with tape.where(here & grid_here & kernel_here & stride_here):
                            y = tape.average_pool(f"{name}.pool", x, kernel, stride, grid or 1)
                            self.aux_of(name, y, head, classes)
        tape.aux = False

    def aux_of(self, name: str, x: Ref, head: AuxHead, classes: int) -> None:
        tape = self.tape
        x = self.unit(f"{name}.conv", x, self.width(head.conv))
        x = tape.linear(f"{name}.hidden", x, self.width(head.hidden))
        x = tape.simple("relu", f"{name}.hidden_relu", x)
        if head.dropout:
            x = tape.simple("dropout", f"{name}.dropout", x, rate=head.dropout)
        tape.linear(f"{name}.classifier", x, classes)
