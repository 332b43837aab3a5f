import os
import signal
import subprocess
import time

import pytest

from nas.engine import processes
from nas.engine.processes import Own, descendants


@pytest.fixture
def child(monkeypatch):
    monkeypatch.setitem(processes.NEEDED, "sleep", "its sleeper")
    started = subprocess.Popen(["sleep", "60"])
    yield started
    started.kill()
    started.wait()


@pytest.fixture
def own(child):
    made = Own()
    while child.pid not in made._met:
        time.sleep(0.01)
        assert made.look() == ("", "")
    return made


def test_a_process_of_ours_that_died_is_named_at_once(child, own):
    child.kill()
    while not own.died():
        time.sleep(0.01)
    assert own.died() == "its sleeper died"


def test_a_process_that_is_stopped_is_named_until_it_goes_on(child, own):
    child.send_signal(signal.SIGSTOP)
    while own.look() != ("", "its sleeper"):
        time.sleep(0.01)
    child.send_signal(signal.SIGCONT)
    while own.look() != ("", ""):
        time.sleep(0.01)


def test_a_process_that_has_another_name_by_the_second_look_is_none_of_them(child):
    made = Own()
    made.look()
    processes.NEEDED["other"] = processes.NEEDED.pop("sleep")
    try:
        made._new = {child.pid: made._new[child.pid]._replace(program="other")}
        made.look()
        assert child.pid not in made._met
    finally:
        processes.NEEDED["sleep"] = processes.NEEDED.pop("other")


def test_descendants_are_children_and_theirs():
    known = processes.processes()
    assert os.getpid() in descendants(known, known[os.getpid()].parent)
    assert os.getpid() not in descendants(known, os.getpid())
