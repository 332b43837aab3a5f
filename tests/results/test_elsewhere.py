"""Words and shapes of other tools' tables."""

import json
import os

import numpy as np
import pandas as pd
import pytest
from optuna.trial import TrialState

from nas.compare import runs
from nas.results.elsewhere.direction import higher_is_better
from nas.results.elsewhere.files import read

PLAIN, WIDE = [91.0, 91.5, 91.2], [92.1, 92.3, 92.2]


def long(**columns):
    rows = [
        {"variant": name, "seed": seed, "acc": score}
        for name, scores in (("plain", PLAIN), ("wide", WIDE))
        for seed, score in enumerate(scores)
    ]
    return pd.DataFrame(rows).assign(**columns)


def states(name, done, broken):
    """Runs of which the last, a low one of `wide`, is not finished."""
    frame = long().astype({"acc": float})
    frame.loc[5, "acc"] = 10.0
    return frame.assign(**{name: [done] * 5 + [broken]})


def lost(frame, **how):
    found = runs(frame, baseline="plain", score="acc", **how)
    return [(sample.arm.change, len(sample.runs), sample.lost) for sample in found.samples]


@pytest.mark.parametrize(
    ("name", "done", "broken"),
    [
        *(
            ("State", "finished", w)
            for w in ("failed", "crashed", "killed", "running", "preempted")
        ),
        *(("status", "FINISHED", w) for w in ("FAILED", "KILLED", "RUNNING", "SCHEDULED")),
        ("attributes.status", "FINISHED", "FAILED"),
        *(("state", "COMPLETE", w) for w in ("PRUNED", "FAIL", "RUNNING", "WAITING")),
        ("state", "TrialState.COMPLETE", "TrialState.FAIL"),
        *(("State", "Complete", w) for w in ("Pruned", "Fail", "Running", "Waiting")),
        *(("trial_status", "TERMINATED", w) for w in ("ERROR", "PENDING", "PAUSED", "RUNNING")),
        *(("done", True, False), ("done", "True", "False"), ("done", 1, 0)),
        *(
            ("status", "SUCCEEDED", w)
            for w in ("FAILED", "EARLY_STOPPED", "USER_CANCELED", "SYS_CANCELED", "UNKNOWN")
        ),
        ("sys/failed", False, True),
        ("how it went", "Finished", "Crashed"),
        ("Status", "completed ", "In Progress"),
    ],
)
def test_a_run_that_is_not_finished_is_no_score_in_any_tools_words(name, done, broken):
    assert lost(states(name, done, broken)) == [("plain", 3, 0), ("wide", 2, 1)]


def test_optunas_states_are_numbers_too_in_a_table_of_optunas():
    frame = states("state", 1, 2)
    assert lost(frame.assign(number=range(6))) == [("plain", 3, 0), ("wide", 2, 1)]
    frame = states("state", TrialState.COMPLETE, TrialState.PRUNED).assign(number=range(6))
    assert lost(frame) == [("plain", 3, 0), ("wide", 2, 1)]
    frame["state"] = pd.Series([TrialState.COMPLETE] * 5 + [TrialState.PRUNED], dtype=object)
    assert lost(frame) == [("plain", 3, 0), ("wide", 2, 1)]
    frame = states("state", 1, 2)
    with pytest.raises(ValueError, match="is a run finished whose state is '1'"):
        lost(frame)


@pytest.mark.parametrize("name", ["state", "Status", "run_state"])
def test_a_word_that_nobody_knows_is_a_question(name):
    frame = states(name, "finished", "archived")
    with pytest.raises(ValueError, match=r"is a run finished whose .* 'archived'\?.*--finished"):
        lost(frame)
    assert lost(frame, finished=["Finished"]) == [("plain", 3, 0), ("wide", 2, 1)]
    assert lost(frame, finished=["finished", "archived"])[1] == ("wide", 3, 0)


def test_no_state_beside_a_score_is_a_question():
    with pytest.raises(ValueError, match="1 run with a score has no state"):
        lost(states("state", "finished", None))


def test_a_column_of_states_may_be_named():
    frame = states("came to its end", "yes", "no")
    assert lost(frame)[1] == ("wide", 3, 0)
    assert lost(frame, state="came to its end", finished=["yes"])[1] == ("wide", 2, 1)


def test_where_no_run_is_finished_the_word_that_means_it_is_asked_for():
    frame = long(done=False)
    with pytest.raises(ValueError, match=r"no run is finished by its done: say by .*--finished"):
        lost(frame)
    assert lost(frame, finished=["False"]) == [("plain", 3, 0), ("wide", 3, 0)]


def test_seeds_and_parameters_are_no_states():
    frame = long(random_state=[0, 1, 2] * 2, augment=[True, False, True] * 2, mode="max")
    assert lost(frame) == [("plain", 3, 0), ("wide", 3, 0)]


def test_a_baseline_that_is_not_finished_loses_the_seed_for_all():
    frame = long(state=["finished", "finished", "failed", *["finished"] * 3])
    assert lost(frame) == [("plain", 2, 1), ("wide", 3, 1)]


def test_a_run_that_was_tried_again_counts_as_it_ended_and_says_so():
    frame = pd.concat([states("state", "finished", "crashed"), long(state="finished").tail(1)])
    found = runs(frame, baseline="plain", score="acc").samples[1]
    assert (len(found.runs), found.lost) == (3, 0)
    assert found.arm.note == "1 run tried again, as it ended"


def test_a_failed_run_without_a_seed_is_left_out_and_named():
    more = pd.DataFrame([{"acc": None, "state": "FAIL"}])
    found = runs(pd.concat([long(state="COMPLETE"), more]), baseline="plain", score="acc")
    assert "left out: 1 run not finished, without variant or seed" in found.taken


@pytest.mark.parametrize(
    "name",
    [
        "loss", "val_loss", "eval/loss", "metrics.val_loss", "test-error", "err", "perplexity",
        "ppl", "val_RMSE", "valLoss", "valloss", "mae", "mse", "nll", "latency_ms", "seconds",
        "bpc", "wer", "cer", "fid", "regret", "top1_err", "ValidationLoss", "value", "values_0",
        "objective", "metric", "reward",
    ],
)  # fmt: skip
def test_a_name_that_means_a_loss_or_nothing_is_a_question(name):
    with pytest.raises(ValueError, match=r"--lower-is-better.*--higher-is-better"):
        higher_is_better(name, None)
    assert not higher_is_better(name, False)


@pytest.mark.parametrize(
    "name", ["score", "val_acc", "metrics.accuracy", "top1", "f1", "mIoU", "testAccuracy", "AUC"]
)
def test_a_name_that_means_a_score_is_one(name):
    assert higher_is_better(name, None)


def test_the_last_step_with_a_score_counts_of_each_run():
    rows = [
        {"trial_id": f"{name}{seed}", "config": {"variant": name, "seed": seed},
         "training_iteration": step, "acc": score - 3 + step, "done": step == 3}
        for name, scores in (("plain", PLAIN), ("wide", WIDE))
        for seed, score in enumerate(scores)
        for step in (3, 1, 2)
    ]  # fmt: skip
    found = runs(pd.DataFrame(rows), baseline="plain", score="acc")
    assert [run.score for run in found.samples[1].runs.values()] == WIDE
    assert "step: training_iteration (each run's last with a score counts)" in found.taken[0]
    short = pd.DataFrame([row for row in rows if row["acc"] != WIDE[2]])
    found = runs(short, baseline="plain", score="acc")
    assert (len(found.samples[1].runs), found.samples[1].lost) == (2, 1)


def test_a_run_that_ends_in_nan_has_not_the_score_of_before():
    rows = [
        f"{name},{seed},{step},{'NaN' if (name, seed, step) == ('wide', 1, 2) else 90 + seed}"
        for name in ("plain", "wide") for seed in range(3) for step in (1, 2)
    ]  # fmt: skip
    with pytest.raises(ValueError, match="'wide' has no score"):
        runs(table("variant,seed,step,acc", rows), baseline="plain", score="acc")


def table(head, rows):
    import tempfile
    from pathlib import Path

    path = Path(tempfile.mkdtemp()) / "runs.csv"
    path.write_text("\n".join([head, *rows]))
    return read(path)


def test_runs_of_other_lengths_are_named():
    frame = long(training_iteration=[20, 20, 20, 20, 3, 20], done=True)
    (said,) = runs(frame, baseline="plain", score="acc").warnings
    assert said.startswith("runs of 'wide' end at step 3 to 20, others at 20")


def test_steps_are_no_seeds():
    rows = [{"_step": at, "plain": 1.0 + at, "wide": 2.0 + at**2} for at in range(4)]
    with pytest.raises(ValueError, match=r"'_step' counts the steps of a run"):
        runs(pd.DataFrame(rows), baseline="plain", pair="_step")
    with pytest.raises(ValueError, match=r"'Step' counts the steps of a run"):
        runs(long(Step=range(6)), baseline="plain", pair="Step", score="acc")


def test_a_chart_by_seed_leaves_out_the_ends_of_its_bands():
    frame = pd.DataFrame(
        {"seed": range(3)}
        | {
            f"{name} - val_acc{end}": scores
            for name, scores in (("plain", PLAIN), ("wide", WIDE))
            for end in ("", "__MIN", "__MAX")
        }
    )
    found = runs(frame, baseline="plain")
    assert [sample.arm.change for sample in found.samples] == ["plain", "wide"]
    assert found.score == "val_acc"
    assert found.taken[2].startswith("left out: plain - val_acc__MIN")


def test_several_metrics_of_a_long_table_are_not_mixed():
    frame = pd.concat([long(tag="acc"), long(tag="loss")]).rename(columns={"acc": "value"})
    with pytest.raises(ValueError, match=r"'value' holds several scores, which 'tag' names"):
        runs(frame, baseline="plain", score="value", higher_is_better=True)


DICTIONARIES = {
    "as such": lambda values: values,
    "as Python writes them": lambda values: repr(values | {"beside": float("nan")}),
    "as JSON": json.dumps,
    "with W&B's wrapping": lambda values: json.dumps({k: {"value": v} for k, v in values.items()}),
}


@pytest.mark.parametrize("how", DICTIONARIES)
def test_dictionaries_in_cells_are_columns(how):
    frame = long()
    cells = [
        DICTIONARIES[how]({"variant": v, "seed": s})
        for v, s in zip(frame["variant"], frame["seed"].tolist(), strict=True)
    ]
    made = pd.DataFrame({"config": cells, "summary": [{"acc": a} for a in frame["acc"].tolist()]})
    found = runs(made, baseline="plain", score="acc")
    assert [list(sample.runs) for sample in found.samples] == [[0, 1, 2]] * 2
    assert "variant: config.variant, seed: config.seed, score: summary.acc" in found.taken[0]


@pytest.mark.parametrize("form", ["csv", "tsv", "semicolons", "json", "jsonl"])
def test_a_file_of_any_form_is_read_alike(form, tmp_path):
    frame, path = long(), tmp_path / f"runs.{'csv' if form == 'semicolons' else form}"
    text = {
        "csv": lambda: frame.to_csv(index=False),
        "tsv": lambda: frame.to_csv(index=False, sep="\t"),
        "semicolons": lambda: frame.to_csv(index=False, sep=";"),
        "json": lambda: frame.to_json(orient="records"),
        "jsonl": lambda: frame.to_json(orient="records", lines=True),
    }[form]()
    path.write_text("\ufeff" + text)
    assert lost(read(path)) == [("plain", 3, 0), ("wide", 3, 0)]


def test_columns_of_one_name_are_refused(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("variant,seed,acc,acc\nplain,0,1,2\n")
    with pytest.raises(ValueError, match="1 name of columns is there twice: acc"):
        read(path)
    twice = pd.concat([long(), long()["acc"]], axis=1)
    with pytest.raises(ValueError, match="there twice: acc"):
        runs(twice, baseline="plain", score="acc")


def test_a_pipe_is_no_table(tmp_path):
    os.mkfifo(tmp_path / "runs.csv")
    with pytest.raises(ValueError, match="is no file"):
        read(tmp_path / "runs.csv")


@pytest.mark.parametrize(
    ("seeds", "told"),
    [
        (["fold-a", "fold-b", "fold-c"], ["fold-a", "fold-b", "fold-c"]),
        ([0.0, 1.0, 2.0], [0, 1, 2]),
        (["0", "1", "2"], [0, 1, 2]),
        ([0.5, 1.0, 1.5], ["0.5", 1, "1.5"]),
        ([*pd.date_range("2024-01-01", periods=3)], ["2024-01-01", "2024-01-02", "2024-01-03"]),
        ([10**20, 10**20 + 1, -3], [10**20, 10**20 + 1, -3]),
        ([(0, 1), (0, 2), (1, 2)], ["(0, 1)", "(0, 2)", "(1, 2)"]),
    ],
)
def test_seeds_may_be_of_any_kind(seeds, told):
    found = runs(
        long(seed=pd.Series([*seeds, *seeds], dtype=object)), baseline="plain", score="acc"
    )
    assert [run.seed for run in found.samples[1].runs.values()] == told


def test_seeds_that_are_whole_are_paired_however_they_are_written():
    frame = long(seed=pd.Series([0, 1, 2, "0", 1.0, np.int64(2)], dtype=object))
    assert lost(frame) == [("plain", 3, 0), ("wide", 3, 0)]
