"""What may stand at each of GoogLeNet's nine places: an Inception module, a convolution, nothing.

Widths are output channels. A bottleneck's 1x1 reduction is a ratio of its branch's width, so that
the two vary independently: round(width * ratio) gives the paper's eighteen reductions back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from nas.networks.tape import Ref
from nas.networks.units import Units, at_least
from nas.tree.tree import Node


@dataclass(frozen=True, kw_only=True)
class Conv(Node):
    """A branch of one 1x1 convolution. Width None, for the pool branch, passes the pooled map
    through unprojected, as the naive module does (paper, fig. 2a)."""

    width: int | None

    def check(self) -> None:
        at_least(1, self, "width")


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
        at_least(1, self, "width")
        if self.ratio is not None and self.ratio <= 0:
            raise ValueError(f"Bottleneck.ratio must be above 0 or None, not {self.ratio:g}")
        if self.kernel != "3+3" and (self.kernel < 1 or self.kernel % 2 == 0):
            raise ValueError(f"Bottleneck.kernel must be odd or '3+3', not {self.kernel!r}")


@dataclass(frozen=True, kw_only=True)
class Inception(Node):
    """An Inception module (paper, fig. 2b): up to four branches over one input, concatenated.

    None drops a branch. `shortcut` adds the module's input to its output, projected by a 1x1
    convolution where the channels differ. `repeat` modules of this kind stand one after the other.
    """

    conv1x1: Conv | None
    conv3x3: Bottleneck | None
    conv5x5: Bottleneck | None
    pool_proj: Conv | None
    shortcut: bool = False
    repeat: int = field(default=1, metadata={"before": 1})

    def check(self) -> None:
        at_least(1, self, "repeat")
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
        at_least(1, self, "width")
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise ValueError(f"Plain.kernel must be odd, not {self.kernel}")


Module = Inception | Plain | None


class Modules(Units):
    """Puts modules on a tape."""

    def module(self, name: str, x: Ref, module: Module) -> Ref:
        """The output of a module over x; x itself where there is none."""
        if isinstance(module, Plain):
            return self.plain(name, x, module)
        return x if module is None else self.repeated(name, x, module)

    def plain(self, name: str, x: Ref, module: Plain) -> Ref:
        width = self.width(module.width)
        return self.choose(
            self.tape.options(module.kernel),
            lambda kernel: self.unit(f"{name}.plain.conv", x, width, kernel),
        )

    def repeated(self, name: str, x: Ref, module: Inception) -> Ref:
        def build(times: int) -> Ref:
            y = self.inception(name, x, module)
            for number in range(2, times + 1):
                y = self.inception(f"{name}_{number}", y, module)
            return y

        return self.choose(self.tape.options(module.repeat), build)

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
        return self.choose(
            tape.options(module.shortcut),
            lambda shortcut: self.shortcut(name, x, y) if shortcut else y,
        )

    def branch(self, leaf: Any, build: Callable[[Any], Ref]) -> Ref | None:
        """A branch's output; None where no option of it is a branch."""
        kept = [(branch, here) for branch, here in self.tape.options(leaf) if branch is not None]
        return self.choose(kept, build) if kept else None

    def conv1x1(self, name: str, x: Ref, branch: Conv) -> Ref:
        return self.unit(f"{name}.conv", x, self.width(branch.width))

    def pool_proj(self, name: str, x: Ref, branch: Conv) -> Ref:
        y = self.tape.max_pool(f"{name}.pool", x, 3, 1, padding=1)

        def project(width: Any) -> Ref:
            return y if width is None else self.unit(f"{name}.conv", y, self.width(width))

        return self.choose(self.tape.halves(branch.width), project)

    def shortcut(self, name: str, x: Ref, y: Ref) -> Ref:
        different: Any = x.shape[0] != y.shape[0]  # the maps are of one size
        if different is not False:
            with self.tape.where(different):
                x = self.tape.conv(f"{name}.shortcut.conv", x, y.shape[0])
        return self.tape.add(f"{name}.shortcut.add", x, y)

    def bottleneck(self, name: str, x: Ref, branch: Bottleneck) -> Ref:
        width = self.width(branch.width)

        def reduce(ratio: Any) -> Ref:
            if ratio is None:
                return x
            reduced = self.tape.rounded(width, ratio)
            return self.unit(f"{name}.reduce", x, reduced, activation=branch.activation)

        reduced = self.choose(self.tape.halves(branch.ratio), reduce)

        def convolve(kernel: Any) -> Ref:
            if kernel != "3+3":
                return self.unit(f"{name}.conv", reduced, width, kernel)
            y = self.unit(f"{name}.conv", reduced, width, 3)
            return self.unit(f"{name}.conv2", y, width, 3)

        return self.choose(self.tape.options(branch.kernel), convolve)
