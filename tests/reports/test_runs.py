from pathlib import Path

import pandas as pd
import pytest

from tests.commands import nas

EXPORTS = Path(__file__).parents[1] / "exports"


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        ("wandb", ("--variant", "model", "--score", "val_acc")),
        ("mlflow", ("--score", "val_acc")),
        ("optuna", ("--score", "value", "--higher-is-better")),
    ],
)
def test_an_export_of_runs_gets_the_page_of_an_ablation(tool, words, tmp_path):
    export = EXPORTS / f"{tool}.csv"
    said = nas(
        "report", "--from", export, "--baseline", "baseline", "--pair", "seed", *words, "-o",
        tmp_path / "site",
    ).stdout  # fmt: skip
    assert said.strip() == str(tmp_path / "site" / "index.html")
    text = (tmp_path / "site" / "index.html").read_text()
    assert 'data-page="ablation"' in text
    assert all(f'data-fig="{figure}"' in text for figure in ("forest", "slopes"))
    table = pd.read_csv(tmp_path / "site" / "data" / "ablation.csv")
    assert list(table.verdict.isna()) == [False, False]
    assert list(table.change) == ["baseline", "no shortcut"]
    assert list(table.n) == [6, 6]
    assert len(pd.read_csv(tmp_path / "site" / "data" / "seeds.csv")) == 12
    assert "What these seeds can show, and what more would take" in text
    needs = pd.read_csv(tmp_path / "site" / "data" / "needs.csv")
    assert list(needs.columns) == ["change", "kind", "delta", "visible", "needed", "hours"]
    assert "of training more" not in text


def test_a_cost_draws_the_quadrants_and_a_margin_the_band(tmp_path):
    rows = [
        {"variant": name, "seed": seed, "score": 70 + seed + gain, "cost": cost}
        for name, gain, cost in (("base", 0.0, 100), ("half", 0.01, 50))
        for seed in range(6)
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "runs.csv", index=False)
    nas(
        "report", "--from", tmp_path / "runs.csv", "--baseline", "base", "--cost", "cost",
        "--margin", "0.5", "--resolution", "0.1", "-o", tmp_path / "site",
    )  # fmt: skip
    text = (tmp_path / "site" / "index.html").read_text()
    assert "“half” saves 50.0 % and is" in text
    assert 'data-fig="quadrants"' in text
    assert "The band is the margin of ±0.5." in text


def test_a_variant_may_be_called_none_and_the_exported_seeds_are_read_again(tmp_path):
    rows = [
        {"variant": name, "seed": seed, "score": 70 + gain + (seed * 7 % 5) / 10}
        for name, gain in (("baseline", 0), ("None", -1))
        for seed in range(6)
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "runs.csv", index=False)
    again = ("--variant", "change")
    for at, more in enumerate(((), again)):
        table = tmp_path / "0" / "data" / "seeds.csv" if at else tmp_path / "runs.csv"
        words = ("--baseline", "baseline", "--resolution", "0.1", *more, "-o", tmp_path / f"{at}")
        nas("report", "--from", table, *words)
    made = [(tmp_path / f"{at}" / "data" / "ablation.csv").read_text() for at in range(2)]
    assert made[0] == made[1]
    assert "None" in made[0]


def test_a_seed_may_be_called_by_a_word(tmp_path):
    rows = [
        {"variant": name, "seed": f"fold {fold}", "score": 70 + gain + (fold * 7 % 5) / 10}
        for name, gain in (("base", 0), ("wide", -1))
        for fold in range(6)
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "runs.csv", index=False)
    nas("report", "--from", tmp_path / "runs.csv", "--baseline", "base", "-o", tmp_path / "site")
    assert "fold 5</td>" in (tmp_path / "site" / "index.html").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--baseline", "baseline", "--score", "val_ac"), "did you mean val_acc?"),
        (("--baseline", "baselin", "--score", "val_acc"), "did you mean baseline?"),
        (("--score", "val_acc"), "--from needs --baseline NAME"),
        (("--baseline", "baseline", "--score", "val_acc", "--margin", "0"), "must be above 0"),
        (("--baseline", "baseline", "--score", "val_acc", "--resolution", "nan"), "0 or more"),
        (("--baseline", "baseline", "--score", "val_loss"), "say it by"),
    ],
)
def test_a_mistake_is_one_message(words, said, tmp_path):
    result = nas("report", "--from", EXPORTS / "mlflow.csv", *words, "-o", tmp_path / "s", code=2)
    assert said in result.stderr
    assert "Traceback" not in result.output


def test_runs_from_elsewhere_fit_into_one_file(tmp_path):
    export = ("--from", EXPORTS / "mlflow.csv", "--baseline", "baseline", "--score", "val_acc")
    said = nas("report", *export, "--single-file", "-o", tmp_path / "one.html").stdout
    assert said.strip() == str(tmp_path / "one.html")
    text = (tmp_path / "one.html").read_text()
    assert 'data-fig="forest"' in text
    assert 'download="ablation.csv"' in text
    assert "leave it out with --from" in nas("report", *export, "--watch", code=2).stderr


def test_a_report_is_of_studies_or_of_runs_from_elsewhere():
    assert "STUDY or more, or --from" in nas("report", code=2).stderr


def test_a_page_says_which_way_is_good_what_was_taken_for_what_and_what_is_not_finished(tmp_path):
    words = ("--baseline", "plain", "--variant", "block", "--score", "value", "-o", tmp_path / "s")
    said = nas("report", "--from", EXPORTS / "optuna_loss.csv", "--lower-is-better", *words).stderr
    text = (tmp_path / "s" / "index.html").read_text()
    for each in (said, text):
        assert "variant: params_block, seed: params_seed, score: value" in each
        assert "value: lower is better" in each
    assert "A lower value is better." in text
    assert "improvement is “inception”" in text
    assert "difference in value, lower is better" in text
    assert "ahead on 4 of 4 seeds: better" in text
    assert r"\textbf{better}" in (tmp_path / "s" / "data" / "ablation.tex").read_text()
    words = (*words[:-1], tmp_path / "t")
    nas("report", "--from", EXPORTS / "optuna_pruned.csv", "--higher-is-better", *words)
    text = (tmp_path / "t" / "index.html").read_text()
    assert "seeds lost: inception 2 of 4" in text
    assert "2 runs not finished" in text


def test_a_large_table_has_all_in_its_files_and_what_a_page_has_room_for(tmp_path):
    rows = [
        {
            "variant": f"v{at}" if at else "base",
            "seed": seed,
            "acc": at + seed + (at * 7919 + seed * 31) % 13,
        }
        for at in range(300)
        for seed in range(8)
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "runs.csv", index=False)
    words = ("--baseline", "base", "--score", "acc", "--resolution", "1", "-o", tmp_path / "s")
    nas("report", "--from", tmp_path / "runs.csv", *words)
    text = (tmp_path / "s" / "index.html").read_text()
    assert "Of 299 changes the 150 of the largest differences are drawn" in text
    assert "All 2,400 rows, unrounded" in text
    assert len(pd.read_csv(tmp_path / "s" / "data" / "seeds.csv")) == 2400
