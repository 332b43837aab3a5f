"""Replays a study on known curves: what its search would have found, in seconds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nas.engine.bridge import Bridge
from nas.plan.plans import Search
from nas.plan.samplers.sampler import Ask, Decisions, NothingLeft
from nas.plan.study import StudySpec
from nas.runs.record import Epoch, Record, Seeds, Settings
from nas.tree.domain import Label

NEAR = 10
"""The rows of a table that count as a row's neighbours."""
Curve = Callable[[Mapping[str, Label], Seeds], Sequence[float]]


def tabular(
    study: StudySpec, curve: Curve, rows: Sequence[Mapping[str, Label]] = ()
) -> tuple[Record, ...]:
    """The runs of a study, in their order, as one worker would have made them; nothing is trained
    and nothing is stored.

    `curve` gives the scores by epoch, in percent, of a candidate's decisions and a run's seeds: at
    least as many as the run has epochs. With `rows`, the decisions of the candidates that are
    known, a search proposes of these alone, and a row's neighbours are the ten that differ from it
    in the fewest decisions. Raises ValueError where a curve is too short, and NothingFits where no
    row fits the budget.
    """
    bridge = _Replay(study, rows)
    while not isinstance(job := bridge.next(), str):
        record = bridge.records[job["number"]]
        scores = curve(record.decisions, record.seeds)
        if len(scores) < record.epochs:
            raise ValueError(
                f"the curve of {dict(record.decisions)} has {len(scores)} epochs, and the run has "
                f"{record.epochs}"
            )
        for at in range(1, record.epochs + 1):
            report: dict[str, Any] = {
                "number": record.number,
                "epochs": [_epoch(number, scores[number - 1]) for number in range(1, at + 1)],
            }
            if at == record.epochs:
                report["outcome"] = "complete"
            if bridge.report(report):  # pyright: ignore[reportArgumentType]
                break
    return tuple(bridge.records.values())


def _epoch(number: int, score: float) -> dict[str, Any]:
    nothing = dict.fromkeys(
        ("train_loss", "train_accuracy", "loss", "lr", "seconds", "images_per_second"), 0.0
    )
    return dataclasses.asdict(Epoch(epoch=number, accuracy=score, **nothing))


class _Nowhere:
    """A ledger that writes nothing down."""

    free = 0

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *told, **named: None


class _Replay(Bridge):
    """The bridge between plan, sampler and budget, without database and workers."""

    def __init__(self, study: StudySpec, rows: Sequence[Decisions]) -> None:
        ledger: Any = _Nowhere()
        super().__init__(study, ledger, [], Settings(), Path())
        self._rows: tuple[Decisions, ...] = ()
        if rows:
            fits = study.space.fit(study.space.positions(rows), study.budget)
            self._rows = tuple(row for row, fit in zip(rows, fits, strict=True) if fit)

    def _forget(self, number: int) -> None:
        """There are no checkpoints."""

    def _ask(self, search: Search) -> Ask:
        ask = super()._ask(search)
        return RowsAsk(**vars(ask), rows=self._rows) if self._rows else ask


@dataclasses.dataclass(frozen=True, kw_only=True)
class RowsAsk(Ask):
    """What a sampler is told where only some candidates are known."""

    rows: tuple[Decisions, ...]

    def random(self) -> Decisions:
        for at in self.rng.permutation(len(self.rows)):
            if self.is_new(self.rows[at]):
                return self.rows[at]
        raise NothingLeft("every row of the table was taken")

    def pool(self, count: int) -> list[Decisions]:
        return list(self.rows)

    def neighbours(self, *points: Decisions) -> list[Decisions]:
        known = np.array(list(self.space.positions(self.rows).values()))
        near: list[Decisions] = []
        for own in np.array(list(self.space.positions(points).values())).T:
            away = (known != own[:, None]).sum(0)
            order = np.lexsort([self.rng.random(len(away)), away])
            near += [self.rows[at] for at in order if away[at] > 0][:NEAR]
        return near

    def mutations(self, decisions: Decisions, count: int) -> list[Decisions]:
        near = self.neighbours(decisions)
        return [near[at] for at in self.rng.permutation(len(near))]

    def fits(self, decisions: Decisions) -> bool:
        return any(self.key(row) == self.key(decisions) for row in self.rows)
