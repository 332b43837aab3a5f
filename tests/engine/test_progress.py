import dataclasses
import json
import sys
import time

import pytest

from nas import Search
from nas.engine.driver import Outcome
from nas.engine.executor import Progress
from nas.engine.progress import Events, Reporter, summary
from nas.experiment.subject import Config
from nas.plan.arms import BASELINE
from nas.runs.history import History
from tests.examples import ablation_records, record


def progress(*records, planned=10, changed=None):
    study, _ = ablation_records({BASELINE: [98.0, 98.5]})
    study = dataclasses.replace(study, planned=planned)
    history = History((record.number, record) for record in records)
    return Progress(
        study=study, history=history, plans=(Search(trials=planned),), changed=changed,
        began=time.monotonic() - 60,
    )  # fmt: skip


RECORDS = (
    record(0, 98.0, role="reference"),
    record(1, 98.5, role="candidate", candidate_id="a"),
    record(2, 50.0, role="candidate", candidate_id="b", state="stopped", reason="epoch 2: low"),
    record(3, None, role="candidate", candidate_id="c", state="infeasible"),
    record(4, None, role="candidate", candidate_id="d", state="running"),
)


def test_the_summary_counts_every_state_and_holds_the_best_against_the_baseline():
    said = summary(progress(*RECORDS))
    for part in (
        "stored  3/10 done", "1 running", "1 stopped early", "1 infeasible", "0 failed",
        "3.0 a minute", "left", "best 98.50 % (baseline 98.00 %)",
    ):  # fmt: skip
        assert part in said


def test_without_a_terminal_each_finished_trial_is_one_plain_line(capsys):
    with Reporter() as reporter:
        reporter(progress(*RECORDS[:1]))
        for changed in (*RECORDS[1:3], RECORDS[2], RECORDS[4], None):
            reporter(progress(*RECORDS, changed=changed))
    out, said = capsys.readouterr()
    lines = said.splitlines()
    assert out == ""
    assert len(lines) == 3
    assert lines[2].startswith("trial 2: candidate, stopped 50.00 % (epoch 2: low)")
    assert "\x1b" not in said


def test_the_score_of_a_function_is_no_share(capsys):
    run = record(1, 2777061.2, change="shallow")
    config = dataclasses.replace(progress().study.baseline, network=Config(values='{"depth": 3}'))
    asked = progress(run, changed=run)
    with Reporter() as reporter:
        reporter(
            dataclasses.replace(asked, study=dataclasses.replace(asked.study, baseline=config))
        )
    assert "trial 1: shallow, complete 2.77706e+06 |" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["no GPU here: the trials run on the CPU"])
def test_a_notice_goes_to_stderr(capsys, text):
    Reporter().notice(text)
    assert capsys.readouterr().err.strip() == text


def test_stdout_has_events_alone_and_nothing_runs_at_the_end(capsys):
    with Events() as events:
        events(progress(*RECORDS))
        sys.stdout.write("a worker died\n")
        events.end(Outcome(full_name="stored@00000000", interrupted=True, exhausted=False))
    said = capsys.readouterr()
    first, last = map(json.loads, said.out.splitlines())
    assert (first["event"], last["event"], last["outcome"]) == ("start", "end", "interrupted")
    assert last["states"]["interrupted"] == 1
    assert "running" not in last["states"]
    assert said.err == "a worker died\n"
