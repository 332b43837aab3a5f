"""What the operator of a study may ask: to stop it, to have what failed again, what happens."""

import json
import time

import pytest

import nas.cli.read
from nas.base.errors import StudyStopped
from nas.base.paths import log_path
from nas.engine.driver import run
from nas.runs.record import Record
from nas.store.database import connect
from nas.store.lease import ask_to_stop, hold
from nas.store.reading import records
from nas.train.worker import Trial
from tests.commands import MINE
from tests.commands import nas as command
from tests.examples import search_only, sqlite

FULL_NAME = search_only(3).full_name


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("NAS_HOME", str(tmp_path))
    return tmp_path


def read(folder) -> list[Record]:
    with connect(sqlite(folder)) as storage:
        return records(storage, FULL_NAME)


@pytest.fixture
def heard_at_once(monkeypatch):
    """A driver that hears at each of its steps what is asked of it."""
    monkeypatch.setattr("nas.store.lease.RENEWED_EVERY", 0.02)


def asking(how, folder):
    """A watch that asks, from another connection, once the first trial has an epoch, and waits
    until the driver has heard it."""
    asked: list[str | None] = []

    def watch(progress):
        if progress.changed is not None and not asked:
            with connect(sqlite(folder)) as storage:
                asked.append(ask_to_stop(storage.engine, FULL_NAME, how))
            time.sleep(0.5)

    return watch, asked


@pytest.mark.parametrize(("how", "left"), [("drain", []), ("now", ["running"])])
def test_a_driver_that_is_asked_stops_and_the_next_one_goes_on(how, left, home, heard_at_once):
    watch, asked = asking(how, home)
    notices: list[str] = []
    outcome = run(search_only(3), sqlite(home), local=True, watch=watch, notice=notices.append)
    assert outcome.interrupted
    assert asked[0] is not None
    found = read(home)
    assert [r.state for r in found] == (left or ["complete"])
    assert notices == ([] if left else ["asked to stop: the trials under way end first"])
    assert not run(search_only(3), sqlite(home), local=True).interrupted
    assert [r.state for r in read(home)] == ["complete"] * 3


def test_stop_tells_who_was_asked_or_that_nobody_runs_the_study(home):
    run(search_only(1), sqlite(home), local=True)
    assert "nobody runs search@" in command("stop", "search", code=5).stderr
    with connect(sqlite(home)) as storage, hold(storage.engine, FULL_NAME) as lease:
        assert "it was asked to stop now" in command("stop", "search", "--now").stdout
        lease.renew()
        assert lease.stop == "now"
    with connect(sqlite(home)) as storage, hold(storage.engine, FULL_NAME) as lease:
        lease.renew()
        assert lease.stop is None


@pytest.fixture
def failing(monkeypatch):
    """Trials whose second epoch fails for a reason of their own."""
    step = Trial._advance

    def fail(self, training, report):
        if training.epoch == 1:
            raise RuntimeError(f"no second epoch\nfor trial {self.job['number']}")
        step(self, training, report)

    with monkeypatch.context() as patch:
        patch.setattr(Trial, "_advance", fail)
        yield patch


def test_failures_are_one_table_with_counts_first_lines_and_logs(home, failing):
    with pytest.raises(StudyStopped):
        run(search_only(3), sqlite(home), local=True)
    said = command("status", "search").stdout
    log = log_path(home / FULL_NAME, 0)
    assert "RuntimeError: no second epoch" in said
    assert "for trial" not in said
    assert "`nas retry`" in said
    told = json.loads(command("status", "search", "-f", "json").stdout)
    assert told["states"] == {"failed": 5}
    assert told["failures"] == [
        {"runs": 5, "state": "failed", "cause": "RuntimeError: no second epoch", "first": 0,
         "log": str(log)}
    ]  # fmt: skip
    assert "in fail\n    raise RuntimeError" in log.read_text()


def test_what_failed_runs_again_from_its_first_epoch_once_it_is_asked_for(home, failing):
    with pytest.raises(StudyStopped):
        run(search_only(3), sqlite(home), local=True)
    failed = read(home)
    assert [(r.state, len(r.curve)) for r in failed] == [("failed", 1)] * 5
    failing.undo()
    assert "trials 0, 1, 2, 3, 4: `nas run search` runs" in command("retry", "search").stdout
    reopened = read(home)
    assert [(r.state, r.curve, r.reason) for r in reopened] == [("running", (), None)] * 5
    run(search_only(3), sqlite(home), local=True)
    again = read(home)
    assert [(r.state, len(r.curve), r.attempts) for r in again] == [("complete", 2, 1)] * 5
    assert [r.decisions for r in again] == [r.decisions for r in failed]
    assert "has no failed trial that" in command("retry", "search", code=5).stderr


def test_nothing_is_retried_while_somebody_runs_the_study(home):
    run(search_only(1), sqlite(home), local=True)
    with connect(sqlite(home)) as storage, hold(storage.engine, FULL_NAME):
        assert "is being run by process" in command("retry", "search", code=3).stderr


def test_status_is_watched_until_nobody_runs_the_study(home, monkeypatch):
    run(search_only(1), sqlite(home), local=True)
    monkeypatch.setattr("nas.cli.read.WATCHED_EVERY", 0.01)
    look, looks = nas.cli.read._now, []

    def release(*asked):
        if len(looks) == 2:
            lease.release()
        looks.append(look(*asked))
        return looks[-1]

    monkeypatch.setattr("nas.cli.read._now", release)
    with connect(sqlite(home)) as storage, hold(storage.engine, FULL_NAME) as lease:
        said = command("status", "search", "--watch").stdout
        lease.take()
    assert len(looks) == 3
    # What has not changed is not shown again.
    assert said.count("Which?") == 2
    assert said.index("being run by process") < said.index("idle")
    assert "`nas run --json`" in command("status", "search", "--watch", "-f", "json", code=2).stderr


def test_a_run_tells_programs_what_happens_one_json_object_a_line(home, monkeypatch):
    (home / "mine.py").write_text(MINE)
    monkeypatch.chdir(home)
    result = command("run", "mine.py", "--local", "--json", "--trials", "2")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [events[0]["event"], events[-1]["event"]] == ["start", "end"]
    assert (events[0]["planned"], events[0]["over"]) == (13, 0)
    assert (events[-1]["outcome"], events[-1]["states"]["complete"]) == ("done", 13)
    assert all(event["time"] > 1.7e9 for event in events)
    over = [event for event in events if event["event"] == "trial"]
    assert len({event["trial"] for event in over}) == len(over) == 13
    epochs = [(e["trial"], e["epoch"]) for e in events if e["event"] == "epoch"]
    assert epochs == [(event["trial"], epoch) for event in over for epoch in (1, 2)]
    assert (over[0]["role"], over[0]["state"]) == ("reference", "complete")
    assert over[0]["score"] == next(e["accuracy"] for e in events if e.get("epoch") == 2)
    again = command("run", "mine.py", "--local", "--json", "--trials", "2").stdout.splitlines()
    assert [json.loads(line)["event"] for line in again] == ["start", "end"]
