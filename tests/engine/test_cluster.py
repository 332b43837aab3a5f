"""Several nodes with GPUs that are none: what runs where, and what happens when one goes away."""

import dataclasses
import time
from collections import Counter

import pytest
import ray
from ray._private.state import actors
from ray.cluster_utils import Cluster

from nas import Resources, edit
from nas.base.errors import NoResources
from nas.engine import cluster as clusters
from nas.engine.driver import run
from nas.engine.machine import Room
from tests.examples import BASE, search_only, sqlite
from tests.invariants import check

QUICK = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 1000}
"""Ray's own 3 seconds, 5 times, until it takes a node for lost."""


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """A head without a GPU, and two nodes with one each, whose workers say what they reach."""
    monkeypatch.setenv("NAS_FAILPOINT", f"after_epoch:0:kill:{tmp_path / 'workers'}")
    head = {"num_cpus": 1, "num_gpus": 0, "include_dashboard": False, "_system_config": QUICK}
    made = Cluster(initialize_head=True, head_node_args=head)
    try:
        yield made, [made.add_node(num_cpus=2, num_gpus=1) for _ in range(2)]
    finally:
        ray.shutdown()
        made.shutdown()


def busy():
    """How many workers of trials each node has now."""
    found = (actor for actor in actors().values() if actor["State"] == "ALIVE")
    return Counter(actor["Address"]["NodeID"] for actor in found)


def test_trials_run_where_they_fit_and_those_of_a_lost_node_go_on_elsewhere(
    cluster, tmp_path, monkeypatch
):
    made, (kept, lost) = cluster
    monkeypatch.setenv("NAS_HOME", str(tmp_path))
    monkeypatch.setattr("nas.engine.cluster.LOOKED_EVERY", 0.5)
    study = search_only(8)
    space = study.space.around(edit(BASE, {"recipe.fidelity.epochs": 20}))
    study = dataclasses.replace(study, space=space, resources=Resources(gpus=0.5))
    seen, notices = [Counter[str]()], []
    at_a_time: list[int] = []

    def watch(progress):
        at_a_time.append(progress.states["running"])
        if lost is None or not progress.records:
            return
        if made.worker_nodes == {kept}:
            return
        seen.append(busy())
        here = seen[-1]
        if here[lost.node_id] and any(r.curve for r in progress.records[1:]):
            made.remove_node(lost, allow_graceful=False)

    outcome = run(study, sqlite(tmp_path), address=made.address, watch=watch, notice=notices.append)
    assert not outcome.interrupted
    # The node's end is one kill for each of its trials.
    found = check(study, sqlite(tmp_path), logs=[tmp_path / "workers.log"], kills=1)
    assert [r.state for r in found] == ["complete"] * 8
    assert all([e.epoch for e in r.curve] == list(range(1, 21)) for r in found)
    assert {r.origin.device.partition(":")[0] for r in found} == {"cpu"}
    assert max(r.attempts for r in found) == 2
    used = set[str]().union(*seen)
    assert used <= {kept.node_id, lost.node_id}
    assert max(count for each in seen for count in each.values()) <= 2
    assert max(at_a_time) <= 4
    assert notices[0] == "torch can use none of the GPUs here: the trials run on the CPU"
    assert notices[1].startswith(f"Ray at {made.address}: 3 machines, 5 CPUs, 2 GPUs, room for 4")
    assert "the cluster has 2 machines now, room for 2 trials at a time" in notices


def test_a_folder_that_a_machine_does_not_see_is_refused(cluster, tmp_path, monkeypatch):
    made, _ = cluster
    # What a worker looks for is not there: the driver's file has another name.
    monkeypatch.setattr("nas.engine.cluster.NamedTemporaryFile", lambda **how: _Elsewhere())
    machine = clusters.Cluster(Resources(), made.address, print, tmp_path)
    with pytest.raises(NoResources, match=r"cannot see .*; set \$NAS_HOME to a folder that all"):
        machine.__enter__()
    assert not ray.is_initialized()


def test_a_machine_that_goes_while_it_is_asked_ends_nothing(cluster, tmp_path, monkeypatch):
    made, _ = cluster
    monkeypatch.setattr("nas.engine.cluster.LOOKED_EVERY", -1.0)
    notices = []
    with clusters.Cluster(Resources(), made.address, notices.append, tmp_path) as machine:
        room, found = machine.concurrent, clusters.rooms()
        gone = Room(node="1" * 56, host="gone", cpus=4, gpus=0)
        monkeypatch.setattr("nas.engine.cluster.rooms", lambda: (*found, gone))
        assert [machine.concurrent, machine.concurrent] == [room, room]
    (said,) = (each for each in notices if "left out" in each)
    assert said.startswith("left out for now: a machine of the cluster (gone) cannot run trials")


def test_without_an_address_nobody_elses_cluster_is_joined(cluster, tmp_path):
    made, _ = cluster
    with clusters.Cluster(Resources(), None, print, tmp_path):
        assert ray.get_runtime_context().gcs_address != made.address


class _Elsewhere:
    name = "/nowhere/.shared"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        time.sleep(0)
