import dataclasses
import json

import numpy as np
import optuna
import pytest
from scipy import stats

from nas import Ablation, Confirmation, Fidelity, Search, SearchSpace, Study, edit, scaled, versus
from nas.base.errors import NothingToReport
from nas.cli.findings import confirmed as told_of
from nas.engine.driver import run
from nas.engine.forecast import forecast
from nas.plan.arms import BASELINE
from nas.plan.description import describe
from nas.plan.registration import registered
from nas.plan.steps import Run, propose, ranked, require_searched, total
from nas.results.tables import Results, pareto
from nas.runs.record import ConfirmationRecord, Settings, seeds
from nas.runs.scores import score
from nas.store.database import connect
from nas.store.reading import READABLE, records, study_names
from nas.train.evaluation import predict, stored
from nas.train.replay import replay
from nas.train.training import Training
from nas.train.worker import Trial
from nas.tree.tree import from_json, to_json
from reports.figures.frontier import frontier
from reports.site import build
from search_spaces.tiny import widths
from tests.commands import MINE, nas
from tests.examples import BASE, ablation_records, keep_predictions, search_only, sqlite
from tests.examples import record as stored_record
from tests.specimens import Residual, job, quick, record

space = SearchSpace(
    quick,
    {
        "network.inception_3a.conv5x5": versus(off=None),
        "network.inception_3a.conv3x3.width": scaled(0.5, 1, 1.5),
    },
)
search = Search(trials=4)
reference = record(quick, role="reference", score=60.0)


def study(*plans):
    return Study(name="tiny", question="?", space=space, plan=plans)


def candidate(number, score, width, **values):
    decisions = {"network.inception_3a.conv5x5": "canonical"} | {
        "network.inception_3a.conv3x3.width": width
    }
    made = record(space.at(decisions).experiment, number=number, score=score, **values)
    return dataclasses.replace(made, decisions=decisions)


searched = [reference, candidate(1, 50.0, "0.5"), candidate(2, 70.0, "1.5"),
            candidate(3, 90.0, "1", state="stopped")]  # fmt: skip


small_images = Study(
    name="small",
    question="?",
    space=SearchSpace(
        edit(quick, {"network": Residual(), "recipe.image_size": 6}),
        {"network.width": scaled(0.5, 1)},
    ),
    plan=Confirmation(top=0, crops=144),
)


def confirms(plan, before, *others):
    """Everything that a study's confirmation proposes when each run is completed at once."""
    asked, done, made = study(search, *others, plan), list(before), []
    while isinstance(step := propose(asked, done, plans=[plan]), Run):
        made.append(step)
        run = record(step.experiment, role=step.role, seed=step.seeds, change=step.change,
                     crops=step.crops)  # fmt: skip
        done.append(run)
        assert run.key == step.key
    return made, step


def test_the_baseline_and_the_best_run_seed_by_seed_on_the_same_fresh_seeds():
    made, last = confirms(Confirmation(top=2, seeds=2), searched)
    assert last == "done"
    assert [run.change for run in made] == [
        "baseline confirmed", "trial 2 confirmed", "trial 1 confirmed",
    ] * 2  # fmt: skip
    assert {run.role for run in made} == {"confirmation"}
    assert len({run.seeds for run in made[:3]}) == 1
    assert len({run.key for run in made}) == 6
    assert made[1].experiment == space.at(searched[2].decisions).experiment


def test_fresh_seeds_are_those_of_no_search_ablation_or_control():
    fresh = {run.seeds for run in confirms(Confirmation(top=0, seeds=2), searched)[0]}
    first, second = sorted(seed.init for seed in fresh)
    taken = Ablation(seeds=(first, second))
    again = {run.seeds.init for run in confirms(Confirmation(top=0, seeds=2), searched, taken)[0]}
    assert not again & {first, second}
    run_before = [*searched, record(quick, role="change", seed=first)]
    assert first not in {run.seeds.init for run in confirms(Confirmation(top=0), run_before)[0]}


def test_more_seeds_go_on_with_the_same_first_ones():
    few, many = (confirms(Confirmation(top=1, seeds=n), searched)[0] for n in (2, 3))
    assert [run.key for run in many[:4]] == [run.key for run in few]


def test_the_best_are_those_within_the_budget_that_were_trained_to_the_end():
    over = candidate(4, 99.0, "0.5", excess={"mult_adds": 0.1})
    diverged = candidate(5, 99.0, "0.5", state="diverged")
    assert [r.number for r in ranked([*searched, over, diverged])] == [2, 1]


def test_a_confirmation_trains_in_full_unless_told_otherwise():
    cheap = edit(quick, {"recipe.fidelity": Fidelity(epochs=3, share=0.5, image_size=12)})
    assert Confirmation().at(cheap) == quick
    assert Confirmation(fidelity=Fidelity(epochs=9)).at(cheap).recipe.fidelity.epochs == 9
    plan = Confirmation(top=0, seeds=1)
    (run,) = confirms(plan, [])[0]
    assert run.experiment == quick


def test_runs_of_another_fidelity_or_evaluation_are_other_runs():
    made = {
        record(edit(quick, {"recipe.fidelity": fidelity}), crops=crops).key
        for fidelity in (Fidelity(epochs=3), Fidelity(epochs=3, share=0.5),
                         Fidelity(epochs=3, image_size=12))
        for crops in (None, 1, 10)
    }  # fmt: skip
    assert len(made) == 9
    assert len({key[0] for key in made}) == 1


def test_a_study_confirms_last_and_only_when_its_search_is_done():
    plan = Confirmation(top=1, seeds=1)
    asked = study(plan, search)
    assert propose(asked, [])
    running = [*searched[:3], candidate(3, None, "1", state="running")]
    assert propose(asked, running) == "wait"
    step = propose(asked, searched)
    assert isinstance(step, Run)
    assert step.role == "confirmation"
    assert total(asked) == 4 + 2


def test_a_plan_without_a_confirmation_neither_waits_for_one_nor_takes_it_up():
    left = record(quick, number=9, role="confirmation", state="running", crops=1)
    assert propose(study(search), [*searched, left]) == "done"
    assert propose(study(Ablation(seeds=(0, 1))), [left]) != "wait"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Confirmation(top=-1), r"top of 0 or more and seeds of 1 or more, not top=-1"),
        (lambda: Confirmation(seeds=0), r"not top=3 and seeds=0"),
        (lambda: Confirmation(crops=5), r"Confirmation.crops must be 1 or 10 or 144, not 5"),
        (
            lambda: study(Ablation(seeds=(0, 1)), Confirmation()),
            r"tiny has no Search, so no best candidates to confirm; top=0 \(--top 0\) confirms",
        ),
        (
            lambda: study(Confirmation(top=0, fidelity=Fidelity(epochs=1, image_size=99))),
            r"Fidelity.image_size 99 is above Recipe.image_size 16",
        ),
        (
            lambda: describe(small_images),
            r"images of 6 pixels are too small for 144 crops; take 1",
        ),
        (
            lambda: require_searched(study(search, Confirmation()), searched[:3], False),
            r"best of a finished search, and 3 of 4 trials are over; finish it with `nas run`, or "
            r"say --trials 3 to take it as it is",
        ),
        (
            lambda: require_searched(study(search, Confirmation()), [], False),
            r"and 0 of 4 trials are over; finish it with `nas run`$",
        ),
        (
            lambda: require_searched(study(search, Confirmation()), [searched[-1]] * 3, False),
            r"no candidate of the search was trained to its end within the budget; top=0",
        ),
    ],
)
def test_what_cannot_be_confirmed_is_one_message(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_a_search_that_ended_for_want_of_candidates_is_finished():
    require_searched(study(Search(trials=99), Confirmation()), searched, True)


def test_a_worker_scores_the_test_split_once_after_the_last_epoch(tmp_path):
    trial, reports = Trial(job(quick, tmp_path, crops=1)), []
    while not reports or "outcome" not in reports[-1]:
        reports.append(trial.step())
    assert [("test" in report) for report in reports] == [False, False, True]
    protocol = reports[0]["protocol"]
    assert protocol["evaluation"] == (
        "validation, last epoch, one crop; test, last epoch, one crop"
    )
    training = Training(quick.layers(), quick.recipe, seeds(0), Settings())
    list(training)
    last = reports[-1]
    assert last["test"] == score(predict(training, "test")).top1
    kept = stored(
        record(quick, predictions=last["predictions"], crops=1), quick, tmp_path
    )  # the test images, in their order
    assert (kept.split, len(kept.labels)) == ("test", 64)
    assert 100 * np.mean(kept.probabilities.argmax(1) == kept.labels) == last["test"]
    again = Trial(job(quick, tmp_path, crops=1)).step()
    assert (again["test"], again["outcome"]) == (last["test"], "complete")
    json.dumps(reports, allow_nan=False)


def test_a_run_without_crops_never_touches_the_test_split(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "nas.train.worker.predict", lambda *_: pytest.fail("the test split was read")
    )
    trial = Trial(job(quick, tmp_path))
    while "outcome" not in (report := trial.step()):
        pass
    assert report["outcome"] == "complete"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("NAS_HOME", str(tmp_path))
    return tmp_path


def read(folder, name):
    with connect(sqlite(folder)) as storage:
        return records(storage, name)


def test_confirming_runs_nothing_but_the_confirmation_and_again_only_what_is_missing(home):
    asked = search_only(3)
    run(asked, sqlite(home), local=True)
    before = read(home, asked.full_name)
    table = asked.confirm(1, 2, sqlite(home), local=True)
    assert list(table["name"]) == ["baseline", table["name"][1]]
    assert list(table["n"]) == [2, 2]
    assert table["verdict"][0] == "baseline"
    # The stored predictions are those of the test accuracies.
    assert table["low_two_way"][1] <= table["delta"][1] <= table["high_two_way"][1]
    after = read(home, asked.full_name)
    assert after[: len(before)] == before
    fresh = after[len(before) :]
    assert [r.role for r in fresh] == ["confirmation"] * 4
    assert all(r.test is not None and r.score == r.curve[-1].accuracy for r in fresh)
    asked.confirm(1, 3, sqlite(home), local=True)
    assert len(read(home, asked.full_name)) == len(after) + 2
    run(asked, sqlite(home), local=True)
    assert len(read(home, asked.full_name)) == len(after) + 2


def test_a_killed_confirmation_goes_on_and_a_plain_run_leaves_it_alone(home):
    asked = search_only(2)
    wanted = asked.confirming(top=0, seeds=2)

    seen, told = [], []

    def interrupt(progress):
        seen.append((progress.study.planned, *(r.role for r in progress.records)))
        if any(r.curve for r in progress.records) and not told:
            told.append(True)
            raise KeyboardInterrupt

    only = wanted.confirmation
    assert run(wanted, sqlite(home), local=True, only=only, watch=interrupt).interrupted
    assert seen[-1] == (2, "confirmation")
    (left,) = read(home, asked.full_name)
    assert (left.state, left.crops, left.test) == ("running", 1, None)
    run(asked, sqlite(home), local=True)
    still = read(home, asked.full_name)
    assert still[0] == left
    assert {r.state for r in still[1:]} == {"complete"}
    run(wanted, sqlite(home), local=True, only=only)
    first, *_, second = read(home, asked.full_name)
    assert first.state == second.state == "complete"
    assert [e.epoch for e in first.curve] == [1, 2]
    assert first.test is not None
    steps = [step.said for step in replay(first)]
    assert steps[0] == "protocol equal"
    assert steps[-2:] == ["the test split is not read again", "weights equal"]


def test_the_plan_of_a_study_may_end_in_a_confirmation(home):
    asked = Study(
        name="whole", question="?", space=widths.around(BASE),
        plan=(Confirmation(top=1, seeds=1), Search(trials=2)),
    )  # fmt: skip
    rows = {row.item: row for row in forecast(asked, sqlite(home))}
    assert (rows["runs"].value, rows["confirmation"].value) == (4, 2)
    assert "4 runs" in rows["hours"].detail
    run(asked, sqlite(home), local=True)
    assert [r.role for r in read(home, asked.full_name)] == [
        "reference", "candidate", "confirmation", "confirmation",
    ]  # fmt: skip
    assert "0 runs" in {row.item: row for row in forecast(asked, sqlite(home))}["hours"].detail


def test_an_unfinished_search_is_refused_before_anything_is_written(home):
    with pytest.raises(ValueError, match="0 of 3 trials are over; finish it with `nas run`"):
        search_only(3).confirm(1, 1, sqlite(home), local=True)
    with connect(sqlite(home)) as storage:
        assert study_names(storage) == []


def confirmed(base, best, chosen=97.0):
    """A stored search and confirmation: test accuracies of the baseline and the best, by seed."""
    known, _ = ablation_records({BASELINE: [90.0, 90.5]})
    found = [
        stored_record(0, 92.0, role="reference"),
        stored_record(1, chosen, role="candidate", candidate_id="best", mult_adds=500),
        stored_record(2, 95.0, role="candidate", candidate_id="other"),
    ]
    for at, scores in enumerate(zip(base, best, strict=True)):
        for candidate_id, each in zip((None, "best"), scores, strict=True):
            made = stored_record(
                len(found), each - 1, role="confirmation", candidate_id=candidate_id,
                seed=1000 + at,
            )  # fmt: skip
            found.append(dataclasses.replace(made, test=each, crops=1))
    return Results(known, tuple(found))


def test_the_table_has_the_paired_difference_and_the_drop_from_the_search():
    base, best = [90.0, 90.5, 91.0], [91.0, 91.25, 92.5]
    found = confirmed(base, best)
    baseline, row = found.confirmations
    assert (baseline.name, row.name) == ("baseline", "trial 1")
    assert (row.n, row.mean, row.searched) == (3, pytest.approx(np.mean(best)), 97.0)
    assert row.drop == pytest.approx(97 - np.mean(best))
    assert baseline.drop == pytest.approx(92 - 90.5)
    interval = stats.ttest_rel(best, base).confidence_interval()
    assert (row.low, row.high) == (pytest.approx(interval.low), pytest.approx(interval.high))
    assert row.validation == pytest.approx(row.mean - 1)
    assert found.looks == 6


def test_a_confirmed_candidate_has_a_verdict_and_without_predictions_no_interval_over_images():
    base = [90.0, 90.5, 91.0, 90.25, 90.75, 90.5]
    baseline, row = confirmed(base, [score + 1 + 0.1 * (at % 2) for at, score in
                                     enumerate(base)]).confirmations  # fmt: skip
    assert (baseline.verdict, row.verdict, row.wins) == ("baseline", "better", 6)
    assert row.p == row.p_holm < 0.001
    assert np.isnan([row.low_two_way, row.high_two_way]).all()
    assert confirmed(base, base).confirmations[1].verdict == "inconclusive"


def planned(found, first, seeds):
    plan = ConfirmationRecord(
        fidelity=found.baseline.recipe.fidelity, crops=1, first=first, seeds=seeds
    )
    return Results(dataclasses.replace(found.study, confirmed=(plan,)), found.records)


@pytest.mark.parametrize(
    ("first", "seeds", "said"),
    [(4, 4, "better"), (6, 6, "unfinished"), (2, 4, "extended"), (6, 3, "extended")],
)
def test_a_confirmation_has_a_verdict_on_the_seeds_that_were_planned_first(first, seeds, said):
    found = confirmed([90.0, 90.5, 91.0, 90.25], [91.0, 91.6, 92.0, 91.3])
    row = planned(found, first, seeds).confirmations[1]
    assert (row.verdict, np.isnan(row.p)) == (said, said != "better")
    (told,) = told_of(planned(found, first, seeds))
    assert ("on 4 of 6 fresh seeds" in told) == (said == "unfinished")


def test_a_confirmation_is_unfinished_while_a_candidate_lacks_seeds_that_another_has():
    found = confirmed([90.0, 90.5, 91.0], [91.0, 91.6, 92.0])
    *others, last = found.records
    running = dataclasses.replace(last, state="running", test=None)
    for runs in (others, (*others, running)):
        row = Results(found.study, tuple(runs)).confirmations[1]
        assert (row.n, row.planned, row.verdict) == (2, 3, "unfinished")
    failed = dataclasses.replace(last, state="failed", test=None)
    row = Results(found.study, (*others, failed)).confirmations[1]
    assert (row.n, row.verdict) == (2, "incomplete")


def test_a_difference_that_other_images_may_take_back_is_inconclusive(tmp_path, monkeypatch):
    monkeypatch.setenv("NAS_HOME", str(tmp_path))
    found = confirmed([90.0, 90.5, 91.0], [91.0, 91.6, 92.0])
    assert found.confirmations[1].verdict == "better"
    made = []
    # The baseline is wrong about the last images, the best about the first, a few less.
    for each in found.records:
        if each.test is not None:
            wrong = 1000 - round(10 * each.test)
            right = np.ones(1000, bool)
            right[-wrong:] = False
            right = right[::-1] if each.candidate_id == "best" else right
            name = keep_predictions(found.folder, np.stack([~right, right], 1), np.ones(1000, int))
            each = dataclasses.replace(each, predictions=name)
        made.append(each)
    row = Results(found.study, tuple(made)).confirmations[1]
    assert row.low_two_way < 0 < row.low
    assert row.p_holm < 0.05
    assert row.verdict == "inconclusive"
    (told,) = told_of(Results(found.study, tuple(made)))
    assert "inconclusive; with other images -" in told


def test_the_seeds_that_a_confirmation_began_with_are_kept():
    def asked(seeds, before=None, records=()):
        return registered(describe(study(search, Confirmation(seeds=seeds))), before, records)

    first = asked(3)
    assert asked(5, first).confirmed[0].first == 5  # nothing had been looked at
    begun = [record(quick, role="confirmation", seed=1, crops=1)]
    later = asked(5, first, begun)
    assert [(plan.first, plan.seeds) for plan in later.confirmed] == [(3, 5)]
    plain = registered(describe(study(search)), later, begun)
    assert plain.confirmed == later.confirmed
    assert from_json(to_json(plain), READABLE) == plain


def test_runs_under_another_protocol_or_crops_are_never_compared():
    found = confirmed([90.0, 90.5], [91.0, 91.25])
    *others, last = found.records
    other = dataclasses.replace(last.protocol, threads=2)
    unlike = Results(found.study, (*others, dataclasses.replace(last, protocol=other)))
    assert unlike.confirmations[1].n == 1
    ten = Results(found.study, (*others, dataclasses.replace(last, crops=10)))
    assert [(row.name, row.n, row.crops) for row in ten.confirmations] == [
        ("baseline", 2, 1), ("trial 1", 1, 1), ("trial 1", 0, 10),
    ]  # fmt: skip
    one, many = ten.confirmations[1:]
    assert many.mult_adds == 10 * one.mult_adds


def test_a_confirmed_candidate_is_no_longer_exploratory_and_loses_the_score_it_was_chosen_by():
    found = confirmed([90.0, 90.5], [91.0, 91.25])
    rows = {row.name: row for row in found.candidates}
    best = rows["trial 1"]
    assert (best.n, best.exploratory) == (2, False)
    assert best.mean == pytest.approx(90.125)  # of the validation split: not 97, not the test's
    assert rows["trial 2"].exploratory
    assert best in pareto(found.candidates)
    assert [(row.name, row.mean) for row in found.explored] == [
        ("trial 1", 97.0), ("trial 2", 95.0),
    ]  # fmt: skip


def test_a_confirmation_of_another_fidelity_is_not_mixed_into_the_searchs_scores():
    found = confirmed([90.0, 90.5], [91.0, 91.25])
    longer = {"recipe": {"fidelity": {"epochs": 99}}}
    changed = tuple(
        dataclasses.replace(r, experiment=dict(r.experiment) | longer) if r.crops else r
        for r in found.records
    )
    rows = {row.name: row for row in Results(found.study, changed).candidates}
    assert (rows["trial 1"].n, rows["trial 1"].mean) == (1, 97.0)
    assert Results(found.study, changed).confirmations[1].n == 2


def test_the_report_has_the_table_its_file_and_a_filled_point(tmp_path):
    found = confirmed([90.0, 90.5], [91.0, 91.25])
    first = build([found], tmp_path / "site")
    assert "trial 1: 91.12 % on the test split at 1,000 mult-adds" in first.read_text()
    (page,) = (tmp_path / "site" / "studies").glob("*/index.html")
    assert 'data-table="confirmation"' in page.read_text()
    assert "read 4 times" in page.read_text()
    (file,) = (tmp_path / "site" / "data").glob("*/confirmation.csv")
    assert len(file.read_text().splitlines()) == 3
    names = [trace.name for trace in frontier(found.candidates, None).data]
    assert "confirmed, several seeds" in names


def test_the_command_confirms_shows_and_counts_the_looks(home, monkeypatch):
    monkeypatch.chdir(home)
    only_search = MINE.replace("Ablation(over=parts.around(base), seeds=range(2))", "")
    (home / "mine.py").write_text(only_search)
    nas("run", "mine.py", "--local")
    assert "no finished confirmation run" in nas("confirm", "mine.py", "--show", code=5).stderr
    made = nas("confirm", "mine.py", "--top", 1, "--seeds", 2, "--local")
    assert "the test split has been read 4 times" in made.stdout
    shown = nas("confirm", "mine.py", "--show", "-f", "json")
    rows = json.loads(shown.stdout)
    assert [row["n"] for row in rows] == [2, 2]
    assert rows[0]["name"] == "baseline"
    status = nas("status", "mine.py").stdout
    assert "on 2 fresh seeds and the test split: " in status
    assert nas("effects", "mine.py", "-f", "json").stdout == shown.stdout
    assert "with images" in nas("effects", "mine.py").stdout
    assert "7 of 7 planned runs are over" in status
    assert "the test split has been read 4 times" in status
    assert "test, %" in nas("trials", "mine.py").stdout
    refused = nas("confirm", "mine.py", "--trials", 9, "--local", code=2)
    assert "3 of 9 trials are over" in refused.stderr


def test_what_a_study_or_a_run_of_before_is_stored_as_has_not_changed(home):
    asked = search_only(1)
    assert "confirmations" not in to_json(describe(asked))
    assert to_json(describe(asked.confirming(0, 2)))["confirmations"] == 2
    assert asked.confirming().full_name == asked.full_name
    run(asked, sqlite(home), local=True)
    (trial,) = optuna.load_study(study_name=asked.full_name, storage=sqlite(home)).trials
    assert not {"crops", "test"} & set(trial.user_attrs)


def test_a_study_that_was_never_confirmed_has_nothing_to_show(home):
    with pytest.raises(NothingToReport):
        search_only(1).confirmations(sqlite(home))
