"""The unit that every part of a network is made of: a convolution, its normalization, its ReLU."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

from nas.networks.layers import Ref, Tape

Normalization = Literal["lrn", "batch", "none"]


class Units:
    """Puts units on a tape under a network's normalization and the factor of its widths."""

    def __init__(self, tape: Tape, normalization: Normalization, factor: float) -> None:
        self.tape, self.normalization, self.factor = tape, normalization, factor
        self.batch = tape.equal(normalization, "batch")

    def choose(self, options: Iterable[tuple[Any, Any]], build: Callable[[Any], Ref]) -> Ref:
        """The output of what stands here: each option, built where it stands."""
        made: list[tuple[Any, Ref]] = []
        for option, here in options:
            if here is True:
                return build(option)
            with self.tape.where(here):
                made.append((here, build(option)))
        return self.tape.pick(made)

    def unit(
        self, name: str, x: Ref, width: Any, kernel: int = 1, stride: int = 1,
        activation: bool = True,
    ) -> Ref:  # fmt: skip
        """A convolution with `width` output channels, batch norm or a bias, and its ReLU."""
        x = self.tape.conv(name, x, width, kernel, stride, bias=self.batch ^ True)
        if self.batch is not False:
            with self.tape.where(self.batch):
                x = self.tape.simple("batch_norm", f"{name}_norm", x)
        return self.tape.simple("relu", f"{name}_relu", x) if activation else x

    def lrn(self, name: str, x: Ref) -> Ref:
        """Local response normalization, where the network has it."""
        return self.tape.simple("lrn", name, x) if self.normalization == "lrn" else x

    def width(self, width: Any) -> Any:
        """A width of the spec in channels."""
        return self.tape.rounded(width, self.factor)
