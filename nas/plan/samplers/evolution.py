"""Regularized evolution."""

from __future__ import annotations

from dataclasses import dataclass

from nas.plan.samplers.sampler import Ask, Decisions, Sampler

MUTATIONS = 64
"""Random changes of a parent that are tried; a random candidate follows them."""


@dataclass(frozen=True, kw_only=True)
class Evolution(Sampler):
    """Regularized evolution (Real et al. 2019): of the last `population` candidates that are over,
    `sample` are drawn, and the best of these is mutated in one decision. The first `startup` are
    random."""

    startup: int = 20
    population: int = 20
    sample: int = 5

    def check(self) -> None:
        if not 1 <= self.sample <= self.population:
            raise ValueError("Evolution needs sample of 1 or more, and population of no fewer")

    def suggest(self, ask: Ask) -> Decisions:
        ranked = ask.scored
        alive = sorted(ranked, key=lambda record: record.number)[-self.population :]
        if self.is_starting(ask) or not alive:
            return ask.random()
        drawn = ask.rng.choice(len(alive), min(self.sample, len(alive)), replace=False)
        chosen = {alive[int(at)].number for at in drawn}
        parent = next(record for record in ranked if record.number in chosen)
        return ask.first_new(ask.mutations(parent.decisions, MUTATIONS))
