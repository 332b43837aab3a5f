import os
import signal
import subprocess
import sys
from contextlib import suppress

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


BEHEADED = """
import os, signal, time
from ray._private import worker
from nas.engine import cluster
from nas import Resources
cluster.LOOKED_EVERY = cluster.GONE = 0.2
with cluster.Cluster(Resources(), None, print):
    servers = worker._global_node.all_processes.values()
    print(*(each.process.pid for group in servers for each in group), flush=True)
    os.kill(worker._global_node.all_processes["gcs_server"][0].process.pid, signal.SIGKILL)
    time.sleep(50)
"""


def test_a_driver_whose_cluster_went_away_says_so_and_ends_with_the_documented_code(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", BEHEADED], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    servers, *said = ended.stdout.splitlines()
    for process in servers.split():
        with suppress(ProcessLookupError):
            os.kill(int(process), signal.SIGKILL)
    assert ended.returncode == NoResources.code
    assert "went away" in said[0]
    assert said[0].endswith("start it again, and the same command goes on")
