"""The wheel, installed beside the libraries and away from the sources, is a working nas."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.commands import MINE

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def venv(tmp_path_factory):
    """A new environment with the wheel; torch and the rest come from this one."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    left = shutil.ignore_patterns(".*", "nas-out", "build", "*.egg-info", "__pycache__", "tests")
    shutil.copytree(ROOT, source, ignore=left)
    words = ["wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, source]
    subprocess.run([sys.executable, "-m", "pip", *words], check=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    words = ["install", "-q", "--no-deps", "--disable-pip-version-check", wheel]
    subprocess.run([python, "-m", "pip", *words], check=True)
    own = folder / "venv" / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
    (own / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "venv" / "bin"


def test_the_wheel_says_that_it_is_typed(venv):
    (own,) = venv.parent.glob("lib/*/site-packages")
    assert [
        own / name for name in ("nas", "reports") if not (own / name / "py.typed").exists()
    ] == []


def test_the_wheel_has_spaces_studies_templates_and_the_starter(venv, tmp_path):
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}

    def ran(program, *words):
        done = subprocess.run(
            [venv / program, *words], cwd=tmp_path, capture_output=True, text=True, check=False,
            env=environment | {"NAS_HOME": str(tmp_path / "out")},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = ran("python", "-c", "import nas, reports, studies; print(nas.__file__)")
    assert str(venv.parent) in where
    assert "quickstart" in ran("nas", "studies")
    assert "googlenet.by_stage" in ran("nas", "spaces")
    ran("nas", "init", "own")
    assert (tmp_path / "own" / "my_study.py").exists()
    (tmp_path / "mine.py").write_text(MINE)
    assert "no 5x5 branches" in ran("nas", "run", "mine.py", "--local")
    assert Path(ran("nas", "report", "mine.py").strip()).exists()
    assert "model.py" in ran("nas", "export", "mine.py:0")
