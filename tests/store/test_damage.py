import json
from dataclasses import replace

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from nas.cli.main import main
from nas.plan.description import describe
from nas.results.tables import Results
from nas.store.database import connect
from nas.store.reading import records, reopen, size, study_record
from nas.store.writing import Ledger
from nas.tree.tree import to_json
from tests.examples import PROTOCOL, epoch, record, small_study, sqlite

JSONS = ("", "{", "null", "7", '"x"', "[]", "{}", "NaN", "[" * 3000 + "]" * 3000)
"""What a cell of JSON may hold instead."""
HURT = describe(small_study("hurt"))
NAME = HURT.full_name
COMMANDS = ("trials", "status", "best", "effects")


@pytest.fixture
def url(tmp_path, monkeypatch):
    """A database with a study of four complete runs."""
    monkeypatch.setenv("NAS_HOME", str(tmp_path))
    return sqlite(tmp_path)


@pytest.fixture
def storage(url):
    """The same, opened."""
    with connect(url) as storage:
        ledger = Ledger(storage, HURT)
        for number, role in enumerate(("reference", "candidate", "baseline", "change")):
            asked = record(
                number, None, state="running", role=role, change=f"c{number}", seed=number
            )
            ledger.begin(replace(asked, excess={}), {}, {})
            ledger.add_epochs(number, [epoch(1, 40.0), epoch(2, 60.0 + number)])
            ledger.note(number, protocol=to_json(PROTOCOL), predictions="0" * 64)
            ledger.tell(number, "complete", None, epoch(2, 60.0 + number))
        yield storage


def hurt(storage, statement, **values):
    with storage.engine.begin() as connection:
        assert connection.execute(text(statement), values).rowcount


def found(storage):
    return Results(study_record(storage, NAME), tuple(records(storage, NAME)))


def shown(command, url, study="hurt"):
    """What a command prints, whatever its exit code, unless it ends as a mistake of ours."""
    made = CliRunner().invoke(main, [command, study, "--storage", url])
    assert "mistake of nas" not in made.output, made.output
    assert made.exit_code in (0, 2, 3, 5), made.output
    return made.output


def require_named(storage, url, *commands):
    """Trial 1 counts for nothing and says so, the others are as they were."""
    results = found(storage)
    one, others = results.records[1], [r for r in results.records if r.number != 1]
    assert (one.state, one.score, one.curve) == ("failed", None, ())
    assert one.reason.startswith("damaged: ")
    assert [(r.number, r.state, r.score) for r in others] == [
        (0, "complete", 60.0), (2, "complete", 62.0), (3, "complete", 63.0),
    ]  # fmt: skip
    for command in commands:
        shown(command, url)
    if "trials" in commands:
        assert "damaged: " in shown("trials", url)


EVERY = (
    "role", "change", "kind", "candidate_id", "network_id", "decisions", "epochs", "mult_adds",
    "params", "params_aux", "activations", "seed", "experiment", "outcome", "reason", "protocol",
    "predictions",
)  # fmt: skip
FINE = {
    ("change", "null"), ("change", '"x"'), ("kind", "null"), ("kind", '"x"'), ("seed", "7"),
    ("candidate_id", '"x"'), ("network_id", '"x"'), ("decisions", "{}"), ("reason", "null"),
    ("reason", '"x"'), ("protocol", "null"), ("predictions", "null"), ("experiment", "{}"),
    *((name, "7") for name in ("mult_adds", "params", "params_aux", "activations")),
}  # fmt: skip
"""Values of the right type, which nothing else contradicts."""


@pytest.mark.parametrize("key", EVERY)
def test_a_damaged_attribute_takes_its_trial_alone_out(storage, url, key):
    before = found(storage).records
    own = "trial_user_attributes {} WHERE key = :key AND trial_id = 2"
    for at, told in enumerate(JSONS):
        if (key, told) in FINE:
            continue
        hurt(storage, f"UPDATE {own.format('SET value_json = :told')}", told=told, key=key)
        require_named(storage, url, *(COMMANDS if at == 3 else ()))
    hurt(storage, f"DELETE FROM {own.format('')}", key=key)
    if key in ("predictions", "protocol", "outcome"):
        return
    require_named(storage, url)
    assert found(storage).records[0] == before[0]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM nas_epochs WHERE number = 1",
        "DELETE FROM nas_epochs WHERE number = 1 AND epoch = 1",
        "DELETE FROM nas_epochs WHERE number = 1 AND epoch = 2",
        "UPDATE nas_epochs SET accuracy = 99 WHERE number = 1 AND epoch = 2",
        "UPDATE nas_epochs SET accuracy = 'x' WHERE number = 1 AND epoch = 1",
        "UPDATE nas_epochs SET epoch = 3 WHERE number = 1 AND epoch = 1",
        "UPDATE nas_epochs SET gradients = '{' WHERE number = 1 AND epoch = 1",
        "UPDATE nas_epochs SET gradients = '[1]' WHERE number = 1 AND epoch = 1",
        'UPDATE nas_epochs SET aux_losses = \'{"a": "b"}\' WHERE number = 1 AND epoch = 2',
        "DELETE FROM trial_values WHERE trial_id = 2",
        "UPDATE trial_values SET value = 12 WHERE trial_id = 2",
        "UPDATE trial_values SET value = 'x' WHERE trial_id = 2",
        "UPDATE trials SET state = 'DONE' WHERE trial_id = 2",
        "UPDATE trials SET state = 'PRUNED' WHERE trial_id = 2",
        "UPDATE trials SET datetime_start = 'yesterday' WHERE trial_id = 2",
        "UPDATE nas_runs SET versions = '{' WHERE number = 1",
        "UPDATE nas_runs SET attempts = 'often' WHERE number = 1",
        "DELETE FROM trials WHERE number = 1",
    ],
)
def test_a_damaged_row_takes_its_trial_alone_out(storage, url, statement):
    if "nas_runs SET versions" in statement:
        hurt(storage, "UPDATE nas_runs SET host = 'here' WHERE number = 1")
    hurt(storage, statement)
    require_named(storage, url, *COMMANDS)


def test_a_row_without_a_number_is_named(storage, url):
    hurt(storage, "UPDATE trials SET number = NULL WHERE trial_id = 2")
    first, *others = found(storage).records
    assert (first.number, first.state) == (-2, "failed")
    assert "damaged: " in shown("trials", url)
    assert {r.state for r in others if r.number != 1} == {"complete"}


@pytest.mark.parametrize("told", [*JSONS, '{"is": "Experiment"}'])
def test_a_damaged_tree_takes_its_trials_out(storage, url, told):
    hurt(storage, "UPDATE nas_candidates SET experiment = :told", told=told)
    for each in found(storage).records:
        assert each.state == "failed"
        assert "is not there as it was written" in each.reason
    for command in COMMANDS:
        shown(command, url)


@pytest.mark.parametrize("told", [*JSONS, '{"is": "StudyRecord"}'])
def test_a_damaged_study_is_said_and_the_others_are_shown(storage, url, told):
    Ledger(storage, describe(small_study("whole")))
    hurt(storage, "UPDATE nas_studies SET spec = :told WHERE name = 'hurt'", told=told)
    assert "hurt" in shown("effects", url)
    assert "whole" in shown("status", url, "whole")


def test_a_retry_trains_a_damaged_run_again(storage):
    hurt(storage, "DELETE FROM nas_epochs WHERE number = 1 AND epoch = 2")
    told = json.dumps("not a hash")
    damaged = "UPDATE trial_user_attributes SET value_json = :told WHERE key = 'predictions' AND "
    hurt(storage, f"{damaged} trial_id = 4", told=told)
    assert [r.number for r in records(storage, NAME) if r.state == "failed"] == [1, 3]
    assert reopen(storage, NAME) == [1, 3]
    again = [r for r in records(storage, NAME) if r.number in (1, 3)]
    assert [(r.state, r.curve, r.predictions) for r in again] == [("running", (), None)] * 2


def test_a_number_of_before_is_given_to_no_other_run(storage):
    hurt(storage, "DELETE FROM trials WHERE number = 3")
    assert Ledger(storage, HURT).free == size(storage, NAME) == 4
