"""Bad input: one message with the way out, the right exit code, no traceback, nothing lost."""

import json
import os
import shutil
import sqlite3
import subprocess

import pytest

from tests.commands import MINE, NAS, installed, nas

HEAD = """
from nas import *
WIDTH = "network.inception_3a.conv3x3.width"
def study_of(space, **more):
    return Study(name="mine", question="?", space=space, plan=Search(trials=2), **more)
"""
SPACE = "study = study_of(SearchSpace(tiny_googlenet, {edits}))"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("NAS_HOME", str(tmp_path / "out"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "out"


def refused(words, code, *parts):
    """The command's one message has these parts, and nothing was written."""
    result = nas(*words, code=code)
    assert result.stdout == ""
    said = result.stderr.strip()
    assert said.startswith(("Error: ", "Usage: ")), said
    for part in parts:
        assert part in said
    assert "Traceback" not in said
    return said


@pytest.mark.parametrize(
    ("edits", "parts"),
    [
        ('{"network.inception_3a.conv3x3.widht": scaled(0.5, 1)}',
         ["'network.inception_3a.conv3x3.widht' matches nothing", "near it: network.inception_3a.conv3x3.width"]),
        ('{WIDTH: scaled(0.5, 1), "network.inception_3?.conv3x3.width": scaled(0.5, 1)}',
         ["both match network.inception_3a.conv3x3.width; give one"]),
        ("{WIDTH: choice(64, 96)}", ["the canonical value 128 is not among 64, 96"]),
        ("{WIDTH: scaled(0.5, 2)}", ["needs the canonical factor 1 among its factors"]),
        ('{WIDTH: scaled(0.5, 1, name="w"), "network.inception_4a.conv3x3.width": scaled(1, 2, name="w")}',
         ["the name 'w' has two lists of options: (0.5, 1) and (1, 2); give the second another name"]),
        ('{"network.aux_after": subsets("4a", "6a")}', ["there is no '6a'"]),
        ('{"network.aux_after": subsets("4a", "4b")}', ["network.aux_after: '4b' builds the same network as nothing"]),
        ("{WIDTH: choice(0, 128)}", ["network.inception_3a.conv3x3.width: Bottleneck.width must be 1 or more, not 0"]),
        ("{WIDTH: choice(-1, 128)}", ["Bottleneck.width must be 1 or more, not -1"]),
        ("{WIDTH: choice(1.5, 128)}", ["Bottleneck.width must be int, not 1.5"]),
        ("[WIDTH]", ["edits are {pattern: value or domain}, not ['network.inception_3a.conv3x3.width']"]),
    ],
)  # fmt: skip
def test_a_mistake_in_a_space_names_the_line_that_wrote_it(tmp_path, edits, parts):
    (tmp_path / "mine.py").write_text(HEAD + SPACE.replace("{edits}", edits) + "\n")
    refused(("run", "mine.py", "--local"), 2, "mine.py, line 6: ", *parts)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("x = 1\nstudy = (\n", ["mine.py, line 2: '(' was never closed"]),
        ("x = 1\n", ["mine.py has no `study`: a study file ends in `study = Study(...)`"]),
        ("import nowhere_to_be_found\n",
         ["mine.py, line 1: No module named 'nowhere_to_be_found'; if it is no misspelling, install",
          "-m pip install nowhere_to_be_found"]),
        ("x = 1\ny = x / 0\n", ["mine.py, line 2: ZeroDivisionError: division by zero"]),
        ("from helper_of_mine import half\nhalf()\n", ["helper_of_mine.py, line 2: KeyError: 'here'"]),
        ("from nas import *\nedit(tiny_googlenet, {'recipe.dataset': 'digitz'})\n",
         ["mine.py, line 2: ", "no data set 'digitz'", "did you mean digits?"]),
        ("from nas import Ablation\nAblation(seeds=6)\n",
         ["mine.py, line 2: Ablation.seeds takes seeds such as range(6), not 6"]),
        (HEAD + "study_of(SearchSpace(tiny_googlenet, {WIDTH: scaled(0.5, 1)}), budget=1.5e9)\n",
         ["mine.py, line 5: Study.budget must be Budget or None, not 1500000000.0"]),
        (HEAD + "study_of({})\n", ["mine.py, line 5: Study.space must be SearchSpace, not {}"]),
        ("from nas import Search\nSearch(trials='8')\n", ["Search.trials must be int, not '8'"]),
        ("from nas import scaled\nscaled('1', 2)\n", ["scaled() takes factors such as 0.5"]),
        ("import sys\nsys.exit(3)\n", ["mine.py calls sys.exit(); a study file only makes a study"]),
        ("x = 1\0\n", ["mine.py: source code string cannot contain null bytes"]),
        ("from nas import Ablation\nAblation(seeds=[1])\n", ["mine.py, line 2: an Ablation needs 2 different seeds"]),
    ],
)  # fmt: skip
def test_a_mistake_in_a_study_file_names_its_own_file_and_line(tmp_path, text, parts):
    if "helper_of_mine" in text:
        (tmp_path / "helper_of_mine.py").write_text("def half():\n    raise KeyError('here')\n")
    (tmp_path / "mine.py").write_text(text)
    refused(("run", "mine.py"), 2, *parts)


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("run", "quickstrat"), ["no study 'quickstrat'", "did you mean quickstart?"]),
        (("run", "mine"), ["no study 'mine'", "the file here is mine.py"]),
        (("diff", "googlenet", "mine.dropped"), ["no file of spaces 'mine'", "the file here is mine.py: say mine.py.dropped"]),
        (("run", "minne.py"), ["no file minne.py", "did you mean mine.py?"]),
        (("plan", "./nothing.py"), ["no file nothing.py"]),
        (("space", "show", "googlenet.by_stages"), ["has no space 'by_stages'", "did you mean by_stage?"]),
        (("space", "show", "gogglenet.by_stage"), ["did you mean googlenet?"]),
        (("cost", "googlenett"), ["no preset 'googlenett'", "did you mean googlenet?"]),
        (("cost", "googlenet", "--set", "network.widht=2"), ["near it: network.width"]),
        (("cost", "googlenet", "--set", "recipe.dataset=digit"), ["no data set 'digit'", "did you mean digits?"]),
        (("cost", "googlenet", "--image-size", "64"), ["aux_4a.pool: a 5x5 window does not fit a map of 4x4",
                                                       "take a larger image_size or a smaller window"]),
        (("diff", "googlenet", "nothing:x"), ["a trial is STUDY:NUMBER"]),
        (("replay", "quickstart"), ["a trial is STUDY:NUMBER, such as quickstart:12, not 'quickstart'"]),
        (("status", "quikstart"), ["no study 'quikstart' is shipped", "did you mean quickstart?"]),
        (("stutas",), ["No such command 'stutas'. Did you mean status?"]),
        (("status", "mine.py", "--storage", "postgresql+psycopg://u:a@b@h/d"), ["an @ in a password is written %40"]),
        (("run", "mine.py", "--storage", "nonsense"), ["--storage takes a database URL such as sqlite:///runs.db"]),
        (("status", "mine.py", "--storage", "foo://h/d"), ["--storage takes a database URL"]),
    ],
)  # fmt: skip
def test_an_unknown_name_names_the_near_ones(tmp_path, words, parts):
    (tmp_path / "mine.py").write_text(MINE)
    refused(words, 2, *parts)


def test_a_budget_that_nothing_fits_names_the_least_cost_and_nothing_runs(tmp_path):
    ablation = "Ablation(over=parts.around(base), seeds=range(2))"
    assert ablation in MINE
    (tmp_path / "mine.py").write_text(MINE.replace("relative(1.0)", "1000").replace(ablation, ""))
    said = (
        "nothing fits the budget of 1,000 mult-adds: the least that a candidate of this space "
        "costs is 138,048; raise the budget, or give the space smaller options"
    )
    refused(("plan", "mine.py"), 4, said)
    refused(("run", "mine.py", "--local"), 4, said)
    assert not (tmp_path / "out" / "nas.db").exists()


def test_more_cpus_than_there_are_is_refused_before_anything_runs(tmp_path):
    text = MINE.replace("import ASHA", "import ASHA, Resources").replace(
        "plan=(", "resources=Resources(cpus=4000), plan=("
    )
    (tmp_path / "mine.py").write_text(text)
    refused(
        ("run", "mine.py", "--local"), 3, "a trial asks for 4,000 CPUs", "lower the study's Resources"
    )  # fmt: skip


def test_a_database_of_another_program_is_left_as_it_was(tmp_path):
    with sqlite3.connect("other.db") as other:
        other.execute("create table birds (name text)")
    other.close()
    before = (tmp_path / "other.db").read_bytes()
    (tmp_path / "mine.py").write_text(MINE)
    for words in (("run", "mine.py", "--local"), ("status", "mine.py")):
        refused(
            (*words, "--storage", "sqlite:///other.db"), 3,
            "the database sqlite:///other.db is another program's: it has the tables birds; "
            "nothing was written; give another --storage",
        )  # fmt: skip
    assert (tmp_path / "other.db").read_bytes() == before


def test_a_database_of_plain_optuna_is_only_looked_at(tmp_path):
    import optuna

    storage = optuna.storages.RDBStorage("sqlite:///theirs.db")
    storage.remove_session()
    storage.engine.dispose()
    before = (tmp_path / "theirs.db").read_bytes()
    (tmp_path / "mine.py").write_text(MINE)
    refused(("status", "mine.py", "--storage", "sqlite:///theirs.db"), 5, "no database yet")
    assert (tmp_path / "theirs.db").read_bytes() == before


def test_a_place_that_cannot_be_written_names_its_setting(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NAS_HOME", str(tmp_path / "file"))
    refused(("run", "mine.py", "--local"), 3, "set $NAS_HOME to a folder of yours")
    refused(("init", "file"), 2, "file is a file; give a folder")


def test_a_file_that_is_no_database_says_so(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    refused(
        ("status", "mine.py", "--storage", f"sqlite:///{tmp_path / 'mine.py'}"), 3,
        "file is not a database; give another --storage",
    )  # fmt: skip


@pytest.fixture
def finished(ran, tmp_path):
    """A folder in which mine.py was run."""
    shutil.copytree(ran[0], tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_a_database_of_another_schema_names_both_versions(finished):
    with sqlite3.connect(finished / "out" / "nas.db") as database:
        database.execute("update nas_schema set version = 99")
    database.close()
    refused(
        ("status", "mine.py"), 3, "has schema 99, this version reads 1; use the version that wrote it"
    )  # fmt: skip


def test_a_read_only_database_can_be_read_and_says_so_when_it_is_written(finished):
    url = f"sqlite:///file:{finished / 'out' / 'nas.db'}?mode=ro&uri=true"
    assert "14 of 14 planned runs are over" in nas("status", "mine.py", "--storage", url).stdout
    refused(
        ("run", "mine.py", "--trials", "5", "--local", "--storage", url), 3,
        "attempt to write a readonly database; make it writable, or give another --storage",
    )  # fmt: skip


def test_a_database_that_is_gone_says_what_must_be_there(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    refused(
        ("run", "mine.py", "--local", "--storage", f"sqlite:///{tmp_path}/no/where.db"), 3,
        "unable to open database file; its folder must exist, and both must be yours to write",
    )  # fmt: skip
    refused(("status", "mine.py"), 5, "there is no database yet: `nas run mine.py` makes it")


def test_a_report_on_nothing_says_what_to_run_first(finished):
    refused(
        ("report", "quickstart"), 5, "no runs of quickstart in this database (it has: mine@",
        "`nas run quickstart` first",
    )  # fmt: skip
    refused(("browse",), 5, "no report in", "`nas report STUDY` writes one")


def test_a_folder_with_something_else_is_not_overwritten_by_a_report(finished):
    (finished / "photos").mkdir()
    (finished / "photos" / "cat.jpg").write_text("cat")
    refused(("report", "mine.py", "-o", "photos"), 2, "photos holds something else than a report")
    assert (finished / "photos" / "cat.jpg").read_text() == "cat"


def test_folders_of_the_users_own_never_stand_in_for_ours(finished):
    for name in ("reports", "studies", "search_spaces", "nas"):
        (finished / name).mkdir()
        (finished / name / "__init__.py").write_text("raise SystemExit('shadowed')\n")
        (finished / name / "site.py").write_text("")
    out = str(finished / "out")
    for words, last in (
        (("run", "mine.py", "--local"), "nas report mine.py    writes the report"),
        (("report", "mine.py"), f"{out}/site/index.html"),
    ):
        done = installed(*words, folder=finished, NAS_HOME=out)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == last


def test_two_studies_of_one_name_import_each_their_own_helper(tmp_path):
    for folder, factor in (("one", 0.5), ("two", 2)):
        nas("init", folder)
        file = tmp_path / folder / "my_space.py"
        file.write_text(file.read_text().replace("scaled(0.5, 1, 1.5,", f"scaled({factor}, 1,"))
    for folder, shown in (("one", "0.5, 1 "), ("two", "1, 2 "), ("one", "0.5, 1 ")):
        assert shown in nas("space", "show", f"{folder}/my_space.py.widths").stdout
    names = {nas("plan", f"{folder}/my_study.py", "-f", "csv").stdout.splitlines()[1]
             for folder in ("one", "two")}  # fmt: skip
    assert len(names) == 2


def test_what_a_study_file_prints_is_no_part_of_what_programs_read(tmp_path):
    (tmp_path / "mine.py").write_text(MINE + 'print("loading")\n')
    said = nas("plan", "mine.py", "-f", "json")
    assert json.loads(said.stdout)
    assert "loading" in said.stderr


def test_a_question_with_brackets_is_shown_as_it_is(tmp_path):
    (tmp_path / "mine.py").write_text(MINE.replace("Mine?", "Why [red]this[/tmp/x]?"))
    assert "Why [red]this[/tmp/x]?" in nas("plan", "mine.py").stdout


def test_a_reader_that_has_seen_enough_is_no_failure(tmp_path):
    ran = subprocess.run(f"{NAS} cost googlenet --by layer -f csv | head -1; echo ${{PIPESTATUS[0]}}",
                         shell=True, executable="/bin/bash", capture_output=True, text=True)  # fmt: skip
    assert ran.stdout.splitlines()[-1] == "0"
    assert ran.stderr == ""


def test_debug_shows_the_traceback_and_nothing_else_does():
    assert "Traceback" not in nas("cost", "nothing", code=2).output
    assert "Traceback" in nas("--debug", "cost", "nothing", code=2).stderr


def test_a_mistake_of_ours_is_one_line_too(tmp_path, monkeypatch):
    monkeypatch.setattr("nas.cli.look.find_space", lambda name: 1 / 0)
    result = nas("space", "show", "googlenet.by_stage", code=1)
    assert "ZeroDivisionError: division by zero" in result.stderr
    assert "this is a mistake of nas, not yours: `nas --debug ...`" in result.stderr


def test_a_full_disk_stops_the_study_and_the_same_command_goes_on(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(MINE)
    folder = tmp_path / "out"
    nas("run", "mine.py", "--local", "--trials", "1", code=0)
    (name,) = [path.name for path in folder.iterdir() if path.is_dir() and "@" in path.name]
    # Every byte written to /dev/full meets a full disk.
    checkpoints = folder / name / "checkpoints"
    for number in range(10, 40):
        (checkpoints / f"{number}.{os.getpid()}.partial").symlink_to("/dev/full")
    result = nas("run", "mine.py", "--local", code=3)
    assert "No space left on device: a checkpoint could not be written into" in result.stderr
    assert "free some space, and the same command goes on" in result.stderr
    for link in checkpoints.glob("*.partial"):
        link.unlink()
    nas("run", "mine.py", "--local")
    assert "14 of 14 planned runs are over; idle" in nas("status", "mine.py").stdout


OWN = """
from dataclasses import dataclass
from nas import Experiment, Layer, Node, Search, SearchSpace, Study, Tape, choice, edit
from nas import tiny_googlenet

@dataclass(frozen=True, kw_only=True)
class Straight(Node):
    width: int = 8

    def layers(self, shape, classes):
        tape = Tape(shape)
        x = tape.conv("conv", tape.image, self.width, 3)
        x = tape.simple("relu", "relu", x)
        tape.linear("classifier", tape.average_pool("pool", x), classes)
        return tuple(tape.layers)

recipe = edit(tiny_googlenet.recipe, {"dataset": "synthetic", "fidelity.epochs": 1})
space = SearchSpace(Experiment(network=Straight(), recipe=recipe), {"network.width": choice(8, 9)})
study = Study(name="own", question="How wide?", space=space, plan=Search(trials=2))
"""


def test_a_network_whose_source_has_changed_is_another_study_and_no_longer_the_trained_one(
    tmp_path,
):
    (tmp_path / "own.py").write_text(OWN)
    nas("run", "own.py", "--local")
    (tmp_path / "own.py").write_text(
        OWN.replace('        x = tape.simple("relu", "relu", x)\n', "")
    )
    for words in ("export", "evaluate", "replay", "cost"):
        said = nas(words, "own.py:0", code=2).stderr
        assert "Straight is another network by now than the one that was trained: restore" in said
    said = nas("run", "own.py", "--local").stderr
    assert "is a new study: its network, space, budget or sampler is not that of own@" in said
    (tmp_path / "own.py").write_text(OWN)
    assert "epoch 1 equal" in nas("replay", "own.py:0").stdout
