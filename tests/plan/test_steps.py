from dataclasses import replace

import pytest

from nas import SearchSpace, edit, scaled, versus
from nas.plan.plans import ASHA, Ablation, Median, Search
from nas.plan.steps import Draw, Run, at_rung, propose, total
from nas.runs.record import seeds
from nas.study import Study
from tests.specimens import curve, quick, record

space = SearchSpace(
    quick,
    {
        "network.inception_3a.conv5x5": versus(off=None),
        "network.inception_3a.conv3x3.width": scaled(0.5, 1),
    },
)
search = Search(trials=3, seed=0)
ablation = Ablation(seeds=(0, 1))
reference = record(quick, role="reference")
half = space.at({"network.inception_3a.conv3x3.width": "0.5"}).experiment


def study(*plans):
    return Study(name="tiny", question="?", space=space, plan=plans)


def test_the_baseline_runs_first_as_the_reference():
    step = propose(study(search), [])
    assert isinstance(step, Run)
    assert (step.role, step.experiment, step.seeds) == ("reference", quick, seeds(0))
    assert step.decisions == space.baseline.decisions
    assert step.key == reference.key


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([], "draw"),
        (["complete"], "draw"),
        (["complete", "stopped"], "done"),
        (["complete", "diverged"], "done"),
        (["complete", "running"], "wait"),
        (["complete", "failed"], "draw"),
        (["complete", "infeasible", "duplicate"], "draw"),
    ],
)
def test_a_search_draws_until_it_has_trained_what_it_may(states, expected):
    tried = [record(half, number=n, seed=n + 1, state=state) for n, state in enumerate(states)]
    step = propose(study(search), [reference, *tried])
    assert step == (Draw(search=search) if expected == "draw" else expected)


def test_an_exhausted_search_is_done():
    assert propose(study(search), [reference], exhausted=True) == "done"
    running = replace(reference, state="running")
    assert propose(study(search), [running], exhausted=True) == "wait"


def runs_of(plan, records=()):
    """Everything that a study proposes when each run is completed at once."""
    done, made = list(records), []
    while isinstance(step := propose(study(*plan), done), Run):
        made.append(step)
        done.append(record(step.experiment, seed=step.seeds, role=step.role, change=step.change))
    return made, step


def test_an_ablation_runs_seed_by_seed_so_that_pairs_are_whole():
    made, last = runs_of([ablation])
    assert last == "done"
    assert [(run.seeds.init, run.change) for run in made[:2]] == [
        (0, "baseline"),
        (0, "3a: no 5x5 branch"),
    ]
    assert [run.role for run in made] == ["baseline", "change", "control"] * 2
    assert len({run.key for run in made}) == 6 == total(study(ablation))


def test_the_search_and_the_ablation_share_the_baselines_run():
    assert total(study(search, ablation)) == 6 + 2
    shared, _ = runs_of([ablation], [reference])
    assert reference.key not in {run.key for run in shared}
    assert len(shared) == 5


def test_a_finished_study_proposes_nothing_and_more_seeds_only_the_new_runs():
    first, _ = runs_of([ablation])
    done = [record(run.experiment, seed=run.seeds) for run in first]
    assert propose(study(ablation), done) == "done"
    more, _ = runs_of([Ablation(seeds=(0, 1, 2))], done)
    assert {run.seeds for run in more if run.role in ("baseline", "change")} == {seeds(2)}
    assert len(more) == 3


@pytest.mark.parametrize(
    ("state", "again"),
    [("failed", False), ("diverged", False), ("running", False), ("stopped", True)],
)
def test_an_ablation_repeats_only_what_was_stopped_early(state, again):
    step = propose(study(ablation), [record(quick, role="candidate", state=state)])
    assert isinstance(step, Run)
    assert (step.key == reference.key) is again


def test_an_ablation_waits_for_its_last_run():
    made, _ = runs_of([ablation])
    records = [record(run.experiment, seed=run.seeds) for run in made]
    records[-1] = replace(records[-1], state="running")
    assert propose(study(ablation), records) == "wait"


longer = edit(quick, {"recipe.fidelity.epochs": 9})
halving = study(Search(trials=9, scheduler=ASHA(grace_period=1, factor=3)))


def trained(number, *accuracies, role="candidate"):
    return record(longer, number=number, seed=number, role=role, curve=curve(*accuracies))


@pytest.mark.parametrize(
    ("rivals", "own", "goes_on"),
    [
        ([], 10.0, True),
        ([90.0], 10.0, True),
        ([90.0, 80.0], 10.0, False),
        ([90.0, 80.0], 90.0, True),
        ([90.0, 80.0], 85.0, False),
        ([90.0, 80.0, 70.0, 60.0, 50.0], 85.0, True),
        ([90.0, 80.0, 70.0, 60.0, 50.0], 75.0, False),
    ],
)
def test_a_run_goes_on_that_is_in_the_best_third(rivals, own, goes_on):
    record = trained(0, own)
    others = [trained(n, accuracy) for n, accuracy in enumerate(rivals, 1)]
    rung = at_rung(halving, [record, *others], record)
    assert rung is not None
    assert (rung.reason is None) is goes_on


def test_a_stopped_run_says_why():
    rivals = [trained(1, 90.0), trained(2, 80.0)]
    own = trained(0, 10.0)
    rung = at_rung(halving, [own, *rivals], own)
    assert rung is not None
    assert rung.reason == "epoch 1: 10.00 %, outside the best 1 of 3"


@pytest.mark.parametrize(
    "record",
    [
        trained(0, 10.0, 10.0),
        trained(0, *[10.0] * 9),
        trained(0, 10.0, role="reference"),
        trained(0, 10.0, role="change"),
        trained(0, 10.0, role="control"),
    ],
)
def test_nothing_is_compared_between_rungs_and_only_candidates_are(record):
    rivals = [trained(n, *[90.0] * 9) for n in (1, 2, 3)]
    assert at_rung(halving, [record, *rivals], record) is None


def test_the_median_rule_stops_what_never_was_as_good_as_half_of_the_others_on_average():
    rule = study(Search(trials=9, scheduler=Median(grace_period=2, startup=3)))
    means = ((60.0, 70.0, 80.0), (50.0, 60.0, 90.0), (40.0, 40.0, 95.0))
    complete = [record(half, number=n, curve=curve(*values)) for n, values in enumerate(means)]
    unfinished = record(half, number=8, state="stopped", curve=curve(99.0, 99.0))

    def asked(*accuracies, others=complete):
        own = record(half, number=9, seed=9, state="running", curve=curve(*accuracies))
        return at_rung(rule, [*others, unfinished, own], own)

    assert asked(10.0) is None
    assert asked(10.0, 55.0).reason is None
    assert asked(55.0, 10.0).reason is None
    assert asked(54.9, 10.0).reason == (
        "epoch 2: 54.90 % at best, below 55.00 %, the median of the means of 3 complete runs so far"
    )
    assert asked(10.0, 10.0, others=complete[:2]).reason is None
    assert asked(10.0, 10.0, 10.0) is None


def test_a_median_rule_needs_whole_numbers_above_0():
    for wrong in ({"grace_period": 0}, {"startup": 0}):
        with pytest.raises(ValueError, match="Median needs grace_period and startup of 1 or more"):
            Median(**wrong)
