"""A run as Optuna has it: its state, its parameters and their distributions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState

from nas.tree.domain import Domain, Label

OUTCOMES = {
    "complete": TrialState.COMPLETE,
    "stopped": TrialState.PRUNED,
    "exceeded": TrialState.PRUNED,
    "infeasible": TrialState.PRUNED,
    "duplicate": TrialState.PRUNED,
    "diverged": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


def stored(
    domains: Mapping[str, Domain], decisions: Mapping[str, Label]
) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
    """Decisions as Optuna stores them: its parameters and their distributions."""
    params = {name: domains[name].stored(label) for name, label in decisions.items()}
    return params, {name: distribution(domains[name]) for name in decisions}


def distribution(domain: Domain) -> BaseDistribution:
    """How Optuna stores a decision: the position of an ordered option, the label of another, or
    the number itself."""
    numbers = domain.numbers
    if numbers is None:
        return CategoricalDistribution(domain.labels)
    low, high, log, step = numbers.low, numbers.high, numbers.log, numbers.step
    if isinstance(numbers.default, int):
        return IntDistribution(int(low), int(high), log=log, step=1 if log else int(step or 1))
    return FloatDistribution(low, high, log=log, step=step)
