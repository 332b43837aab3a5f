import fcntl
import os
import re
import signal
import subprocess
import sys
import termios
import threading
import time

import pytest
from sqlalchemy import text, update
from sqlalchemy.orm import Session

from nas.base.errors import StudyHeld
from nas.cli.run import continuing, interruptible
from nas.engine.bridge import Bridge
from nas.engine.driver import run
from nas.store import lease
from nas.store.database import connect
from nas.store.lease import Lease, driver, hold
from nas.store.schema import LeaseRow
from tests.commands import MINE, NAS, nas
from tests.examples import search_only, sqlite

LONG = MINE.replace('"recipe.fidelity.epochs": 2', '"recipe.fidelity.epochs": 2000')


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request, tmp_path):
    url = sqlite(tmp_path)
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql")
    with connect(url) as storage:
        yield storage.engine


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The folder that commands are called in, with a home of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAS_HOME", str(tmp_path / "out"))
    return tmp_path


def age(engine, seconds, host=None):
    """Makes the lease look as if it was last renewed so long ago, on another host."""
    with Session(engine) as session, session.begin():
        values = {"renewed": time.time() - seconds} | ({"host": host} if host else {})
        session.execute(update(LeaseRow).values(**values))


def test_a_second_driver_is_refused_and_told_who_holds_the_study(engine):
    with hold(engine, "study@1"):
        said = rf"study@1 is being run by process {os.getpid()} on .*, heard of \d+ s ago; wait"
        with pytest.raises(StudyHeld, match=said), hold(engine, "study@1"):
            pass
        with hold(engine, "other@1"):
            assert driver(engine, "other@1") is not None
    assert driver(engine, "study@1") is None
    with hold(engine, "study@1"):
        pass


def test_a_driver_that_is_not_heard_of_for_a_minute_has_let_go(engine):
    with connect(str(engine.url)) as other, hold(engine, "study@1") as old:
        age(engine, 61, host="elsewhere")
        with hold(other.engine, "study@1") as new:
            assert new.incarnation == old.incarnation + 1
            with pytest.raises(StudyHeld, match="another driver took study@1 over"):
                old.renew()
            assert driver(other.engine, "study@1") is not None
        assert driver(other.engine, "study@1") is None


def test_a_driver_on_another_host_holds_for_a_minute(engine):
    with connect(str(engine.url)) as other, hold(engine, "study@1"):
        age(engine, 50, host="elsewhere")
        with (
            pytest.raises(StudyHeld, match=r"on elsewhere, heard of 5[0-9] s ago"),
            hold(other.engine, "study@1"),
        ):
            pass


def test_a_killed_driver_of_this_machine_has_let_go_at_once(engine):
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                           capture_output=True, text=True, check=True)  # fmt: skip
    with hold(engine, "study@1"):
        with Session(engine) as session, session.begin():
            session.execute(update(LeaseRow).values(process=int(ended.stdout)))
        with connect(str(engine.url)) as other:
            assert driver(other.engine, "study@1") is None
            with hold(other.engine, "study@1"):
                pass


def test_a_lease_is_renewed_while_it_is_held(engine, monkeypatch):
    monkeypatch.setattr(lease, "RENEWED_EVERY", 0.05)
    with hold(engine, "study@1"):
        age(engine, 55)
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with Session(engine) as session:
                row = session.get(LeaseRow, "study@1")
            if time.time() - row.renewed < 5:
                break
        else:
            pytest.fail("not renewed within 20 s")


def test_of_two_that_find_an_old_lease_one_has_it(engine, monkeypatch):
    with connect(str(engine.url)) as one, connect(str(engine.url)) as two, hold(engine, "study@1"):
        age(engine, 61, host="elsewhere")
        first, second = lease.Lease(one.engine, "study@1"), lease.Lease(two.engine, "study@1")
        seen = lease.alive

        def overtaken(row, now):
            monkeypatch.setattr(lease, "alive", seen)
            first.take()
            return False

        monkeypatch.setattr(lease, "alive", overtaken)
        with pytest.raises(StudyHeld, match="took study@1 at the same time"):
            second.take()


def test_a_driver_that_lost_its_study_writes_no_more(tmp_path, monkeypatch):
    # A checkpoint that it leaves is not one of the next time.
    monkeypatch.setenv("NAS_HOME", str(tmp_path))
    told = []
    report = Bridge.report

    def lose(self, given):
        told.append(given["number"])
        if len(told) == 2:
            with connect(sqlite(tmp_path)) as storage:
                age(storage.engine, 61, host="elsewhere")
                lease.Lease(storage.engine, self.study.full_name).take()
        return report(self, given)

    monkeypatch.setattr(Bridge, "report", lose)
    with pytest.raises(StudyHeld, match=r"took .* over"):
        run(search_only(3), sqlite(tmp_path), local=True)
    assert len(told) == 2


def test_two_commands_on_one_study_the_second_is_refused_and_changes_nothing(here):
    (here / "mine.py").write_text(LONG)
    first = subprocess.Popen([NAS, "run", "mine.py", "--local"], text=True, stderr=subprocess.PIPE)
    try:
        assert first.stderr is not None
        first.stderr.readline()
        second = nas("run", "mine.py", "--local", code=3)
        assert f"is being run by process {first.pid} on" in second.stderr
        assert f"is being run by process {first.pid}" in nas("status", "mine.py").stdout
    finally:
        first.terminate()
        _, said = first.communicate(timeout=60)
    assert first.returncode == 130
    assert "interrupted; nothing is lost: `nas run mine.py --local` goes on" in said
    status = nas("status", "mine.py").stdout
    assert "interrupted" in status
    assert "idle" in status


class Destroyed:
    def __del__(self):
        signal.raise_signal(signal.SIGTERM)


def destroy():
    Destroyed()
    threading.Event().wait(20)


def test_an_interrupt_that_a_destructor_drops_comes_again():
    with pytest.raises(KeyboardInterrupt), interruptible():
        destroy()


def test_a_closed_terminal_interrupts_and_the_same_command_goes_on(here):
    (here / "mine.py").write_text(MINE)
    outside, inside = os.openpty()
    running = subprocess.Popen([NAS, "run", "mine.py", "--local"],
                               env=os.environ | {"COLUMNS": "80", "TERM": "xterm"}, stdin=inside,
                               stdout=inside, stderr=inside, start_new_session=True,
                               preexec_fn=_adopt)  # fmt: skip
    os.close(inside)
    seen = b""
    while not re.search(rb"[1-9]\d*/14 done", seen):  # the line is drawn anew at its own pace
        seen += os.read(outside, 4096)
    os.close(outside)
    assert running.wait(timeout=60) == 130
    nas("run", "mine.py", "--local")
    assert "14 of 14 planned runs are over; idle" in nas("status", "mine.py").stdout


def _adopt():
    """Makes standard input the controlling terminal of this new session, whose end is heard even
    where the tests themselves were started with nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_what_goes_on_adds_no_seeds_again_and_is_words_of_a_shell():
    asked = ["run", "my study.py", "--seeds", "+2", "--local"]
    assert continuing(asked) == "nas run 'my study.py' --local"
    assert continuing(["run", "mine", "--seeds=+2"]) == "nas run mine"
    assert continuing(["confirm", "mine", "--seeds", "5"]) == "nas confirm mine --seeds 5"


@pytest.mark.parametrize(
    "damage",
    [
        {"process": 12345678901234567890 % 2**63},
        {"process": -1},
        {"process": "x"},
        {"renewed": "x"},
        {"renewed": 9e12, "host": "elsewhere"},
        {"incarnation": "x", "process": None},
    ],
)
def test_a_damaged_lease_is_nobodys_and_can_be_taken(tmp_path, damage):
    with connect(sqlite(tmp_path)) as storage:
        lease = Lease(storage.engine, "a")
        lease.take()
        lease.release()
        now = {"process": 1, "renewed": time.time(), "host": "elsewhere"} | damage
        changed = ", ".join(f"{name} = :{name}" for name in now)
        with storage.engine.begin() as connection:
            connection.execute(text(f"UPDATE nas_drivers SET {changed}"), now)
        assert driver(storage.engine, "a") is None
        again = Lease(storage.engine, "a")
        again.take()
        assert driver(storage.engine, "a")
        again.release()
