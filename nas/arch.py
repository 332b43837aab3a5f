"""GoogLeNet as a tree of values; the defaults are the paper's table 1 (Szegedy et al. 2015).

Widths are output channels. A bottleneck's 1x1 reduction is a ratio of its branch's width, so that
the two vary independently: round(width * ratio) gives the paper's eighteen reductions back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from nas.layers import Layer, Ref, Shape, Tape
from nas.tree import Node

Normalization = Literal["lrn", "batch", "none"]
STAGES = {"3": "ab", "4": "abcde", "5": "ab"}
PLACES = tuple(stage + module for stage, modules in STAGES.items() for module in modules)


def _positive(node: Node, name: str, value: int | None) -> None:
    if value is not None and value < 1:
        raise ValueError(f"{type(node).__name__}.{name} must be 1 or more, not {value}")


def _share(node: Node, name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ValueError(f"{type(node).__name__}.{name} must lie in [0, 1), not {value:g}")


@dataclass(frozen=True, kw_only=True)
class Conv(Node):
    """A branch of one 1x1 convolution. Width None, for the pool branch, passes the pooled map
    through unprojected, as the naive module does (paper, fig. 2a)."""

    width: int | None

    def check(self) -> None:
        _positive(self, "width", self.width)


@dataclass(frozen=True, kw_only=True)
class Bottleneck(Node):
    """A branch of a 1x1 reduction to round(width * ratio) channels and a larger convolution.

    Ratio None leaves the reduction out. Kernel "3+3" is two 3x3 convolutions, which see as far as
    one 5x5 (Szegedy et al. 2016, sec. 3.1). `activation` is the ReLU after the reduction.
    """

    width: int
    ratio: float | None = None
    kernel: int | Literal["3+3"] = 3
    activation: bool = True

    def check(self) -> None:
        _positive(self, "width", self.width)
        if self.ratio is not None and self.ratio <= 0:
            raise ValueError(f"Bottleneck.ratio must be above 0 or None, not {self.ratio:g}")
        if self.kernel != "3+3" and (self.kernel < 1 or self.kernel % 2 == 0):
            raise ValueError(f"Bottleneck.kernel must be odd or '3+3', not {self.kernel!r}")


@dataclass(frozen=True, kw_only=True)
class Inception(Node):
    """An Inception module (paper, fig. 2b): up to four branches over one input, concatenated.

    None drops a branch. `shortcut` adds the module's input to its output, projected by a 1x1
    convolution where the channels differ.
    """

    conv1x1: Conv | None
    conv3x3: Bottleneck | None
    conv5x5: Bottleneck | None
    pool_proj: Conv | None
    shortcut: bool = False

    def check(self) -> None:
        if not any((self.conv1x1, self.conv3x3, self.conv5x5, self.pool_proj)):
            raise ValueError(
                "an Inception module needs a branch; drop the whole module with None instead"
            )
        if self.conv1x1 is not None and self.conv1x1.width is None:
            raise ValueError("only a pool branch can be passed through: conv1x1 needs a width")


@dataclass(frozen=True, kw_only=True)
class Plain(Node):
    """An ordinary convolution in a module's place."""

    width: int
    kernel: int = 3

    def check(self) -> None:
        _positive(self, "width", self.width)
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise ValueError(f"Plain.kernel must be odd, not {self.kernel}")


@dataclass(frozen=True, kw_only=True)
class Stem(Node):
    """What comes before the modules.

    "dense": 7x7/2, pool, 1x1, 3x3, pool (table 1). "separable": the 7x7 as a depthwise convolution
    of multiplier 8 and a 1x1, the only one with the 2.7K parameters and 34M operations of table 1.
    "small", for images of about 28 pixels: one 3x3 of `conv3x3` channels and one pool.
    """

    kind: Literal["dense", "separable", "small"] = "dense"
    conv7x7: int = 64
    reduce: int = 64
    conv3x3: int = 192

    def check(self) -> None:
        for name in ("conv7x7", "reduce", "conv3x3"):
            _positive(self, name, getattr(self, name))


@dataclass(frozen=True, kw_only=True)
class AuxHead(Node):
    """An auxiliary classifier (paper, sec. 5): average pool, 1x1 convolution, hidden linear layer,
    dropout, classifier. It is trained with and thrown away at inference."""

    kernel: int = 5
    stride: int = 3
    conv: int = 128
    hidden: int = 1024
    dropout: float = 0.7

    def check(self) -> None:
        for name in ("kernel", "stride", "conv", "hidden"):
            _positive(self, name, getattr(self, name))
        _share(self, "dropout", self.dropout)


@dataclass(frozen=True, kw_only=True)
class Head(Node):
    """The classifier's input: the last map averaged to 1 x 1, or flattened whole."""

    pooling: Literal["average", "flatten"] = "average"


def _table1(conv1x1: int, reduce3: int, conv3: int, reduce5: int, conv5: int, pool: int):
    return Inception(
        conv1x1=Conv(width=conv1x1),
        conv3x3=Bottleneck(width=conv3, ratio=reduce3 / conv3, kernel=3),
        conv5x5=Bottleneck(width=conv5, ratio=reduce5 / conv5, kernel=5),
        pool_proj=Conv(width=pool),
    )


Module = Inception | Plain | None


@dataclass(frozen=True, kw_only=True)
class GoogLeNet(Node):
    """GoogLeNet (paper, table 1): a stem, nine modules, a classifier and auxiliary classifiers.

    A module of None is dropped, and its aux head with it. `width` multiplies every width but the
    classes. LRN stands twice in the stem; batch norm would follow each convolution. Raises
    ValueError for an aux head at a place that there is not.

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

    def check(self) -> None:
        _share(self, "dropout", self.dropout)
        if self.width <= 0:
            raise ValueError(f"GoogLeNet.width must be above 0, not {self.width:g}")
        for place in self.aux_after:
            if place not in PLACES:
                raise ValueError(
                    f"GoogLeNet.aux_after knows {', '.join(PLACES)}; there is no {place!r}"
                )

    def layers(self, shape: Shape, classes: int) -> tuple[Layer, ...]:
        """The layers for images of shape (C, H, W); ValueError where a window does not fit."""
        tape = Tape(shape)
        self.build(tape, classes)
        return tuple(tape.layers)

    def build(self, tape: Tape, classes: int) -> None:
        """Puts the network on a tape, from the image to the logits. Its leaves may be undecided,
        where the tape is a population's."""
        _Builder(self, tape).network(classes)


class _Builder:
    """Puts one GoogLeNet on a tape, from the image to the logits."""

    def __init__(self, spec: GoogLeNet, tape: Tape) -> None:
        self.spec, self.tape = spec, tape
        self.batch = tape.equal(spec.normalization, "batch")

    def network(self, classes: int) -> None:
        spec, tape = self.spec, self.tape
        x = self.stem(tape.image)
        for stage, modules in STAGES.items():
            if stage != "3":
                x = tape.max_pool(f"pool{stage}.pool", x, 3, 2)
            for letter in modules:
                x = self.module(stage + letter, x, classes)
        made: list[tuple[Any, Ref]] = []
        for pooling, here in tape.options(spec.head.pooling):
            made.append((here, tape.average_pool("head.pool", x) if pooling == "average" else x))
        x = tape.pick(made)
        if spec.dropout:
            x = tape.simple("dropout", "head.dropout", x, rate=spec.dropout)
        tape.linear("head.classifier", x, classes)

    def stem(self, x: Ref) -> Ref:
        made: list[tuple[Any, Ref]] = []
        for stem, here in self.tape.options(self.spec.stem):
            for kind, kind_here in self.tape.options(stem.kind):
                both = here & kind_here
                with self.tape.where(both):
                    made.append((both, self.stem_of(stem, kind, x)))
        return self.tape.pick(made)

    def stem_of(self, stem: Stem, kind: str, x: Ref) -> Ref:
        tape = self.tape
        if kind == "small":
            x = self.unit("stem.conv3x3", x, self.width(stem.conv3x3), 3)
            return self.lrn("stem.lrn1", tape.max_pool("stem.pool1", x, 3, 2))
        if kind == "separable":
            channels = x.shape[0]
            x = tape.conv("stem.depthwise", x, 8 * channels, 7, 2, groups=channels, bias=False)
            x = self.unit("stem.conv7x7", x, self.width(stem.conv7x7))
        else:
            x = self.unit("stem.conv7x7", x, self.width(stem.conv7x7), 7, 2)
        x = self.lrn("stem.lrn1", tape.max_pool("stem.pool1", x, 3, 2))
        x = self.unit("stem.reduce", x, self.width(stem.reduce))
        x = self.unit("stem.conv3x3", x, self.width(stem.conv3x3), 3)
        return tape.max_pool("stem.pool2", self.lrn("stem.lrn2", x), 3, 2)

    def module(self, place: str, x: Ref, classes: int) -> Ref:
        tape, name = self.tape, f"inception_{place}"
        made: list[tuple[Any, Ref]] = []
        there: Any = False
        for module, here in tape.options(getattr(self.spec, name)):
            with tape.where(here):
                if isinstance(module, Inception):
                    y = self.inception(name, x, module)
                elif module is not None:
                    y = self.plain(name, x, module)
                else:
                    y = x
            there = there | here if module is not None else there
            made.append((here, y))
        y = tape.pick(made)
        aux = there & tape.contains(self.spec.aux_after, place)
        if aux is not False:
            with tape.where(aux):
                self.aux(f"aux_{place}", y, classes)
        return y

    def plain(self, name: str, x: Ref, module: Plain) -> Ref:
        made: list[tuple[Any, Ref]] = []
        for kernel, here in self.tape.options(module.kernel):
            with self.tape.where(here):
                width = self.width(module.width)
                made.append((here, self.unit(f"{name}.plain.conv", x, width, kernel)))
        return self.tape.pick(made)

    def inception(self, name: str, x: Ref, module: Inception) -> Ref:
        tape = self.tape
        branches = (
            self.branch(module.conv1x1, lambda b: self.conv1x1(f"{name}.conv1x1", x, b)),
            self.branch(module.conv3x3, lambda b: self.bottleneck(f"{name}.conv3x3", x, b)),
            self.branch(module.conv5x5, lambda b: self.bottleneck(f"{name}.conv5x5", x, b)),
            self.branch(module.pool_proj, lambda b: self.pool_proj(f"{name}.pool_proj", x, b)),
        )
        y = tape.concat(f"{name}.concat", *(branch for branch in branches if branch is not None))
        tape.require(y.shape[0] > 0, f"{name}: an Inception module needs a branch")
        made: list[tuple[Any, Ref]] = []
        for shortcut, here in tape.options(module.shortcut):
            with tape.where(here):
                made.append((here, self.shortcut(name, x, y) if shortcut else y))
        return tape.pick(made)

    def branch(self, leaf: Any, build: Callable[[Any], Ref]) -> Ref | None:
        """A branch's output; None where no option of it is a branch."""
        made: list[tuple[Any, Ref]] = []
        for branch, here in self.tape.options(leaf):
            if branch is not None:
                with self.tape.where(here):
                    made.append((here, build(branch)))
        return self.tape.pick(made) if made else None

    def conv1x1(self, name: str, x: Ref, branch: Conv) -> Ref:
        return self.unit(f"{name}.conv", x, self.width(branch.width))

    def pool_proj(self, name: str, x: Ref, branch: Conv) -> Ref:
        y = self.tape.max_pool(f"{name}.pool", x, 3, 1, padding=1)
        made: list[tuple[Any, Ref]] = []
        for width, here in self.tape.halves(branch.width):
            with self.tape.where(here):
                projected = width is not None
                z = self.unit(f"{name}.conv", y, self.width(width)) if projected else y
                made.append((here, z))
        return self.tape.pick(made)

    def shortcut(self, name: str, x: Ref, y: Ref) -> Ref:
        different = self.tape.differ(x.shape, y.shape)
        if different is not False:
            with self.tape.where(different):
                x = self.tape.conv(f"{name}.shortcut.conv", x, y.shape[0])
        return self.tape.add(f"{name}.shortcut.add", x, y)

    def bottleneck(self, name: str, x: Ref, branch: Bottleneck) -> Ref:
        width = self.width(branch.width)
        made: list[tuple[Any, Ref]] = []
        for ratio, here in self.tape.halves(branch.ratio):
            with self.tape.where(here):
                y = x
                if ratio is not None:
                    reduced = self.tape.rounded(width, ratio)
                    y = self.unit(f"{name}.reduce", x, reduced, activation=branch.activation)
                made.append((here, y))
        x = self.tape.pick(made)
        made = []
        for kernel, here in self.tape.options(branch.kernel):
            with self.tape.where(here):
                if kernel == "3+3":
                    y = self.unit(f"{name}.conv", x, width, 3)
                    y = self.unit(f"{name}.conv2", y, width, 3)
                else:
                    y = self.unit(f"{name}.conv", x, width, kernel)
                made.append((here, y))
        return self.tape.pick(made)

    def aux(self, name: str, x: Ref, classes: int) -> None:
        tape = self.tape
        tape.aux = True
        for head, here in tape.options(self.spec.aux_head):
            for kernel, kernel_here in tape.options(head.kernel):
                for stride, stride_here in tape.options(head.stride):
                    with tape.where(here & kernel_here & stride_here):
                        self.aux_of(name, x, head, kernel, stride, classes)
        tape.aux = False

    def aux_of(
        self, name: str, x: Ref, head: AuxHead, kernel: int, stride: int, classes: int
    ) -> None:
        tape = self.tape
        x = tape.average_pool(f"{name}.pool", x, kernel, stride)
        x = self.unit(f"{name}.conv", x, self.width(head.conv))
        x = tape.linear(f"{name}.hidden", x, self.width(head.hidden))
        x = tape.simple("relu", f"{name}.hidden_relu", x)
        if head.dropout:
            x = tape.simple("dropout", f"{name}.dropout", x, rate=head.dropout)
        tape.linear(f"{name}.classifier", x, classes)

    def unit(
        self, name: str, x: Ref, width: Any, kernel: int = 1, stride: int = 1,
        activation: bool = True,
    ) -> Ref:  # fmt: skip
        x = self.tape.conv(name, x, width, kernel, stride, bias=self.batch ^ True)
        if self.batch is not False:
            with self.tape.where(self.batch):
                x = self.tape.simple("batch_norm", f"{name}_norm", x)
        return self.tape.simple("relu", f"{name}_relu", x) if activation else x

    def lrn(self, name: str, x: Ref) -> Ref:
        return self.tape.simple("lrn", name, x) if self.spec.normalization == "lrn" else x

    def width(self, width: Any) -> Any:
        return self.tape.rounded(width, self.spec.width)
