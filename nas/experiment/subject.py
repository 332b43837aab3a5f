"""What a study measures: a network that is trained, or a function of one's own."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from nas.data.datasets import Data
from nas.networks.layers import Layer, Shape
from nas.networks.tape import Tape
from nas.tree.tree import Node, fingerprint


def guessing(data: Data) -> float:
    """The accuracy in percent that guessing stays below in 97.5 of 100 cases."""
    share = 1 / data.classes
    return 100 * (share + 1.96 * math.sqrt(share * (1 - share) / data.validation))


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is measured. trained: whether it has layers that give logits, and so a cost. source:
    what its data set stands for. score: what its score is called, `form` how it is written, `of`
    whose it is; unit, points: of a score and of a difference, empty where nobody knows. chance:
    the score that guessing stays below. higher_is_better: which scores are good."""

    trained: bool
    source: str
    score: str
    form: str
    of: str
    unit: str
    points: str
    chance: Callable[[Data], float]
    higher_is_better: bool = True

    def told(self, score: float) -> str:
        """A score with its unit."""
        return f"{score:{self.form}} {self.unit}".strip()


NETWORK = Subject(
    trained=True,
    source="data set",
    score="validation accuracy",
    form=".2f",
    of="of the validation split after the last epoch",
    unit="%",
    points="points",
    chance=guessing,
)
FUNCTION = Subject(
    trained=False,
    source="function",
    score="score",
    form=".6g",
    of="the function's own",
    unit="",
    points="",
    chance=lambda data: -math.inf,
)


def subject(network: Any) -> Subject:
    """What is measured where this stands for the network."""
    if not isinstance(network, Config):
        return NETWORK
    return FUNCTION if network.higher_is_better else replace(FUNCTION, higher_is_better=False)


@dataclass(frozen=True, kw_only=True)
class Config(Node):
    """What a function is called with, as canonical JSON. Its one layer computes nothing, costs
    nothing, and is named by the configuration, so that two are one network where their values are
    the same. higher_is_better: which of the function's scores are good."""

    values: str
    higher_is_better: bool = field(default=True, metadata={"before": True})

    @property
    def name(self) -> str:
        return f"config.{fingerprint(self.values)}"

    def layers(self, shape: Shape, classes: int) -> tuple[Layer, ...]:
        """The one layer."""
        tape = Tape(shape)
        tape.simple("relu", self.name, tape.image)
        return tuple(tape.layers)
