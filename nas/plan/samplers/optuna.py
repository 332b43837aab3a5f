"""Any sampler of Optuna's, with the budget at its door."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nas.plan.samplers.sampler import Ask, Decisions, Sampler
from nas.tree.tree import fingerprint

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from nas.plan.samplers.mirror import Mirror

    Made = Callable[[int], BaseSampler]

TRIES = 16
"""Proposals for a trial that may be refused before a random candidate is taken."""


@dataclass(frozen=True, kw_only=True)
class OptunaSampler(Sampler):
    """A sampler of Optuna's by its name, "CmaEsSampler", or one from elsewhere by
    "package.module:Class", with keyword arguments of its constructor; `seed` is given where it
    takes one.

    The first `startup` candidates are random. Of what it proposes the first that fits the budget
    and is new is taken; after 16 that do not, a random candidate is. Raises ValueError for a name
    that there is not, and for arguments that it does not take.
    """

    sampler: str = "TPESampler"
    options: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)

    def suggest(self, ask: Ask) -> Decisions:
        if self.is_starting(ask):
            return ask.random()
        return propose(ask, self._made, self.seed)

    def _made(self, seed: int) -> BaseSampler:
        module, _, name = self.sampler.rpartition(":")
        options = dict(self.options)
        try:
            made: Any = getattr(importlib.import_module(module or "optuna.samplers"), name)
            if "seed" in inspect.signature(made).parameters:
                options["seed"] = seed
            return made(**options)
        except (ImportError, AttributeError, TypeError) as error:
            raise ValueError(f"OptunaSampler(sampler={self.sampler!r}): {error}") from None


def mirror(ask: Ask, noted: Callable[[int], Mapping[str, Any]] | None = None) -> Mirror:
    """The history as trials of Optuna's."""
    from nas.plan.samplers.mirror import Mirror

    known = ask.memory.setdefault("mirror", None) or Mirror(ask.space)
    ask.memory["mirror"] = known
    known.follow(ask.history, noted)
    return known


def propose(
    ask: Ask, made: Made, seed: int, noted: Callable[[int], Mapping[str, Any]] | None = None
) -> Decisions:
    """The first proposal of a sampler of Optuna's, made with a seed, that fits the budget and is
    new; a random candidate after TRIES of others."""
    known = mirror(ask, noted)
    for at in range(TRIES):
        decisions = known.suggest_together(made(int(fingerprint([seed, ask.number, at])[:8], 16)))
        if ask.fits(decisions) and ask.is_new(decisions):
            return decisions
    return ask.random()
