"""What can happen to a trial, each as a real fault, and what its class makes of it."""

import dataclasses

import optuna
import pytest
from ray.exceptions import ActorDiedError, ActorUnavailableError, NodeDiedError, OutOfMemoryError

from nas import Resources, edit, versus
from nas.base import failpoints
from nas.base.paths import log_path
from nas.engine.clocks import Clocks
from nas.engine.driver import run
from nas.runs.failures import TimeLimit, classified, constraint
from nas.space.space import SearchSpace
from nas.store.database import connect
from nas.store.reading import records
from tests.examples import BASE, epoch, search_only, sqlite
from tests.invariants import check


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("NAS_HOME", str(tmp_path))
    yield tmp_path
    failpoints.arm(None)


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (ValueError("broken"), "deterministic"),
        (MemoryError(), "resource"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "resource"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "resource"),
        (OutOfMemoryError("the node ran out of memory"), "resource"),
        (TimeLimit(), "resource"),
        (ConnectionError("reset"), "transient"),
        (OSError(5, "Input/output error"), "transient"),
        (OSError(2, "No such file or directory"), "deterministic"),
        (ActorDiedError(), "transient"),
        (NodeDiedError("gone"), "infrastructure"),
        (ActorUnavailableError("gone", b"0" * 16), "infrastructure"),
    ],
)
def test_an_error_has_its_class(error, failure):
    assert classified(error) == failure
    assert (constraint(error) is not None) == (failure == "resource")


def test_what_fails_for_good_fails_at_once_and_the_study_goes_on(home):
    failpoints.arm(f"before_epoch:3:fail:{home / 'fail'}")
    run(search_only(4), sqlite(home), local=True)
    found = check(search_only(4), sqlite(home), failed=1)
    (failed,) = (r for r in found if r.state == "failed")
    assert (failed.attempts, failed.reason) == (1, "RuntimeError: the failpoint before_epoch")


def test_what_may_pass_is_tried_again_from_its_checkpoint(home):
    failpoints.arm(f"before_epoch:4:flaky:{home / 'flaky'}")
    run(search_only(3), sqlite(home), local=True)
    found = check(search_only(3), sqlite(home), logs=[home / "flaky.log"])
    assert [r.attempts for r in found] == [1, 2, 1]


def test_a_run_without_memory_is_pruned_with_a_constraint_that_the_sampler_sees(home):
    failpoints.arm(f"before_epoch:3:memory:{home / 'memory'}")
    run(search_only(4), sqlite(home), local=True)
    found = check(search_only(4), sqlite(home))
    assert [r.state for r in found] == ["complete", "exceeded", "complete", "complete"]
    with connect(sqlite(home)) as storage:
        study = optuna.load_study(study_name=search_only(4).full_name, storage=storage)
        trial = study.trials[1]
    assert (trial.state.name, trial.constraints["memory"]) == ("PRUNED", 1.0)
    # A restart has the same history.
    run(search_only(5), sqlite(home), local=True)
    check(search_only(5), sqlite(home))


def test_a_network_that_no_memory_holds_is_refused_before_it_is_built(home):
    space = SearchSpace(BASE, {"network.inception_3a.conv1x1.width": versus(huge=10**12)})
    study = dataclasses.replace(search_only(2), space=space)
    run(study, sqlite(home), local=True)
    with connect(sqlite(home)) as storage:
        found = records(storage, study.full_name)
    assert {r.state for r in found[1:]} <= {"infeasible", "duplicate"}
    assert any("parameters" in r.reason for r in found[1:])


def test_a_trial_that_hangs_ends_at_its_time_limit(home):
    limited = Resources(trial_seconds=8.0)
    study = dataclasses.replace(search_only(3), resources=limited)
    failpoints.arm(f"before_epoch:4:hang:{home / 'hang'}")
    run(study, sqlite(home), local=True)
    found = check(study, sqlite(home))
    assert [r.state for r in found] == ["complete", "exceeded", "complete"]
    assert found[1].reason == "TimeLimit: over the time limit of a trial"
    assert len(found[1].curve) == 1


@pytest.mark.parametrize(
    ("harm", "ended_by", "never"),
    [("block", "GRACE", "PATIENCE"), ("stop", "PATIENCE", "GRACE")],
    ids=["native", "frozen"],
)
def test_a_worker_that_no_signal_reaches_is_ended_and_the_study_goes_on(
    home, monkeypatch, harm, ended_by, never
):
    """One that is stuck in native code by its own watchdog, one that is frozen by the driver."""
    monkeypatch.setenv("NAS_FAILPOINT", f"before_epoch:4:{harm}:{home / harm}")
    monkeypatch.setattr(f"nas.engine.ray_tune.{ended_by}", 1.0)
    monkeypatch.setattr(f"nas.engine.ray_tune.{never}", 1e5)
    limited = Resources(trial_seconds=10.0, concurrent=1)
    study = dataclasses.replace(search_only(3), resources=limited)
    run(study, sqlite(home))
    found = check(study, sqlite(home))
    assert [r.state for r in found] == ["complete", "exceeded", "complete"]
    assert found[1].reason == "TimeLimit: over the time limit of a trial"
    said = log_path(home / study.full_name, 1)
    assert ("Timeout (" in (said.read_text() if said.exists() else "")) == (ended_by == "GRACE")


def test_a_worker_of_which_nothing_is_heard_is_told_once_it_is_long(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("nas.engine.clocks.time.monotonic", lambda: now[0])
    clocks = Clocks(None)
    clocks.give(1)
    clocks.hear(1, [dataclasses.replace(epoch(1, 50.0), seconds=60.0)])
    now[0] = 1200.0
    assert clocks.quiet(1) is None
    now[0] = 1201.0
    assert clocks.quiet(1) == 1201.0
    assert not clocks.over(1)


def test_a_study_that_is_out_of_time_begins_nothing_more_and_goes_on_later(home):
    study = search_only(4)
    limited = dataclasses.replace(study, resources=Resources(study_seconds=1e-6))
    assert run(limited, sqlite(home), local=True).out_of_time
    outcome = run(study, sqlite(home), local=True)
    assert not outcome.out_of_time
    check(study, sqlite(home))


def test_a_loss_that_is_no_number_is_pruned_with_its_curve(home):
    wild = {"network.normalization": "none", "recipe.lr_schedule": "constant", "recipe.clip": None}
    space = SearchSpace(edit(BASE, wild), {"recipe.lr": versus(wild=1e30)})
    study = dataclasses.replace(search_only(2), space=space)
    run(study, sqlite(home), local=True)
    found = check(study, sqlite(home))
    assert (found[0].state, found[-1].state) == ("complete", "diverged")
    assert found[-1].curve


def test_a_worker_that_is_killed_in_an_epoch_is_replaced_and_does_one_epoch_again(
    home, monkeypatch
):
    # Only processes that start from here on are armed: Ray's workers.
    monkeypatch.setenv("NAS_FAILPOINT", f"after_epoch:2:kill:{home / 'kill'}")
    study = search_only(3)
    run(study, sqlite(home))
    assert (home / "kill").exists()
    found = check(study, sqlite(home), logs=[home / "kill.log"], kills=1)
    assert sum(r.attempts for r in found) == len(found) + 1
