"""Optuna's sampler over a search's own records: what to try next, from the history alone."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import TPESampler
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from nas.plan.plans import Search
from nas.plan.study import StudySpec
from nas.runs.record import Record
from nas.store.writing import OUTCOMES
from nas.tree.domain import Domain, Label
from nas.tree.tree import fingerprint


class _Shared(dict[str, BaseDistribution]):
    """Distributions that all trials share: Optuna's storage would copy each for each trial."""

    def __deepcopy__(self, memo: dict[int, Any]) -> _Shared:
        return self


class _Seen(optuna.Study):
    """A study whose trials are read once, for the decisions of one suggestion see the same ones:
    Optuna goes through all of them for each decision."""

    def _get_trials(
        self,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
        use_cache: bool = False,
    ) -> list[FrozenTrial]:
        known: dict[str, list[FrozenTrial]] = self.__dict__.setdefault("_read", {})
        if repr(states) not in known:
            known[repr(states)] = super()._get_trials(False, states, use_cache)
        return known[repr(states)]


class Mirror:
    """The search's trials in memory, for the sampler: no ablation's run among them, no database
    read for a suggestion."""

    def __init__(self, study: StudySpec, history: list[Record]) -> None:
        self.study = study
        self._storage = InMemoryStorage()
        self._made = optuna.create_study(storage=self._storage, direction="maximize")
        self._ids: dict[int, int] = {}
        # One for all trials: they are most of what a trial would keep in memory.
        self._known = {d.name: distribution(d) for d in study.space.domains.values()}
        for record in history:
            if record.role == "candidate" and record.state != "failed":
                self.add(record, *self.stored(record.decisions))

    def stored(
        self, decisions: Mapping[str, Label]
    ) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
        """Decisions as Optuna stores them: its parameters and their distributions."""
        domains = self.study.space.domains
        params = {name: domains[name].stored(label) for name, label in decisions.items()}
        return params, {name: self._known[name] for name in decisions}

    def suggest(self, search: Search, number: int) -> dict[str, Label]:
        """The decisions that the sampler proposes for a trial of this number."""
        seed = int(fingerprint([search.sampler.seed, number])[:8], 16)
        sampler = TPESampler(
            n_startup_trials=search.sampler.startup, seed=seed, multivariate=False,
            constant_liar=True,
        )  # fmt: skip
        seen = _Seen(self._made.study_name, self._storage)
        asking = create_trial(state=TrialState.RUNNING)
        asking.number = len(self._ids)
        decisions: dict[str, Label] = {}

        def decide(domain: Domain) -> Label:
            known = self._known[domain.name]
            drawn = sampler.sample_independent(seen, asking, domain.name, known)
            decisions[domain.name] = domain.read(drawn)
            return decisions[domain.name]

        try:
            self.study.space.resolve(decide)
        except ValueError:
            # A point that is no network: its decisions go to the door, which says why not.
            return decisions
        return decisions

    def add(
        self,
        record: Record,
        params: Mapping[str, Any],
        distributions: Mapping[str, BaseDistribution],
    ) -> None:
        ended = record.state != "running"
        value = record.score if ended else None
        trial: FrozenTrial = create_trial(
            state=OUTCOMES[record.state] if ended else TrialState.RUNNING,
            value=value,
            params=dict(params),
            distributions=dict(distributions),
            intermediate_values={} if value is None else {len(record.curve): value},
            constraints=dict(record.excess) or None,
        )
        trial.distributions = _Shared(distributions)
        self._ids[record.number] = self._storage.create_new_trial(self._made._study_id, trial)

    def finish(self, record: Record) -> None:
        storage, trial_id = self._storage, self._ids[record.number]
        if record.state == "failed":
            storage.set_trial_state_values(trial_id, TrialState.FAIL)
            return
        met = create_trial(state=TrialState.RUNNING, constraints=dict(record.excess) or None)
        for name, value in met.system_attrs.items():
            storage.set_trial_system_attr(trial_id, name, value)
        if record.score is not None:
            storage.set_trial_intermediate_value(trial_id, len(record.curve), record.score)
        values = None if record.score is None else [record.score]
        storage.set_trial_state_values(trial_id, OUTCOMES[record.state], values)


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
