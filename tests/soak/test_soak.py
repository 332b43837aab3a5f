"""Faults that take minutes, on real Ray: `make soak`."""

import dataclasses
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from driven import KILLED, STUDY
from examples import BASE, sqlite
from invariants import check
from test_faults import away

from nas import edit
from nas.engine import run
from nas.failpoints import POINTS

pytestmark = pytest.mark.soak

KILLS = 20
WRITES = ("in_commit", "in_checkpoint", "between_checkpoints")
"""The instants within a write."""
WORKERS = POINTS[POINTS.index("before_epoch") :]

DRIVER = """
import dataclasses, sys
import ray
from driven import STUDY
from nas.engine import run
from soak.test_soak import SOAKED
ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False)
run(SOAKED, sys.argv[1])
"""
SOAKED = dataclasses.replace(
    STUDY,
    name="soaked",
    space=STUDY.space.around(edit(BASE, {"recipe.fidelity.epochs": 8})),
    plan=dataclasses.replace(STUDY.plan, trials=40, scheduler=None),
)
"""Eight epochs a trial: one that began again at its first would do more than one of them twice."""


def driver(url, home, failpoint=None):
    tests = Path(__file__).parents[1]
    path = os.pathsep.join([str(tests), str(tests.parent), os.environ.get("PYTHONPATH", "")])
    given = {"NAS_HOME": str(home), "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
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
        running = driver(url, tmp_path, f"{point}:{rng.randint(1, 3)}:kill:{file}")
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


def test_a_database_that_is_away_for_a_minute(tmp_path, monkeypatch, postgresql_server, postgresql):
    monkeypatch.setenv("NAS_HOME", str(tmp_path))
    run(STUDY, postgresql, local=True, watch=away(postgresql_server, 60))
    check(STUDY, postgresql)
