import re
import sys
from pathlib import Path

import pytest

from nas.base import failpoints
from nas.base.errors import LeftOut
from nas.cli.stored import asked
from tests.commands import nas

SQUARES = """
import numpy as np
import helper
from nas import Ablation, SearchSpace, Study, edit, own_data, subsets, tiny_googlenet

def make():
    return [helper.squares(80, 0)] * 2

data = own_data(make, name="squares", classes=2, channels=1, image_size=16, validation=20)
base = edit(tiny_googlenet, {"recipe.dataset": data, "recipe.image_size": 16,
                             "recipe.fidelity.epochs": 1, "recipe.batch_size": 16})
parts = SearchSpace(base, {"network.aux_after": subsets("4a", name="aux heads")})
study = Study(name="squares", question="?", space=parts, plan=Ablation(seeds=range(2)))
"""
HELPER = """
import numpy as np

def squares(count, seed):
    labels = np.arange(count) % 2
    images = np.random.default_rng(seed).integers(0, 40, (count, 1, 16, 16)).astype(np.uint8)
    images[labels == 1, :, 4:12, 4:12] += 150
    return [(image, int(label WRONG)) for image, label in zip(images, labels)]
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes the study, and its helper with labels that are right or not."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NAS_DATA", str(tmp_path / "data"))
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "squares.py").write_text(SQUARES)

    def make(wrong=""):
        sys.modules.pop("helper", None)
        (tmp_path / "helper.py").write_text(HELPER.replace("WRONG", wrong))

    return make


def left_out(made):
    return re.findall("counts? for nothing here, .* since: trial (.*?)[;\n]", made.stderr)


def test_runs_on_labels_that_were_corrected_since_are_named_and_run_anew(write):
    write("^ 1")
    nas("run", "squares.py", "--local")
    write()
    assert left_out(nas("plan", "squares.py")) == ["0 to 5"]
    assert not left_out(nas("effects", "squares.py"))  # nothing has run on the new images
    again = nas("run", "squares.py", "--local")
    assert left_out(again) == ["0 to 5"] * 2
    assert "trial 11: " in again.stderr
    for words in (["effects"], ["status"], ["report", "-o", "site"]):
        assert left_out(nas(words[0], "squares.py", *words[1:])) == ["0 to 5"]
    assert any("trial 0 to 5" in path.read_text() for path in Path("site").rglob("*.html"))
    rows = nas("trials", "squares.py", "-f", "csv").stdout.splitlines()
    assert ["made on other images" in row for row in rows[1:]] == [True] * 6 + [False] * 6
    assert "trial 14: " in nas("run", "squares.py", "--local", "--seeds", "+1").stderr
    with pytest.warns(LeftOut, match="0 to 5"):
        assert set(asked("squares.py", False).effects().n) == {3}


def test_runs_on_the_images_of_before_count_again_once_they_are_back(write):
    write()
    nas("run", "squares.py", "--local")
    write("^ 1")
    assert "trial 11: " in nas("run", "squares.py", "--local").stderr
    write()
    back = nas("run", "squares.py", "--local")
    assert left_out(back) == ["6 to 11"] * 2
    assert "trial 12" not in back.stderr


def test_a_run_that_was_stopped_midway_has_nothing_of_the_images_of_before(write, tmp_path):
    write("^ 1")
    three = SQUARES.replace('"recipe.fidelity.epochs": 1', '"recipe.fidelity.epochs": 3')
    (tmp_path / "squares.py").write_text(three)
    failpoints.arm(f"after_report:5:fail:{tmp_path / 'cut'}")
    nas("run", "squares.py", "--local", code=1)
    failpoints.arm(None)
    write()
    assert left_out(nas("run", "squares.py", "--local"))[0] == "0"
    with pytest.warns(LeftOut, match="trial 0"):
        found = asked("squares.py", False).results()
    assert {(r.state, len(r.curve)) for r in found.records} == {("complete", 3)}
    assert len({r.protocol.data_sha256 for r in found.records}) == 1
    assert len(found.records) == 6
