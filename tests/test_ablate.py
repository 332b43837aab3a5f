from dataclasses import dataclass, replace

import optuna
import pytest

from nas import Node, ablate
from nas.base.errors import StudyStopped
from nas.cli.findings import notes
from nas.results.tables import Results
from nas.store.database import connect
from nas.store.reading import records, study_record
from reports.case import Case
from reports.page import Table
from reports.site import pages
from tests.commands import nas
from tests.examples import sqlite


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("NAS_HOME", str(tmp_path))


def noisy(config, seed):
    """Ten points for each unit of depth, two for width in deep ones, and half a point of noise."""
    base = 50 + 10 * config["depth"] + 2 * config["width"] * (config["depth"] > 1)
    return base + (seed * 7919 % 13 - 6) / 12


BASE = {"depth": 3, "width": 2}
CHANGES = {"shallow": {"depth": 1}, "narrow": {"width": 1}}


def stored(tmp_path, name="ablate"):
    with connect(sqlite(tmp_path)) as storage:
        study = study_record(storage, name)
        return study, records(storage, study.full_name)


def test_a_function_gets_the_table_of_an_ablation(tmp_path):
    table = ablate(noisy, BASE, CHANGES, seeds=range(4), resolution=0.01, storage=sqlite(tmp_path))
    rows = table.set_index("change")
    assert list(rows.index) == ["baseline", "shallow", "narrow", "A/A (other seeds)"]
    assert rows.loc["shallow", ["n", "verdict"]].tolist() == [4, "worse"]
    assert rows.loc["shallow", "delta"] == pytest.approx(-24)
    assert rows.loc["narrow", "delta"] == pytest.approx(-2)
    study, runs = stored(tmp_path)
    assert len(runs) == 16
    assert study.registered
    assert [arm.change for arm in study.arms if arm.role == "change"] == list(CHANGES)


def test_pairs_of_changes_are_both_made(tmp_path):
    table = ablate(noisy, BASE, CHANGES, seeds=range(3), design="pairs", storage=sqlite(tmp_path))
    both = table.set_index("change").loc["shallow + narrow"]
    assert both["delta"] == pytest.approx(-24)


def test_what_two_changes_do_together_is_told_in_the_digits_of_the_scores(tmp_path):
    def small(config, seed):
        return noisy(config, seed) / 1000

    asked = {"seeds": range(4), "design": "pairs", "resolution": 1e-5}
    ablate(small, BASE, CHANGES, **asked, storage=sqlite(tmp_path))
    found = Results(*stored(tmp_path))
    # Shallow ones lose nothing by being narrow: +2 in thousands.
    (said,) = (line for line in notes(found) if "together" in line)
    assert "shallow x narrow: together +0.0020" in said


def test_the_same_call_goes_on_where_it_was_killed(tmp_path):
    calls = []

    def dies(config, seed):
        calls.append((config["depth"], seed))
        if len(calls) == 6:
            raise KeyboardInterrupt
        return noisy(config, seed)

    def goes_on(config, seed):
        calls.append((config["depth"], seed))
        return noisy(config, seed)

    with pytest.raises(KeyboardInterrupt):
        ablate(dies, BASE, CHANGES, seeds=range(4), storage=sqlite(tmp_path))
    assert len(calls) == 6
    goes_on.__name__ = "dies"
    table = ablate(goes_on, BASE, CHANGES, seeds=range(4), storage=sqlite(tmp_path))
    assert len(calls) == 6 + 16 - 5
    assert set(table["n"]) == {4}
    again = ablate(goes_on, BASE, CHANGES, seeds=range(4), storage=sqlite(tmp_path))
    assert len(calls) == 6 + 16 - 5
    assert again.equals(table)


def test_more_changes_go_on_with_the_same_study_and_say_so(tmp_path):
    ablate(noisy, BASE, {"shallow": {"depth": 1}}, seeds=range(3), storage=sqlite(tmp_path))
    ablate(noisy, BASE, CHANGES, seeds=range(3), storage=sqlite(tmp_path))
    study, runs = stored(tmp_path)
    assert len(runs) == 12
    assert [bool(arm.added) for arm in study.arms if arm.role == "change"] == [False, True]


def test_scores_below_zero_are_not_taken_for_guessing(tmp_path):
    def loss(config, seed):
        return noisy(config, seed) - 100

    table = ablate(loss, BASE, CHANGES, seeds=range(3), storage=sqlite(tmp_path))
    assert not any(table["at_chance"])


@pytest.mark.parametrize(("resolution", "said"), [(0.0, "inconclusive"), (0.1, "worse")])
def test_a_score_without_any_noise_wants_its_step(tmp_path, resolution, said):
    def score(config, seed):
        return float(config["depth"])

    table = ablate(
        score, BASE, {"shallow": {"depth": 1}}, seeds=range(3), resolution=resolution,
        storage=sqlite(tmp_path),
    )  # fmt: skip
    assert table["verdict"][1] == said
    assert stored(tmp_path)[0].resolution == resolution


@dataclass(frozen=True, kw_only=True)
class Settings:
    lr: float = 0.1
    steps: int = 10


@dataclass(frozen=True, kw_only=True)
class Tree(Node):
    lr: float = 0.1
    steps: int = 10


@pytest.mark.parametrize("config", [Settings(), Tree(), {"lr": 0.1, "steps": 10}])
def test_a_configuration_may_be_of_any_kind(tmp_path, config):
    seen = set()

    def score(given, seed):
        seen.add(type(given))
        return (given["lr"] if isinstance(given, dict) else given.lr) + seed

    changed = {"slow": {"lr": 0.01}}
    table = ablate(score, config, changed, seeds=range(2), storage=sqlite(tmp_path))
    assert seen == {type(config)}
    assert table["delta"][1] == pytest.approx(-0.09)


def test_a_change_may_be_a_function(tmp_path):
    def score(given, seed):
        return given.lr * given.steps + seed

    halved = {"half": lambda config: replace(config, lr=config.lr / 2)}
    table = ablate(score, Settings(), halved, seeds=range(2), storage=sqlite(tmp_path))
    assert table["delta"][1] == pytest.approx(-0.5)


def test_a_score_that_is_no_number_is_a_diverged_run(tmp_path):
    def score(config, seed):
        return float("nan") if config["depth"] == 1 and seed == 1 else noisy(config, seed)

    table = ablate(score, BASE, CHANGES, seeds=range(4), resolution=0.01, storage=sqlite(tmp_path))
    _, runs = stored(tmp_path)
    assert [r.reason for r in runs if r.state == "diverged"] == ["the score was nan"]
    row = table.set_index("change").loc["shallow"]
    assert row[["n", "verdict", "diverged", "note"]].tolist() == [
        3, "incomplete", 1, "1 of 4 have no score",
    ]  # fmt: skip


def test_an_error_of_the_function_is_kept_and_five_alike_stop_the_study(tmp_path):
    def once(config, seed):
        if config["depth"] == 1 and seed == 1:
            raise RuntimeError("no such device")
        return noisy(config, seed)

    table = ablate(once, BASE, CHANGES, seeds=range(3), resolution=0.01, storage=sqlite(tmp_path))
    assert list(table["verdict"][1:3]) == ["incomplete", "worse"]
    _, runs = stored(tmp_path)
    failed = [r.reason for r in runs if r.state == "failed"]
    assert failed == ["RuntimeError: no such device"]

    def always(config, seed):
        raise RuntimeError("no such device")

    with pytest.raises(StudyStopped, match="5 trials failed alike: RuntimeError: no such device"):
        ablate(always, BASE, CHANGES, name="other", storage=sqlite(tmp_path))


@pytest.mark.parametrize(
    ("baseline", "changes", "message"),
    [
        (BASE, {}, "needs a change"),
        (BASE, {"deep": {"depht": 4}}, "sets 'depht', and the baseline has depth, width; did you mean depth"),
        (BASE, {"same": {"depth": 3}}, "the change 'same' changes nothing in the baseline"),
        (BASE, {"one": {"depth": 1}, "two": {"depth": 1}}, "'one' and 'two' make the same network and recipe"),
        ({"f": noisy}, {"one": {"f": 1}}, "a configuration is stored as JSON, and this one cannot be"),
        (BASE, ["deep"], r"changes are \{what it is called: the values it sets\}, not \['deep'\]"),
        (BASE, {"deep": 4}, "the change 'deep' is the values that it sets, .* to another, not 4"),
        (BASE, {"baseline": {"depth": 1}}, "'baseline' is a row of every table: call the change otherwise"),
        (BASE, {"A/A (other seeds)": {"depth": 1}}, r"'A/A \(other seeds\)' is a row of every table"),
        (3, {"one": {"f": 1}}, "a baseline is a dict, a dataclass or a nas.Node, not a int"),
    ],
)  # fmt: skip
def test_a_mistake_is_refused_before_anything_runs(tmp_path, baseline, changes, message):
    with pytest.raises(ValueError, match=message):
        ablate(noisy, baseline, changes, storage=sqlite(tmp_path))
    assert not (tmp_path / "small.db").exists()


def test_a_number_of_seeds_is_no_seeds(tmp_path):
    with pytest.raises(ValueError, match=r"Ablation.seeds takes seeds such as range\(6\), not 8"):
        ablate(noisy, BASE, CHANGES, seeds=8, storage=sqlite(tmp_path))


@pytest.mark.parametrize("other", [{"seeds": range(20, 23)}, {"design": "factorial"}])
def test_other_seeds_and_another_design_want_another_name(tmp_path, other):
    asked = {"seeds": range(3), "resolution": 0.01, "storage": sqlite(tmp_path)}
    ablate(noisy, BASE, CHANGES, **asked)
    with pytest.raises(ValueError, match=r"that it began with: .* Give the study another name"):
        ablate(noisy, BASE, CHANGES, **(asked | other))
    assert len(stored(tmp_path)[1]) == 12
    more = ablate(noisy, BASE, CHANGES, **(asked | {"seeds": range(4)}))
    assert set(more["n"]) == {4}


def test_what_is_taken_back_is_called_without(tmp_path):
    table = ablate(
        noisy, BASE, CHANGES, seeds=range(2), design="one_in", resolution=0.01,
        storage=sqlite(tmp_path),
    )  # fmt: skip
    assert list(table["change"][1:3]) == ["without shallow", "without narrow"]
    assert table["verdict"][1] == "better"


def test_scores_of_a_function_are_in_its_own_units_and_cost_nothing(tmp_path):
    def share(config, seed):
        return noisy(config, seed) / 100

    ablate(share, BASE, CHANGES, seeds=range(4), margin=0.05, resolution=0.0001,
           storage=sqlite(tmp_path))  # fmt: skip
    made = list(pages([Case(Results(*stored(tmp_path)))]))
    assert [page.kind for page in made] == ["catalogue", "study", "ablation", "trials", "methods"]
    for page in made[1:4]:
        texts = [
            page.headline,
            page.footer,
            *(f"{tile.value} {tile.detail}" for tile in page.tiles),
        ]
        for section in page.sections:
            texts += [section.finding, *(
                column.title for part in section.parts if isinstance(part, Table)
                for column in part.columns
            )]  # fmt: skip
        said = " ".join(texts).replace("95 % interval", "").replace("80 % power", "")
        assert not [word for word in ("%", "points", "mult-adds", "parameters") if word in said]
    assert "−0.2400 (" in made[2].sections[0].finding
    told = nas("effects", "ablate", "--storage", sqlite(tmp_path)).stdout
    head, first, *_ = told.splitlines()
    assert ("mean " in head, "mean %" in head, "mult-adds" in head) == (True, False, False)
    assert "0.8375" in first
    assert "a difference of 0.0003 is seen" in told
    told = nas("trials", "ablate", "--storage", sqlite(tmp_path)).stdout
    assert ("score" in told, "%" in told) == (True, False)


def test_a_function_may_be_called_as_a_data_set(tmp_path):
    def digits(config, seed):
        return noisy(config, seed)

    made = ablate(digits, BASE, CHANGES, seeds=range(2), storage=sqlite(tmp_path))
    assert len(made) == len(CHANGES) + 2


@pytest.mark.parametrize("design", ["one_out", "pairs", "factorial"])
def test_of_a_loss_the_lower_is_better_in_tables_pages_and_dashboards(design, tmp_path):
    url = sqlite(tmp_path)

    def loss(config, seed):
        return 100 - noisy(config, seed)

    how = {"seeds": range(5), "design": design, "resolution": 0.01, "storage": url}
    low = ablate(loss, BASE, CHANGES, name="low", higher_is_better=False, **how)
    high = ablate(noisy, BASE, CHANGES, name="high", **how)
    rows, same = low.set_index("change"), high.set_index("change")
    assert list(rows["verdict"]) == list(same["verdict"])
    assert list(rows["wins"].dropna()) == list(same["wins"].dropna())
    assert rows["p_holm"].tolist() == pytest.approx(same["p_holm"].tolist(), nan_ok=True)
    assert rows.loc["shallow", "delta"] == pytest.approx(-same.loc["shallow", "delta"])
    study, runs = stored(tmp_path, "low")
    results = Results(study, tuple(runs))
    assert not results.baseline.subject.higher_is_better
    page = next(each for each in pages([Case(results)]) if each.kind == "ablation")
    assert "A lower score is better." in page.headline
    directions = {
        each.study_name.split("@")[0]: each.direction.name
        for each in optuna.get_all_study_summaries(url)
    }
    assert directions == {"low": "MINIMIZE", "high": "MAXIMIZE"}
