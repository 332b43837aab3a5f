"""What the commit before the rooms left behind (golden/before/make.sh) is read, and goes on."""

import csv
import io
import shutil
import tarfile

import pytest

from nas.base.paths import default_url
from nas.store.database import connect
from nas.store.reading import study_names
from tests.commands import nas
from tests.specimens import GOLDEN

BEFORE = GOLDEN / "before"
NAMES = ["done@86d9eddc", "ruled@456a1958", "walls@84954cb3"]
TWO_IMAGES = 100 * 2 / 64
"""So much may a score differ where another processor trains, in percentage points."""
SCORES = {"score", "test", "accuracy", "mean"}
KNOWN = {
    "trials": (
        "number", "role", "change", "state", "seed", "epochs", "mult_adds", "mult_adds_fvcore",
        "params", "params_aux", "candidate_id", "network_id",
    ),
    "best": ("number", "mult_adds", "against_baseline", "params", "changed", "candidate_id"),
    "effects": ("change", "kind", "primary", "n", "mult_adds", "params"),
    "status": ("state", "runs"),
}  # fmt: skip
"""The columns of each command that are the same wherever a study is trained."""


@pytest.fixture
def left(tmp_path, monkeypatch):
    """The folder with the studies and what was left behind."""
    for path in BEFORE.glob("*.py"):
        shutil.copy(path, tmp_path)
    with tarfile.open(BEFORE / "half.tar.xz") as packed:
        packed.extractall(tmp_path / "out", filter="data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAS_HOME", str(tmp_path / "out"))
    return tmp_path


def table(text):
    return list(csv.DictReader(text.splitlines()))


def test_the_commands_say_the_same_to_the_letter(left):
    paths = sorted(BEFORE.glob("half/*/*.csv"))
    assert len(paths) == 12
    for path in paths:
        said = nas(path.stem, f"{path.parent.name}.py", "-f", "csv").stdout
        assert undecided(said, path) == path.read_text(), path


def test_a_site_is_written_anew_with_the_same_numbers(left):
    site = left / "out" / "site"
    before = {path.relative_to(site): path.read_bytes() for path in files(site)}
    # It has no list of its files, so that nobody knows which are its own.
    assert "delete it" in nas("report", "walls.py", "-o", site, code=2).output
    anew = left / "out" / "anew"
    nas("report", "walls.py", "ruled.py", "done.py", "-o", anew)
    after = {path.relative_to(anew): path.read_bytes() for path in files(anew)}
    assert sorted(str(path) for path in after.keys() - before.keys()) == ["assets/plotly.min.js"]
    assert before.keys() <= after.keys()
    numbers = [path for path in before if path.suffix == ".csv"]
    assert len(numbers) > 40
    for path in numbers:
        assert undecided(after[path].decode(), path).encode() == before[path], path


def undecided(text, path):
    """A table of runs without its decisions, which came later; another table as it is."""
    if path.stem != "trials":
        return text
    rows = list(csv.reader(text.splitlines()))
    assert "network_id" in rows[0][:-1]
    kept = io.StringIO()
    last = rows[0].index("network_id") + 1
    csv.writer(kept, lineterminator="\n").writerows(row[:last] for row in rows)
    return kept.getvalue()


def files(folder):
    # The scores of each class came later, of predictions that had been kept.
    return [path for path in folder.rglob("*") if path.is_file() and path.name != "classes.csv"]


@pytest.mark.parametrize("study", ["walls", "ruled"])
def test_a_study_goes_on_under_its_name_to_what_it_would_have_been(left, study):
    nas("run", f"{study}.py", "--local")
    with connect(default_url()) as storage:
        assert sorted(study_names(storage)) == NAMES
    for what, columns in KNOWN.items():
        said = table(nas(what, f"{study}.py", "-f", "csv").stdout)
        known = table((BEFORE / "whole" / study / f"{what}.csv").read_text())
        assert [[row[name] for name in columns] for row in said] == [
            [row[name] for name in columns] for row in known
        ]
        for name in SCORES & known[0].keys():
            scores = [float(row[name] or "nan") for row in known]
            assert [float(row[name] or "nan") for row in said] == pytest.approx(
                scores, abs=TWO_IMAGES, nan_ok=True
            )
