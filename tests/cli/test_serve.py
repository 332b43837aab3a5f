import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import urllib.error
import urllib.request

import pytest

from nas.cli.live import push
from nas.store.database import connect
from nas.store.reading import study_names
from tests.commands import NAS, nas


@pytest.fixture(scope="module")
def finished(ran, tmp_path_factory):
    """A folder with a study that ran and its report."""
    folder = tmp_path_factory.mktemp("served")
    shutil.copytree(ran[0], folder, dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("NAS_HOME", str(folder / "out"))
        nas("report", "mine.py")
    return folder


def served(folder, *words):
    """Starts a serving command; the process and the URL that it printed."""
    running = subprocess.Popen(
        [NAS, *words, "--port", "0"], cwd=folder,
        env=os.environ | {"NAS_HOME": str(folder / "out")}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert running.stdout is not None
    url = re.match(r"(http://127\.0\.0\.1:\d+/) ", running.stdout.readline())
    assert url, running.stderr and running.stderr.read()
    return running, url[1]


def get(url):
    with urllib.request.urlopen(url) as answer:
        return answer.read().decode()


@pytest.mark.parametrize(
    ("words", "path", "said"),
    [(("browse",), "index.html", "Mine?"), (("dashboard",), "api/studies", '"study_name": "mine@')],
)
def test_a_site_is_served_on_this_machine_alone_until_ctrl_c(finished, words, path, said):
    running, url = served(finished, *words)
    try:
        assert said in get(url + path)
        with pytest.raises(urllib.error.HTTPError):
            get(url + "no/such/page")
    finally:
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=60)
    assert running.returncode == 0
    assert errors == ""


def test_a_port_that_is_taken_says_so(finished, monkeypatch):
    monkeypatch.setenv("NAS_HOME", str(finished / "out"))
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = nas("browse", "--port", other.getsockname()[1], code=3)
    assert "another --port, or 0 for a free one" in taken.stderr


def test_the_dashboard_has_our_finding_and_our_figures(finished):
    with connect(f"sqlite:///{finished / 'out' / 'nas.db'}") as storage:
        (name,) = study_names(storage)
        study_id = storage.get_study_id_from_name(name)
        known = {}
        push(storage, known)
        attributes = storage.get_study_system_attrs(study_id)
        note = "".join(
            text for key, text in attributes.items() if key.startswith("dashboard:note_str")
        )
        assert "Of 4 changes" in note
        figures = {key.split(":")[2] for key in attributes if "plot_data" in key}
        assert figures == {"effects", "frontier"}
        version = attributes["dashboard:note_ver"]
        push(storage, known)  # nothing has changed
        again = storage.get_study_system_attrs(study_id)
        assert again["dashboard:note_ver"] == version


def test_a_watched_report_is_written_anew_when_a_run_ends(finished, monkeypatch, tmp_path):
    monkeypatch.setenv("NAS_HOME", str(finished / "out"))
    written = []

    def wait(seconds):
        written.append((tmp_path / "site" / "manifest.json").read_text())
        if len(written) == 2:
            raise KeyboardInterrupt
        with sqlite3.connect(finished / "out" / "nas.db") as database:
            database.execute(
                "update trial_user_attributes set value_json = '\"diverged\"' "
                "where key = 'outcome' and trial_id = 2"
            )

    monkeypatch.setattr("nas.cli.read.time.sleep", wait)
    said = nas("report", finished / "mine.py", "--watch", "-o", tmp_path / "site").stdout
    assert len(set(written)) == 2
    assert re.search(r"written with \d+ runs", said)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_of_the_shell(shell):
    assert "_NAS_COMPLETE" in nas("completion", shell).stdout


@pytest.mark.parametrize(
    ("typed", "known"),
    [("", "plan"), ("run qu", "quickstart"), ("cost tor", "torchvision_googlenet"),
     ("space show googlenet.by_s", "googlenet.by_stage")],
)  # fmt: skip
def test_the_shell_completes_commands_studies_and_networks(typed, known):
    words = f"nas {typed}"
    asked = {"_NAS_COMPLETE": "bash_complete", "COMP_WORDS": words,
             "COMP_CWORD": str(len(words.split(" ")) - 1)}  # fmt: skip
    said = subprocess.run(
        [NAS], env=os.environ | asked, capture_output=True, text=True, check=True
    ).stdout
    assert f"plain,{known}" in said.splitlines()
