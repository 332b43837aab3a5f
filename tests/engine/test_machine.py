import subprocess
import sys

import pytest
import ray

from nas import Resources
from nas.base.errors import NoResources
from nas.engine.cluster import Cluster
from nas.engine.machine import Room, at_once


def rooms(*each):
    return [
        Room(node=str(at), host=f"host{at}", cpus=cpus, gpus=gpus)
        for at, (cpus, gpus) in enumerate(each)
    ]


@pytest.mark.parametrize(
    ("wanted", "have", "slots"),
    [
        (Resources(cpus=1, gpus=0.5), [(8, 2)], 4),
        (Resources(cpus=1, gpus=0.1), [(16, 1)], 10),
        (Resources(cpus=1, gpus=1), [(8, 2)], 2),
        (Resources(cpus=4, gpus=0.5), [(8, 2)], 2),
        (Resources(cpus=1, gpus=0.25, concurrent=3), [(8, 2)], 3),
        (Resources(cpus=2), [(8, 2)], 4),
        (Resources(cpus=2), [(3, 0), (3, 0)], 2),
        (Resources(cpus=4), [(3, 0), (3, 0)], 0),
        (Resources(cpus=1, gpus=0.5), [(8, 0), (2, 1), (1, 1)], 3),
        (Resources(cpus=1, gpus=0.5), [(8, 0)], 8),
    ],
)
def test_a_trial_runs_on_one_machine_and_never_more_run_than_fit(wanted, have, slots):
    assert at_once(wanted, rooms(*have)) == slots


def test_fractions_of_a_gpu_are_asked_of_ray_and_what_does_not_fit_is_refused(tmp_path):
    notices: list[str] = []
    ray.init("local", num_cpus=8, num_gpus=2, include_dashboard=False, log_to_driver=False)
    try:
        wanted = Resources(gpus=0.5)
        with Cluster(wanted, None, notices.append, tmp_path) as machine:
            assert machine.concurrent == 4
            assert machine.per_trial == {"cpu": 1, "gpu": 0.5}
            assert machine.settings.device == "cpu"
        assert notices == ["torch can use none of the GPUs here: the trials run on the CPU"]
        with Cluster(Resources(cpus=2), None, notices.append, tmp_path) as machine:
            assert (machine.concurrent, machine.per_trial) == (4, {"cpu": 2})
        said = "asks for 1 CPU and 3 GPUs; there are 8 and 2; lower the study's Resources"
        with pytest.raises(NoResources, match=said):
            Cluster(Resources(gpus=3), None, notices.append, tmp_path).__enter__()
    finally:
        ray.shutdown()


def test_a_driver_outside_of_the_cluster_is_told_where_it_belongs():
    with pytest.raises(ValueError, match="a driver runs on a machine of the cluster"):
        Cluster(Resources(), "ray://head:10001", print).__enter__()


@pytest.mark.parametrize("address", ["head", "127.0.0.1"])
def test_an_address_that_is_none_says_what_one_looks_like(address):
    with pytest.raises(NoResources, match=f"no Ray cluster at {address}: .*say its HOST:PORT or"):
        Cluster(Resources(), address, print).__enter__()


HARMED = """
import os, signal, sys, time
from nas.engine import cluster, processes
from nas import Resources
cluster.LOOKED_EVERY, cluster.SILENT = 0.5, 4
program, harm = sys.argv[1:]
def find():
    known = processes.processes()
    ours = processes.descendants(known, os.getpid())
    return [number for number in ours if known[number].program == program]
with cluster.Cluster(Resources(), None, print):
    while not find():
        time.sleep(0.1)
    time.sleep(2)
    os.kill(find()[0], getattr(signal, harm))
    time.sleep(50)
"""


@pytest.mark.parametrize(
    ("program", "harm", "why"),
    [
        ("gcs_server", "SIGKILL", "its head died"),
        ("raylet", "SIGSTOP", "its raylet is stopped"),
    ],
)
def test_a_driver_whose_ray_went_away_says_so_and_ends_with_the_documented_code(
    tmp_path, program, harm, why
):
    ended = subprocess.run(
        [sys.executable, "-c", HARMED, program, harm],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert ended.returncode == NoResources.code, ended.stderr
    assert ended.stdout.splitlines()[-1] == (
        f"Ray on this machine went away ({why}); nothing is lost: the same command goes on"
    )
