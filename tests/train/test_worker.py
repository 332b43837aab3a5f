import hashlib
import io
import json

import numpy as np
import pytest
import safetensors.torch
import torch

from nas import edit
from nas.base import failpoints
from nas.base.paths import predictions_path
from nas.networks.layers import inference
from nas.train.net import Net
from nas.train.worker import Trial, checkpoints, weights_path
from tests.specimens import Residual, exploding, job, quick


def run(trial):
    """Every report to the end."""
    reports = [trial.step()]
    while "outcome" not in reports[-1]:
        reports.append(trial.step())
    return reports


def curve(*reports):
    """The epochs of the reports without their times."""
    times = ("seconds", "images_per_second")
    epochs = [epoch for report in reports for epoch in report["epochs"]]
    return [{k: v for k, v in epoch.items() if k not in times} for epoch in epochs]


def test_a_trial_reports_each_epoch_and_how_it_ended(tmp_path):
    first, *rest = run(Trial(job(quick, tmp_path, number=7)))
    assert first["number"] == 7
    assert first["mult_adds_fvcore"] == 345_952
    assert first["protocol"]["is"] == "Protocol"
    assert [report["epochs"][0]["epoch"] for report in (first, *rest)] == [1, 2, 3]
    assert rest[-1]["outcome"] == "complete"
    assert "outcome" not in first
    json.dumps([first, *rest], allow_nan=False)


def test_the_final_predictions_are_named_and_hashed(tmp_path):
    last = run(Trial(job(quick, tmp_path)))[-1]
    content = predictions_path(tmp_path, last["predictions"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == last["predictions"]
    stored = np.load(io.BytesIO(content))
    assert stored["probabilities"].shape == (64, 4)
    right = (stored["probabilities"].argmax(1) == stored["labels"]).mean()
    assert 100 * right == pytest.approx(last["epochs"][-1]["accuracy"], abs=2)


@pytest.mark.parametrize("averaging", [None, "polyak"])
def test_the_weights_that_were_scored_are_named_and_hashed(tmp_path, averaging):
    experiment = edit(quick, {"recipe.averaging": averaging})
    trial = Trial(job(experiment, tmp_path))
    last = run(trial)[-1]
    content = weights_path(tmp_path, last["weights"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == last["weights"]
    kept = safetensors.torch.load(content)
    net = Net(inference(experiment.layers()))
    net.load_state_dict(kept)
    with torch.no_grad():
        logits = net.eval()(trial.training.validation.at(torch.arange(64))[0])
    stored = np.load(predictions_path(tmp_path, last["predictions"]))["probabilities"]
    assert np.abs(logits.softmax(1).numpy() - stored).max() < 1e-3
    raw = trial.training.net.state_dict()
    assert all(torch.equal(kept[name], raw[name]) for name in kept) == (averaging is None)


def test_only_a_complete_run_keeps_weights(tmp_path):
    last = run(Trial(job(exploding, tmp_path)))[-1]
    assert last["outcome"] == "diverged"
    assert "weights" not in last
    assert not (tmp_path / "weights").exists()


@pytest.mark.parametrize("edits", [{}, {"recipe.averaging": "polyak"}], ids=str)
@pytest.mark.parametrize("epochs", [1, 2])
def test_a_new_trial_goes_on_from_the_checkpoint_to_the_bit(tmp_path, epochs, edits):
    experiment = edit(quick, edits)
    whole = run(Trial(job(experiment, tmp_path / "whole")))
    killed = Trial(job(experiment, tmp_path / "killed"))
    for _ in range(epochs):
        killed.step()
    resumed = run(Trial(job(experiment, tmp_path / "killed")))
    assert curve(*resumed) == curve(*whole)
    assert len(resumed) == 1 + 3 - epochs
    for kept in ("predictions", "weights"):
        assert resumed[-1][kept] == whole[-1][kept]


def test_a_trial_whose_last_report_was_lost_reports_it_again(tmp_path):
    whole = run(Trial(job(quick, tmp_path)))
    again = Trial(job(quick, tmp_path)).step()
    assert again["outcome"] == "complete"
    assert curve(again) == curve(*whole)
    for kept in ("predictions", "weights"):
        assert again[kept] == whole[-1][kept]


def torn(path):
    path.write_bytes(path.read_bytes()[:-1])


def emptied(path):
    path.write_bytes(b"")


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def half_renamed(path):
    path.rename(path.with_suffix(".77.partial"))


@pytest.mark.parametrize("damage", [torn, emptied, flipped, half_renamed])
@pytest.mark.parametrize("both", [False, True])
def test_a_damaged_checkpoint_gives_way_to_the_one_before_or_to_the_start(tmp_path, damage, both):
    whole = run(Trial(job(quick, tmp_path / "whole")))
    killed = Trial(job(quick, tmp_path / "killed"))
    for _ in range(2):
        killed.step()
    for path in checkpoints(tmp_path / "killed", 1)[: 1 + both]:
        damage(path)
    # An instant that no worker reaches: only its log is wanted.
    failpoints.arm(f"after_tell:1:kill:{tmp_path / 'instants'}")
    try:
        resumed = run(Trial(job(quick, tmp_path / "killed")))
    finally:
        failpoints.arm(None)
    trained = (tmp_path / "instants.log").read_text().split().count("after_epoch")
    assert trained == (3 if both else 2)
    assert curve(*resumed) == curve(*whole)
    assert resumed[-1]["weights"] == whole[-1]["weights"]


def test_nothing_half_written_is_left(tmp_path):
    run(Trial(job(quick, tmp_path)))
    names = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(path.suffix for path in names) == [".npz", ".pt", ".pt", ".safetensors"]


def test_two_trials_in_one_folder_keep_apart(tmp_path):
    first, second = Trial(job(quick, tmp_path, 1)), Trial(job(quick, tmp_path, 2, seed=1))
    first.step()
    second.step()
    again = Trial(job(quick, tmp_path, 2, seed=1)).step()
    assert curve(again) != curve(first.step())[:1]
    assert curve(again)[-1]["epoch"] == 1


def test_a_loss_that_is_no_number_is_reported_as_diverged(tmp_path):
    *_, last = run(Trial(job(exploding, tmp_path)))
    assert last["outcome"] == "diverged"
    assert last["reason"] == f"the loss was not finite in epoch {last['epochs'][-1]['epoch']}"


def test_a_loss_that_explodes_in_the_last_step_is_diverged_too(tmp_path):
    edits = {"recipe.batch_size": 192, "recipe.fidelity.epochs": 1}
    report = Trial(job(edit(exploding, edits), tmp_path)).step()
    assert np.isfinite(report["epochs"][0]["train_loss"])
    assert not np.isfinite(report["epochs"][0]["loss"])
    assert report["outcome"] == "diverged"


def test_a_diverged_trial_is_not_trained_further_when_it_is_taken_up_again(tmp_path):
    experiment = edit(exploding, {"recipe.fidelity.epochs": 9})
    known = run(Trial(job(experiment, tmp_path)))
    again = Trial(job(experiment, tmp_path)).step()
    assert again["outcome"] == "diverged"
    assert len(again["epochs"]) == sum(len(report["epochs"]) for report in known)
    assert again["reason"] == known[-1]["reason"]


@pytest.mark.parametrize(
    ("edits", "reason"),
    [
        ({"recipe.dataset": "imagenet"}, "ValueError: imagenet is not here: put its images"),
        ({"recipe.fidelity.share": 0.0001}, "ValueError: Fidelity.share 0.0001 leaves none of"),
    ],
)
def test_a_job_that_fails_is_reported_with_its_reason(tmp_path, edits, reason):
    report = Trial(job(edit(quick, edits), tmp_path)).step()
    assert report["failure"] == "deterministic"
    assert report["reason"].startswith(reason)
    assert report["epochs"] == []


def test_a_stored_class_that_is_unknown_fails_with_its_name(tmp_path):
    given = job(quick, tmp_path)
    given["recipe"]["is"] = "Perceptron"
    report = Trial(given).step()
    assert report["failure"] == "deterministic"
    assert "has a Perceptron, which is not loaded here" in report["reason"]


def test_a_users_own_network_is_run_by_a_worker(tmp_path):
    reports = run(Trial(job(edit(quick, {"network": Residual()}), tmp_path)))
    assert reports[-1]["outcome"] == "complete", reports[-1].get("reason")


def test_a_checkpoint_of_another_run_is_not_taken_up(tmp_path):
    Trial(job(quick, tmp_path, seed=5)).step()
    found = Trial(job(quick, tmp_path, seed=0)).step()
    assert curve(found) == curve(Trial(job(quick, tmp_path / "clean", seed=0)).step())


def test_a_resumed_trial_reports_what_it_had_before_it_trains_on(tmp_path):
    first = Trial(job(quick, tmp_path)).step()
    again = Trial(job(quick, tmp_path))
    assert curve(again.step()) == curve(first)
    assert [epoch["epoch"] for epoch in again.step()["epochs"]] == [2]
