"""What scores and costs are called and how they are written: ours, or those of another table."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from nas.experiment.subject import NETWORK
from nas.results.tables import Results
from reports.page import Write, fixed


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A score and a cost by their names. `unit` is the score's and `points` that of a difference,
    empty where they are not known; `decimals` are the score's. lower: whether lower ones are
    better."""

    score: str = NETWORK.score
    unit: str = NETWORK.unit
    points: str = NETWORK.points
    cost: str = "mult-adds"
    decimals: int = 2
    lower: bool = False

    @property
    def write(self) -> Write:
        """Writes a score."""
        return fixed(f".{self.decimals}f")

    @property
    def write_difference(self) -> Write:
        """Writes a difference of scores."""
        return fixed(f"+.{self.decimals}f")

    @property
    def axis(self) -> str:
        """The score and its unit."""
        return f"{self.score}, {self.unit}" if self.unit else self.score

    @property
    def difference(self) -> str:
        """A difference of scores and its unit."""
        made = f"difference, {self.points}" if self.points else f"difference in {self.score}"
        return f"{made}, lower is better" if self.lower else made

    def gain(self, difference: float) -> float:
        """How much better a difference is."""
        return -difference if self.lower else difference

    def headed(self, name: str) -> str:
        """What stands above some of the scores: their unit, or else their name."""
        return f"{name}, {self.unit}" if self.unit else f"{name} {self.score}"

    def hover(self, axis: str) -> str:
        """Plotly's template of a score at an axis."""
        return f"%{{{axis}:.{self.decimals}f}} {self.unit}".strip()

    def hover_difference(self, axis: str) -> str:
        """Plotly's template of a difference at an axis."""
        return f"%{{{axis}:+.{self.decimals}f}} {self.points}".strip()

    def told(self, score: float) -> str:
        """A score with its unit."""
        return f"{self.write(score)} {self.unit}".strip()

    def said(self, difference: float) -> str:
        """A difference with its unit."""
        return f"{self.write_difference(difference)} {self.points}".strip()

    def within(self, margin: float) -> str:
        """A margin with its unit."""
        return f"±{margin:g} {self.points}".strip()


ACCURACY = Measure()


def measure_of(results: Results) -> Measure:
    """The measure of a study: accuracies, or the scores of a function, whose unit and cost nobody
    knows."""
    subject = results.baseline.subject
    if subject.trained:
        return ACCURACY
    spreads = [row.sd for row in results.effects]
    return measured(subject.score, None, spreads, lower=not subject.higher_is_better)


def measured(
    score: str, cost: str | None, spreads: Iterable[float], *, lower: bool = False
) -> Measure:
    """The measure of a table of runs, whose scores have these standard deviations: two digits of
    the middle one are written."""
    known = [spread for spread in spreads if math.isfinite(spread) and spread > 0]
    decimals = max(0, 1 - math.floor(math.log10(median(known)))) if known else 2
    return Measure(
        score=score, unit="", points="", cost=cost or "cost", decimals=decimals, lower=lower
    )


def amount(value: float) -> str:
    """A cost: whole as it is, another one with four digits."""
    return fixed(",.0f" if float(value).is_integer() else ",.4g")(value)
