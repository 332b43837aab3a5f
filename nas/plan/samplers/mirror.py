"""A search's candidates as Optuna's samplers see them, in memory: no database is read."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from nas.runs.optuna_trials import OUTCOMES, distribution
from nas.runs.record import Record, State
from nas.space.space import SearchSpace
from nas.tree.domain import Domain, Label


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
    """The candidates of a search, as trials of Optuna's that it wants higher; no ablation's run is
    among them."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self._storage = InMemoryStorage()
        self._made = optuna.create_study(storage=self._storage, direction="maximize")
        self._ids: dict[int, int] = {}
        self._states: dict[int, State] = {}
        # One for all trials: they are most of what a trial would keep in memory.
        self._known = {d.name: distribution(d) for d in space.domains.values()}

    def follow(
        self, history: Iterable[Record], noted: Callable[[int], Mapping[str, Any]] | None = None
    ) -> None:
        """Takes up what is new in a search's history; `noted` gives the attributes that the sampler
        would have written at the candidate of a number, from 0."""
        for record in history:
            if record.role != "candidate" or self._states.get(record.number) == record.state:
                continue
            if record.number in self._ids:
                self._finish(record)
            elif record.state != "failed":
                self._add(record, noted(len(self._ids)) if noted else {})
            self._states[record.number] = record.state

    def suggest(self, sampler: BaseSampler) -> dict[str, Label]:
        """The decisions that a sampler proposes, each by itself."""
        seen = _Seen(self._made.study_name, self._storage)
        asking = create_trial(state=TrialState.RUNNING)
        asking.number = len(self._ids)
        return self._resolved(seen, asking, sampler, {})

    def suggest_together(self, sampler: BaseSampler) -> dict[str, Label]:
        """The decisions that a sampler proposes, together where it can."""
        trial_id = self._storage.create_new_trial(self._made._study_id)
        try:
            seen = _Seen(self._made.study_name, self._storage)
            asking = self._storage.get_trial(trial_id)
            sampler.before_trial(seen, asking)
            space = sampler.infer_relative_search_space(seen, asking)
            drawn = sampler.sample_relative(seen, asking, space)
            return self._resolved(seen, asking, sampler, drawn)
        finally:
            self._storage.set_trial_state_values(trial_id, TrialState.FAIL)

    def _resolved(
        self,
        seen: optuna.Study,
        asking: FrozenTrial,
        sampler: BaseSampler,
        drawn: Mapping[str, Any],
    ) -> dict[str, Label]:
        decisions: dict[str, Label] = {}

        def decide(domain: Domain) -> Label:
            name, known = domain.name, self._known[domain.name]
            value = (
                drawn[name]
                if name in drawn
                else sampler.sample_independent(seen, asking, name, known)
            )
            decisions[name] = domain.read(value)
            return decisions[name]

        try:
            self.space.resolve(decide)
        except ValueError:
            # A point that is no network: its decisions go to the door, which says why not.
            return decisions
        return decisions

    def _add(self, record: Record, noted: Mapping[str, Any]) -> None:
        ended = record.state != "running"
        value = record.score if ended else None
        domains = self.space.domains
        trial: FrozenTrial = create_trial(
            state=OUTCOMES[record.state] if ended else TrialState.RUNNING,
            value=value,
            params={name: domains[name].stored(label) for name, label in record.decisions.items()},
            distributions={name: self._known[name] for name in record.decisions},
            system_attrs=dict(noted),
            intermediate_values={} if value is None else {len(record.curve): value},
            constraints=dict(record.excess) or None,
        )
        trial.distributions = _Shared(trial.distributions)
        self._ids[record.number] = self._storage.create_new_trial(self._made._study_id, trial)

    def _finish(self, record: Record) -> None:
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
