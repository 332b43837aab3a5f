"""What a driver and its database can meet, each as a real fault; test_failures.py has the trials'.

The processes are killed at named instants (nas/failpoints.py), and the studies are sequential and
tiny, so that each must equal the one that nothing happened to.
"""

import dataclasses
import os
import signal
import sqlite3
import threading
import time
from contextlib import suppress
from pathlib import Path

import optuna
import pytest
import ray
from optuna.trial import TrialState
from sqlalchemy import Engine, event, make_url, text, update

from nas import TPE, Budget, Search, relative, scaled, versus
from nas.base.errors import StorageError
from nas.base.failpoints import POINTS
from nas.engine import processes
from nas.engine.driver import run
from nas.plan.steps import REFUSALS
from nas.space.space import SearchSpace
from nas.store.database import connect
from nas.store.reading import records, reopen
from nas.store.schema import LeaseRow
from tests.driven import STOPPED, STUDY, killed, start, until_stopped
from tests.examples import BASE, sqlite
from tests.invariants import check


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("NAS_HOME", str(tmp_path))
    return tmp_path


def told(found):
    """What a study is worth: every run's decisions, end and curve."""
    kept = ("number", "role", "candidate_id", "seeds", "state", "reason", "score", "predictions")
    return [
        [getattr(r, name) for name in kept]
        + [(e.epoch, e.train_loss, e.loss, e.accuracy) for e in r.curve]
        for r in found
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What comes of the study when nothing happens to it."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAS_HOME", str(folder))
        run(STUDY, sqlite(folder), local=True)
        found = check(STUDY, sqlite(folder))
    assert {r.state for r in found} >= {"complete", "stopped"}
    return told(found)


@pytest.mark.parametrize("point", POINTS)
def test_a_driver_that_is_killed_at_any_instant_goes_on_as_if_nothing_had_been(home, whole, point):
    url = sqlite(home)
    assert killed(url, home, point, count=1 if point == "after_lease" else 3)
    run(STUDY, url, local=True)
    found = check(STUDY, url)
    assert told(found) == whole
    assert sum(r.attempts for r in found if r.attempts) <= len([r for r in found if r.curve]) + 1
    assert not [path for path in home.rglob("checkpoints/*") if path.is_file()]


def test_a_study_that_is_killed_after_every_second_trial_equals_the_uninterrupted(home, whole):
    url, kills = sqlite(home), 0
    while killed(url, home, "after_tell", count=2):
        kills += 1
    assert kills == 3
    logs = list(home.glob("after_tell-*.log"))
    assert told(check(STUDY, url, logs=logs, kills=0)) == whole


def test_a_kill_costs_one_epoch_at_most(home, whole):
    url, kills = sqlite(home), 0
    while killed(url, home, "after_epoch", count=2):
        kills += 1
    assert kills > 4
    logs = list(home.glob("after_epoch-*.log"))
    assert told(check(STUDY, url, logs=logs, kills=kills)) == whole


def let_go(url):
    """Makes a study's driver look as if it was not heard of for more than a minute."""
    with connect(url) as storage, storage.engine.begin() as connection:
        connection.execute(update(LeaseRow).values(renewed=LeaseRow.renewed - 61))


def rows(url):
    """Every row of the database."""
    with connect(url) as storage, storage.engine.connect() as connection:
        names = (
            "trials", "trial_values", "trial_intermediate_values", "trial_user_attributes",
            "nas_studies", "nas_epochs", "nas_runs", "nas_drivers",
        )  # fmt: skip
        return {
            name: sorted(map(str, connection.execute(text(f"SELECT * FROM {name}"))))
            for name in names
        }


@pytest.mark.parametrize(
    ("kind", "point", "count"),
    [
        ("sqlite", "after_ask", 2),
        ("sqlite", "after_report", 2),
        ("sqlite", "before_tell", 2),
        ("sqlite", "after_tell", 2),
        ("postgresql", "before_tell", 2),
    ],
)
def test_a_driver_that_was_stopped_writes_nothing_after_another_took_over(
    home, request, kind, point, count
):
    url = sqlite(home) if kind == "sqlite" else request.getfixturevalue("postgresql")
    taken_over(url, home, point, count)


def taken_over(url, home, point, count):
    """Stops a driver at an instant, runs the study with another, and lets the first one go on."""
    first = start(url, home, f"{point}:{count}:stop:{home / 'stop'}")
    try:
        until_stopped(first)
        let_go(url)
        run(STUDY, url, local=True)
        check(STUDY, url)
        before = rows(url)
    except BaseException:
        # It may stop itself yet, where nobody would let it go on.
        first.kill()
        raise
    os.kill(first.pid, signal.SIGCONT)
    first.join()
    assert first.exitcode == STOPPED
    assert "another driver took faults@" in (home / "said").read_text()
    assert rows(url) == before


def test_a_database_without_space_stops_the_study_and_the_same_command_goes_on(home, whole):
    url = sqlite(home)
    run(dataclasses.replace(STUDY, plan=dataclasses.replace(STUDY.plan, trials=2)), url, local=True)

    def no_more_pages(connection, _):
        used = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={used}")

    event.listen(Engine, "connect", no_more_pages)
    try:
        with pytest.raises(StorageError, match="disk is full; free some space, and the same"):
            run(STUDY, url, local=True)
    finally:
        event.remove(Engine, "connect", no_more_pages)
    run(STUDY, url, local=True)
    assert told(check(STUDY, url)) == whole


SECRET = "correct-horse"


def descendants(now):
    """The numbers of the processes that this one started, and these."""
    found = {os.getpid()}
    while more := {p.number for p in now.values() if p.parent in found} - found:
        found |= more
    return found - {os.getpid()}


def with_password(url):
    """A server's URL with a password, which it does not ask for."""
    return make_url(url).set(password=SECRET).render_as_string(hide_password=False)


def away(server, seconds):
    """A watch that stops a real server once, in the middle of a study, for so many seconds."""
    timers = []

    def watch(progress):
        if not timers and sum(record.state == "complete" for record in progress.records) == 2:
            server.stop()
            timers.append(threading.Timer(seconds, server.ensure_postgres_running))
            timers[0].start()

    return watch


def test_a_study_waits_for_a_database_that_is_away(home, postgresql_server, postgresql, whole):
    notices, url = [], with_password(postgresql)
    run(STUDY, url, local=True, watch=away(postgresql_server, 3), notice=notices.append)
    assert any("is out of reach" in said and "trying again" in said for said in notices)
    assert [said for said in notices if SECRET in said] == []
    assert told(check(STUDY, url)) == whole


def test_sqlite_and_postgresql_give_the_same_candidates_and_values(home, postgresql, whole):
    run(STUDY, postgresql, local=True)
    assert told(check(STUDY, postgresql)) == whole


def test_eight_readers_and_a_rogue_writer_disturb_nothing(home, whole):
    url, over = sqlite(home), threading.Event()
    run(dataclasses.replace(STUDY, plan=dataclasses.replace(STUDY.plan, trials=1)), url, local=True)
    reads, writes, wrong = [], [], []

    def read():
        try:
            with connect(url) as storage:
                while not over.wait(0.2):
                    found = records(storage, STUDY.full_name)
                    assert all(len(r.curve) == r.epochs for r in found if r.state == "complete")
                    reads.append(len(found))
        except Exception as error:
            wrong.append(error)

    def write():
        rogue = sqlite3.connect(home / "nas.db", timeout=30, isolation_level=None)
        rogue.execute("CREATE TABLE mine (x)")
        while not over.wait(0.05):
            rogue.execute("BEGIN IMMEDIATE")
            rogue.execute("INSERT INTO mine VALUES (1)")
            time.sleep(0.2)
            rogue.execute("COMMIT")
            writes.append(1)
        rogue.close()

    threads = [threading.Thread(target=read) for _ in range(8)] + [threading.Thread(target=write)]
    for thread in threads:
        thread.start()
    try:
        run(STUDY, url, local=True)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert reads
    assert writes
    assert told(check(STUDY, url)) == whole


def rogue(url, harm):
    """A watch that does harm to the study once, while its first trial runs, as Optuna itself does
    it in another process."""
    done = []

    def watch(progress):
        if not done and progress.changed is not None and progress.changed.state == "running":
            done.append(True)
            storage = optuna.storages.RDBStorage(url)
            harm(optuna.load_study(study_name=STUDY.full_name, storage=storage))
            storage.remove_session()
            storage.engine.dispose()

    return watch


@pytest.mark.parametrize(
    ("harm", "said", "left"),
    [
        (lambda study: study.ask(), "wrote trial 1 of faults@.*; the same command goes on", 1),
        (lambda study: study.enqueue_trial({"x": 1}), "wrote trial 1 of faults@", 1),
        (lambda study: study.tell(0, state=TrialState.FAIL), "ended trial 0 as fail", 0),
        (lambda study: study.tell(0, 1.0), "ended trial 0 as complete", 0),
    ],
    ids=["ask", "enqueue", "fail", "complete"],
)
def test_another_program_that_writes_the_study_is_noticed_and_ruins_nothing(home, harm, said, left):
    url, notices = sqlite(home), []
    with pytest.raises(StorageError, match=said):
        run(STUDY, url, local=True, watch=rogue(url, harm))
    with connect(url) as storage:
        if not left:
            (first,) = records(storage, STUDY.full_name)
            assert (first.state, first.reason) == ("failed", "ended by another program")
            assert reopen(storage, STUDY.full_name) == [0]
    run(STUDY, url, local=True, notice=notices.append)
    found = check(STUDY, url)
    assert [said for said in notices if "program's trials in" in said] == notices[:left]
    assert [r.number for r in found[:2]] == [0, 1 + left]


def test_a_changed_space_is_a_study_of_its_own_and_says_so(home):
    url, notices = sqlite(home), []
    small = dataclasses.replace(STUDY, plan=Search(trials=1))
    run(small, url, local=True)
    space = SearchSpace(BASE, {"network.inception_3a.conv1x1.width": scaled(0.5, 1)})
    other = dataclasses.replace(small, space=space)
    run(other, url, local=True, notice=notices.append)
    assert [said for said in notices if f"{other.full_name} is a new study" in said]
    for study in (small, other):
        check(study, url)


HOSTILE = "'); DROP TABLE trials; --<script>alert(1)</script>../../%s\\x00"


def test_hostile_names_are_data(home, postgresql):
    leaf = "network.inception_3a.conv1x1.width"
    space = SearchSpace(BASE, {leaf: versus(**{HOSTILE: 8}, name=HOSTILE)})
    study = dataclasses.replace(
        STUDY, name="hostile", question=HOSTILE, space=space, plan=Search(trials=2)
    )
    for url in (sqlite(home), postgresql):
        run(study, url, local=True)
        found = check(study, url)
        assert found[1].decisions == {HOSTILE: HOSTILE}


SECRETS = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "GOOGLE_API_KEY",
    "GOOGLE_APPLICATION_CREDENTIALS", "AZURE_CLIENT_SECRET", "WANDB_API_KEY", "HF_TOKEN",
    "MLFLOW_TRACKING_PASSWORD", "DATABASE_URL", "PGPASSFILE", "GITHUB_TOKEN", "https_proxy",
)  # fmt: skip


def known_to(process):
    """The command line and the environment of a process."""
    with suppress(OSError):
        return b"".join((processes.PROC / str(process) / what).read_bytes() for what in
                        ("cmdline", "environ"))  # fmt: skip
    return b""


@pytest.mark.parametrize("local", [True, False], ids=["here", "on ray"])
def test_no_secret_of_the_environment_is_in_any_file_or_process(
    home, monkeypatch, postgresql, local
):
    url, folders, known = with_password(postgresql), {home}, set()
    # As a user gives it: whatever is started has it in its environment.
    monkeypatch.setenv("NAS_STORAGE", url)
    for name in SECRETS:
        monkeypatch.setenv(name, f"{SECRET}-{name}")
    study = dataclasses.replace(STUDY, name="secret", plan=Search(trials=2))

    def watch(progress):
        if not local:
            folders.add(Path(ray._private.worker._global_node.get_session_dir_path()))
            now = processes.processes()
            known.update((n, now[n].program, known_to(n)) for n in descendants(now))

    run(study, url, local=local, watch=watch)
    assert len(folders) == 2 - local
    assert [program for _, program, what in known if SECRET.encode() in what] == []
    programs = {program for _, program, _ in known}
    assert local or programs >= {"gcs_server", "raylet", "ray::RuntimeEnv"}, programs
    for folder in folders:
        files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
        assert files
        assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
    with connect(url) as storage, storage.engine.connect() as connection:
        stored = connection.execute(text("SELECT value_json FROM trial_user_attributes"))
        assert all(SECRET not in value for (value,) in stored)


def test_a_budget_that_one_in_a_thousand_fits_is_kept_to(home):
    spread = scaled(*(at / 20 for at in range(1, 41)))
    edits = {
        f"network.inception_{module}.{branch}.width": spread
        for module in ("3a", "4a", "5a")
        for branch in ("conv1x1", "conv3x3", "conv5x5")
    }
    study = dataclasses.replace(
        STUDY, name="narrow", space=SearchSpace(BASE, edits),
        budget=Budget(mult_adds=relative(0.376)), plan=Search(trials=3, sampler=TPE(startup=1000)),
    )  # fmt: skip
    run(study, sqlite(home), local=True)
    found = check(study, sqlite(home))
    states = "".join("x" if r.state == "infeasible" else "." for r in found)
    # 64 random ones are refused before one is drawn from what fits.
    assert f"{'x' * REFUSALS}." in states
    assert "x" * (REFUSALS + 1) not in states


def test_a_width_of_a_million_millions_is_refused_at_the_door(home):
    space = SearchSpace(BASE, {"network.inception_3a.conv1x1.width": versus(huge=10**12, half=4)})
    study = dataclasses.replace(
        STUDY, name="huge", space=space, budget=Budget(mult_adds=relative(1.0)),
        plan=Search(trials=2),
    )  # fmt: skip
    run(study, sqlite(home), local=True)
    found = check(study, sqlite(home))
    assert {r.state for r in found if r.mult_adds > 10**12} <= {"infeasible"}
