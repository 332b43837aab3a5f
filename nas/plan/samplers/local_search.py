"""Local search."""

from __future__ import annotations

from dataclasses import dataclass

from nas.plan.samplers.sampler import Ask, Decisions, Sampler


@dataclass(frozen=True, kw_only=True)
class LocalSearch(Sampler):
    """Tries the neighbours of the best candidate (White et al. 2021), of `startup` random ones at
    first; where all of them are known, those of the next best."""

    def suggest(self, ask: Ask) -> Decisions:
        if self.is_starting(ask):
            return ask.random()
        near = (other for record in ask.scored for other in ask.neighbours(record.decisions))
        return ask.first_new(near)
