import dataclasses
import math
from statistics import median

import numpy as np
import pytest

from nas import Ablation, Budget, Confirmation, edit, relative
from nas.cli.look import _amount
from nas.engine.driver import run
from nas.engine.forecast import forecast
from nas.engine.machine import Room
from nas.stats.paired import visible
from nas.store.database import connect
from nas.store.reading import records
from search_spaces.tiny import parts
from tests.examples import BASE, search_only, small_study, sqlite


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("NAS_HOME", str(tmp_path))
    monkeypatch.setattr("nas.engine.forecast.DRAWS", 20_000)


@pytest.fixture(scope="module")
def over(tmp_path_factory):
    """A folder with small_study(trials=2), which was run."""
    folder = tmp_path_factory.mktemp("over")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAS_HOME", str(folder))
        run(small_study(trials=2), sqlite(folder), local=True)
    return folder


def rows(study, folder):
    return {row.item: row for row in forecast(study, sqlite(folder))}


def test_a_plan_counts_runs_space_and_budget_and_writes_nothing(tmp_path):
    study = small_study()
    found = rows(study, tmp_path)
    assert found["runs"].value == 15
    assert found["search"].value == 4
    assert found["ablation"].value == 12
    assert found["space"].value == study.space.size
    assert found["budget"].value == found["baseline"].value == 345_952
    assert list(tmp_path.iterdir()) == []


def test_the_share_that_fits_is_that_of_all_draws(tmp_path):
    study = search_only(2, Budget(mult_adds=relative(1.0)))
    share = rows(study, tmp_path)["fits"].value
    rng = np.random.default_rng(7)
    points = study.space.points
    drawn = [study.space.at(points.decisions(int(i))) for i in rng.integers(0, points.size, 2000)]
    fitting = np.mean([max(study.space.excess(c, study.budget).values()) <= 0 for c in drawn])
    assert abs(share - fitting) < 4 * math.sqrt(0.25 / 2000)


def test_the_hours_are_those_of_the_measured_epochs_once_there_are_some(tmp_path, over):
    study = small_study(trials=2)
    before = rows(study, tmp_path)
    assert "measured on the baseline here, now" in before["a run"].detail
    assert before["a run"].value > 0
    after = rows(study, over)
    assert "the median of 2 runs of the baseline" in after["a run"].detail
    assert "13 are done" in after["runs"].detail


def test_the_hours_are_those_of_the_runs_that_are_left(over, monkeypatch):
    study = small_study(trials=2)
    assert rows(study, over)["hours"].value == 0
    monkeypatch.setattr("nas.engine.forecast.here", lambda: Room(node="", host="", cpus=4, gpus=0))
    more = small_study(trials=2, ablation_seeds=5)
    found = rows(more, over)
    left, at_once = 6 * 3, 4
    assert found["hours"].detail.startswith("18 runs on this machine, 4 at a time")
    expected = left * found["a run"].value / 3600 / at_once
    assert found["hours"].value == pytest.approx(expected, abs=0.0005)
    with connect(sqlite(over)) as storage:
        done = [r for r in records(storage, study.full_name) if r.role in ("reference", "baseline")]
    spans = sorted(r.ended - r.started for r in done)
    assert found["a run"].value == pytest.approx(median(spans), abs=0.06)


def test_the_visible_effect_is_in_points_once_the_baseline_has_run(tmp_path):
    study = dataclasses.replace(
        small_study(), plan=Ablation(over=parts.around(BASE), seeds=range(3))
    )
    before = rows(study, tmp_path)["visible"]
    assert (before.unit, before.value) == ("sd", round(visible(3, 4), 2))
    run(study, sqlite(tmp_path), local=True)
    after = rows(study, tmp_path)["visible"]
    assert after.unit == "points"
    table = study.effects(sqlite(tmp_path)).set_index("change")
    expected = visible(3, 4) * math.sqrt(2) * table.loc["baseline", "sd"]
    assert after.value == pytest.approx(expected, abs=0.005)


def test_a_plan_of_one_of_each_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("nas.engine.forecast.seconds_an_epoch", lambda *_: 1.0)
    once = edit(BASE, {"recipe.fidelity.epochs": 1})
    norm = parts.around(once).restrict(
        {name: [domain.default] for name, domain in parts.domains.items() if name != "batch norm"}
    )
    plan = Ablation(over=norm, seeds=range(2)), Confirmation(top=0, seeds=1)
    found = rows(dataclasses.replace(search_only(2), space=norm, plan=plan), tmp_path)
    assert "3 arms on 2 seeds: baseline, A/A, no batch norm" in found["ablation"].detail
    assert "on 1 fresh seed, 1 epoch each" in found["confirmation"].detail
    assert found["device"].detail.startswith("a trial asks for 1 CPU and 0 GPUs")
    assert "2 seeds show in 80 % of cases, among 1 change; " in found["visible"].detail
    assert _amount(found["confirmation"].value, found["confirmation"].unit) == "1 run"
    assert _amount(1200, "candidates") == "1,200 candidates"


def test_a_data_set_that_is_not_here_leaves_the_hours_unknown(tmp_path):
    imagenet = edit(BASE, {"recipe.dataset": "imagenet"})
    study = search_only(2)
    study = dataclasses.replace(study, space=study.space.around(imagenet))
    row = rows(study, tmp_path)["hours"]
    assert row.value is None
    assert "imagenet" in row.detail


def test_the_smallest_visible_effect_is_what_simulations_see():
    # 2.97 at n = 6 and 0.05 / 24 stands in statistics.md; 80 % of normal samples show it.
    assert visible(6, 24) == pytest.approx(2.97, abs=0.005)
    rng = np.random.default_rng(0)
    from scipy import stats

    for n, family in ((3, 1), (6, 4), (8, 12)):
        draws = rng.normal(visible(n, family), 1, (100_000, n))
        t = draws.mean(1) / draws.std(1, ddof=1) * math.sqrt(n)
        seen = (abs(t) > stats.t.isf(0.025 / family, n - 1)).mean()
        assert seen == pytest.approx(0.8, abs=4 * math.sqrt(0.16 / 100_000))
    assert visible(1) == math.inf
