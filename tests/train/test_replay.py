import dataclasses
import re
import shutil

import pytest

from nas.runs.record import Epoch
from nas.store.database import connect
from nas.store.reading import records, study_names
from nas.train.replay import replay
from nas.train.training import TRAINING_VERSION
from tests.commands import nas
from tests.examples import sqlite


@pytest.fixture(scope="module")
def stored(ran):
    """The record of a run of here that has an aux head."""
    with connect(sqlite(ran[0] / "out")) as storage:
        (name,) = study_names(storage)
        found = records(storage, name)
    return next(r for r in found if r.state == "complete" and r.curve[0].aux_losses)


def test_a_run_again_is_equal_to_the_bit_its_predictions_and_weights_too(stored):
    steps = list(replay(stored))
    assert [step.parted for step in steps] == [None] * 5
    assert steps[0].said == "protocol equal"
    assert [step.said for step in steps[-2:]] == ["predictions equal", "weights equal"]


FIELDS = [field.name for field in dataclasses.fields(Epoch) if field.name != "epoch"]


@pytest.mark.parametrize("field", FIELDS)
def test_a_number_that_differs_is_named_with_its_epoch(stored, field):
    first, last = stored.curve
    old = getattr(last, field)
    name = ""
    if isinstance(old, dict):
        name, number = next(iter(old.items()))
        changed = dataclasses.replace(last, **{field: old | {name: number * 1.000001}})
    else:
        changed = dataclasses.replace(last, **{field: old * 1.000001})
    steps = list(replay(dataclasses.replace(stored, curve=(first, changed))))
    parted = [step.parted for step in steps if step.parted]
    if field in ("seconds", "images_per_second"):
        assert parted == []
    else:
        assert len(parted) == 1
        named = field.replace("_", " ") + (rf"\.{name.replace('_', ' ')}" if name else "")
        assert re.match(rf"in epoch 2 {named} was ", parted[0])


def test_a_run_of_before_is_equal_though_it_has_fewer_numbers(stored):
    old = tuple(dataclasses.replace(epoch, gradients={}, aux_losses={}) for epoch in stored.curve)
    steps = replay(dataclasses.replace(stored, curve=old))
    assert [step.parted for step in steps] == [None] * 5


def test_another_protocol_is_named(stored):
    protocol = dataclasses.replace(stored.protocol, training_version=0)
    first, *_ = replay(dataclasses.replace(stored, protocol=protocol))
    assert first.parted == f"training version was 0, is {TRAINING_VERSION}"


def test_other_predictions_are_seen(stored):
    *_, found, _ = replay(dataclasses.replace(stored, predictions="0" * 64))
    assert found.parted == "the predictions have another hash"


def test_other_weights_are_seen_and_where_none_were_kept_it_is_said(stored):
    *_, last = replay(dataclasses.replace(stored, weights="0" * 64))
    assert last.parted == "the weights have another hash"
    *_, last = replay(dataclasses.replace(stored, weights=None))
    assert (last.parted, last.said) == (None, "weights: none are stored to compare with")


def test_a_run_without_an_epoch_cannot_be_replayed(stored):
    refused = dataclasses.replace(stored, number=7, curve=(), state="infeasible")
    with pytest.raises(ValueError, match="trial 7 was infeasible before its first epoch"):
        next(replay(refused))


def test_the_command_says_equal_and_exits_with_0_or_where_it_parts_with_1(
    ran, tmp_path, monkeypatch
):
    shutil.copytree(ran[0], tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAS_HOME", str(tmp_path / "out"))
    said = nas("replay", "mine.py:0").stdout.splitlines()
    assert said[-1] == "trial 0 is equal to the bit over 2 epochs"
    with connect(sqlite(tmp_path / "out")) as storage, storage.engine.begin() as connection:
        connection.exec_driver_sql("update nas_epochs set loss = loss + 0.001 where epoch = 2")
    said = nas("replay", "mine.py:0", code=1).stdout.splitlines()
    assert said[-1].startswith("it parts: in epoch 2 loss was ")
    assert "has the trials 0 to 15, not 99" in nas("replay", "mine.py:99", code=2).stderr
