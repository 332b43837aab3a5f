"""The one checker of what must hold of a study, whatever was done to its processes."""

from collections import Counter
from pathlib import Path

import optuna
from optuna.trial import TrialState
from sqlalchemy import text

from nas.database import connect
from nas.plans import total
from nas.record import Record
from nas.storage import records
from nas.study import Study

TRAINED = ("complete", "stopped", "diverged", "exceeded")


def check(
    study: Study, url: str, *, logs: list[Path] = (), kills: int = 0, at_once: int = 1,
    failed: int = 0,
) -> list[Record]:  # fmt: skip
    """Raises AssertionError unless all seven hold; the study's records.

    `logs` are those of failpoints, from which the epochs are counted that were trained; `kills` is
    how often a process was killed, with `at_once` trials under way; `failed` runs are expected.
    """
    with connect(url) as storage:
        found = records(storage, study.full_name)
        every = optuna.load_study(study_name=study.full_name, storage=storage).trials
        with storage.engine.connect() as connection:
            asked = "SELECT number, epoch FROM nas_epochs WHERE full_name = :name"
            rows = connection.execute(text(asked), {"name": study.full_name}).all()
    trials = [trial for trial in every if "role" in trial.user_attrs]
    trained = [r for r in found if r.state in TRAINED]

    # 1. Nothing is running, and numbers go up one by one.
    assert [t.number for t in trials if not t.state.is_finished()] == []
    assert [t.number for t in every] == list(range(len(every)))

    # 2. What is over is the plan.
    assert len(trained) == total(study)
    assert sum(r.state == "failed" for r in found) == failed

    # 3. No candidate is trained twice at one fidelity and seed.
    twice = [key for key, times in Counter(r.key for r in trained).items() if times > 1]
    assert twice == []

    # 4. Every curve is whole, each epoch once.
    stored = Counter(map(tuple, rows))
    assert set(stored.values()) <= {1}
    for r in trained:
        epochs = sorted(epoch for number, epoch in stored if number == r.number)
        assert epochs == list(range(1, len(epochs) + 1))
        assert r.state != "complete" or len(epochs) == r.epochs

    # 5. At most one epoch is done again for a kill and a trial under way.
    if logs:
        reached = [line for log in logs if log.exists() for line in log.read_text().split()]
        assert reached.count("after_epoch") - len(stored) <= kills * at_once

    # 6. What was told is the curve's last value.
    for r, trial in zip(found, trials, strict=True):
        if r.curve and trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
            assert trial.value == r.curve[-1].accuracy == r.score

    # 7. Both counts agree, and all but the reference are within the budget.
    for r in trained:
        assert r.mult_adds == r.mult_adds_fvcore or r.state == "exceeded"
        limits = [over for name, over in r.excess.items() if name not in ("memory", "seconds")]
        assert r.role == "reference" or max(limits, default=0) <= 0
    return found
