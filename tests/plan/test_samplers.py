import dataclasses

import numpy as np
import optuna
import pytest
from optuna.samplers import TPESampler

from nas import (
    ASHA,
    GP,
    NSGA2,
    TPE,
    Budget,
    Evolution,
    LocalSearch,
    OptunaSampler,
    Random,
    Sampler,
    Search,
    SearchSpace,
    Study,
    between,
    choice,
    relative,
    scaled,
    subsets,
    versus,
)
from nas.base.errors import NothingFits
from nas.plan.samplers.mirror import Mirror
from nas.plan.samplers.sampler import Ask
from nas.runs.optuna_trials import stored
from nas.runs.record import REFUSED
from nas.tabular import tabular
from nas.tree.tree import fingerprint
from tests.examples import BASE, record, search_only

optuna.logging.set_verbosity(optuna.logging.ERROR)

OURS = [Random(), GP(startup=5), LocalSearch(startup=5), Evolution(startup=5, population=5)]
OPTUNAS = [
    TPE(startup=5, multivariate=True),
    NSGA2(startup=5),
    OptunaSampler(startup=5, sampler="RandomSampler"),
]
EVERY = [pytest.param(each, id=type(each).__name__) for each in [*OURS, *OPTUNAS]]

WIDTHS = {f"network.inception_{m}.conv3x3.width": scaled(0.25, 0.5, 1, 1.5) for m in ("3a", "4a")}
SPACES = {
    "five points": {"network.inception_3a.conv3x3.width": scaled(0.25, 0.5, 0.75, 1, 1.25)},
    "ordered": WIDTHS,
    "tied": {"network.inception_?a.conv3x3.width": scaled(0.25, 0.5, 1, 2, name="3x3")},
    "conditional": WIDTHS | {"network.inception_3a.conv3x3": versus(off=None)},
    "sets and numbers": {
        "network.aux_after": subsets("3a", "4a"),
        "recipe.lr": between(0.001, 0.5, log=True),
        "network.dropout": between(0.0, 0.8),
        "recipe.lr_schedule": choice("constant", "cosine", "step", "one_cycle"),
    },
}


def of(edits, sampler, trials=16, budget=None, scheduler=None):
    plan = Search(trials=trials, sampler=sampler, scheduler=scheduler)
    space = SearchSpace(BASE, edits)
    return Study(name="contract", question="?", space=space, budget=budget, plan=plan)


def landscape(space):
    """A score by a candidate's decisions, the same each time, higher for what is cheap."""

    def curve(decisions, seeds):
        at = [space.domains[name].position(label) for name, label in sorted(decisions.items())]
        return [60 - 3.0 * float(np.sum(at)) + float(np.sin(np.sum(at)))] * 3

    return curve


def trained(runs):
    return [r for r in runs if r.role == "candidate" and r.state in ("complete", "stopped")]


@pytest.mark.parametrize("sampler", EVERY)
@pytest.mark.parametrize("name", SPACES)
def test_no_proposal_is_refused_and_none_is_trained_twice(sampler, name):
    budget = Budget(mult_adds=relative(1.0))
    study = of(SPACES[name], sampler, trials=12, budget=budget)
    runs = tabular(study, landscape(study.space))
    assert not [run for run in runs if run.state in REFUSED]
    every = trained(runs)
    assert len({run.candidate_id for run in runs}) == len(runs)
    assert all(run.excess["mult_adds"] <= 0 for run in every)
    wanted = 3 if name in ("five points", "tied") else 11
    assert len(every) >= min(wanted, 2)
    if name not in ("five points", "tied", "ordered", "conditional"):
        assert len(every) == wanted


@pytest.mark.parametrize("sampler", EVERY)
def test_a_suggestion_follows_from_history_seed_and_number_alone(sampler):
    study = of(SPACES["ordered"], sampler, trials=11)
    runs = tabular(study, landscape(study.space))

    def asked(memory):
        return Ask(
            space=study.space, budget=None, history=runs[:9], number=9, memory=memory,
            rng=np.random.default_rng([0, 9]),
            is_trained=lambda e: e.candidate_id in {run.candidate_id for run in runs[:9]},
        )  # fmt: skip

    memory = {}
    first = sampler.suggest(asked(memory))
    assert dict(first) == dict(runs[9].decisions)
    assert sampler.suggest(asked(memory)) == sampler.suggest(asked({})) == first


@pytest.mark.parametrize("sampler", EVERY)
def test_the_optimum_of_a_small_space_is_found(sampler):
    study = of(SPACES["ordered"], sampler, trials=16)
    curve = landscape(study.space)
    runs = tabular(study, curve)
    best = max(curve(c.decisions, None)[0] for c in study.space.enumerate())
    assert len(runs) == 16 == study.space.size
    assert max(run.score for run in runs) == best


def test_the_gaussian_process_needs_fewer_trainings_than_chance():
    wide = {
        f"network.inception_{m}.{b}.width": scaled(0.25, 0.5, 0.75, 1, 1.25)
        for m in ("3a", "4a", "5a")
        for b in ("conv1x1", "conv3x3", "conv5x5")
    }
    ends = {}
    for sampler in (GP(startup=8), Random()):
        study = of(wide, sampler, trials=24)
        ends[type(sampler)] = max(r.score for r in tabular(study, landscape(study.space)))
    assert ends[GP] > ends[Random]


@pytest.mark.parametrize("sampler", [GP(startup=4), LocalSearch(startup=4), Evolution(startup=4)])
def test_runs_that_were_stopped_early_or_diverged_teach_too(sampler):
    study = of(SPACES["ordered"], sampler, trials=14, scheduler=ASHA(factor=2))
    runs = tabular(study, landscape(study.space))
    assert {run.state for run in runs} == {"complete", "stopped"}
    assert len(runs) == 14


def test_a_space_of_a_hundred_and_forty_four_decisions_is_asked():
    modules = ("3a", "4a", "5a")
    edits = {
        f"network.inception_{m}.{b}.{leaf}": domain
        for m in modules
        for b in ("conv3x3", "conv5x5")
        for leaf, domain in {"width": scaled(0.5, 1), "ratio": versus(0.25, 0.75)}.items()
    }
    study = of(edits, GP(startup=3), trials=8)
    assert len(trained(tabular(study, landscape(study.space)))) == 7


def test_a_budget_that_nothing_fits_is_said_so():
    budget = Budget(mult_adds=relative(0.001))
    study = of(SPACES["ordered"], GP(), budget=budget)
    with pytest.raises(NothingFits, match="the least that a candidate"):
        tabular(study, landscape(study.space))


def test_a_sampler_of_ones_own_needs_one_method():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Stubborn(Sampler):
        def suggest(self, ask):
            return ask.scored[-1].decisions if ask.scored else ask.random()

    study = of(SPACES["ordered"], Stubborn(), trials=4)
    runs = tabular(study, landscape(study.space))
    assert len(trained(runs)) == 3
    assert sum(run.state == "duplicate" for run in runs) == 3 * 64


def test_a_name_that_optuna_has_not_is_refused():
    study = of(SPACES["ordered"], OptunaSampler(startup=1, sampler="Nobody"), trials=4)
    with pytest.raises(ValueError, match="Nobody"):
        tabular(study, landscape(study.space))


def test_a_search_held_to_rows_takes_each_once():
    space = SearchSpace(BASE, SPACES["ordered"])
    rows = [candidate.decisions for candidate in space.enumerate()][::2]
    study = of(SPACES["ordered"], GP(startup=3), trials=30)
    runs = trained(tabular(study, landscape(space), rows))
    assert {Ask.key(run.decisions) for run in runs} <= set(map(Ask.key, rows))
    assert len(rows) - 1 <= len(runs) <= len(rows)


@pytest.fixture
def made():
    """A search, its history of 30 candidates, and their mirror."""
    study = search_only(40)
    mirror, history = Mirror(study.space), []
    for number in range(30):
        decisions = mirror.suggest(sampler(study.search.sampler, number))
        run = record(number, 50.0 + number, role="candidate")
        history.append(dataclasses.replace(run, decisions=decisions, excess={}))
        mirror.follow(history)
    return study, mirror, history


def sampler(asked, number):
    seed = int(fingerprint([asked.seed, number])[:8], 16)
    return TPESampler(
        n_startup_trials=asked.startup, seed=seed, multivariate=False, constant_liar=True
    )


def test_a_suggestion_is_what_optunas_sampler_alone_says(made):
    study, mirror, history = made
    number, asked = len(history), study.search.sampler
    alone = optuna.create_study(direction="maximize", sampler=sampler(asked, number))
    for run in history:
        params, distributions = stored(study.space.domains, run.decisions)
        alone.add_trial(
            optuna.trial.create_trial(value=run.score, params=params, distributions=distributions)
        )
    trial = optuna.trial.create_trial(state=optuna.trial.TrialState.RUNNING)
    trial.number = number
    told = mirror.suggest(sampler(asked, number))
    params, distributions = stored(study.space.domains, told)
    assert asked.startup < number
    again = sampler(asked, number)
    assert params == {
        name: again.sample_independent(alone, trial, name, distributions[name]) for name in params
    }


def test_a_suggestion_goes_through_the_history_once_for_all_its_decisions(made, monkeypatch):
    study, mirror, history = made
    looks, read = [], mirror._storage.get_all_trials

    def look(*given, **named):
        looks.append(given)
        return read(*given, **named)

    monkeypatch.setattr(mirror._storage, "get_all_trials", look)
    decided = mirror.suggest(sampler(study.search.sampler, len(history)))
    assert len(decided) > 2
    assert len(looks) <= 2
