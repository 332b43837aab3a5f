import importlib.util
import math

import pandas as pd
import pytest

from nas import Ablation, SearchSpace, Study, compare, edit, tiny_googlenet, versus
from nas.plan.arms import CONTROL
from nas.plan.registration import with_seeds
from nas.results.tables import Results, frame
from nas.study import drive
from reports.case import Case
from reports.files import compared


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


def test_runs_have_a_column_a_decision(study):
    table = study.trials()
    names = list(table.columns)
    assert names[names.index("network_id") + 1 :] == list(study.space.domains)
    best = study.results().best
    labels = table.set_index("number").loc[best.number, list(study.space.domains)]
    decided = {record.number: record.decisions for record in study.results().records}
    assert dict(labels) == decided[best.number]


def test_a_run_that_is_not_over_leaves_its_row_unfinished(study):
    found = study.results()
    fewer = tuple(r for r in found.records if (r.change, r.seeds.init) != ("no aux heads", 1))
    rows = {row.change: row for row in Results(found.study, fewer).effects}
    assert (rows["no aux heads"].verdict, rows["no aux heads"].waiting) == ("unfinished", 1)
    assert rows["no batch norm"].verdict != "unfinished"


class Drawn:
    """A job whose score is told by the four streams of its seed, and that trains nothing."""

    def __init__(self, job):
        self.job = job

    def step(self):
        streams = zip((1.0, 0.7, 0.3, 0.1), self.job["seeds"].values(), strict=True)
        nothing = dict.fromkeys(("train_loss", "train_accuracy", "loss", "lr"), math.nan)
        epoch = nothing | {
            "epoch": 1, "seconds": 1.0, "images_per_second": 1.0,
            "accuracy": 90 + sum(weight * (number * 7 % 11) / 11 for weight, number in streams),
        }  # fmt: skip
        return {"number": self.job["number"], "epochs": [epoch], "outcome": "complete"}


STREAMS = {
    "baseline": "all",
    "only the split varies": "split",
    "the split is held": "init/order/dropout",
    "only the initialization varies": "init",
    "the initialization is held": "split/order/dropout",
    "only the order varies": "order",
    "the order is held": "split/init/dropout",
    "only the dropout varies": "dropout",
    "the dropout is held": "split/init/order",
    CONTROL: "all",
}


def test_a_seed_of_a_streams_ablation_is_the_number_of_the_streams_that_vary(tmp_path, monkeypatch):
    monkeypatch.setenv("NAS_HOME", str(tmp_path))
    base = edit(tiny_googlenet, {"recipe.dataset": "synthetic", "recipe.fidelity.epochs": 1})
    space = SearchSpace(base, {"network.normalization": versus(off="none")})
    plan = Ablation(design="streams", seeds=(3, 5, 9))
    study = Study(name="streams", question="?", space=space, plan=plan)
    drive(study, None, local=True, work=Drawn)
    table = study.seeds()
    streams = table.groupby("change", sort=False)["stream"].agg(set)
    assert dict(streams) == {change: {stream} for change, stream in STREAMS.items()}
    paired = table[table["change"] != CONTROL]
    assert {tuple(own) for _, own in paired.groupby("change")["seed"]} == {(3, 5, 9)}

    file = compared(study.results().effects, study.results().seeds)["seeds.csv"]
    (tmp_path / "seeds.csv").write_text(file)
    assert file.startswith("change,kind,stream,seed,score,")
    again = compare(
        pd.read_csv(tmp_path / "seeds.csv"), baseline="baseline", variant="change", control=CONTROL,
        resolution=study.results().resolution,
    )  # fmt: skip
    known = study.effects().set_index("change")["delta"].dropna()
    assert again.set_index("change")["delta"][known.index].tolist() == pytest.approx(known.tolist())


def test_seeds_that_were_added_and_interrupted_are_run_by_the_next_call(tmp_path, monkeypatch):
    monkeypatch.setenv("NAS_HOME", str(tmp_path))
    base = edit(tiny_googlenet, {"recipe.dataset": "synthetic", "recipe.fidelity.epochs": 1})
    space = SearchSpace(base, {"network.normalization": versus(off="none")})
    plan = Ablation(seeds=range(2), kinds=("raw", "retuned"), rates=(1.0, 3.0))
    study = Study(name="grown", question="?", space=space, plan=plan)
    drive(study, None, local=True, work=Drawn)

    def interrupted(job):
        raise KeyboardInterrupt

    more = with_seeds(study, 2, study.results().study)
    assert drive(more, None, local=True, work=interrupted).interrupted
    drive(study, None, local=True, work=Drawn)
    results = study.results()
    assert {row.n for row in results.effects} == {4}
    # An arm that keeps its own rate shares its runs, which is known once the plan is met.
    assert results.study.planned == len(results.records) == 20
