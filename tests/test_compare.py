from pathlib import Path

import pandas as pd
import pytest
from scipy import stats

from nas import compare
from nas.results.rows import EFFECT_COLUMNS

EXPORTS = Path(__file__).parent / "exports"
FROM = {
    "wandb": {"variant": "model", "score": "val_acc"},
    "mlflow": {"score": "val_acc"},
    "optuna": {"score": "value", "higher_is_better": True},
}
BASELINE = [92.0, 91.5, 92.5, 92.0, 91.0, 92.0]
SCORES = {
    "baseline": BASELINE,
    "no shortcut": [90.5, 90.0, 90.75, 90.5, 89.0, 90.5],
    "swish": [92.0, 91.75, 92.5, 91.75, 91.0, 92.25],
}


def long(scores):
    return pd.DataFrame(
        [
            {"variant": variant, "seed": seed, "score": score}
            for variant, values in scores.items()
            for seed, score in enumerate(values)
        ]
    )


@pytest.mark.parametrize("tool", FROM)
def test_an_export_is_compared_as_it_is(tool):
    table = compare(pd.read_csv(EXPORTS / f"{tool}.csv"), baseline="baseline", **FROM[tool])
    assert tuple(table.columns) == EFFECT_COLUMNS
    row = table.set_index("change").loc["no shortcut"]
    assert (row["n"], row["wins"], row["verdict"]) == (6, 0, "worse")
    assert row["delta"] == pytest.approx(-1.6017, abs=1e-4)


def test_a_frame_with_a_column_a_variant_gives_the_same_table():
    wide = pd.DataFrame(SCORES).rename_axis("seed")
    given = compare(long(SCORES), baseline="baseline", margin=0.5)
    pd.testing.assert_frame_equal(compare(wide, baseline="baseline", margin=0.5), given)
    assert list(given["verdict"]) == ["baseline", "worse", "equivalent"]


def test_pairs_go_by_the_seed_and_not_by_the_order_of_the_rows():
    frame = long(SCORES)
    mixed = compare(frame.sample(frac=1, random_state=0), baseline="baseline")
    both = [t.set_index("change")["delta"].sort_index() for t in
            (mixed, compare(frame, baseline="baseline"))]  # fmt: skip
    pd.testing.assert_series_equal(*both)


def test_the_baseline_on_other_seeds_is_an_a_a_row_outside_of_the_family():
    frame = long(SCORES | {"again": [91.75, 92.25, 92.0, 91.5, 92.0, 92.5]})
    frame.loc[frame["variant"] == "again", "seed"] += 100
    table = compare(frame, baseline="baseline", control="again")
    assert list(table["change"])[-1] == "again"
    assert table["verdict"].iloc[-1] == "control"
    alone = compare(long(SCORES), baseline="baseline")
    assert list(table["p_holm"][1:3]) == list(alone["p_holm"][1:])


def test_kinds_and_costs_come_from_their_columns():
    frame = long(SCORES).assign(kind="raw", cost=1000)
    matched = frame[frame["variant"] == "no shortcut"].assign(kind="matched", cost=990)
    table = compare(
        pd.concat([frame, matched.assign(score=matched["score"] + 1)]),
        baseline="baseline", kind="kind", cost="cost",
    )  # fmt: skip
    said = table.set_index(["change", "kind"])["verdict"]
    assert said["no shortcut", "raw"] == "secondary"
    assert said["no shortcut", "matched"] == "worse"
    assert set(table["mult_adds"]) == {1000, 990}
    assert compare(long(SCORES), baseline="baseline")["mult_adds"].isna().all()


def test_each_kind_is_compared_with_the_baseline_of_its_kind():
    frame = long(SCORES).assign(kind="raw")
    tuned = frame.assign(kind="retuned", score=frame["score"] + 2)
    table = compare(pd.concat([frame, tuned]), baseline="baseline", kind="kind")
    assert list(table["kind"].iloc[:2].fillna("plain")) == ["plain", "retuned"]
    alone = compare(long(SCORES), baseline="baseline").set_index("change")
    for change in ("no shortcut", "swish"):
        rows = table[table["change"] == change]
        assert list(rows["delta"]) == pytest.approx([alone.loc[change, "delta"]] * 2)


def test_a_baseline_is_plain_whatever_its_kind_is_called():
    frame = long(SCORES).assign(kind="matched")
    frame.loc[frame["variant"] == "baseline", "kind"] = None
    given = compare(frame, baseline="baseline", kind="kind")
    assert given["delta"].equals(compare(long(SCORES), baseline="baseline")["delta"])


def test_equal_differences_are_inconclusive_until_the_metrics_step_is_known():
    frame = long({"baseline": [90.0, 91.0], "better": [91.0, 92.0]})
    row = compare(frame, baseline="baseline", margin=2.0).iloc[1]
    assert row["verdict"] == "inconclusive"
    assert row[["visible", "sign_flip"]].isna().all()
    assert row["note"].endswith("say by resolution= what step the score has")
    row = compare(frame, baseline="baseline", resolution=0.01).iloc[1]
    assert (row["verdict"], row["note"]) == ("better", "")


def test_a_cost_is_the_mean_over_a_variants_runs_in_its_own_unit():
    frame = long(SCORES).assign(cost=[4.0, 4.2] * 9)
    frame.loc[frame["variant"] == "swish", "cost"] = 0.56
    table = compare(frame, baseline="baseline", cost="cost")
    assert list(table["mult_adds"]) == pytest.approx([4.1, 4.1, 0.56])


def test_a_variant_that_lacks_seeds_of_the_baseline_says_so():
    frame = long(SCORES)
    table = compare(frame[(frame["variant"] != "swish") | (frame["seed"] < 4)], baseline="baseline")
    assert list(table["note"]) == ["", "", "on 4 of the baseline's 6 seeds"]


def test_a_control_on_more_seeds_than_the_baseline_says_which_of_its_runs_are_compared():
    more = pd.DataFrame({"variant": "again", "seed": range(10, 19), "score": range(80, 89)})
    frame = pd.concat([long(SCORES), more])
    row = compare(frame, baseline="baseline", control="again").iloc[-1]
    assert (row["n"], row["note"]) == (6, "its first 6 of 9 runs: the baseline has no more")


def test_a_long_frame_may_have_a_column_by_the_baselines_name():
    frame = long(SCORES).assign(baseline=1.0)
    assert compare(frame, baseline="baseline").equals(compare(long(SCORES), baseline="baseline"))


def test_variants_may_be_numbers():
    frame = long(SCORES).assign(variant=[0] * 6 + [1] * 6 + [2] * 6)
    assert list(compare(frame, baseline=0)["change"]) == ["0", "1", "2"]
    wide = frame.pivot(index="seed", columns="variant", values="score")
    assert list(compare(wide, baseline=0)["change"]) == ["0", "1", "2"]


def without(frame, variant, seed):
    return frame[(frame["variant"] != variant) | (frame["seed"] != seed)]


def scored(frame, variant, seed, score):
    made = frame.astype({"score": object})
    made.loc[(made["variant"] == variant) & (made["seed"] == seed), "score"] = score
    return made


@pytest.mark.parametrize(
    ("change", "how", "said"),
    [
        (lambda f: f, {"score": "acc"}, r"no column 'acc', but variant, seed, score"),
        (lambda f: f, {"score": "scroe"}, r"no column 'scroe'.*did you mean score\?"),
        (lambda f: f, {"baseline": "base"}, r"no run is of 'base', but baseline, no shortcut"),
        (lambda f: f, {"control": "swiss"}, r"no run is of 'swiss'.*did you mean swish\?"),
        (lambda f: f, {"margin": 0}, r"margin must be above 0, not 0"),
        (lambda f: f, {"margin": float("nan")}, r"margin must be above 0, not nan"),
        (lambda f: f, {"resolution": -1}, r"resolution must be 0 or more, not -1"),
        (lambda f: f, {"resolution": float("nan")}, r"resolution must be 0 or more, not nan"),
        (
            lambda f: f.assign(**{"params.lr": 1, "config.lr": 1}),
            {"score": "lr"},
            r"'lr' may be params.lr or config.lr: name the column in full",
        ),
        (lambda f: f.assign(kind="half"), {"kind": "kind"}, r"raw, retuned, control, not 'half'"),
        (
            lambda f: without(f, "baseline", 3),
            {},
            r"'no shortcut' has seed 3, which the baseline 'baseline' has not: run the baseline on",
        ),
        (
            lambda f: f[(f["variant"] == "baseline") | (f["seed"] == 0)],
            {},
            r"'no shortcut' has 1 pair with the baseline.*from 2 seeds on; 8 are a fair start",
        ),
        (
            lambda f: scored(f, "swish", 2, float("nan")),
            {},
            r"'swish' has no score \(score\) on seed 2, as 1 of 18 runs: give one that diverged",
        ),
        (
            lambda f: scored(f, "swish", 2, "crashed"),
            {},
            r"'swish' has the score 'crashed' on seed 2, which is no number",
        ),
        (
            lambda f: pd.concat([f, f[f["variant"] == "swish"]]),
            {},
            r"'swish' has seed 0 twice, and a variant runs once a seed; call two changes by two",
        ),
        (
            lambda f: pd.concat([f, f[f["variant"] == "swish"].assign(variant="silu")]),
            {},
            r"'swish' and 'silu' have the same score on each seed: are they the same runs\?",
        ),
        (
            lambda f: f.assign(
                kind=["retuned" if v == "baseline" else "raw" for v in f["variant"]]
            ),
            {"kind": "kind"},
            r"'baseline' has retuned runs alone, and 'no shortcut' is not retuned: run the",
        ),
        (lambda f: f, {"control": "baseline"}, r"under a name of its own, not 'baseline'"),
        (
            lambda f: f.assign(variant=[None, *f["variant"][1:]]),
            {},
            r"1 of 18 runs have no variant: give them one, or leave them out",
        ),
        (
            lambda f: f.assign(seed=[None, *f["seed"][1:]]),
            {},
            r"1 of 18 runs have no seed: give them one",
        ),
        (
            lambda f: scored(f, "swish", 2, "98.1%"),
            {},
            r"'swish' has the score '98.1%' on seed 2, which is no number: write it as one",
        ),
        (
            lambda f: f.assign(cost=["a", *[1] * 17]),
            {"cost": "cost"},
            r"'baseline' has the cost 'a' on seed 0, which is no number",
        ),
        (
            lambda f: f.assign(cost=[None, *[1] * 17]),
            {"cost": "cost"},
            r"a run of 'baseline' has no cost: give it one, or leave cost= out",
        ),
        (
            lambda f: f.pivot(index="seed", columns="variant", values="score").assign(epoch=5),
            {},
            r"each column but seed is a variant .* and 'epoch' seems to be none: leave it out",
        ),
        (
            lambda f: f.pivot(index="seed", columns="variant", values="score").assign(
                **{"params.lr": 0.1}
            ),
            {},
            r"'params.lr' seems to be none",
        ),
        (lambda f: f[f["variant"] == "baseline"], {}, r"all runs are of 'baseline'"),
    ],
)
def test_what_cannot_be_compared_is_one_message(change, how, said):
    with pytest.raises(ValueError, match=said):
        compare(change(long(SCORES)), **{"baseline": "baseline", **how})


def test_a_pruned_trial_is_no_score_and_its_variant_has_no_p():
    frame = pd.read_csv(EXPORTS / "optuna_pruned.csv")
    row = compare(
        frame, baseline="plain", variant="block", score="value", higher_is_better=True
    ).iloc[1]
    assert (row["verdict"], row["n"]) == ("incomplete", 2)
    assert row["mean"] == pytest.approx((91.9 + 92.4) / 2)
    assert row[["p", "p_holm", "p_margin", "sign_flip"]].isna().all()
    assert row["note"] == "2 runs not finished; 2 of 4 have no score"


def test_a_variant_without_one_finished_run_is_incomplete_and_no_verdict():
    frame = long(SCORES).assign(State="finished")
    frame.loc[frame["variant"] == "swish", ["State", "score"]] = ["crashed", 10.0]
    table = compare(frame, baseline="baseline").set_index("change")
    assert list(table["verdict"]) == ["baseline", "worse", "incomplete"]
    assert (table.loc["swish", "n"], table.loc["swish"][["mean", "delta", "p"]].isna().all()) == (
        0,
        True,
    )
    alone = compare(long(SCORES), baseline="baseline").set_index("change")
    assert table.loc["no shortcut", "p"] == alone.loc["no shortcut", "p"]
    frame.loc[frame["variant"] == "baseline", "State"] = "running"
    with pytest.raises(ValueError, match="no run of the baseline 'baseline' is finished"):
        compare(frame, baseline="baseline")


def test_lower_is_better_turns_verdicts_and_seeds_won_and_no_number():
    frame = pd.read_csv(EXPORTS / "optuna_loss.csv")
    how = {"baseline": "plain", "variant": "block", "score": "value"}
    with pytest.raises(ValueError, match=r"'value' does not say whether.*--lower-is-better"):
        compare(frame, **how)
    low, high = (compare(frame, **how, higher_is_better=way).iloc[1] for way in (False, True))
    assert (low["verdict"], high["verdict"]) == ("better", "worse")
    assert (low["wins"], high["wins"]) == (4, 0)
    assert (low["beats_unpaired"], high["beats_unpaired"]) == (1.0, 0.0)
    scores = frame.pivot(index="params_seed", columns="params_block", values="value")
    found = stats.ttest_rel(scores["inception"], scores["plain"])
    ends = found.confidence_interval(0.95)
    for row in (low, high):
        assert row["p"] == pytest.approx(found.pvalue)
        assert (row["low"], row["high"]) == pytest.approx((ends.low, ends.high))
    renamed = frame.rename(columns={"value": "user_attrs_val_loss"})
    with pytest.raises(ValueError, match="sounds as if lower were better"):
        compare(renamed, **(how | {"score": "val_loss"}))


def test_what_was_taken_for_what_is_told_without_commands_to_the_terminal(capsys):
    frame = long(SCORES).rename(columns={"seed": "params.seed"}).assign(State="finished")
    compare(frame.assign(**{"variant": frame["variant"]}), baseline="baseline")
    said = capsys.readouterr().err
    assert "variant: variant, seed: params.seed, score: score" in said
    assert "higher is better" in said
    assert "State finished counts (18 rows)" in said
    named = frame.assign(variant=frame["variant"].replace("swish", "\x1b]52;c;eA==\x07"))
    named.loc[named.index[-1], "State"] = "failed"
    compare(named, baseline="baseline")
    assert "\x1b" not in capsys.readouterr().err


def test_a_dashboards_export_and_one_of_dictionaries_are_compared_as_they_are():
    frame = pd.read_csv(EXPORTS / "optuna_dashboard.csv")
    row = compare(
        frame, baseline="plain", variant="block", score="value", higher_is_better=True
    ).iloc[1]
    assert (row["n"], row["delta"]) == (3, pytest.approx(0.7333, abs=1e-4))
    frame = pd.read_csv(EXPORTS / "wandb_project.csv")
    row = compare(frame, baseline="resnet", variant="model", score="val_acc").iloc[1]
    assert (row["n"], row["delta"]) == (2, pytest.approx(0.65))


@pytest.mark.parametrize("pair", ["Step", "seed"])
def test_a_chart_of_steps_is_no_table_of_runs(pair):
    frame = pd.read_csv(EXPORTS / "wandb_chart.csv")
    for baseline in ("resnet", "resnet - val_acc"):
        with pytest.raises(ValueError, match=r"counts the steps of a run|and no seeds"):
            compare(frame, baseline=baseline, pair=pair)
