import json
import math
import sqlite3
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import replace

import optuna
import pytest
from sqlalchemy import Engine, event, select, text
from sqlalchemy.orm import Session

from nas.base.errors import StorageError
from nas.plan.description import describe
from nas.runs.record import Origin
from nas.store.database import connect, shown
from nas.store.reading import records, study_names, study_record
from nas.store.schema import CandidateRow
from nas.store.writing import Ledger
from nas.tree.tree import fingerprint, to_json
from tests.examples import PROTOCOL, epoch, record, small_study, sqlite


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return sqlite(tmp_path)
    return request.getfixturevalue("postgresql")


@pytest.fixture
def opened():
    """Opens databases that are closed when the test ends."""
    with ExitStack() as stack:
        yield lambda url: stack.enter_context(connect(url))


@pytest.fixture
def open_ledger(opened):
    def make(url, name):
        storage = opened(url)
        study = describe(small_study(name))
        return storage, study, Ledger(storage, study)

    return make


def read_plainly(url, name):
    storage = optuna.storages.RDBStorage(url)
    trials = optuna.load_study(storage=storage, study_name=name).trials
    storage.remove_session()
    storage.engine.dispose()
    return trials


def begin(ledger, number=0, state="running", **values):
    """Writes a run down; its number."""
    ledger.begin(record(number, None, state=state, **values), {}, {})
    return number


def test_a_run_comes_back_as_it_was_written(url, open_ledger):
    storage, study, ledger = open_ledger(url, "roundtrip")
    asked = record(0, None, state="running", role="candidate", excess=-0.25)
    ledger.begin(asked, {}, {})
    number = asked.number
    ledger.add_epochs(number, [epoch(1, 40.0), epoch(2, 60.0)])
    ledger.note(number, mult_adds_fvcore=1000, protocol=to_json(PROTOCOL))
    ledger.tell(number, "complete", None, epoch(2, 60.0))
    (found,) = records(storage, study.full_name)
    assert (found.number, found.state, found.score) == (number, "complete", 60.0)
    assert found.curve == (epoch(1, 40.0), epoch(2, 60.0))
    assert found.experiment == asked.experiment
    assert found.seeds == asked.seeds
    assert found.excess == {"mult_adds": -0.25}
    assert found.protocol == PROTOCOL


def test_what_was_asked_comes_back_whole(url, open_ledger):
    storage, study, _ = open_ledger(url, "asked")
    assert study_record(storage, "asked") == study
    assert study_record(storage, study.full_name) == study
    assert study.full_name in study_names(storage)


def test_plain_optuna_reads_value_state_constraints_and_attributes(url, open_ledger):
    _, study, ledger = open_ledger(url, "plain")
    number = begin(ledger, excess=-0.5)
    ledger.tell(number, "complete", None, epoch(2, 61.5))
    begin(ledger, 1, state="infeasible", excess=0.5, reason="over")
    done, refused = read_plainly(url, study.full_name)
    assert (done.state.name, done.value, done.constraints) == (
        "COMPLETE", 61.5, {"mult_adds": -0.5},
    )  # fmt: skip
    assert (refused.state.name, refused.constraints) == ("PRUNED", {"mult_adds": 0.5})
    assert {"candidate_id", "network_id", "seed", "mult_adds", "params"} <= set(done.user_attrs)
    assert refused.user_attrs["reason"] == "over"


def test_a_stopped_run_keeps_its_last_value_as_optunas_intermediate_value(tmp_path, open_ledger):
    url = sqlite(tmp_path)
    _, study, ledger = open_ledger(url, "stopped")
    number = begin(ledger)
    ledger.tell(number, "stopped", "too low", epoch(3, 12.5))
    (trial,) = read_plainly(url, study.full_name)
    assert (trial.state.name, trial.intermediate_values) == ("PRUNED", {3: 12.5})


def test_an_epoch_is_written_once(tmp_path, open_ledger):
    storage, study, ledger = open_ledger(sqlite(tmp_path), "once")
    number = begin(ledger)
    ledger.add_epochs(number, [epoch(1, 40.0)])
    ledger.flush()
    ledger.add_epochs(number, [epoch(1, 41.0), epoch(2, 50.0)])
    ledger.flush()
    (found,) = records(storage, study.full_name)
    assert [e.accuracy for e in found.curve] == [40.0, 50.0]


def test_a_loss_that_is_not_finite_is_kept_as_nothing_and_read_as_nan(url, open_ledger):
    storage, study, ledger = open_ledger(url, "nan")
    number = begin(ledger)
    ledger.add_epochs(number, [epoch(1, 10.0, loss=math.inf)])
    ledger.flush()
    (found,) = [r for r in records(storage, study.full_name) if r.number == number]
    assert math.isnan(found.curve[0].train_loss)


def test_what_reaches_each_module_comes_back_whole(url, open_ledger):
    storage, study, ledger = open_ledger(url, "flow")
    number = begin(ledger)
    flow = {"stem": 0.1 + 0.2, "head": math.nan}
    told = replace(epoch(1, 10.0), gradients=flow, aux_losses={"aux_4a.classifier": 1 / 3})
    ledger.add_epochs(number, [told])
    ledger.flush()
    (found,) = [r for r in records(storage, study.full_name) if r.number == number]
    assert found.curve[0].aux_losses == told.aux_losses
    assert found.curve[0].gradients["stem"] == flow["stem"]
    assert math.isnan(found.curve[0].gradients["head"])


def test_a_database_of_before_gets_the_columns_that_came_later(url, open_ledger, opened):
    storage, study, ledger = open_ledger(url, "before")
    number = begin(ledger)
    ledger.add_epochs(number, [epoch(1, 40.0)])
    ledger.flush()
    with storage.engine.begin() as connection:
        for column in ("gradients", "aux_losses"):
            connection.execute(text(f"ALTER TABLE nas_epochs DROP COLUMN {column}"))
    again = opened(url)
    later = Ledger(again, study)
    later.add_epochs(number, [replace(epoch(2, 50.0), gradients={"stem": 2.0})])
    later.flush()
    (found,) = [r for r in records(again, study.full_name) if r.number == number]
    assert [each.gradients for each in found.curve] == [{}, {"stem": 2.0}]
    assert found.curve[0] == epoch(1, 40.0)


def test_a_run_of_before_has_its_tree_in_itself_and_still_comes_back(url, open_ledger, opened):
    storage, study, ledger = open_ledger(url, "inline")
    asked = record(0, None, state="running")
    ledger.begin(asked, {}, {})
    with storage.engine.begin() as connection:
        for table in ("nas_candidates", "nas_runs", "nas_drivers"):
            connection.execute(text(f"DROP TABLE {table}"))
        inline = text(
            "UPDATE trial_user_attributes SET value_json = :tree WHERE key = 'experiment'"
        )
        connection.execute(inline, {"tree": json.dumps(asked.experiment)})
    again = opened(url)
    (found,) = records(again, study.full_name)
    assert (found.experiment, found.attempts, found.origin) == (asked.experiment, 0, None)
    Ledger(again, study).attempt(0, 1)
    (found,) = records(again, study.full_name)
    assert found.attempts == 1


def test_a_tree_is_kept_once_with_the_cost_of_its_layers(url, open_ledger):
    storage, study, ledger = open_ledger(url, "trees")
    layers, tree = [{"name": "stem.conv", "mult_adds": 10}], {"only": "here"}
    for number in range(3):
        made = replace(record(number, None, state="running", seed=number), experiment=tree)
        ledger.begin(made, {}, {}, layers)
    with Session(storage.engine) as session:
        known = select(CandidateRow).where(CandidateRow.tree == fingerprint(tree))
        (row,) = session.scalars(known)
    assert json.loads(row.layers) == layers
    assert [found.experiment for found in records(storage, study.full_name)] == [tree] * 3


def test_a_run_begins_and_ends_now_in_any_time_zone(tmp_path, monkeypatch, open_ledger):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        storage, study, ledger = open_ledger(sqlite(tmp_path), "zone")
        ledger.tell(begin(ledger), "failed", None, None)
        (found,) = records(storage, study.full_name)
        assert abs(time.time() - found.started) < 1800
        assert abs(time.time() - found.ended) < 1800
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_run_says_where_and_how_often_it_was_made(url, open_ledger):
    storage, study, _ = open_ledger(url, "made")
    ledger = Ledger(storage, study, incarnation=7, revision="abc-dirty")
    number = begin(ledger)
    for _ in range(2):
        # The word of the first commit may be lost.
        ledger.attempt(number, 2)
    ledger.place(number, Origin(host="here", device="cpu: x86_64", versions={"torch": "2"}))
    ledger.flush()
    (found,) = records(storage, study.full_name)
    assert found.attempts == 2
    assert found.origin == Origin(
        host="here", device="cpu: x86_64", versions={"torch": "2"}, revision="abc-dirty"
    )


def test_a_commit_that_a_server_undid_for_its_stillness_is_made_again(
    monkeypatch, postgresql, open_ledger
):
    storage, study, ledger = open_ledger(postgresql, "still")
    notices, still = [], [0.5]
    ledger.notice = notices.append

    def impatient(connection):
        if still:
            connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = '200ms'")

    event.listen(storage.engine, "begin", impatient)
    monkeypatch.setattr(
        "nas.base.failpoints.reach", lambda name: time.sleep(still.pop() if still else 0)
    )
    begin(ledger)
    (notice,) = notices
    assert "idle-in-transaction timeout; trying again" in notice
    assert [r.number for r in records(storage, study.full_name)] == [0]


def test_sqlite_logs_ahead(tmp_path, opened):
    storage = opened(sqlite(tmp_path))
    with storage.engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"


def test_another_schema_version_is_refused_with_the_way_out(tmp_path, opened):
    storage = opened(sqlite(tmp_path))
    with storage.engine.begin() as connection:
        connection.execute(text("UPDATE nas_schema SET version = 99"))
    with pytest.raises(StorageError, match="schema 99, this version reads 1; use the version"):
        opened(sqlite(tmp_path))


def test_a_database_out_of_reach_is_one_message(tmp_path, opened):
    with pytest.raises(StorageError, match="out of reach"):
        opened(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder' / 'nas.db'}")
    with pytest.raises(StorageError, match="out of reach"):
        opened("postgresql+psycopg://127.0.0.1:1/nothing")


@pytest.mark.parametrize(
    "url", ["me:correct-horse@127.0.0.1:1/x", "127.0.0.1:1/x?password=correct-horse"]
)
def test_an_error_of_a_server_does_not_tell_the_password(opened, url):
    with pytest.raises(StorageError, match="is out of reach") as met:
        opened(f"postgresql+psycopg://{url}")
    assert "127.0.0.1:1/x" in str(met.value)
    assert "correct-horse" not in str(met.value)
    assert "correct-horse" not in shown(f"postgresql+psycopg://{url}")


def test_a_study_that_is_not_there_is_a_key_error(tmp_path, opened):
    with pytest.raises(KeyError):
        study_record(opened(sqlite(tmp_path)), "nothing")


def test_a_bare_name_means_its_newest_study(tmp_path, opened):
    storage = opened(sqlite(tmp_path))
    first = describe(small_study("twice"))
    second = replace(first, full_name="twice@ffffffff", created=first.created + 1)
    for study in (first, second):
        Ledger(storage, study)
    assert study_record(storage, "twice").full_name == "twice@ffffffff"


def test_nothing_in_the_database_is_pickled(tmp_path, open_ledger):
    storage, study, ledger = open_ledger(sqlite(tmp_path), "json")
    begin(ledger)
    with storage.engine.connect() as connection:
        specs = connection.execute(text("SELECT spec FROM nas_studies")).scalars().all()
        values = connection.execute(text("SELECT value_json FROM trial_user_attributes"))
        for value in [*specs, *values.scalars()]:
            json.loads(value)
    assert study.name == "json"


@pytest.mark.parametrize("written", range(1, 17, 3))
def test_a_database_whose_making_was_cut_short_is_finished(tmp_path, monkeypatch, opened, written):
    """After so many of Optuna's tables, and of the rows that say their version."""
    monkeypatch.setattr("nas.store.database.time.sleep", lambda seconds: None)
    left = [written]

    def cut(connection, cursor, statement, *rest):
        left[0] -= statement.lstrip().startswith(("CREATE", "INSERT"))
        if left[0] == 0:
            raise KeyboardInterrupt

    event.listen(Engine, "after_cursor_execute", cut)
    try:
        with pytest.raises(KeyboardInterrupt):
            opened(sqlite(tmp_path))
    finally:
        event.remove(Engine, "after_cursor_execute", cut)
    assert study_names(opened(sqlite(tmp_path))) == []


def test_optunas_own_tables_with_a_row_are_another_programs(tmp_path, opened):
    with sqlite3.connect(tmp_path / "nas.db") as other:
        other.execute("CREATE TABLE studies (title)")
        other.execute("INSERT INTO studies VALUES ('theirs')")
    other.close()
    with pytest.raises(StorageError, match="another program's: it has the tables studies"):
        opened(sqlite(tmp_path))


def test_several_that_open_a_new_database_at_once_all_do(tmp_path):
    words = [sys.executable, "-c", "import sys; from nas.store.database import connect\n"
             "with connect(sys.argv[1]): print('open')", sqlite(tmp_path)]  # fmt: skip
    running = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [each.communicate()[0] for each in running] == ["open\n"] * 3
