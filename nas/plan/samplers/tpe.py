"""The tree-structured Parzen estimator of Optuna's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nas.plan.samplers.optuna import OptunaSampler, mirror
from nas.plan.samplers.sampler import Ask, Decisions, Sampler
from nas.tree.tree import fingerprint

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


@dataclass(frozen=True, kw_only=True)
class TPE(Sampler):
    """Optuna's tree-structured Parzen estimator (Bergstra et al. 2011).

    `multivariate` decides all decisions together, as Optuna 5 does (Falkner et al. 2018), takes the
    first proposal that fits the budget and is new, and begins with random candidates from inside
    it. Without, as searches did before there was a choice, each decision is drawn by itself, and a
    proposal that does not fit is written down as refused.
    """

    multivariate: bool = field(default=False, metadata={"before": False})

    def suggest(self, ask: Ask) -> Decisions:
        if self.multivariate:
            together = OptunaSampler(
                seed=self.seed, startup=self.startup,
                options={"multivariate": True, "constant_liar": True, "n_startup_trials": 1},
            )  # fmt: skip
            return together.suggest(ask)
        seed = int(fingerprint([self.seed, ask.number])[:8], 16)
        return mirror(ask).suggest(_independent(self.startup, seed))


def _independent(startup: int, seed: int) -> BaseSampler:
    from optuna.samplers import TPESampler

    return TPESampler(n_startup_trials=startup, seed=seed, multivariate=False, constant_liar=True)
