import math
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, log_loss, top_k_accuracy_score

from nas.runs.scores import Predictions, by_class, calibration_error, ensemble, nll, score, top

rng = np.random.default_rng(0)
labels = rng.integers(0, 8, 500)
probabilities = rng.dirichlet(np.full(8, 0.5), 500)


def predictions(given=probabilities, **values):
    known = {"split": "test", "image_size": 28, "mult_adds": 100}
    return Predictions(probabilities=given, labels=labels, **(known | values))


@pytest.mark.parametrize("k", [1, 5])
def test_top_k_is_scikit_learns(k):
    wanted = 100 * top_k_accuracy_score(labels, probabilities, k=k)
    assert top(probabilities, labels, k) == pytest.approx(wanted)


def test_nll_is_scikit_learns():
    assert nll(probabilities, labels) == pytest.approx(log_loss(labels, probabilities))


def test_balanced_accuracy_is_scikit_learns_and_the_mean_of_the_classes():
    wanted = 100 * balanced_accuracy_score(labels, probabilities.argmax(1))
    assert score(predictions()).balanced == pytest.approx(wanted)
    rare = np.where(labels == 7, 0, labels)
    own = by_class(replace(predictions(), labels=rare))
    assert [each.images for each in own] == np.bincount(rare, minlength=8).tolist()
    assert math.isnan(own[7].accuracy)
    right = probabilities.argmax(1) == rare
    assert own[3].accuracy == pytest.approx(100 * right[rare == 3].mean())


def test_a_network_that_says_one_class_always_is_found_out():
    always = np.zeros((500, 8))
    always[:, 2] = 1
    made = replace(predictions(always), labels=np.where(np.arange(500) < 450, 2, 1))
    assert (score(made).top1, score(made).balanced) == (90, 50)


def test_a_label_that_was_given_no_probability_is_finite():
    sure = np.zeros((500, 8), np.float16)
    sure[:, 0] = 1
    assert math.isfinite(score(predictions(sure)).nll)


def test_top5_of_few_classes_is_everything():
    assert top(probabilities[:, :4], labels % 4, 5) == 100


def test_the_calibration_error_is_the_mean_distance_of_confidence_and_accuracy_over_15_bins():
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    apart = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        if inside.any():
            apart += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert calibration_error(probabilities, labels) == pytest.approx(100 * apart)


def test_a_network_that_is_as_right_as_it_says_is_calibrated():
    two = np.tile([0.75, 0.25], (400, 1))
    assert calibration_error(two, np.repeat([0, 0, 0, 1], 100)) == pytest.approx(0)
    assert calibration_error(two, np.zeros(400, int)) == pytest.approx(25)
    assert calibration_error(np.eye(2)[[0, 1]], np.array([0, 1])) == 0


def test_an_ensemble_is_the_mean_at_the_sum_of_the_costs():
    other = rng.dirichlet(np.full(8, 0.5), 500)
    both = ensemble([predictions(), predictions(other, mult_adds=50)])
    assert np.allclose(both.probabilities, (probabilities + other) / 2)
    assert (both.mult_adds, both.members) == (150, 2)
    assert score(both).members == 2
    three = ensemble([both, predictions()])
    assert three.members == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"split": "validation"}, "have one split, not test and validation"),
        ({"crops": 10}, "have one crops, not 1 and 10"),
        ({"labels": labels[::-1]}, "scored on the same images; give their runs one split seed"),
    ],
)
def test_members_that_were_scored_otherwise_are_no_ensemble(change, message):
    with pytest.raises(ValueError, match=message):
        ensemble([predictions(), replace(predictions(), **change)])


def test_an_ensemble_of_nobody_is_refused():
    with pytest.raises(ValueError, match="needs a member"):
        ensemble([])
