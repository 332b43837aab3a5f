import dataclasses
import json

import numpy as np
import pytest

from nas import Ablation, Budget, relative, versus
from nas.base.errors import NothingFits, NothingToReport
from nas.engine.driver import run
from nas.engine.pilot import cheaper, findings, pilot
from nas.plan.description import describe
from nas.plan.steps import total
from nas.space.space import SearchSpace
from nas.store.database import connect
from nas.store.reading import records
from nas.store.writing import Ledger
from search_spaces.tiny import parts
from tests.commands import MINE, nas
from tests.examples import search_only, small_study, sqlite


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("NAS_HOME", str(tmp_path))
    monkeypatch.setattr("nas.engine.forecast.DRAWS", 20_000)


STUDY = search_only(12, Budget(mult_adds=relative(1.0)))


def said(full, folder):
    return {row.item: row for row in findings(STUDY, full, None, sqlite(folder))}


def stored(study, folder):
    with connect(sqlite(folder)) as storage:
        return records(storage, study.full_name)


def test_a_pilot_has_different_candidates_that_fit_and_a_larger_one_has_the_same_first():
    study = small_study()
    small, large = pilot(study, 4), pilot(study, 6, seeds=3)
    assert small.full_name == large.full_name != study.full_name
    assert (total(small), total(large)) == (8, 18)
    (few,), (more,) = small.plans, large.plans
    assert few.candidates == more.candidates[:4]
    assert len({candidate.experiment.candidate_id for candidate in more.candidates}) == 6
    excess = [study.space.excess(c, study.budget) for c in more.candidates]
    assert all(over["mult_adds"] <= 0 for over in excess)


def test_a_pilot_that_the_space_cannot_fill_says_how_many_there_are():
    with pytest.raises(ValueError, match="3 candidates and 2 seeds or more, not 2 and 2"):
        pilot(small_study(), 2)
    study = search_only(3)
    leaf = {"network.normalization": versus(off="none")}
    narrow = SearchSpace(study.space.canonical, leaf)
    with pytest.raises(ValueError, match="found only 2 different candidates that fit; a pilot of"):
        pilot(dataclasses.replace(study, space=narrow), 3)
    with pytest.raises(NothingFits):
        pilot(search_only(3, Budget(mult_adds=10)), 3)


def test_a_cheap_pilot_has_the_same_candidates_on_the_first_seed_in_a_study_of_its_own():
    full = pilot(small_study(), 4)
    cheap = cheaper(full, {"epochs": 1, "share": 0.5})
    assert cheap.name == "small-pilot-epochs1-share0_5"
    (dear,), (short,) = full.plans, cheap.plans
    assert short.seeds == (0,)
    fidelities = {c.experiment.recipe.fidelity for c in short.candidates}
    assert [(f.epochs, f.share) for f in fidelities] == [(1, 0.5)]
    ids = [[c.experiment.candidate_id for c in plan.candidates] for plan in (dear, short)]
    assert ids[0] == ids[1]
    with pytest.raises(ValueError, match="epochs, share, image_size; not 'seeds'"):
        cheaper(full, {"seeds": 1})
    with pytest.raises(ValueError, match="the study's own"):
        cheaper(full, {"epochs": 2})


@pytest.fixture(scope="module")
def over(tmp_path_factory):
    """A folder with the pilots of STUDY on three candidates and then on four, which were run."""
    folder = tmp_path_factory.mktemp("over")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAS_HOME", str(folder))
        for candidates in (3, 4):
            run(pilot(STUDY, candidates), sqlite(folder), local=True)
    return folder


def test_a_larger_pilot_trains_what_a_smaller_one_has_not_and_each_reads_its_own(over):
    made = stored(pilot(STUDY, 4), over)
    assert [r.role for r in made] == ["pilot"] * 8
    assert all(r.state == "complete" and r.decisions for r in made)
    assert said(pilot(STUDY, 4), over)["pilot"].value == 8
    assert said(pilot(STUDY, 3), over)["pilot"].value == 6


def test_a_pilot_says_what_its_scores_consist_of_and_what_a_search_could_find(over):
    by = {}
    for record in stored(pilot(STUDY, 4), over):
        by.setdefault(record.candidate_id, {})[record.seeds.init] = record.score
    grid = np.array([[row[0], row[1]] for row in by.values()])
    found = said(pilot(STUDY, 4), over)
    assert f"{grid.mean():.2f} % on average" in found["pilot"].detail
    spread = (grid[:, 0] - grid[:, 1]).std(ddof=1) / np.sqrt(2)
    image = 100 / STUDY.space.canonical.recipe.data.validation
    assert found["seed"].value == pytest.approx(max(spread, image), abs=0.006)
    assert found["ICC"].low <= found["ICC"].value <= found["ICC"].high
    assert "best of 11 random candidates" in found["gain"].detail
    assert found["beats lots"].value == ("yes" if found["ICC"].low > 0 else "not shown")


def test_a_study_without_a_search_is_told_of_its_variance_alone(over):
    plan = Ablation(over=parts.around(STUDY.space.canonical))
    told = findings(dataclasses.replace(STUDY, plan=plan), pilot(STUDY, 4), None, sqlite(over))
    assert [row.item for row in told] == ["pilot", "architecture", "seed", "ICC"]


def test_a_candidate_without_a_score_on_each_seed_is_told_and_left_out(over, monkeypatch):
    kept = stored(pilot(STUDY, 4), over)
    monkeypatch.setattr("nas.engine.pilot.records", lambda *_: kept[:-1])
    found = said(pilot(STUDY, 4), over)["pilot"]
    assert found.value == 6
    assert found.detail.endswith("; 1 have no score on each seed")


def test_cheap_runs_are_held_against_the_plans_first_seed_in_whatever_order_runs_are_stored(
    over, monkeypatch
):
    full = pilot(STUDY, 4)
    cheap, kept = cheaper(full, {"epochs": 1}), stored(full, over)
    short = [run for run in kept if run.seeds.init == 0]
    told = []
    for runs in (kept, kept[::-1]):
        found = {full.full_name: runs, cheap.full_name: short}
        monkeypatch.setattr("nas.engine.pilot.records", lambda _, name, found=found: found[name])
        monkeypatch.setattr("nas.engine.pilot.study_record", lambda *_: describe(full))
        rows = {row.item: row for row in findings(STUDY, full, cheap, sqlite(over))}
        told.append([rows[item] for item in ("cheap rank", "ceiling", "saved")])
    assert told[0] == told[1]


def test_a_pilot_that_has_not_run_is_told_so(tmp_path):
    full = pilot(STUDY, 3)
    with connect(sqlite(tmp_path)) as storage:
        Ledger(storage, describe(full))
    with pytest.raises(NothingToReport, match="0 of 3 candidates have a score on each of the 2"):
        findings(STUDY, full, None, sqlite(tmp_path))


def test_a_plan_with_a_pilot_is_the_plan_and_what_the_pilot_found_and_trains_once(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MINE)
    words = ("plan", "mine.py", "--pilot", "--candidates", 3, "--local", "-f", "json",
             "--fidelity", "epochs=1,share=0.5")  # fmt: skip
    first = nas(*words)
    rows = {row["item"]: row for row in json.loads(first.stdout)}
    assert {"runs", "hours", "ICC", "gain", "beats lots", "ceiling", "saved"} <= set(rows)
    assert rows["cheap rank"]["detail"].startswith("a cheap run (epochs 1, share 0.5) with full")
    assert rows["saved"]["value"] > 0
    assert first.stderr.count("pilot, complete") == 9
    again = nas(*words)
    assert "pilot, complete" not in again.stderr
    repeated = {row["item"]: row for row in json.loads(again.stdout)}
    assert repeated["ICC"] == rows["ICC"]
    assert repeated["ceiling"] == rows["ceiling"]
    plain = nas(*words[:6]).stdout
    assert "of the variance of scores on one seed is architecture" in plain
    assert nas("trials", "mine-pilot").stdout.count("pilot") == 6


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--seeds", 3), "are about how a pilot runs: say --pilot too"),
        (("--pilot", "--fidelity", "epochs"), "no list such as epochs=3,share=0.5"),
        (("--pilot", "--fidelity", "epoch=3"), "epochs, share, image_size; not 'epoch'"),
        (("--pilot", "--fidelity", "epochs=0"), "Fidelity.epochs must be 1 or more, not 0"),
        (("--pilot", "--fidelity", "epochs=2"), "the fidelity is the study's own"),
    ],
)
def test_what_makes_no_pilot_is_refused_before_anything_runs(tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MINE)
    assert said in nas("plan", "mine.py", *words, code=2).stderr
    assert not (tmp_path / "nas.db").exists()
