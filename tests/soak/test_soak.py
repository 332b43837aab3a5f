"""Faults that take minutes, on real Ray: `make soak`."""

import dataclasses
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nas import edit
from nas.base.failpoints import POINTS
from nas.engine.driver import run
from tests.driven import KILLED, STUDY
from tests.engine.test_faults import away, taken_over
from tests.examples import BASE, sqlite
from tests.invariants import check

pytestmark = pytest.mark.soak

KILLS = 20
WRITES = ("in_commit", "in_checkpoint", "between_checkpoints")
"""The instants within a write."""
WORKERS = POINTS[POINTS.index("before_epoch") :]

DRIVER = """
import dataclasses, sys
import ray
from tests.driven import STUDY
from nas.engine.driver import run
from soak.test_soak import SOAKED
ray.init("local", num_cpus=4, include_dashboard=False, log_to_driver=False)
run(SOAKED, sys.argv[1])
"""
SOAKED = dataclasses.replace(
    STUDY,
    name="soaked",
    space=STUDY.space.around(edit(BASE, {"recipe.fidelity.epochs": 8})),
    plan=dataclasses.replace(STUDY.plan, trials=40, scheduler=None),
)
"""Eight epochs a trial: one that began again at its first would do more than one of them twice."""


def _path():
    root = Path(__file__).parents[2]
    return os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])


def driver(url, home, failpoint=None):
    given = {"NAS_HOME": str(home), "PYTHONPATH": _path(), "OMP_NUM_THREADS": "1"}
    given |= {"NAS_FAILPOINT": failpoint} if failpoint else {}
    return subprocess.Popen([sys.executable, "-c", DRIVER, url], env=os.environ | given)


def test_twenty_random_kills_on_ray_four_trials_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setenv("NAS_HOME", str(tmp_path))
    seed = int(os.environ.get("NAS_SOAK_SEED", random.SystemRandom().randrange(10**6)))
    rng, url, hit, kills = random.Random(seed), sqlite(tmp_path), [], 0
    sys.stderr.write(f"seed {seed}\n")
    for at in range(10 * KILLS):
        if len(hit) == KILLS:
            break
        point, file = rng.choice(POINTS), tmp_path / f"{at}"
        # A driver takes its lease once.
        which = 1 if point == "after_lease" else rng.randint(1, 3)
        running = driver(url, tmp_path, f"{point}:{which}:kill:{file}")
        while running.poll() is None and not file.exists():
            time.sleep(0.02)
        # Where a worker was killed, its driver follows at any instant.
        time.sleep(rng.uniform(0, 3))
        running.kill()
        # A worker's death, the driver's, or both; a driver that had ended was not killed.
        kills += (file.exists() and point in WORKERS) + (running.wait() == KILLED)
        if file.exists():
            hit.append(point)
            sys.stderr.write(f"kill {len(hit)}: {point}\n")
    # An instant that is reached once: only the log is wanted.
    assert driver(url, tmp_path, f"after_lease:2:kill:{tmp_path / 'last'}").wait() == 0
    logs = [tmp_path / f"{at}.log" for at in (*range(10 * KILLS), "last")]
    found = check(SOAKED, url, logs=logs, kills=kills)
    assert len(hit) == KILLS
    # Where none was taken up again, nothing was shown.
    assert [r for r in found if r.attempts > 1]
    assert set(hit) & set(WRITES)


def test_a_driver_that_was_stopped_in_a_commit_writes_nothing_more(
    tmp_path, monkeypatch, postgresql
):
    """Another takes over once the server has undone what was begun, after a minute."""
    monkeypatch.setenv("NAS_HOME", str(tmp_path))
    taken_over(postgresql, tmp_path, "in_commit", 4)


FULL = """
import sys
from pathlib import Path
from tests.driven import STUDY
from nas.engine.driver import run
from nas.base.errors import StorageError
disk = Path(sys.argv[1])
filler, url = disk / "filler", f"sqlite:///{disk / 'nas.db'}"
filler.write_bytes(bytes(1_600_000))
try:
    run(STUDY, url, local=True)
except StorageError as error:
    print(error)
filler.unlink()
run(STUDY, url, local=True)
"""


def test_a_database_on_a_full_disk_stops_the_study_and_the_same_command_goes_on(
    tmp_path, monkeypatch
):
    """A disk of 2 MB of this test's own, which root and most users may mount."""
    monkeypatch.setenv("NAS_HOME", str(tmp_path / "out"))
    monkeypatch.setenv("PYTHONPATH", _path())
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = 'mount -t tmpfs -o size=2m none "$1" && "$2" -c "$3" "$1" && cp "$1"/nas.db* "$4"'
    words = ["unshare", "-rm", "sh", "-c", mounted, "sh", disk, sys.executable, FULL, tmp_path]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "disk is full; free some space, and the same command goes on" in ended.stdout
    check(STUDY, sqlite(tmp_path))


def test_a_database_that_is_away_for_a_minute(tmp_path, monkeypatch, postgresql_server, postgresql):
    monkeypatch.setenv("NAS_HOME", str(tmp_path))
    run(STUDY, postgresql, local=True, watch=away(postgresql_server, 60))
    check(STUDY, postgresql)
