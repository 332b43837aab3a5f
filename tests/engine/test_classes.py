"""Every class is trained and validated on, or it is said before anything runs."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from nas import Search, Study, edit
from nas.engine.classes import unseen
from nas.engine.driver import run
from nas.engine.forecast import forecast
from nas.runs.record import Settings, seeds
from nas.store.database import connect
from nas.store.reading import records
from nas.train.replay import replay
from nas.train.training import Training
from search_spaces.tiny import widths
from tests.specimens import made, quick


@pytest.fixture
def url(tmp_path, monkeypatch):
    monkeypatch.setenv("NAS_HOME", str(tmp_path / "home"))
    return f"sqlite:///{tmp_path}/x.db"


def study(data, share=1.0):
    edits = {"recipe.dataset": data, "recipe.image_size": 16, "recipe.fidelity.epochs": 1,
             "recipe.fidelity.share": share}  # fmt: skip
    space = widths.around(edit(quick, edits))
    return Study(name="rare", question="Rare?", space=space, plan=Search(trials=1))


def rare(data, tmp_path):
    """The data set with one image of a third class, which cannot be trained and validated on."""
    for split in ("train", "val"):
        folder = tmp_path / "flowers" / split / "tulip"
        folder.mkdir()
        Image.fromarray(np.full((8, 8, 3), 9, np.uint8)).save(folder / "0.png")
    return dataclasses.replace(data, classes=3)


LOST = "1 class of flowers would have no image to validate on, on some seed: tulip (of 1 image); "


def test_ones_own_images_are_split_class_by_class_under_a_protocol_of_its_own(data, url):
    done = run(study(data), url, local=True)
    with connect(url) as storage:
        found = records(storage, done.full_name)
    assert {each.protocol.stratified for each in found} == {True}
    assert {each.protocol.split for each in found} == {
        "2 of 12 held out by the split seed, each class in proportion"
    }
    assert [step.parted for step in replay(found[0])] == [None] * 4


def test_a_stored_study_goes_on_with_the_split_of_its_first_run(data, url, monkeypatch):
    asked = study(data)
    with monkeypatch.context() as before:
        before.setattr("nas.engine.driver._is_own", lambda study: False)
        done = run(asked, url, local=True)
    said = []
    more = dataclasses.replace(asked, plan=Search(trials=2))
    run(more, url, local=True, notice=said.append)
    with connect(url) as storage:
        found = records(storage, done.full_name)
    assert len(found) > 1
    assert {each.protocol.stratified for each in found} == {False}
    assert any("a stratified split" in text for text in said)


def test_the_split_of_a_shipped_data_set_stays(url):
    asked = Study(name="old", question="?", space=widths.around(quick), plan=Search(trials=1))
    done = run(asked, url, local=True)
    with connect(url) as storage:
        protocol = records(storage, done.full_name)[0].protocol
    assert protocol.split == "64 of 256 held out by the split seed"
    assert not protocol.stratified


def test_a_class_with_too_few_images_is_named_before_anything_runs(data, url, tmp_path):
    asked, said = study(rare(data, tmp_path)), []
    done = run(asked, url, local=True, notice=said.append)
    lost = [text for text in said if text.startswith(LOST)]
    assert lost
    rows = forecast(asked, f"sqlite:///{tmp_path}/none.db")
    assert [row.detail for row in rows if row.item == "classes"] == lost
    assert done


def test_a_drawn_split_that_leaves_a_class_out_says_so_too(data):
    made(data)
    asked = study(data, share=0.1)
    said = " ".join(unseen(asked, Settings()))
    assert "1 class of flowers would have no image to train on, on some seed:" in said
    assert list(unseen(asked, Settings(stratified=True))) == []


def test_a_share_of_the_images_has_some_of_every_class(data):
    made(data)
    recipe = study(data, share=0.01).space.baseline.experiment
    training = Training(recipe.trained_layers, recipe.recipe, seeds(0), Settings(stratified=True))
    assert sorted(training.train.labels.tolist()) == [0, 1]
    assert sorted(training.labels.tolist()) == [0, 1]
    assert "2 of the rest drawn by it, each class in proportion" in training.protocol.split
