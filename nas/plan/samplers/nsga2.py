"""The genetic algorithm NSGA-II of Optuna's."""

from __future__ import annotations

from dataclasses import dataclass

from nas.plan.samplers.optuna import propose
from nas.plan.samplers.sampler import Ask, Decisions, Sampler


@dataclass(frozen=True, kw_only=True)
class NSGA2(Sampler):
    """Optuna's NSGA-II (Deb et al. 2002) in generations of `startup`, the first of them random."""

    startup: int = 20

    def check(self) -> None:
        if self.startup < 2:
            raise ValueError("NSGA2 needs startup, its population, of 2 or more")

    def suggest(self, ask: Ask) -> Decisions:
        if self.is_starting(ask):
            return ask.random()
        from optuna.samplers import NSGAIISampler

        return propose(
            ask, lambda seed: NSGAIISampler(population_size=self.startup, seed=seed), self.seed,
            lambda number: {"NSGAIISampler:generation": number // self.startup},
        )  # fmt: skip
