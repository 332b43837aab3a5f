import importlib.util

import pytest

from nas.results.tables import Results, frame
from reports.case import Case


@pytest.fixture
def study(ran, monkeypatch):
    """A study that was run: a search of three trials and an ablation on two seeds."""
    monkeypatch.setenv("NAS_HOME", str(ran[0] / "out"))
    spec = importlib.util.spec_from_file_location("mine_on_the_desk", ran[0] / "mine.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.study


def test_effects_seeds_and_frontier_are_frames_of_the_same_runs(study):
    effects, seeds = study.effects(), study.seeds()
    apart = seeds.groupby("change", sort=False)["difference"].mean()
    assert list(apart.index) == list(effects["change"])
    known = effects.set_index("change")["delta"].dropna()
    assert apart[known.index].to_numpy() == pytest.approx(known.to_numpy())
    front = study.frontier()
    assert list(front["mult_adds"]) == sorted(front["mult_adds"])
    assert front["on_front"].any()


def test_a_design_without_pairs_has_no_interactions_but_their_columns(study):
    table = study.interactions()
    assert len(table) == 0
    assert {"first", "second", "delta", "low", "high", "p_holm", "aliases"} <= set(table.columns)


def test_a_short_search_has_a_row_of_importance_for_each_decision_and_no_number(study):
    table = study.importance()
    assert list(table["column"]) == list(study.space.domains)
    assert table["importance"].isna().all()
    assert set(table["n"]) == {2}
    assert table.equals(frame(Case(study.results()).importance))


def test_a_run_that_is_not_over_leaves_its_row_unfinished(study):
    found = study.results()
    fewer = tuple(r for r in found.records if (r.change, r.seeds.init) != ("no aux heads", 1))
    rows = {row.change: row for row in Results(found.study, fewer).effects}
    assert (rows["no aux heads"].verdict, rows["no aux heads"].waiting) == ("unfinished", 1)
    assert rows["no batch norm"].verdict != "unfinished"
