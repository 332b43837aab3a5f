import json

import pytest

from nas.cli import doctor
from nas.data.datasets import DATASETS
from nas.data.store import place
from tests.commands import nas


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("NAS_HOME", str(tmp_path / "out"))


def checks(*words, code=0):
    found = json.loads(nas("doctor", "-f", "json", *words, code=code).stdout)
    return {row["check"]: row for row in found}


def test_a_working_machine_has_nothing_wrong():
    found = checks()
    wrong = [row for row in found.values() if row["state"] == "wrong"]
    assert wrong == []
    assert {"python", "torch", "optuna", "cpu", "ray", "database", "disk", "digits"} <= set(found)
    assert found["ray"]["found"].startswith("starts here, ")


@pytest.fixture
def without_ray(monkeypatch):
    """Looks at all but Ray, whose start takes seconds."""
    monkeypatch.setattr(doctor, "CHECKS", [one for one in doctor.CHECKS if one != doctor._ray])


@pytest.mark.usefixtures("without_ray")
def test_what_is_wrong_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("nas.cli.doctor.requires", lambda name: ["torch>=99", "nowhere>=1"])
    monkeypatch.setattr("nas.cli.doctor.ROOM", 1e9)
    (tmp_path / "text.db").write_text("no database")
    found = checks("--storage", f"sqlite:///{tmp_path / 'text.db'}", code=3)
    assert "where >=99 is needed" in found["torch"]["found"]
    assert found["nowhere"]["todo"].endswith("-m pip install 'nowhere>=1'")
    assert "file is not a database" in found["database"]["found"]
    assert found["disk"]["todo"] == "free some space, or set $NAS_HOME to another disk"


@pytest.mark.usefixtures("without_ray")
def test_the_password_of_a_database_is_not_told(monkeypatch):
    monkeypatch.setenv("NAS_STORAGE", "postgresql+psycopg://me:correct-horse@127.0.0.1:1/x")
    said = nas("doctor", code=3)
    assert "127.0.0.1:1/x is out of reach" in " ".join(said.output.split())
    assert "correct-horse" not in said.output


@pytest.mark.usefixtures("without_ray")
def test_a_damaged_data_set_is_a_line_of_the_table(tmp_path, monkeypatch):
    monkeypatch.setenv("NAS_DATA", str(tmp_path))
    folder = place(DATASETS["fashion_small"])
    folder.mkdir()
    (folder / "manifest.json").write_text("{broken")
    found = checks(code=3)
    assert found["fashion_small"]["state"] == "wrong"
    assert "manifest.json" in found["fashion_small"]["found"]
