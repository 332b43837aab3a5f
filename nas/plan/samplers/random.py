"""Random search, the rival that every sampler has to beat."""

from __future__ import annotations

from dataclasses import dataclass, field

from nas.plan.samplers.sampler import Ask, Decisions, Sampler


@dataclass(frozen=True, kw_only=True)
class Random(Sampler):
    """Draws new candidates uniformly over what fits the budget."""

    startup: int = field(default=10**9, init=False)

    def suggest(self, ask: Ask) -> Decisions:
        return ask.random()
