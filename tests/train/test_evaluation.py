import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from nas import cost, edit
from nas.runs.record import Settings, seeds
from nas.runs.scores import ensemble, score
from nas.train.evaluation import predict, stored, views
from nas.train.training import Training
from tests.examples import keep_predictions
from tests.specimens import quick, record


def trained(edits=None):
    experiment = edit(quick, edits or {})
    training = Training(experiment.layers(), experiment.recipe, seeds(0), Settings())
    return training, list(training)


@pytest.fixture(scope="module")
def run():
    return trained({"recipe.averaging": "polyak"})


def grid(height, width):
    """An image whose two channels say where each pixel lies, from 0 to 1."""
    rows = (torch.arange(height) + 0.5) / height
    columns = (torch.arange(width) + 0.5) / width
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"))[None]


def extents(view):
    """(top, bottom, left, right) that a view of a grid shows, as shares of the image."""
    size = view.shape[-1]
    rows, columns = view[0, 0, :, size // 2], view[0, 1, size // 2]

    def ends(line):
        half = (line[2 * size // 3] - line[size // 3]) / (2 * size // 3 - size // 3) / 2
        middle = line[size // 2 - 1 : size // 2 + 1].mean()
        return [round((middle - size * half).item(), 2), round((middle + size * half).item(), 2)]

    return *ends(rows), *ends(columns)


@pytest.mark.parametrize(("height", "width"), [(300, 400), (400, 300)])
def test_the_papers_144_crops_are_4_scales_3_squares_6_views_and_their_mirror_images(height, width):
    made = [extents(view) for view in views(grid(height, width), 144, 224)]
    assert len(made) == 144 == 4 * 3 * 6 * 2
    # The whole of a square is the same part of the image at each scale, its corners are not.
    assert len({each for at, each in enumerate(made) if at % 12 < 10}) == 120
    straight, mirrored = made[::2], made[1::2]
    assert [(t, b, r, left) for t, b, left, r in mirrored] == straight
    for top, bottom, left, right in straight:
        assert 0 <= top < bottom <= 1
        assert 0 <= left < right <= 1
    # The first square of each scale, as itself: three quarters of the longer side, from its start.
    firsts = straight[5::18]
    assert firsts == [(0, 1, 0, 0.75) if width > height else (0, 0.75, 0, 1)] * 4
    # A corner of it is 224 of 256, 288, 320 and 352 pixels.
    corners = [bottom - top if height < width else right - left for top, bottom, left, right in
               straight[::18]]  # fmt: skip
    assert corners == pytest.approx([224 / side for side in (256, 288, 320, 352)], abs=0.011)


def test_a_square_image_has_one_square_a_scale():
    made = [extents(view) for view in views(grid(40, 40), 144, 28)]
    assert len(made) == 48
    assert len(set(made)) == 4 * 5 * 2 + 2
    whole = made[10::12]
    assert whole == [(0, 1, 0, 1)] * 4


def test_10_crops_are_the_corners_and_the_centre_and_their_mirror_images():
    made = [extents(view) for view in views(grid(32, 32), 10, 28)]
    share = 28 / 32
    low, middle = 1 - share, (1 - share) / 2
    corners = [(0, 0), (0, low), (low, 0), (low, low), (middle, middle)]
    wanted = [(top, top + share, left, left + share) for top, left in corners]
    assert np.allclose(made[::2], wanted, atol=0.006)
    assert [(t, b, r, left) for t, b, left, r in made[1::2]] == made[::2]


def test_one_crop_is_the_middle_square_at_the_size():
    (view,) = views(grid(32, 64), 1, 16)
    assert extents(view) == (0, 1, 0.25, 0.75)
    images = torch.rand(2, 3, 20, 20)
    (view,) = views(images, 1, 14)
    wanted = functional.interpolate(images, (14, 14), mode="bilinear", antialias=True)
    assert torch.allclose(view, wanted, atol=1e-6)


def test_crops_of_an_image_too_small_for_them_are_refused():
    with pytest.raises(ValueError, match="images of 4 pixels are too small for 144 crops; take 1"):
        list(views(grid(8, 8), 144, 4))


def test_one_crop_of_the_validation_split_is_what_the_last_epoch_said(run):
    training, curve = run
    made = predict(training)
    assert np.allclose(made.probabilities, training.probabilities, atol=1e-3)
    found = score(made)
    assert found.top1 == pytest.approx(curve[-1].accuracy)
    assert found.nll == pytest.approx(curve[-1].loss, rel=1e-4)
    assert (found.images, found.split, found.crops) == (64, "validation", 1)
    assert found.mult_adds == cost(quick).mult_adds


@pytest.mark.parametrize(("split", "images"), [("train", 192), ("validation", 64), ("test", 64)])
def test_each_split_is_scored_on_its_own_images(run, split, images):
    training, _ = run
    found = score(predict(training, split))
    assert (found.split, found.images) == (split, images)
    assert 0 <= found.top1 <= found.top5 == 100


def test_the_gap_of_a_network_that_knows_its_images_by_heart_is_large():
    training, _ = trained({"recipe.fidelity.epochs": 12, "recipe.fidelity.share": 0.2})
    known, new = (score(predict(training, split)).top1 for split in ("train", "test"))
    assert known > new + 10


@pytest.mark.parametrize(("crops", "passes"), [(10, 10), (144, 48)])
def test_crops_are_averaged_and_cost_as_many_passes(run, crops, passes):
    training, _ = run
    made = predict(training, "test", crops)
    assert made.mult_adds == passes * cost(quick).mult_adds
    assert made.probabilities.sum(1) == pytest.approx(1, abs=1e-5)
    assert not np.allclose(made.probabilities, predict(training, "test").probabilities, atol=1e-3)
    assert math.isfinite(score(made).nll)


def test_a_network_is_scored_at_another_size_at_its_own_cost(run):
    training, _ = run
    found = score(predict(training, "test", image_size=20))
    assert (found.image_size, found.mult_adds) == (20, cost(quick, 20).mult_adds)


def test_a_network_whose_head_knows_one_size_is_not_scored_at_another():
    training, _ = trained({"network.head.pooling": "flatten", "recipe.fidelity.epochs": 1})
    with pytest.raises(ValueError, match="this network is scored at the size that it was trained"):
        predict(training, image_size=32)


def test_a_score_leaves_the_training_as_it_was():
    first, second = (Training(quick.layers(), quick.recipe, seeds(0), Settings()) for _ in "ab")
    next(iter(first)), next(iter(second))
    predict(first, "test", 10)
    assert next(iter(first)).train_loss == next(iter(second)).train_loss


def test_stored_predictions_make_an_ensemble(tmp_path):
    members = []
    for number, seed in enumerate((0, 0, 1)):
        training, _ = trained({"recipe.fidelity.epochs": 1})
        name = keep_predictions(tmp_path, training.probabilities, training.labels)
        kept = record(quick, number=number, seed=seed, predictions=name)
        members.append(stored(kept, quick, tmp_path))
    made = score(ensemble(members))
    assert made.top1 == pytest.approx(score(members[0]).top1)
    assert (made.members, made.mult_adds) == (3, 3 * cost(quick).mult_adds)
    with pytest.raises(ValueError, match=r"trial 9 \(failed\) kept no predictions"):
        stored(record(quick, number=9, state="failed"), quick, tmp_path)
