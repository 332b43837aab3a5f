import dataclasses

import numpy as np
import pytest

from nas.base.errors import LeftOut, OutOfReach
from nas.base.paths import predictions_path
from nas.runs.predictions import kept, usable
from tests.examples import keep_predictions, record

LIKELIEST, LABELS = [0, 1, 1, 2], [0, 1, 2, 2]
"""Three of four right."""


def run(folder, score=75.0, labels=LABELS, **values):
    name = keep_predictions(folder, np.eye(3)[LIKELIEST], labels)
    return dataclasses.replace(record(0, score), predictions=name, **values)


def test_predictions_come_back_as_they_were_kept(tmp_path):
    probabilities, labels = kept(run(tmp_path), tmp_path)
    assert probabilities.argmax(1).tolist() == LIKELIEST
    assert labels.tolist() == LABELS
    assert kept(run(tmp_path), tmp_path / "elsewhere") is None
    assert kept(record(0, 75.0), tmp_path) is None


@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: b[::-1], lambda b: b""])
def test_a_file_that_is_not_the_one_that_was_written_counts_for_nothing(tmp_path, change):
    own = run(tmp_path)
    path = predictions_path(tmp_path, own.predictions)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(OutOfReach, match="is damaged: it has another SHA-256 than its name"):
        kept(own, tmp_path)
    with pytest.warns(LeftOut, match="trial 0 counts without its predictions"):
        assert usable(own, tmp_path) is None


def test_the_predictions_of_another_run_count_for_nothing(tmp_path):
    other = run(tmp_path, labels=[2, 2, 1, 0])
    with pytest.raises(OutOfReach, match=r"not those of trial 0's 75\.00"):
        kept(other, tmp_path)
    tested = dataclasses.replace(other, crops=1, test=25.0)
    assert kept(tested, tmp_path) is not None
    assert kept(dataclasses.replace(other, score=25.0), tmp_path) is not None


def test_classes_that_float16_made_equally_likely_are_no_damage(tmp_path):
    name = keep_predictions(tmp_path, np.full((4, 3), 1 / 3, np.float16), LABELS)
    for score in (0.0, 50.0, 100.0):
        own = dataclasses.replace(record(0, score), predictions=name)
        assert kept(own, tmp_path) is not None
