import json
import sys
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset

from nas import edit, own_data
from nas.data import own
from nas.data.catalogue import load, prepare
from nas.data.store import find, place
from nas.experiment.experiment import CLASSES
from nas.tree.tree import from_json, to_json
from tests.commands import nas
from tests.specimens import quick

FACTS = {"name": "mine", "classes": 2, "channels": 3, "image_size": 4, "validation": 2}
GIVEN: dict = {}


def make():
    return GIVEN["train"], GIVEN["test"]


class Listed(Dataset):
    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


class Drawn(Listed):
    def __getitem__(self, index):
        noise, label = self.items[index]
        return noise.integers(0, 256, (3, 4, 4)).astype(np.uint8), label


PIXELS = np.arange(48, dtype=np.uint8).reshape(3, 4, 4)
MEMBERS = {
    "CHW": PIXELS,
    "HWC": PIXELS.transpose(1, 2, 0),
    "tensor CHW": torch.from_numpy(PIXELS),
    "tensor HWC": torch.from_numpy(PIXELS).permute(1, 2, 0),
    "float": torch.from_numpy(PIXELS) / 255,
    "half": (torch.from_numpy(PIXELS) / 255).half(),
    "PIL": Image.fromarray(PIXELS.transpose(1, 2, 0)),
}


@pytest.fixture
def given(tmp_path, monkeypatch):
    """Sets what `make` returns: one item among good ones."""
    monkeypatch.setenv("NAS_DATA", str(tmp_path))

    def give(image=PIXELS, label=1):
        GIVEN["train"] = Listed([(PIXELS, 0)] * 4 + [(image, label)])
        GIVEN["test"] = Listed([(PIXELS, 1)])
        return own_data(make, **FACTS)

    return give


@pytest.mark.parametrize("image", MEMBERS.values(), ids=MEMBERS)
def test_an_image_may_have_any_of_torchs_usual_forms(given, image):
    data = given(image)
    prepare(data, lambda text: None)
    assert np.array_equal(load(data).train.images[4], PIXELS)


def test_a_float_is_rounded_to_the_nearest_level(given):
    data = given(torch.full((3, 4, 4), 0.999))  # 254.745 of 255
    prepare(data, lambda text: None)
    assert (load(data).train.images[4] == 255).all()


@pytest.mark.parametrize("image", [np.eye(4, dtype=np.uint8), torch.eye(4) / 255,
                                   Image.fromarray(np.eye(4, dtype=np.uint8))])  # fmt: skip
def test_a_grey_image_needs_no_channel(given, image):
    GIVEN.update(
        train=Listed([(image, 0), (image, 1)] * 2), test=Listed([(image, torch.tensor(1))])
    )
    data = own_data(make, **FACTS | {"channels": 1})
    prepare(data, lambda text: None)
    assert load(data).test.images.tolist() == [[np.eye(4).tolist()]]
    assert load(data).test.labels.tolist() == [1]


@pytest.mark.parametrize(
    ("image", "label", "message"),
    [
        (PIXELS[:, :3], 0, r"an image is uint8, or a float from 0 to 1, of \(C, H, W\) = "
                           r"\(3, 4, 4\), not uint8 of \(3, 3, 4\)"),
        (PIXELS[0], 0, r"not uint8 of \(4, 4\)"),
        (PIXELS.astype(int), 0, r"not int64 of \(3, 4, 4\)"),
        (torch.from_numpy(PIXELS) / 1.0, 0, r"not float32 of"),
        (np.full((3, 4, 4), np.nan), 0, r"not float64 of"),
        (Image.fromarray(PIXELS[0].astype("f4")), 0, r"more than 8 bits a channel \(mode F\): say"),
        (Image.fromarray(PIXELS[0].astype("i4")), 0, r"more than 8 bits a channel \(mode I\): say"),
        (PIXELS, 2, r"a label is a class from 0 to 1, not 2"),
        (PIXELS, -1, r"a label is a class from 0 to 1, not -1"),
        (PIXELS, 0.5, r"TypeError: 'float' object cannot be interpreted as an integer"),
    ],
)  # fmt: skip
def test_an_item_that_cannot_be_is_said_with_its_number(given, image, label, message):
    with pytest.raises(ValueError, match=f"mine, image 4 to train on: .*{message}"):
        prepare(given(image, label), lambda text: None)


def test_a_class_without_an_image_to_train_on_is_refused(given):
    data = given()
    GIVEN["train"] = Listed([(PIXELS, 0)] * 5)
    with pytest.raises(ValueError, match=r"mine has no image of class 1 to train on; .* 2 classes"):
        prepare(data, lambda text: None)


def test_images_that_are_all_of_one_colour_are_refused(given):
    data = given()
    GIVEN["train"] = Listed([(PIXELS * 0, at % 2) for at in range(5)])
    with pytest.raises(ValueError, match="mine: all pixels of its images to train on are alike"):
        prepare(data, lambda text: None)


@pytest.mark.parametrize("returned", [None, (1, 2), ([], [], []), ([(PIXELS, 0)], iter([]))])
def test_what_is_not_two_data_sets_is_refused(given, monkeypatch, returned):
    data = given()
    monkeypatch.setattr(sys.modules[__name__], "make", lambda: returned)
    with pytest.raises(ValueError, match=r"test_own_data:make returns \(train, test\), two data"):
        prepare(data, lambda text: None)


def test_a_function_that_fails_is_said_with_its_error(given):
    data = given()
    GIVEN.clear()
    with pytest.raises(ValueError, match="test_own_data:make: KeyError: 'train'"):
        prepare(data, lambda text: None)


def test_images_are_made_again_where_the_function_is_another(given, monkeypatch):
    data, notices = given(), []
    for expected in (1, 1):
        prepare(data, notices.append)
        assert len(notices) == expected
    monkeypatch.setattr(own.inspect, "getsource", lambda make: "def make(): ...")
    prepare(data, notices.append)
    assert len(notices) == 2


def test_images_are_made_again_where_the_same_function_gives_others(given, monkeypatch):
    data, notices = given(), []
    items = GIVEN["train"].items
    for expected, at, item in ((1, 0, items[0]), (2, 3, (PIXELS, 1)), (3, 4, (PIXELS[::-1], 1))):
        items[at] = item
        for _ in range(2):
            prepare(data, notices.append)
            assert len(notices) == expected
            assert load(data).train.labels[at] == item[1]
    # Of a large set, what is spread over it is compared.
    monkeypatch.setattr(own, "LARGE", 0)
    monkeypatch.setattr(own, "SPREAD", 2)
    items[1] = (PIXELS * 2, 1)
    prepare(data, notices.append)
    assert len(notices) == 3
    items[0] = (PIXELS * 2, 1)
    prepare(data, notices.append)
    assert len(notices) == 4


def test_a_function_that_gives_other_images_at_each_call_is_named_and_made_once(given):
    data, notices = given(), []
    noise = np.random.default_rng(0)
    GIVEN["train"] = Drawn([(noise, at % 2) for at in range(5)])
    assert "at each call" not in str(prepare(data, notices.append))
    first = load(data).sha256
    assert "gives other images at each call" in str(prepare(data, notices.append))
    assert load(data).sha256 == first
    assert len(notices) == 1


def test_a_function_that_is_not_loaded_says_to_name_the_study_by_its_file(given):
    made = to_json(given())
    stored = from_json(made | {"source": "antigravity:make"}, CLASSES)
    message = "mine is made by antigravity:make, which is not loaded here; name the study by its"
    with pytest.raises(ValueError, match=message):
        prepare(stored, lambda text: None)
    assert "antigravity" not in sys.modules


def trap():
    raise AssertionError("a stored value called a function")


def test_a_worker_calls_no_function_that_a_stored_recipe_names(given):
    made = to_json(edit(quick, {"recipe.dataset": given()}).recipe)
    made["dataset"]["source"] = f"{__name__}:trap"
    data = from_json(json.loads(json.dumps(made)), CLASSES).data
    message = f"mine is made where its study is run, and is not at {place(data)}: share"
    with pytest.raises(ValueError, match=message):
        load(data)


def test_what_was_made_is_read_where_the_function_is_not_loaded(given, monkeypatch):
    data = given()
    prepare(data, lambda text: None)
    monkeypatch.delattr(sys.modules[__name__], "make")
    prepare(data, trap)
    assert len(load(data).train) == 5


MINE = """
import torch
from torch.utils.data import TensorDataset
from nas import Search, Study, edit, own_data, tiny_googlenet
from search_spaces.tiny import widths

def make():
    stripes = torch.zeros(64, 1, 16, 16)
    stripes[::2, :, ::2] = 1.0
    stripes[1::2, :, :, ::2] = 1.0
    print("made")
    split = TensorDataset(stripes, torch.arange(64) % 2)
    return split, split

data = own_data(make, name="stripes", classes=2, channels=1, image_size=16, validation=16)
base = edit(tiny_googlenet, {"recipe.dataset": data, "recipe.fidelity.epochs": 2,
                             "recipe.batch_size": 8})
study = Study(name="mine", question="Which stripes?", space=widths.around(base),
              plan=Search(trials=2))
"""


def test_a_study_of_ones_own_data_runs_from_its_file_here_and_through_ray(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAS_DATA", str(tmp_path / "data"))
    said = []
    for home, options in (("here", ["--local"]), ("ray", [])):
        monkeypatch.setenv("NAS_HOME", str(tmp_path / home))
        said.append(nas("run", "mine.py", *options))
        assert "trial 1: candidate, complete" in said[-1].stderr
    assert len(list((tmp_path / "data").iterdir())) == 1
    assert "making stripes in $NAS_DATA, once\n" in said[0].stderr
    assert [ran.stdout.count("made") for ran in said] == [1, 1]
    best = [line for line in said[0].stdout.splitlines() if line.startswith("best")]
    assert best[0].split(";")[1] == " the baseline 100.00 % on that seed"


def test_an_own_data_set_is_told_from_others_by_its_source(given):
    data = given()
    prepare(data, lambda text: None)
    other = from_json(to_json(data) | {"source": f"{__name__}:trap"}, CLASSES)
    assert find(other) is None


def test_a_function_of_a_file_that_cannot_be_imported_by_its_name_is_refused(monkeypatch):
    module = ModuleType("my-own")
    exec("def make(): ...", vars(module))
    monkeypatch.setitem(sys.modules, "my-own", module)
    module.make.__module__ = "my-own"
    with pytest.raises(ValueError, match=r"not my-own:make: give the study file a name of letters"):
        own_data(module.make, **FACTS)
