"""The unit that every part of a network is made of: a convolution, its normalization, its ReLU."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

from nas.networks.tape import Ref, Tape
from nas.tree.tree import Node

Normalization = Literal["lrn", "batch", "none"]


def at_least(least: int, node: Node, *names: str) -> None:
    """Raises ValueError where a field of a node is a number below this."""
    for name in names:
        value = getattr(node, name)
        if value is not None and value < least:
            raise ValueError(f"{type(node).__name__}.{name} must be {least} or more, not {value}")


def above_0(node: Node, name: str) -> None:
    """Raises ValueError where a field of a node is 0 or less."""
    value = getattr(node, name)
    if value <= 0:
        raise ValueError(f"{type(node).__name__}.{name} must be above 0, not {value:g}")


def share(node: Node, name: str) -> None:
    """Raises ValueError where a field of a node is no share below 1."""
    value = getattr(node, name)
    if not 0 <= value < 1:
        raise ValueError(f"{type(node).__name__}.{name} must lie in [0, 1), not {value:g}")


class Units:
    """Puts units on a tape under a network's normalization, the factor of its widths, and what its
    batch norms add to the variance."""

    def __init__(
        self, tape: Tape, normalization: Normalization, factor: float, epsilon: float = 1e-5
    ) -> None:
        self.tape, self.normalization, self.factor = tape, normalization, factor
        self.epsilon = epsilon
        self.batch = tape.holds(normalization, lambda held: held == "batch")

    def choose(self, options: Iterable[tuple[Any, Any]], build: Callable[[Any], Ref]) -> Ref:
        """The output of what stands here: each option, built where it stands."""
        outputs: list[tuple[Any, Ref]] = []
        for option, here in options:
            if here is True:
                return build(option)
            with self.tape.where(here):
                outputs.append((here, build(option)))
        return self.tape.pick(outputs)

    def unit(
        self, name: str, x: Ref, width: Any, kernel: int = 1, stride: int = 1,
        groups: int = 1, padding: int | None = None, activation: bool = True,
    ) -> Ref:  # fmt: skip
        """A convolution with `width` output channels, batch norm or a bias, and its ReLU."""
        x = self.tape.conv(name, x, width, kernel, stride, groups, self.batch ^ True, padding)
        if self.batch is not False:
            with self.tape.where(self.batch):
                x = self.tape.layer("batch_norm", f"{name}_norm", x, epsilon=self.epsilon)
        return self.tape.simple("relu", f"{name}_relu", x) if activation else x

    def lrn(self, name: str, x: Ref) -> Ref:
        """Local response normalization, where the network has it."""
        return self.tape.simple("lrn", name, x) if self.normalization == "lrn" else x

    def width(self, width: Any) -> Any:
        """A width of the spec in channels."""
        return self.tape.rounded(width, self.factor)
