import json

import pytest

from nas.cli.find import find_study
from nas.data.catalogue import class_names
from nas.data.store import find
from nas.engine.driver import run
from nas.store.database import connect
from nas.store.reading import records
from tests.commands import MINE, nas
from tests.examples import sqlite
from tests.specimens import made


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The folder of a study that was run, with its baseline confirmed."""
    folder = tmp_path_factory.mktemp("evaluate")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("NAS_HOME", str(folder))
        (folder / "mine.py").write_text(MINE)
        study = find_study("mine.py").confirming(0, 1)
        run(study, sqlite(folder), local=True)
        run(study, sqlite(folder), local=True, only=study.confirmation)
        yield folder


@pytest.fixture(scope="module")
def found(home):
    with connect(sqlite(home)) as storage:
        return records(storage, find_study("mine.py").full_name)


def rows(*words):
    return json.loads(nas("evaluate", *words, "-f", "json").stdout)


def trial(found, **wanted):
    return next(r for r in found if all(getattr(r, key) == value for key, value in wanted.items()))


def test_a_trial_scores_from_its_weights_what_it_scored_when_it_was_trained(home, found):
    one = trial(found, role="baseline", state="complete")
    (stored,) = rows(f"mine.py:{one.number}")
    (again,) = rows(f"mine.py:{one.number}", "--split", "validation")
    assert stored["top1"] == again["top1"] == pytest.approx(one.score)
    assert stored["top5"] == again["top5"] >= stored["top1"]
    assert again["calibration_error"] == pytest.approx(stored["calibration_error"], abs=0.01)
    (train,) = rows(f"mine.py:{one.number}", "--split", "train")
    assert (train["split"], train["images"] > again["images"]) == ("train", True)


def test_an_ensemble_costs_the_sum_of_its_members(home, found):
    names = [f"mine.py:{r.number}" for r in found if r.state == "complete" and r.seeds.split == 0]
    *members, together = rows(*names, "--together")
    assert together["members"] == len(names) > 1
    assert together["mult_adds"] == sum(member["mult_adds"] for member in members)


def test_a_trial_that_is_named_in_two_ways_is_one_member(home, found):
    one, other = [r.number for r in found if r.state == "complete" and r.seeds.split == 0][:2]
    *members, together = rows(f"mine.py:{one}", f"mine:{one}", f"mine:{other}", "--together")
    assert (len(members), together["members"]) == (2, 2)


def test_the_test_split_is_scored_from_what_a_confirmation_stored_and_from_nothing_else(
    home, found
):
    confirmed = trial(found, role="confirmation")
    (row,) = rows(f"mine.py:{confirmed.number}")
    assert (row["split"], row["top1"]) == ("test", pytest.approx(confirmed.test))
    other = f"mine.py:{trial(found, role='baseline').number}"
    said = nas("evaluate", f"mine.py:{confirmed.number}", other, "--together", code=2).output
    assert "an ensemble's members have one split, not test and validation" in said
    said = nas("evaluate", other, "--split", "test", code=2).output
    assert "'test' is not one of 'validation', 'train'" in said


def test_a_size_that_the_network_does_not_fit_is_one_message(home, found):
    number = trial(found, role="baseline").number
    said = nas("evaluate", f"mine.py:{number}", "--image-size", "8", code=2).output
    assert "a 3x3 window does not fit a map of 2x2; take a larger image_size" in said


def test_every_epoch_of_a_study_is_a_row_with_its_gradients(home, found):
    table = find_study("mine.py").curves(sqlite(home))
    assert len(table) == sum(len(record.curve) for record in found)
    assert {
        "gradients.stem",
        "gradients.inception_3a",
        "lr",
        "aux_losses.aux_4a.classifier",
    } <= set(table)
    assert (table["gradients.stem"] > 0).all()


def test_each_class_is_scored_by_its_own_images(home, found):
    one = trial(found, role="baseline", state="complete")
    (whole,) = rows(f"mine.py:{one.number}")
    each = rows(f"mine.py:{one.number}", "--by", "class")
    assert sum(row["images"] for row in each) == whole["images"]
    accuracies = [row["accuracy"] for row in each]
    assert whole["balanced"] == pytest.approx(sum(accuracies) / len(accuracies))
    worst = min(each, key=lambda row: row["accuracy"])
    assert whole["worst"] == f"{worst['class']}: {worst['accuracy']:.2f} %"
    assert [row["class"] for row in each] == ["0", "1", "2", "3"]
    assert "balanced %" in nas("evaluate", f"mine.py:{one.number}").stdout


def test_the_classes_of_image_files_have_their_names_unless_the_images_are_others(data):
    made(data)
    known = find(data).sha256
    assert class_names(data, known) == ("daisy", "rose")
    assert class_names(data, "0" * 64) == ()
