import dataclasses
import io
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from nas import edit, tiny_googlenet
from nas.data.catalogue import load
from nas.runs.record import Seeds, Settings, seeds
from nas.train.batches import Batches, laid_out
from nas.train.training import TRAINING_VERSION, Training
from nas.tree.tree import walk
from tests.specimens import Residual, golden, quick

ONE = Settings()
TIMES = ("seconds", "images_per_second")


def started(experiment, seed=0):
    return Training(experiment.trained_layers, experiment.recipe, seeds(seed), ONE)


def numbers(epochs):
    """A curve without its times."""
    return [{k: v for k, v in epoch.values.items() if k not in TIMES} for epoch in epochs]


def seen(training):
    """Trains to the end; every batch that entered the stem."""
    batches = []
    stem = dict(training.net.named_modules())["stem.conv3x3"]
    stem.register_forward_pre_hook(
        lambda _, given: batches.append(given[0].clone()) if training.net.training else None
    )
    curve = list(training)
    return batches, curve


def test_the_golden_curve_stays_under_one_training_version():
    known = golden("curve")
    assert known["training_version"] == TRAINING_VERSION
    found = numbers(started(quick))
    assert len(found) == len(known["epochs"])
    for epoch, expected in zip(found, known["epochs"], strict=True):
        assert {name: epoch[name] for name in expected} == pytest.approx(expected, rel=1e-3)


VARIANTS = [
    {},
    {"recipe.averaging": "polyak"},
    {"recipe.averaging": "ema", "recipe.optimizer": "adamw", "recipe.lr": 0.01},
    {"recipe.optimizer": "rmsprop", "recipe.warmup": 0.4, "recipe.lr_schedule": "cosine"},
    {"recipe.augmentation": "crops", "recipe.interpolation": "random", "recipe.photometric": 0.5},
    {"network.normalization": "lrn"},
    {"recipe.lr_schedule": "step", "recipe.label_smoothing": 0.1, "recipe.fidelity.share": 0.7},
    {"recipe.lr_schedule": "cosine", "network": Residual()},
]


@pytest.mark.parametrize("edits", VARIANTS, ids=str)
def test_the_same_seed_gives_the_same_curve_to_the_bit(edits):
    experiment = edit(quick, edits)
    first, again = started(experiment), started(experiment)
    assert numbers(first) == numbers(again)
    assert np.array_equal(first.probabilities, again.probabilities)


@pytest.mark.parametrize("edits", VARIANTS, ids=str)
def test_a_restored_run_goes_on_to_the_bit(edits):
    experiment = edit(quick, edits)
    whole = started(experiment)
    expected = numbers(whole)
    broken = started(experiment)
    next(iter(broken))
    file = io.BytesIO()
    torch.save(broken.state(), file)
    next(iter(broken))
    file.seek(0)
    torch.rand(7)
    resumed = started(experiment)
    resumed.restore(torch.load(file, weights_only=True))
    assert numbers(resumed) == expected[1:]
    assert np.array_equal(resumed.probabilities, whole.probabilities)


@pytest.mark.parametrize("side", [16, 20])
def test_an_image_is_the_same_in_any_batch_and_between_its_levels(side):
    data = load(quick.recipe.data)
    some = Batches(data, np.arange(10, 60), side, torch.device("cpu"))
    images, labels = some.at(torch.arange(50))
    order = torch.tensor([7, 49, 0])
    few = some.at(order)
    assert images.shape == (50, 1, side, side)
    assert torch.equal(few[0], images[order])
    assert torch.equal(few[1], labels[order])
    assert labels.tolist() == data.train.labels[10:60].tolist()
    if side == 16:
        pixels = (images * data.std + data.mean) * 255
        assert np.allclose(pixels.numpy(), data.train.images[10:60], atol=1e-3)


def test_images_of_one_channel_have_the_strides_of_their_format():
    images = torch.rand(4, 1, 6, 6)
    laid = laid_out(images, torch.channels_last)
    assert torch.equal(laid, images)
    assert (laid.stride(), images.stride()) == ((36, 1, 6, 1), (36, 36, 6, 1))


@pytest.mark.parametrize("stream", ["split", "init", "order", "dropout"])
def test_each_stream_of_a_seed_changes_the_curve_by_itself(stream):
    base = {"split": 0, "init": 0, "order": 0, "dropout": 0}
    first, second = (
        Training(quick.layers(), quick.recipe, Seeds(**values), ONE)
        for values in (base, base | {stream: 1})
    )
    images = [training.validation.at(torch.arange(64))[0] for training in (first, second)]
    same_split = torch.equal(*images)
    assert same_split == (stream != "split")
    one, other = first.net.state_dict(), second.net.state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one) == (stream != "init")
    assert next(iter(first)).train_loss != next(iter(second)).train_loss


@pytest.mark.parametrize(
    "edits",
    [
        {"network.inception_*.conv5x5": None},
        {"network.aux_after": ()},
        {"network.normalization": "none"},
        {"recipe.lr": 0.01},
    ],
    ids=str,
)
@pytest.mark.parametrize("augmentation", [None, "crops"])
def test_a_variant_sees_the_very_batches_of_the_baseline(edits, augmentation):
    shared = {"recipe.augmentation": augmentation, "recipe.fidelity.epochs": 2}
    base = edit(quick, shared)
    ours, _ = seen(started(base, 4))
    theirs, _ = seen(started(edit(base, edits), 4))
    others, _ = seen(started(base, 5))
    assert len(ours) == len(theirs) == 2 * 3
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(ours, others, strict=True))


FACTORS = {
    # What a factor changes: the initial weights, the pixels of a batch, the training, or the score.
    "recipe.initialization": ("torch", {"weights", "training", "score"}),
    "recipe.optimizer": ("adamw", {"training", "score"}),
    "recipe.lr": (0.05, {"training", "score"}),
    "recipe.momentum": (0.5, {"training", "score"}),
    "recipe.lr_schedule": ("cosine", {"training", "score"}),
    "recipe.warmup": (0.5, {"training", "score"}),
    "recipe.weight_decay": (0.1, {"training", "score"}),
    "recipe.clip": (0.1, {"training", "score"}),
    "recipe.label_smoothing": (0.1, {"training", "score"}),
    "recipe.aux_weight": (1.0, {"training", "score"}),
    "recipe.aux_schedule": ("half", {"training", "score"}),
    "recipe.class_weights": ("balanced", {"training", "score"}),
    "recipe.averaging": ("ema", {"score"}),
    "recipe.augmentation": ("flip", {"pixels", "training", "score"}),
    "recipe.interpolation": ("random", {"pixels", "training", "score"}),
    "recipe.photometric": (0.5, {"pixels", "training", "score"}),
}
cropped = edit(quick, {"recipe.augmentation": "crops", "recipe.fidelity.epochs": 2})


@cache
def made(experiment):
    """What a run starts from, sees and gives; the order of its labels says which images it saw."""
    training = started(experiment)
    weights = {name: value.clone() for name, value in training.net.state_dict().items()}
    labels, at = [], training.train.at
    training.train.at = lambda index: labels.append(at(index)[1]) or at(index)
    batches, curve = seen(training)
    first = {key: value for key, value in numbers(curve)[-1].items() if key.startswith("train")}
    last = {key: value for key, value in numbers(curve)[-1].items() if key in ("loss", "accuracy")}
    return labels, {"weights": weights, "pixels": batches, "training": first, "score": last}


def equal(one, other):
    """Whether two values, or all in two dicts or lists of tensors, are equal to the bit."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return all(equal(a, b) for a, b in zip(one, other, strict=True))
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


@pytest.mark.parametrize("factor", FACTORS)
def test_each_factor_changes_what_it_says_and_nothing_else(factor):
    value, changes = FACTORS[factor]
    (labels, base), (same, changed) = made(cropped), made(edit(cropped, {factor: value}))
    assert equal(labels, same)
    assert {part for part in base if not equal(base[part], changed[part])} == changes


def test_every_leaf_of_the_recipe_is_a_factor_that_is_tested():
    leaves = {path for path, value in walk(cropped, "") if path.startswith("recipe.")}
    given = {"recipe.dataset", "recipe.image_size", "recipe.batch_size"}
    assert {leaf for leaf in leaves if "fidelity" not in leaf} == set(FACTORS) | given


def test_batches_are_shuffled_anew_in_each_epoch_and_hold_each_image_once():
    batches, _ = seen(started(quick))
    first, second = torch.cat(batches[:3]), torch.cat(batches[3:6])
    assert len(torch.unique(first, dim=0)) == 192
    assert not torch.equal(first, second)
    assert torch.equal(torch.unique(first, dim=0), torch.unique(second, dim=0))


@pytest.mark.parametrize("normalization", ["lrn", "batch", "none"])
def test_no_normalization_leaves_the_tiny_network_at_chance(normalization):
    edits = {"network.normalization": normalization, "recipe.fidelity.epochs": 4}
    *_, last = started(edit(tiny_googlenet, edits))
    assert last.accuracy > 60
    assert last.loss < 1.3


def test_a_users_own_network_learns():
    experiment = edit(quick, {"network": Residual(), "recipe.fidelity.epochs": 8})
    first, *_, last = started(experiment)
    assert last.loss < first.loss
    assert last.accuracy > 40


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ("constant", [0.1, 0.1, 0.1]),
        ("step", [0.1, 0.1, 0.1]),
        ("cosine", [0.075, 0.025, 0.0]),
        ("one_cycle", [0.09504846, 0.03887420, 4e-7]),
    ],
)
def test_the_rate_follows_its_schedule(schedule, rates):
    found = [epoch.lr for epoch in started(edit(quick, {"recipe.lr_schedule": schedule}))]
    assert found == pytest.approx(rates, abs=1e-8)


def test_the_step_schedule_goes_down_4_percent_every_8_epochs():
    edits = {"recipe.lr_schedule": "step", "recipe.fidelity.epochs": 17, "network": Residual()}
    rates = [epoch.lr for epoch in started(edit(quick, edits))]
    assert rates == pytest.approx([0.1] * 7 + [0.096] * 8 + [0.1 * 0.96**2] * 2)


def test_polyak_averages_the_weights_of_the_last_half():
    experiment = edit(quick, {"recipe.averaging": "polyak", "recipe.fidelity.epochs": 2})
    averaged, plain = started(experiment), started(edit(experiment, {"recipe.averaging": None}))
    ours, theirs = numbers(averaged), numbers(plain)
    assert ours[0] == theirs[0]
    assert ours[1]["train_loss"] == theirs[1]["train_loss"]
    assert ours[1]["loss"] != theirs[1]["loss"]
    assert int(averaged.average.n_averaged) == 3


def test_aux_heads_are_trained_with_their_weight():
    silent, spoken, without = (
        numbers(started(edit(quick, edits)))
        for edits in ({"recipe.aux_weight": 0.0}, {}, {"network.aux_after": ()})
    )
    assert silent != spoken
    for one, other in zip(silent, without, strict=True):
        assert {name: one[name] for name in other} == pytest.approx(other, rel=1e-5)


def test_the_loss_of_each_aux_head_is_told():
    first, *_, last = started(quick)
    assert list(first.aux_losses) == ["aux_3a.classifier", "aux_4a.classifier"]
    assert all(0 < last.aux_losses[name] < first.aux_losses[name] for name in last.aux_losses)
    assert next(iter(started(edit(quick, {"network.aux_after": ()})))).aux_losses == {}


def test_the_final_predictions_are_probabilities_of_the_validation_images():
    training = started(quick)
    *_, last = training
    assert training.probabilities.dtype == np.float16
    assert training.probabilities.shape == (64, 4)
    assert training.probabilities.astype(np.float64).sum(1) == pytest.approx(1, abs=2e-3)
    right = (training.probabilities.argmax(1) == training.labels).mean()
    assert 100 * right == pytest.approx(last.accuracy, abs=2)


def test_the_share_of_a_fidelity_is_the_share_of_the_training_images():
    half = started(edit(quick, {"recipe.fidelity.share": 0.5}))
    assert (len(half.train), len(half.validation)) == (96, 64)


def test_a_fidelity_of_smaller_images_trains_and_scores_the_network_on_them():
    training = started(edit(quick, {"recipe.fidelity.image_size": 12}))
    batches, curve = seen(training)
    assert {batch.shape for batch in batches} == {(64, 1, 12, 12)}
    assert training.validation.at(torch.arange(2))[0].shape == (2, 1, 12, 12)
    assert len(curve) == 3
    whole = started(quick)
    assert numbers(curve) != numbers(whole)
    assert torch.equal(training.validation.labels, whole.validation.labels)


@pytest.mark.parametrize(
    ("fidelity", "lowest"),
    [({}, 9), ({"epochs": 2}, 6), ({"share": 0.34}, 3), ({"image_size": 12}, 9)],
    ids=str,
)
def test_a_fidelity_has_a_schedule_of_its_own_length(fidelity, lowest):
    edits = {f"recipe.fidelity.{name}": value for name, value in fidelity.items()}
    training = started(edit(quick, edits | {"recipe.lr_schedule": "cosine"}))
    *_, last = training
    assert training.schedule.last_epoch == training.total == lowest
    assert last.lr == pytest.approx(0, abs=1e-12)


def test_a_share_that_leaves_no_image_is_refused():
    with pytest.raises(ValueError, match="share"):
        started(edit(quick, {"recipe.fidelity.share": 0.001}))


def test_the_protocol_says_under_which_rules_a_number_was_made():
    protocol = started(quick).protocol
    assert protocol.split == "64 of 256 held out by the split seed"
    assert (protocol.precision, protocol.threads) == ("float32", 1)
    half = started(edit(quick, {"recipe.fidelity.share": 0.5})).protocol
    assert half.split == "64 of 256 held out by the split seed, 96 of the rest drawn by it"
    low = Training(quick.layers(), quick.recipe, seeds(0), Settings(precision="bfloat16"))
    assert low.protocol != protocol
    assert np.isfinite(next(iter(low)).loss)


@pytest.mark.parametrize(
    "changes", [{"memory_format": "contiguous"}, {"fused": False}, {"threads": 2}], ids=str
)
def test_another_setting_is_another_protocol_with_nearly_the_same_curve(changes):
    settings = dataclasses.replace(ONE, **changes)
    other = Training(quick.layers(), quick.recipe, seeds(0), settings)
    known = started(quick)
    assert other.protocol != known.protocol
    for one, two in zip(numbers(known), numbers(other), strict=True):
        assert two == pytest.approx(one, rel=1e-2)  # how far rounding goes differs by processor
        assert (two["loss"], two["accuracy"]) == pytest.approx(
            (one["loss"], one["accuracy"]), rel=1e-3
        )


NARROW = """
from dataclasses import dataclass
import torch
from nas import Experiment, Node, Tape
from nas.runs.record import Settings, seeds
from nas.train.training import Training
from tests.specimens import QUICK

@dataclass(frozen=True, kw_only=True)
class Narrow(Node):
    def layers(self, shape, classes):
        tape = Tape(shape)
        x = tape.conv("wide", tape.image, 4, 3)
        x = tape.conv("narrow", x, 8, 1, 2)
        tape.linear("classifier", tape.average_pool("pool", x), classes)
        return tuple(tape.layers)

experiment = Experiment(network=Narrow(), recipe=QUICK)
training = Training(experiment.layers(), experiment.recipe, seeds(0), Settings())
print(len(list(training)))
"""


def test_a_strided_1x1_convolution_of_few_channels_does_not_break_the_process():
    ran = subprocess.run(
        [sys.executable, "-c", NARROW],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert (ran.returncode, ran.stdout) == (0, "3\n"), ran.stderr


def test_balanced_class_weights_count_an_image_of_a_rare_class_more(data, tmp_path):
    for at in range(1, 5):
        (tmp_path / f"flowers/train/rose/{at}.png").unlink()
    edits = {"recipe.dataset": data, "recipe.image_size": 16, "recipe.class_weights": "balanced"}
    experiment = edit(quick, edits)
    settings = Settings(stratified=True)
    training = Training(experiment.layers(), experiment.recipe, seeds(0), settings)
    counts = np.bincount(training.train.labels.numpy())
    assert counts.tolist() == [5, 1]
    assert training.class_weights.tolist() == pytest.approx([6 / 10, 6 / 2])
    plain = edit(experiment, {"recipe.class_weights": None})
    assert Training(plain.layers(), plain.recipe, seeds(0), settings).class_weights is None
    others = [next(iter(Training(e.layers(), e.recipe, seeds(0), settings))).train_loss
              for e in (experiment, plain)]  # fmt: skip
    assert others[0] != others[1]
