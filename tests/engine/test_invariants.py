"""The checker of the other tests sees what it is there to see."""

import shutil

import pytest
from sqlalchemy import text

from nas.base import failpoints
from nas.engine.driver import run
from nas.store.database import connect
from tests.driven import STUDY
from tests.examples import sqlite
from tests.invariants import check


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder with the study, which nothing happened to, and the log of its instants."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAS_HOME", str(folder))
        # An instant that is reached once: only the log is wanted.
        failpoints.arm(f"after_lease:2:kill:{folder / 'all'}")
        try:
            run(STUDY, sqlite(folder), local=True)
        finally:
            failpoints.arm(None)
        check(STUDY, sqlite(folder), logs=[folder / "all.log"])
    return folder


def told_otherwise(log):
    log.write_text(log.read_text().replace("after_tell 0:'complete':", "after_tell 0:'stopped':"))


def told_twice(log):
    line = next(line for line in log.read_text().splitlines() if line.startswith("after_tell"))
    log.write_text(f"{log.read_text()}{line}\n")


def trained_twice(log):
    log.write_text(log.read_text() + "after_epoch 0:1:0.5\n")


def without_weights(log):
    shutil.rmtree(log.parent / STUDY.full_name / "weights")


def torn_predictions(log):
    path = next((log.parent / STUDY.full_name / "predictions").iterdir())
    path.write_bytes(path.read_bytes()[:-1])


SAID = [
    "DELETE FROM nas_runs WHERE number = 0",
    "DELETE FROM nas_epochs WHERE number = 0 AND epoch = 1",
    "UPDATE nas_epochs SET number = 99 WHERE number = 0",
    "UPDATE nas_epochs SET train_loss = train_loss + 1 WHERE number = 0 AND epoch = 1",
    "UPDATE trials SET state = 'FAIL' WHERE number = 0",
    "UPDATE trials SET state = 'RUNNING' WHERE number = 0",
    "UPDATE trial_values SET value = value + 1",
    "DELETE FROM trial_intermediate_values",
    "UPDATE trial_intermediate_values SET intermediate_value = intermediate_value + 1",
]


@pytest.mark.parametrize("harm", [
    *SAID, told_otherwise, told_twice, trained_twice, without_weights, torn_predictions,
])  # fmt: skip
def test_the_checker_sees_what_is_wrong(tmp_path, monkeypatch, whole, harm):
    monkeypatch.setenv("NAS_HOME", str(tmp_path))
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    url, log = sqlite(tmp_path), tmp_path / "all.log"
    if isinstance(harm, str):
        with connect(url) as storage, storage.engine.begin() as connection:
            connection.execute(text(harm))
    else:
        harm(log)
    with pytest.raises((AssertionError, FileNotFoundError)):
        check(STUDY, url, logs=[log])
