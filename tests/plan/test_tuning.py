from dataclasses import replace

import pytest

from nas import SearchSpace, cost, edit, subsets, versus
from nas.engine.driver import run
from nas.plan.arms import TUNING, arms
from nas.plan.plans import Ablation
from nas.plan.steps import Run, propose, total
from nas.plan.tuning import settle, settled
from nas.runs.record import ArmRecord, seeds
from nas.store.database import connect
from nas.store.reading import records, study_record
from nas.study import Study
from tests.examples import sqlite
from tests.specimens import quick, record

RATES = {lr: edit(quick, {"recipe.lr": lr}) for lr in (0.03, 0.1, 0.3)}
IDS = [experiment.candidate_id for experiment in RATES.values()]
PLACES = tuple(seeds(seed) for seed in TUNING)
space = SearchSpace(quick, {"network.aux_after": subsets("3a", "4a")})
plan = Ablation(kinds=("raw", "retuned"), seeds=(0, 1), rates=(0.3, 1.0, 3.0))


def tuned(lr, *scores, state="complete"):
    return [
        record(RATES[lr], seed=seed, role="tuning", score=score, state=state)
        for seed, score in zip(TUNING, scores, strict=False)
    ]


def test_the_best_mean_over_the_tuning_seeds_is_taken():
    runs = [*tuned(0.03, 90, 80), *tuned(0.1, 84, 84), *tuned(0.3, 88, 83)]
    assert settled(IDS, PLACES, runs) == IDS[2]


def test_equals_are_settled_for_the_first():
    runs = [*tuned(0.03, 90, 80), *tuned(0.1, 85, 85), *tuned(0.3, 84, 85)]
    assert settled(IDS, PLACES, runs) == IDS[0]


@pytest.mark.parametrize("last", [tuned(0.3, 99), tuned(0.3, 99, 99, state="running"), []])
def test_nothing_is_settled_before_all_are_over(last):
    assert settled(IDS, PLACES, [*tuned(0.03, 90, 80), *tuned(0.1, 85, 85), *last]) is None


def test_a_rate_that_failed_is_out_and_one_that_diverged_counts_with_its_score():
    lost, failed = tuned(0.1, 10, 10, state="diverged"), tuned(0.3, 99, 99, state="failed")
    runs = [*tuned(0.03, 50, 50), *lost, *failed]
    assert settled(IDS, PLACES, runs) == IDS[0]
    failed = [replace(run, state="failed", score=None) for run in runs]
    assert settled(IDS, PLACES, failed) is None


def test_a_rate_that_exceeded_what_it_may_take_is_out_and_holds_up_nothing():
    exceeded = tuned(0.3, 99, 99, state="exceeded")
    assert settled(IDS, PLACES, [*tuned(0.03, 50, 50), *tuned(0.1, 40, 40), *exceeded]) == IDS[0]


def test_only_tuning_runs_settle():
    runs = [*tuned(0.03, 90, 80), *tuned(0.1, 85, 85), *tuned(0.3, 99, 99)]
    runs[-1] = replace(runs[-1], role="change")
    assert settled(IDS, PLACES, runs) is None


def test_a_settled_arm_is_the_candidate_that_won():
    arm = ArmRecord(
        role="change", change="x", kind="retuned", candidate_id=IDS[1], epochs=3,
        seeds=(seeds(0),), options=tuple(IDS), tuning=PLACES,
    )  # fmt: skip
    runs = [*tuned(0.03, 1, 1), *tuned(0.1, 2, 2), *tuned(0.3, 3, 3)]
    raw = replace(arm, kind="raw", options=(), tuning=())
    assert [each.candidate_id for each in settle([raw, arm], runs)] == [IDS[1], IDS[2]]
    assert settle([raw, arm], runs[:-1])[1] == arm


def played(study, best, done):
    """Every run that a study proposes, in order, where each option scores by `best`."""
    made = []
    while isinstance(step := propose(study, done), Run):
        made.append(step)
        rate = step.experiment.recipe.lr
        done.append(
            record(step.experiment, seed=step.seeds, role=step.role, score=-abs(rate - best))
        )
    assert step == "done"
    return made


@pytest.mark.parametrize(("best", "rate", "shared"), [(0.3, 0.3, 0), (0.1, 0.1, 4)])
def test_each_arm_is_tuned_first_and_then_run_on_the_ablations_seeds(best, rate, shared):
    study = Study(name="tuned", question="?", space=space, plan=plan)
    made = played(study, best, [])
    tuning = [run for run in made if run.role == "tuning"]
    assert made[:12] == tuning
    assert {run.experiment.recipe.lr for run in tuning} == {0.03, 0.1, 0.3}
    assert {run.change for run in tuning} == {"baseline", "no aux heads"}
    later = [run for run in made if run.experiment.recipe.lr == rate and run.role != "tuning"]
    assert {run.seeds for run in later if run.role == "change"} == {seeds(0), seeds(1)}
    assert total(study) == len(made) + shared == 12 + 6 + 4


def test_tuning_waits_for_its_last_run():
    study = Study(name="tuned", question="?", space=space, plan=plan)
    done = []
    played(study, 0.1, done)
    late = max(at for at, run in enumerate(done) if run.role == "tuning")
    done[late] = replace(done[late], state="running", score=None)
    assert propose(study, done) == "wait"


def test_a_retuned_change_of_cost_counts_it_raw():
    wide = SearchSpace(quick, {"network.inception_3a.conv5x5": versus(off=None)})
    raw, retuned = arms(Ablation(kinds=("raw", "retuned")), wide)[2:4]
    assert cost(raw.experiment) == cost(retuned.experiment)


def test_a_retuned_study_runs_to_its_end_and_its_arms_are_settled(tmp_path, monkeypatch):
    monkeypatch.setenv("NAS_HOME", str(tmp_path))
    quickest = edit(quick, {"recipe.fidelity.epochs": 1})
    study = Study(name="tuned", question="?", space=space.around(quickest), plan=plan)
    run(study, sqlite(tmp_path), local=True)
    with connect(sqlite(tmp_path)) as storage:
        stored = study_record(storage, study.full_name)
        found = records(storage, study.full_name)
    assert {run.state for run in found} == {"complete"}
    assert sum(run.role == "tuning" for run in found) == 12
    for arm in settle(stored.arms, found):
        own = {run.seeds for run in found if run.candidate_id == arm.candidate_id}
        assert set(arm.seeds) <= own
        assert arm.kind != "retuned" or arm.candidate_id in arm.options
