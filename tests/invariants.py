"""The one checker of what must hold of a study, whatever was done to its processes."""

import hashlib
from collections import Counter
from pathlib import Path

import optuna
from sqlalchemy import text

from nas.base.paths import home, predictions_path
from nas.plan.steps import total
from nas.runs.record import Record
from nas.store.database import connect
from nas.store.reading import records
from nas.store.writing import OUTCOMES
from nas.study import Study
from nas.train.worker import weights_path

TRAINED = ("complete", "stopped", "diverged", "exceeded")


def check(
    study: Study, url: str, *, logs: list[Path] = (), kills: int = 0, failed: int = 0
) -> list[Record]:
    """Raises AssertionError unless all nine hold; the study's records.

    `logs` are those of failpoints, of all that trained and told the study; `kills` is how often a
    process was killed; `failed` runs are expected. Files are looked for under $NAS_HOME.
    """
    with connect(url) as storage:
        found = records(storage, study.full_name)
        every = optuna.load_study(study_name=study.full_name, storage=storage).trials
        with storage.engine.connect() as connection:
            rows, runs = (
                [tuple(row) for row in connection.execute(text(asked), {"name": study.full_name})]
                for asked in (
                    "SELECT number, epoch FROM nas_epochs WHERE full_name = :name",
                    "SELECT number, attempts FROM nas_runs WHERE full_name = :name",
                )
            )
    trials = [trial for trial in every if "role" in trial.user_attrs]
    trained = [r for r in found if r.state in TRAINED]
    ran = [r for r in found if r.state in (*TRAINED, "failed")]

    # 1. Nothing is running, and numbers go up one by one.
    assert [t.number for t in trials if not t.state.is_finished()] == []
    assert [t.number for t in every] == list(range(len(every)))

    # 2. What is over is the plan.
    assert len(trained) == total(study)
    assert sum(r.state == "failed" for r in found) == failed

    # 3. No candidate is trained twice at one fidelity and seed.
    twice = [key for key, times in Counter(r.key for r in trained).items() if times > 1]
    assert twice == []

    # 4. Every curve is whole, each epoch once, and there is no other; every run says how it was
    # made, and nothing else does.
    stored = Counter(rows)
    assert set(stored.values()) <= {1}
    for r in ran:
        epochs = sorted(epoch for number, epoch in stored if number == r.number)
        assert epochs == list(range(1, len(epochs) + 1)) == [e.epoch for e in r.curve]
        assert r.state != "complete" or len(epochs) == r.epochs
    assert {number for number, _ in stored} <= {r.number for r in ran}
    assert sorted(number for number, times in runs if times) == [r.number for r in ran]

    # 5. At most one epoch of a run is done again for each time it was taken up, and it is taken up
    # no more often than something was killed; its curve is of the last training.
    written = sorted((log for log in logs if log.exists()), key=lambda log: log.stat().st_mtime)
    reached = [line.split(" ", 1) for log in written for line in log.read_text().splitlines()]
    made = [what.split(":") for name, what in reached if name == "after_epoch"]
    losses = {(int(number), int(epoch)): float(loss) for number, epoch, loss in made}
    times = Counter(int(number) for number, *_ in made)
    for r in ran if made else ():
        assert 0 <= times[r.number] - len(r.curve) <= min(kills, r.attempts - 1)
        assert [e.train_loss for e in r.curve] == [losses[r.number, e.epoch] for e in r.curve]

    # 6. What was told is there, told once.
    told = {int(what.split(":")[0]): what for name, what in reached if name == "after_tell"}
    assert len(told) == sum(name == "after_tell" for name, _ in reached)
    known = {r.number: f"{r.number!r}:{r.state!r}:{r.score!r}" for r in ran}
    assert told == {number: known.get(number) for number in told}

    # 7. Optuna has the same: the state, the curve's last value, and none that the curve has not.
    for r, trial in zip(found, trials, strict=True):
        assert trial.state == OUTCOMES[r.state]
        assert trial.value == (None if r.state == "failed" else r.score)
        accuracies = {e.epoch: e.accuracy for e in r.curve}
        if r in ran:
            assert trial.intermediate_values.items() <= accuracies.items()
        if r.curve and r.state != "failed":
            last = r.curve[-1]
            assert trial.intermediate_values.get(last.epoch) == last.accuracy == r.score

    # 8. Both counts agree, and all but the reference are within the budget.
    for r in trained:
        assert r.mult_adds == r.mult_adds_fvcore or r.state == "exceeded"
        limits = [over for name, over in r.excess.items() if name not in ("memory", "seconds")]
        assert r.role == "reference" or max(limits, default=0) <= 0

    # 9. What a complete run keeps is there, whole.
    folder = home() / study.full_name
    for r in (r for r in found if r.state == "complete"):
        for path in (predictions_path(folder, r.predictions), weights_path(folder, r.weights)):
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.stem
    return found
