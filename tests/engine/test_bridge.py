import dataclasses
from contextlib import ExitStack

import optuna
import pytest

from nas import ASHA, Ablation, Budget, Search, between, edit, relative, scaled
from nas.base import failpoints
from nas.base.errors import NothingFits, StudyStopped
from nas.engine.bridge import Bridge
from nas.plan.description import describe
from nas.runs.optuna_trials import distribution
from nas.runs.record import REFUSED, Settings
from nas.space.space import SearchSpace
from nas.store.database import connect
from nas.store.reading import records, reopen
from nas.store.writing import Ledger
from nas.train.worker import checkpoints
from search_spaces.tiny import parts, widths
from tests.examples import BASE, epoch, search_only, small_study, sqlite

optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.fixture
def start():
    """Starts bridges on a folder's database, and closes it when the test ends."""
    with ExitStack() as stack:

        def make(study, folder):
            storage = stack.enter_context(connect(sqlite(folder)))
            ledger = Ledger(storage, describe(study))
            history = records(storage, study.full_name)
            return Bridge(study, ledger, history, Settings(), folder)

        yield make


@pytest.fixture
def impatient(monkeypatch):
    """Gives a proposal up after 16 refusals, of which each is written down, in 64's place."""
    for module in ("plan.steps", "engine.bridge"):
        monkeypatch.setattr(f"nas.{module}.REFUSALS", 16)


def report(number, accuracies, outcome=None, first=1):
    made = {
        "number": number,
        "epochs": [
            dataclasses.asdict(epoch(first + at, value)) for at, value in enumerate(accuracies)
        ],
    }
    return made if outcome is None else made | {"outcome": outcome}


def drive(bridge, accuracy=lambda job: 50.0, limit=200):
    """Answers each job with a made-up curve until there is nothing left; the jobs' numbers."""
    numbers = []
    for _ in range(limit):
        job = bridge.next()
        if job == "done":
            return numbers
        assert job != "wait"
        numbers.append(job["number"])
        epochs = job["recipe"]["fidelity"]["epochs"]
        for at in range(1, epochs + 1):
            over = at == epochs
            value = accuracy(job) + at
            if bridge.report(report(job["number"], [value], "complete" if over else None, at)):
                break
    raise AssertionError("the plan does not end")


def test_the_reference_runs_first_even_when_it_is_over_the_budget(tmp_path, start):
    bridge = start(search_only(3, Budget(mult_adds=relative(0.9))), tmp_path)
    job = bridge.next()
    first = bridge.records[job["number"]]
    assert (first.role, first.candidate_id) == ("reference", BASE.candidate_id)
    assert first.excess["mult_adds"] > 0


def test_no_accepted_candidate_is_over_the_budget_and_the_refused_cost_nothing(tmp_path, start):
    bridge = start(search_only(20, Budget(mult_adds=relative(1.0))), tmp_path)
    drive(bridge)
    candidates = [r for r in bridge.records.values() if r.role == "candidate"]
    accepted = [r for r in candidates if r.state == "complete"]
    refused = [r for r in candidates if r.state == "infeasible"]
    assert len(accepted) == 19
    assert refused
    assert all(r.excess["mult_adds"] <= 0 for r in accepted)
    assert all(r.excess["mult_adds"] > 0 and not r.curve for r in refused)
    assert all("% over" in r.reason for r in refused)


@pytest.mark.usefixtures("impatient")
def test_a_search_trains_no_candidate_twice(tmp_path, start):
    space = SearchSpace(BASE, {"network.inception_3a.conv1x1.width": scaled(0.5, 0.75, 1, 1.5)})
    study = dataclasses.replace(search_only(10), space=space)
    bridge = start(study, tmp_path)
    drive(bridge)
    trained = [r.key for r in bridge.records.values() if r.state == "complete"]
    assert len(trained) == len(set(trained)) == 4


@pytest.mark.usefixtures("impatient")
def test_an_exhausted_space_ends_the_search(tmp_path, start):
    space = SearchSpace(BASE, {"network.inception_3a.conv1x1.width": scaled(0.5, 1)})
    bridge = start(dataclasses.replace(search_only(10), space=space), tmp_path)
    assert len(drive(bridge)) == 2
    refused = len(bridge.records)
    again = start(dataclasses.replace(search_only(10), space=space), tmp_path)
    assert drive(again) == []
    assert again.exhausted
    assert len(again.records) == refused


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("narrow", [True, False], ids=["one in ten fits", "nothing is left"])
def test_a_kill_after_the_last_refusal_changes_nothing(tmp_path, start, narrow):
    """Both when a candidate is then drawn from what fits and when none is left."""
    if narrow:
        spread = scaled(*(at / 20 for at in range(1, 41)))
        stages = ("3a", "4a", "5a")
        space = SearchSpace(BASE, {f"network.inception_{m}.conv3x3.width": spread for m in stages})
        study = dataclasses.replace(search_only(3, Budget(mult_adds=relative(0.5))), space=space)
    else:
        space = SearchSpace(BASE, {"network.inception_3a.conv1x1.width": scaled(0.5, 1)})
        study = dataclasses.replace(search_only(3), space=space)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()
    expected = start(study, whole)
    drive(expected)
    made = [r.state for r in expected.records.values()]
    refused = [state in REFUSED for state in made]
    last = next(n for n in range(len(made)) if n >= 16 and all(refused[n - 15 : n + 1]))
    failpoints.arm(f"after_ask:{last + 1}:fail:{cut / 'kill'}")
    try:
        with pytest.raises(RuntimeError, match="after_ask"):
            drive(start(study, cut))
    finally:
        failpoints.arm(None)
    resumed = start(study, cut)
    drive(resumed)
    assert resumed.exhausted == (not narrow)
    ids = [[r.candidate_id for r in bridge.records.values()] for bridge in (resumed, expected)]
    assert ids[0] == ids[1]
    assert [r.state for r in resumed.records.values()] == made


@pytest.mark.usefixtures("impatient")
def test_a_budget_that_nothing_fits_names_the_least_cost(tmp_path, start):
    study = search_only(5, Budget(mult_adds=1000))
    bridge = start(study, tmp_path)
    job = bridge.next()
    bridge.report(report(job["number"], [50.0, 60.0], "complete"))
    with pytest.raises(NothingFits, match=r"the least .* costs is [\d,]+"):
        bridge.next()


def test_a_restart_proposes_what_an_uninterrupted_run_would(tmp_path, start):
    study = search_only(12, Budget(mult_adds=relative(1.0)))
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()

    def score(job):
        return float(job["number"] * 7 % 11)

    bridge = start(study, whole)
    drive(bridge, score)
    for trials in (4, 8, 12):
        resumed = start(
            dataclasses.replace(study, plan=dataclasses.replace(study.plan, trials=trials)), cut
        )
        drive(resumed, score)
    expected = [(r.candidate_id, r.state, r.score) for r in bridge.records.values()]
    assert [(r.candidate_id, r.state, r.score) for r in resumed.records.values()] == expected


def test_a_finished_study_has_nothing_more_to_do(tmp_path, start):
    drive(start(small_study(), tmp_path))
    assert start(small_study(), tmp_path).next() == "done"


def test_a_run_that_was_under_way_is_taken_up_by_its_number(tmp_path, start):
    bridge = start(search_only(3), tmp_path)
    job = bridge.next()
    bridge.report(report(job["number"], [40.0]))
    again = start(search_only(3), tmp_path)
    taken = again.next()
    assert taken == job
    assert not again.report(report(job["number"], [40.0]))
    again.report(report(job["number"], [40.0, 45.0], "complete"))
    assert [e.epoch for e in again.records[job["number"]].curve] == [1, 2]


def test_a_curve_is_of_one_training(tmp_path, start):
    """A run that starts again from an earlier epoch, and comes to other numbers."""
    space = widths.around(edit(BASE, {"recipe.fidelity.epochs": 4}))
    study = dataclasses.replace(search_only(2), space=space)
    bridge = start(study, tmp_path)
    number = bridge.next()["number"]
    bridge.report(report(number, [40.0, 50.0, 60.0]))
    bridge.ledger.rung(number, epoch(3, 60.0))
    bridge.flush()
    again = start(study, tmp_path)
    again.next()
    again.report(report(number, [40.0]))
    assert [e.accuracy for e in again.records[number].curve] == [40.0, 50.0, 60.0]
    again.report(report(number, [51.0], first=2))
    again.flush()
    (found,) = records(again.ledger.storage, study.full_name)
    assert [e.accuracy for e in found.curve] == [40.0, 51.0]
    assert found.curve == again.records[number].curve
    assert [again.records.reached(at) for at in (1, 2, 3)] == [[40.0], [51.0], []]
    (trial,) = optuna.load_study(study_name=study.full_name, storage=again.ledger.storage).trials
    assert trial.intermediate_values == {}


def test_a_candidate_outside_the_best_third_at_a_rung_is_stopped(tmp_path, start):
    study = dataclasses.replace(
        search_only(6), plan=Search(trials=6, scheduler=ASHA(grace_period=1, factor=3))
    )
    bridge = start(study, tmp_path)
    drive(bridge, lambda job: 90.0 - 10 * job["number"])
    states = [r.state for r in bridge.records.values()]
    assert states == ["complete", "complete", "stopped", "stopped", "stopped", "stopped"]
    assert "outside the best 1 of 3" in bridge.records[2].reason


def test_the_reference_and_the_ablation_are_never_stopped_early(tmp_path, start):
    bridge = start(small_study(), tmp_path)
    drive(bridge, lambda job: 90.0 if job["number"] % 2 else 10.0)
    states = {r.role: r.state for r in bridge.records.values() if r.role != "candidate"}
    assert set(states.values()) == {"complete"}


def test_a_search_and_an_ablation_share_the_baselines_run(tmp_path, start):
    bridge = start(small_study(), tmp_path)
    drive(bridge)
    keys = [r.key for r in bridge.records.values() if r.state == "complete"]
    assert len(keys) == len(set(keys))
    shared = [r for r in bridge.records.values() if r.candidate_id == BASE.candidate_id]
    assert (shared[0].role, shared[0].seeds.init) == ("reference", 0)
    assert sum(r.seeds.init == 0 for r in shared) == 1


def test_an_ablation_goes_seed_by_seed(tmp_path, start):
    study = dataclasses.replace(
        search_only(1), plan=Ablation(seeds=range(2)), space=parts.around(BASE)
    )
    bridge = start(study, tmp_path)
    drive(bridge)
    seeds = [r.seeds.init for r in bridge.records.values() if r.role in ("baseline", "change")]
    assert seeds == [0] * 5 + [1] * 5


def test_the_same_failure_five_times_stops_the_study_and_says_why(tmp_path, start):
    bridge = start(search_only(30), tmp_path)

    def fail():
        number = bridge.next()["number"]
        bridge.report(report(number, [], "failed") | {"reason": "ValueError: broken"})

    for _ in range(4):
        fail()
    with pytest.raises(StudyStopped, match="5 trials failed alike: ValueError: broken"):
        fail()


@pytest.mark.parametrize(
    ("reason", "allowed", "stopped"),
    [
        ("RuntimeError: tensor {0} at 0x{1:x} is broken", 4, "5 trials failed alike"),
        ("RuntimeError: {2}", 9, "10 trials in a row failed, the last: RuntimeError: jjjj"),
    ],
)
def test_failures_that_only_look_different_end_a_study_too(
    tmp_path, start, reason, allowed, stopped
):
    bridge = start(search_only(30), tmp_path)

    def fail(at):
        number = bridge.next()["number"]
        why = reason.format(number, 0xABC0 + at, chr(ord("a") + at) * 4)
        bridge.report(report(number, [], "failed") | {"reason": why})

    for at in range(allowed):
        fail(at)
    with pytest.raises(StudyStopped, match=stopped):
        fail(allowed)


@pytest.mark.usefixtures("impatient")
def test_what_failed_is_not_proposed_again_but_by_a_retry(tmp_path, start):
    space = SearchSpace(BASE, {"network.inception_3a.conv1x1.width": scaled(0.5, 1)})
    study = dataclasses.replace(search_only(3), space=space)
    bridge = start(study, tmp_path)
    bridge.report(report(bridge.next()["number"], [50.0, 60.0], "complete"))
    number = bridge.next()["number"]
    bridge.report(report(number, [70.0], "failed") | {"reason": "RuntimeError: once"})
    assert bridge.next() == "done"
    copies = [r for r in bridge.records.values() if r.reason == f"the same run as trial {number}"]
    assert copies
    assert {r.score for r in copies} == {None}
    assert reopen(bridge.ledger.storage, study.full_name) == [number]
    assert drive(start(study, tmp_path)) == [number]


def test_what_was_made_since_it_failed_is_not_run_again(tmp_path, start):
    bridge = start(search_only(2), tmp_path)
    first = bridge.next()["number"]
    made = bridge.records[first]
    bridge.report(report(first, [], "failed") | {"reason": "RuntimeError: once"})
    # As an earlier version did.
    bridge.ledger.begin(dataclasses.replace(made, number=1), {}, {})
    bridge.ledger.add_epochs(1, [epoch(1, 50.0), epoch(2, 60.0)])
    bridge.ledger.tell(1, "complete", None, epoch(2, 60.0))
    assert reopen(bridge.ledger.storage, bridge.study.full_name) == []


def test_a_worker_that_dies_is_replaced_twice_and_then_its_run_fails(tmp_path, start):
    bridge = start(search_only(2), tmp_path)
    number = bridge.next()["number"]
    for _ in range(2):
        bridge.failed(number, "transient", "worker lost")
        assert bridge.next()["number"] == number
    bridge.failed(number, "transient", "worker lost")
    assert bridge.records[number].state == "failed"


def test_a_run_that_kills_its_driver_each_time_is_given_up(tmp_path, start):
    study = search_only(2)
    for _ in range(10):
        assert start(study, tmp_path).next()["number"] == 0
    last = start(study, tmp_path)
    assert last.next()["number"] == 1
    assert last.records[0].state == "failed"
    assert last.records[0].reason.startswith("begun 10 times, and each time its worker or driver")


def test_a_machine_that_goes_away_is_not_counted_while_runs_get_on(tmp_path, start):
    bridge = start(search_only(2), tmp_path)
    number = bridge.next()["number"]
    for at in range(8):
        bridge.failed(number, "infrastructure", "the node died")
        assert bridge.next()["number"] == number
        if at % 2:
            bridge.report(report(number, [50.0 + at], first=1 + at))
    assert bridge.records[number].state == "running"


def test_a_machine_that_goes_away_again_and_again_stops_the_study(tmp_path, start):
    bridge = start(search_only(2), tmp_path)
    number = bridge.next()["number"]
    for _ in range(4):
        bridge.failed(number, "infrastructure", "the node died")
        bridge.next()
    with pytest.raises(StudyStopped, match="5 times without an epoch in between: the node died"):
        bridge.failed(number, "infrastructure", "the node died")


def test_a_report_without_a_metric_fails_its_run_and_no_other(tmp_path, start):
    bridge = start(search_only(3), tmp_path)
    bad = report(bridge.next()["number"], [50.0])
    del bad["epochs"][0]["accuracy"]
    assert bridge.report(bad)
    first, *_ = bridge.records.values()
    assert first.state == "failed"
    assert "no epoch's: " in first.reason
    assert "'accuracy'" in first.reason
    assert bridge.next()["number"] == 1


def test_a_run_that_is_exceeded_is_not_proposed_again_after_a_restart(tmp_path, start):
    space = SearchSpace(BASE, {"network.inception_3a.conv1x1.width": scaled(0.5, 1)})
    study = dataclasses.replace(search_only(3), space=space)
    bridge = start(study, tmp_path)
    first = bridge.next()
    bridge.report(report(first["number"], [50.0, 60.0], "complete"))
    bridge.failed(bridge.next()["number"], "resource", "MemoryError: ", "memory")
    again = start(study, tmp_path)
    assert {r.state for r in again.records.values()} >= {"complete", "exceeded"}
    assert again.next() == "done"


def test_a_checkpoint_goes_when_its_run_is_told(tmp_path, start):
    bridge = start(search_only(2), tmp_path)
    number = bridge.next()["number"]
    path = checkpoints(tmp_path, number)[0]
    path.parent.mkdir()
    path.write_bytes(b"state")
    bridge.report(report(number, [50.0, 60.0], "complete"))
    assert not path.exists()


def test_a_point_that_is_no_network_is_refused_with_the_constraint_valid(tmp_path, start):
    space = SearchSpace(BASE, {"network.aux_after": widths.edits["network.aux_after"]})
    deep = SearchSpace(dataclasses.replace(BASE), {"network.aux_head.kernel": between(3, 9)})
    assert space.baseline.experiment == deep.baseline.experiment
    bridge = start(dataclasses.replace(search_only(12), space=deep), tmp_path)
    drive(bridge)
    refused = [r for r in bridge.records.values() if r.state == "infeasible"]
    assert refused
    assert all(r.excess == {"valid": 1.0} for r in refused)
    assert all(r.reason.startswith("not valid: aux_4a.pool") for r in refused)


def test_ordered_options_are_stored_as_positions_and_others_as_labels():
    ordered = widths.domains["network.inception_3a.conv1x1.width"]
    labels = widths.domains["network.aux_after"]
    assert distribution(ordered) == optuna.distributions.IntDistribution(0, 3)
    assert distribution(labels).choices == ("off", "3a", "4a", "3a+4a")


def test_a_duplicate_of_a_run_under_way_has_no_score_yet(tmp_path, start):
    space = SearchSpace(BASE, {"network.inception_3a.conv1x1.width": scaled(0.5, 1)})
    bridge = start(dataclasses.replace(search_only(10), space=space), tmp_path)
    for _ in range(2):
        bridge.report(report(bridge.next()["number"], [40.0]))
    bridge.next()
    copies = [r for r in bridge.records.values() if r.state == "duplicate"]
    assert copies
    assert all(r.score is None for r in copies)


def test_a_point_that_is_no_network_has_no_candidate_of_another(tmp_path, start):
    deep = SearchSpace(BASE, {"network.aux_head.kernel": between(3, 9)})
    bridge = start(dataclasses.replace(search_only(6), space=deep), tmp_path)
    drive(bridge)
    same = [r for r in bridge.records.values() if r.candidate_id == BASE.candidate_id]
    assert {r.state for r in same} == {"complete", "duplicate"}
