import csv
import io
import json
import math
from pathlib import Path

import optuna
import pytest

from nas.cli.show import Column, size, table
from search_spaces.tiny import widths
from tests.commands import nas


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("NAS_HOME", str(tmp_path / "out"))
    return tmp_path / "out"


@pytest.fixture
def finished(ran, monkeypatch):
    """A folder in which a user's own study was run; its database is the one that is read."""
    monkeypatch.setenv("NAS_HOME", str(ran[0] / "out"))
    return ran[0]


def test_cost_as_json_has_the_total_and_its_rows():
    found = json.loads(nas("cost", "googlenet", "-f", "json").stdout)
    assert found["mult_adds"] == 1_582_671_872
    assert found["params"] == 6_998_552
    assert {"params_aux", "activations"} <= set(found)
    assert sum(row["mult_adds"] for row in found["rows"]) == found["mult_adds"]


@pytest.mark.parametrize(("by", "rows"), [("module", 13), ("branch", 46), ("layer", 64)])
def test_cost_by_parts_adds_up_to_the_total(by, rows):
    table = list(csv.DictReader(io.StringIO(nas("cost", "googlenet", "--by", by, "-f",
                                                "csv").stdout)))  # fmt: skip
    *parts, total = table
    assert total["name"] == "total"
    assert len(parts) == rows
    assert sum(int(row["mult_adds"]) for row in parts) == int(total["mult_adds"])


def test_cost_takes_changed_leaves_and_another_image_size():
    naive = nas("cost", "googlenet", "--set", "network.inception_3a.conv5x5=null",
                "--image-size", "112", "-f", "json")  # fmt: skip
    assert json.loads(naive.stdout)["mult_adds"] < 1_582_671_872 / 3.5


def test_cost_against_a_baseline_adds_up_and_is_the_table_of_diff():
    words = ("googlenet", "--against", "small.by_stage", "-f")
    table = list(csv.DictReader(io.StringIO(nas("cost", *words, "csv").stdout)))
    *parts, total = table
    for name in set(total) - {"module"}:
        assert sum(int(part[name]) for part in parts) == int(total[name])
    assert int(total["mult_adds"]) == 1_582_671_872
    for row in table:
        for change, direct, rest, now, was in (
            ("change", "direct", "propagated", "mult_adds", "mult_adds_were"),
            ("params_change", "params_direct", "params_propagated", "params", "params_were"),
        ):
            assert int(row[change]) == int(row[now]) - int(row[was])
            assert int(row[change]) == int(row[direct]) + int(row[rest])
    found = json.loads(nas("cost", *words, "json").stdout)
    other = json.loads(nas("diff", "small.by_stage", "googlenet", "-f", "json").stdout)
    assert found == {name: other[name] for name in ("modules", "total")}


def test_cost_compares_with_the_paper_and_with_other_networks_and_one_of_your_own():
    words = ("--compare", "--set", "network.width=0.5", "-f")
    rows = list(csv.DictReader(io.StringIO(nas("cost", "googlenet", *words, "csv").stdout)))
    assert [row["table"] for row in rows] == ["table 1"] * 13 + ["networks"] * 9
    assert rows[-1]["name"] == "googlenet with network.width=0.5"
    assert float(rows[-1]["of_canonical_mult_adds"]) < 0.3
    alone = json.loads(nas("cost", "--compare", "-f", "json").stdout)
    named = json.loads(nas("cost", "googlenet", *words, "json").stdout)
    assert named[:-1] == alone
    said = nas("cost", "--compare").stdout
    assert max(map(len, said.splitlines())) <= 120
    assert "said to be 12x GoogLeNet: 8.7x" in said


def test_cost_of_a_space_is_that_of_its_baseline():
    assert (
        nas("cost", "small.by_stage", "-f", "csv").stdout
        == nas("cost", "small_googlenet", "-f", "csv").stdout
    )


def test_a_number_beyond_all_floats_is_written_by_its_power_of_ten():
    assert [size(n) for n in (999, 10**15, 3**40, 3**1000, math.inf)] == [
        "999", "1e+15", "1.22e+19", "1.32e+477", "inf",
    ]  # fmt: skip


def test_space_show_lists_the_decisions_and_the_size():
    said = nas("space", "show", "googlenet.by_stage").stdout
    assert "19 decisions, 2,542,620,639,232 candidates" in said
    found = json.loads(nas("space", "show", "googlenet.by_stage", "-f", "json").stdout)
    assert (len(found["decisions"]), found["size"]) == (19, 2_542_620_639_232)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("cost", "gogglenet"), 2, "did you mean googlenet?"),
        (("cost", "googlenet", "--set", "network.width=0"), 2, "must be above 0"),
        (("cost",), 2, "`nas cost` takes a NAME: googlenet, "),
        (("cost", "googlenet", "--against", "vgg"), 2, "did you mean vgg16?"),
        (("cost", "googlenet", "--against", "vgg16", "--by", "layer"), 2, "leave --by out"),
        (("cost", "--compare", "--image-size", "64"), 2, "each at its own size"),
        (("cost", "--compare", "--set", "network.width=2"), 2, "takes a NAME"),
        (("space", "show", "nothing"), 2, "a space is FILE.SPACE"),
        (("run", "nothing"), 2, "no study 'nothing'"),
        (("status", "quickstart"), 5, "there is no database yet: `nas run quickstart` makes it"),
        (("effects", "quickstart"), 5, "`nas run quickstart` makes it"),
        (("report", "quickstart"), 5, "there is no database yet"),
        (("status", "x", "--storage", "nonsense"), 2, "takes a database URL such as"),
        (("status", "x", "--storage", "postgresql+psycopg://u:secret@h/d"), 2, "~/.pgpass"),
        (("status", "x", "--storage", "postgresql+psycopg://127.0.0.1:1/d"), 3, "out of reach"),
    ],
)
def test_a_users_mistake_is_one_message_and_an_exit_code(words, code, said):
    result = nas(*words, code=code)
    assert said in result.stderr
    assert "Traceback" not in result.output
    assert "secret" not in result.output


def test_help_fits_one_screen_and_has_the_exit_codes():
    lines = nas("--help").stdout.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert "  130  interrupted; the same command goes on" in lines


def test_run_prints_data_on_stdout_and_progress_on_stderr(ran):
    _, said = ran
    assert "no batch norm" in said.stdout
    assert "nas report mine.py" in said.stdout
    assert "trial 0: reference, complete" in said.stderr
    assert "trial 0" not in said.stdout


def test_run_again_adds_nothing(finished):
    before = nas("effects", finished / "mine.py", "-f", "csv").stdout
    nas("run", finished / "mine.py", "--local")
    assert nas("effects", finished / "mine.py", "-f", "csv").stdout == before


def test_effects_have_the_documented_columns(finished):
    rows = list(csv.DictReader(io.StringIO(nas("effects", "mine", "-f", "csv").stdout)))
    assert list(rows[0]) == [
        "change", "kind", "primary", "n", "mean", "sd", "delta", "low", "high", "p", "p_holm",
        "p_margin", "sign_flip", "level", "wins", "wins_low", "wins_high", "standardised",
        "beats_unpaired", "visible", "correlation", "verdict", "mult_adds", "params", "diverged",
        "at_chance", "note",
    ]  # fmt: skip
    assert [row["change"] for row in rows] == [
        "baseline", "no 5x5 branches", "no pool branches", "no aux heads", "no batch norm",
        "A/A (other seeds)",
    ]  # fmt: skip
    assert json.loads(nas("effects", "mine", "-f", "json").stdout)[0]["p"] is None


def test_effects_say_what_the_seeds_could_show_and_why_there_is_no_check(finished):
    said = nas("effects", "mine").stdout
    assert said.splitlines()[-1].endswith("is what these seeds show, among 4 changes")
    assert said.count("n too small") == 4


def test_effects_are_a_booktabs_table_for_a_paper(finished):
    first, *lines, last = nas("effects", "mine", "-f", "latex").stdout.splitlines()
    assert (first[:16], last) == (r"\begin{tabular}{", r"\end{tabular}")
    columns = first.split("{")[-1].count("l") + first.split("{")[-1].count("r")
    rows = [line for line in lines if line.endswith(r"\\")]
    assert len(rows) == 7
    assert {line.replace(r"\&", "").count("&") for line in rows} == {columns - 1}
    assert r"95 \% interval" in rows[0]


def test_what_latex_takes_for_its_own_is_text(capsys):
    table([{"change": "lr < 0.1 & x_2 > 5 %"}], {"change": Column("change")}, "latex")
    told = r"lr \textless{} 0.1 \& x\_2 \textgreater{} 5 \% \\"
    assert told in capsys.readouterr().out.splitlines()


def test_trials_have_a_column_a_decision_after_those_of_the_run(finished):
    rows = list(csv.DictReader(io.StringIO(nas("trials", "mine", "-f", "csv").stdout)))
    names = list(rows[0])
    assert names[:3] == ["number", "role", "change"]
    assert names[names.index("network_id") + 1 :] == [*widths.domains]
    told = json.loads(nas("trials", "mine", "-f", "json").stdout)
    for row, same in zip(rows, told, strict=True):
        decided = {name: same[name] for name in widths.domains}
        if row["role"] in ("reference", "candidate"):
            assert all(row[name] == decided[name] != "" for name in decided)
        else:
            assert {row[name] for name in decided} == {""}
            assert {*decided.values()} == {None}
    assert "3x3.width" not in nas("trials", "mine").stdout


def test_a_trial_is_counted_and_held_against_the_network_that_it_changed(finished):
    found = json.loads(nas("cost", "mine:0", "-f", "json").stdout)
    row = next(r for r in json.loads(nas("trials", "mine", "-f", "json").stdout) if not r["number"])
    assert (found["mult_adds"], found["params"]) == (row["mult_adds"], row["params"])
    total = json.loads(nas("cost", "mine:0", "--against", "mine:0", "-f", "json").stdout)["total"]
    assert (total["change"], total["direct"], total["propagated"]) == (0, 0, 0)


def test_status_counts_the_runs_and_names_the_best(finished):
    said = nas("status", "mine").stdout
    assert "14 of 14 planned runs are over" in said
    assert "exploratory (one seed)" in said


def test_report_prints_the_page_that_it_wrote(finished, tmp_path):
    page = Path(nas("report", "mine", "-o", tmp_path / "site").stdout.strip())
    assert page.name == "index.html"
    assert "Mine?" in page.read_text()


def test_the_database_reads_with_plain_optuna(finished):
    storage = optuna.storages.RDBStorage(f"sqlite:///{finished / 'out' / 'nas.db'}")
    (name,) = optuna.get_all_study_names(storage)
    trials = optuna.load_study(study_name=name, storage=storage).trials
    storage.remove_session()
    storage.engine.dispose()
    complete = [t for t in trials if t.state.name == "COMPLETE"]
    assert len(complete) == 14
    for trial in complete:
        given = trial.user_attrs
        assert given["mult_adds"] == given["mult_adds_fvcore"]
        assert {"candidate_id", "network_id", "seed", "params"} <= set(given)
        assert trial.constraints["mult_adds"] <= 0


def test_smoke_is_a_study_of_its_own():
    nas("run", "quickstart", "--smoke", "--local")
    assert "quickstart-smoke@" in nas("status", "quickstart-smoke").stdout
    nas("status", "quickstart", code=5)


def test_a_space_is_sampled_within_a_budget_and_the_same_seed_samples_the_same():
    words = (
        "space",
        "sample",
        "googlenet.by_stage",
        "-n",
        "3",
        "--mult-adds",
        "1.5e9",
        "-f",
        "json",
    )
    found = json.loads(nas(*words).stdout)
    assert len(found) == 3
    assert all(row["mult_adds"] <= 1.5e9 for row in found)
    assert found == json.loads(nas(*words).stdout)
    assert found != json.loads(nas(*words, "--seed", "1").stdout)


def test_neighbours_and_explanations_are_of_the_point_that_is_told():
    point = ("tiny.parts", "--at", "5x5 branches=off")
    said = nas("space", "neighbours", *point, "-f", "csv").stdout
    changes = [json.loads(row["changed"]) for row in csv.DictReader(io.StringIO(said))]
    assert len(changes) == 1 + 1 + 2 + 1
    assert {} in changes
    assert all(len(change) == 2 for change in changes if change)
    said = nas("space", "explain", *point, "--mult-adds", "3e5").stdout
    assert said == "312,848 mult-adds, 19,078 parameters; 4.3% over 300,000 mult-adds\n"
    said = nas("space", "explain", "tiny.parts", "--at", "5x5 branch=off", code=2).stderr
    assert "near it: 5x5 branches" in said
    said = nas("space", "explain", "tiny.parts", "--at", "x", code=2).stderr
    assert "takes DECISION=LABEL, not 'x'" in said
