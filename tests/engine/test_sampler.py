from dataclasses import replace

import optuna
import pytest
from optuna.samplers import TPESampler

from nas.engine.sampler import Mirror
from nas.tree.tree import fingerprint
from tests.examples import record, search_only

optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.fixture
def made():
    """A search, its history of 30 candidates, and their mirror."""
    study = search_only(40)
    mirror, history = Mirror(study, []), []
    for number in range(30):
        decisions = mirror.suggest(study.search, number)
        run = record(number, 50.0 + number, role="candidate")
        run = replace(run, decisions=decisions, excess={})
        mirror.add(run, *mirror.stored(decisions))
        history.append(run)
    return study, mirror, history


def test_a_suggestion_is_what_optunas_sampler_alone_says(made):
    study, mirror, history = made
    number, asked = len(history), study.search.sampler
    sampler = TPESampler(
        n_startup_trials=asked.startup,
        seed=int(fingerprint([asked.seed, number])[:8], 16),
        constant_liar=True,
    )
    alone = optuna.create_study(direction="maximize", sampler=sampler)
    for run in history:
        params, distributions = mirror.stored(run.decisions)
        alone.add_trial(
            optuna.trial.create_trial(value=run.score, params=params, distributions=distributions)
        )
    trial = optuna.trial.create_trial(state=optuna.trial.TrialState.RUNNING)
    trial.number = number
    told = mirror.suggest(study.search, number)
    params, distributions = mirror.stored(told)
    assert asked.startup < number
    assert params == {
        name: sampler.sample_independent(alone, trial, name, distributions[name])
        for name in params
    }  # fmt: skip


def test_a_suggestion_goes_through_the_history_once_for_all_its_decisions(made, monkeypatch):
    study, mirror, history = made
    looks, read = [], mirror._storage.get_all_trials

    def look(*given, **named):
        looks.append(given)
        return read(*given, **named)

    monkeypatch.setattr(mirror._storage, "get_all_trials", look)
    decided = mirror.suggest(study.search, len(history))
    assert len(decided) > 2
    assert len(looks) <= 2
