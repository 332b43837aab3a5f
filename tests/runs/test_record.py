from dataclasses import FrozenInstanceError, replace

import pytest

from nas import edit
from nas.runs.record import ArmRecord, Protocol, Seeds, StudyRecord, seeds
from nas.tree.tree import from_json, to_json
from tests.specimens import quick, record

CLASSES = {kind.__name__: kind for kind in (ArmRecord, Protocol, Seeds, StudyRecord)}


def test_an_integer_seeds_every_stream_alike():
    assert seeds(3) == Seeds(split=3, init=3, order=3, dropout=3)


def test_streams_given_one_by_one_stay():
    own = Seeds(split=0, init=1, order=2, dropout=3)
    assert seeds(own) is own


@pytest.mark.parametrize("value", [1.5, "1", None, True])
def test_a_seed_is_an_integer(value):
    with pytest.raises(ValueError, match=r"Seeds.split must be int, not"):
        seeds(value)


def test_a_run_is_its_candidate_fidelity_and_seed():
    first = record(quick, number=1, seed=3)
    assert first.key == (quick.candidate_id, (3, 1.0, None), seeds(3), None)
    assert record(quick, number=2, seed=3, state="failed").key == first.key
    assert record(quick, seed=4).key != first.key
    assert record(edit(quick, {"recipe.fidelity.epochs": 9}), seed=3).key != first.key
    assert record(edit(quick, {"recipe.lr": 0.2}), seed=3).key != first.key


def test_a_record_is_not_changed_but_replaced():
    made = record(quick)
    with pytest.raises(FrozenInstanceError):
        made.state = "failed"
    assert replace(made, state="failed").state == "failed"


PROTOCOL = Protocol(
    data_sha256="0", split="s", evaluation="e", precision="float32", threads=1, training_version=1
)
ARM = ArmRecord(
    role="change",
    change="no 5x5 branch",
    kind="raw",
    candidate_id="c",
    epochs=3,
    seeds=(seeds(0), seeds(1)),
)
STUDY = StudyRecord(
    name="s",
    full_name="s@0",
    question="q",
    baseline=to_json(quick),
    limits={"mult_adds": 1.5e9},
    image_size=None,
    trials=2,
    planned=5,
    arms=(ARM,),
    margin=0.5,
    created=1.0,
)


@pytest.mark.parametrize("value", [seeds(1), PROTOCOL, ARM, replace(STUDY, baseline=None)])
def test_what_is_stored_as_json_comes_back(value):
    assert from_json(to_json(value), CLASSES) == value


@pytest.mark.parametrize(
    ("role", "kind", "name"),
    [
        ("change", "raw", "no x"),
        ("change", "matched", "no x (matched)"),
        ("change", "control", "no x (control)"),
        ("tuning", "retuned", "no x (tuning)"),
        ("control", None, "no x"),
    ],
)
def test_a_run_of_a_change_is_told_from_one_of_another_kind(role, kind, name):
    assert record(quick, role=role, change="no x", kind=kind).arm == name


def test_a_candidate_is_no_run_of_a_change():
    assert record(quick).arm is None
