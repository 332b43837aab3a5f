import json

import pytest

from nas import Data, Experiment, edit, image_folder, own_data
from nas.data.datasets import DATASETS
from nas.experiment.experiment import CLASSES
from nas.tree.tree import from_json, to_json
from tests.specimens import flowers, quick

FLOWERS = {"classes": 2, "image_size": 8, "validation": 2}


def make():
    return None, None


def nested():
    def inner():
        return None, None

    return inner


def test_ones_own_data_set_says_where_it_comes_from():
    known = {"channels": 1, **FLOWERS}
    assert image_folder("flowers", **known).source == "folder"
    assert own_data(make, name="mine", **known).source == f"{__name__}:make"
    assert {data.source for data in DATASETS.values()} == {None}


class Maker:
    def __call__(self):
        return None, None


@pytest.mark.parametrize("maker", [lambda: (None, None), nested(), Maker()])
def test_a_function_that_cannot_be_found_by_its_name_is_refused(maker):
    with pytest.raises(
        ValueError, match=r"found by its name, not .*: write `def make\(\): ...` at"
    ):
        own_data(maker, name="mine", channels=1, **FLOWERS)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "../x"}, r"a data set's name has letters, digits, _ and - only, not '../x'"),
        ({"name": ""}, r"a data set's name has letters"),
        ({"classes": 1}, r"flowers: classes must be 2 or more, not 1"),
        ({"channels": 0}, r"flowers: channels must be 1 or more, not 0"),
        ({"channels": 2}, r"flowers: image files have 1 or 3 channels, not 2"),
        ({"image_size": 0}, r"flowers: image_size must be 1 or more, not 0"),
        ({"validation": 0}, r"flowers: validation must be 1 or more, not 0"),
        ({"validation": 7, "train": 7}, r"flowers: 7 images to validate on leave none of 7"),
        ({"name": "digits"}, r"digits is a data set that is shipped; give yours another name"),
        ({"source": "os"}, r"a source is 'folder' or 'MODULE:FUNCTION', not 'os'"),
        ({"source": "os:path.join"}, r"a source is 'folder' or 'MODULE:FUNCTION'"),
        ({"classes": "2"}, r"Data.classes must be int, not '2'"),
    ],
)
def test_what_describes_no_data_set_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Data(**{"name": "flowers", "source": "folder", **FLOWERS} | values)


def test_shape_and_classes_of_an_experiment_are_those_of_its_data(tmp_path):
    made = edit(quick, {"recipe.dataset": flowers(tmp_path)})
    assert (made.shape, made.classes) == ((3, 16, 16), 2)
    assert made.candidate_id != quick.candidate_id


def test_ones_own_comes_back_from_json_and_a_shipped_name_stays_a_word(tmp_path):
    made = edit(Experiment(), {"recipe.dataset": flowers(tmp_path)})
    text = json.dumps(to_json(made))
    assert from_json(json.loads(text), CLASSES) == made
    assert to_json(Experiment())["recipe"]["dataset"] == "imagenet"
