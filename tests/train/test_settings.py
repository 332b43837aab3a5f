import dataclasses
import re

from nas import Resources
from nas.engine.driver import run
from nas.runs.record import Settings
from nas.store.database import connect
from nas.store.reading import records
from nas.train.settings import changes, fastest
from tests.examples import search_only, sqlite
from tests.specimens import quick


def test_the_fastest_of_a_few_settings_is_told_with_the_others():
    best, said = fastest(quick.layers(), quick.recipe, "cpu", 1)
    assert best.device == "cpu"
    assert best.threads == 1
    first, _, others = said.partition(" (")
    assert re.fullmatch(rf"measured {re.escape(str(best))}: \d+ ms a step", first)
    slower = others.removesuffix(")").split("; ")
    assert len(slower) >= 2
    assert not any(line.startswith(str(best)) for line in slower)


def test_a_change_of_threads_is_tried_where_there_are_several():
    assert {"threads": 1} in changes("cpu", 2)
    assert {"threads": 1} not in changes("cpu", 1)


def test_settings_are_spelled_as_they_are():
    assert str(Settings()) == "float32, 1 thread, channels_last, fused"
    other = Settings(precision="bfloat16", threads=2, memory_format="contiguous", fused=False)
    assert str(other) == "bfloat16, 2 threads, contiguous, not fused"


def test_a_study_keeps_to_the_settings_of_its_first_run_and_says_so(tmp_path):
    study, notices = search_only(1), []
    run(study, sqlite(tmp_path), local=True)
    low = dataclasses.replace(study.with_trials(2), resources=Resources(precision="bfloat16"))
    run(low, sqlite(tmp_path), local=True, notice=notices.append)
    with connect(sqlite(tmp_path)) as storage:
        found = records(storage, study.full_name)
    assert {r.protocol.precision for r in found if r.state == "complete"} == {"float32"}
    (said,) = notices
    assert "the trials run with float32, 1 thread" in said
    assert "and not with bfloat16, 1 thread" in said


def test_a_study_is_measured_once_and_all_its_runs_keep_to_it(tmp_path):
    study = dataclasses.replace(search_only(1), resources=Resources(precision="auto"))
    notices = []
    run(study, sqlite(tmp_path), local=True, notice=notices.append)
    run(study.with_trials(3), sqlite(tmp_path), local=True, notice=notices.append)
    assert len([said for said in notices if said.startswith("measured ")]) == 1
    with connect(sqlite(tmp_path)) as storage:
        found = {r.protocol for r in records(storage, study.full_name) if r.protocol}
    (protocol,) = found
    assert f"measured {protocol.settings('cpu')}: " in notices[0]
