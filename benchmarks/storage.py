"""What the database costs a trial: ours beside Optuna's ask, report and tell, in turns.

    python benchmarks/storage.py

Thirty decisions and five epochs a trial on SQLite in WAL mode, the sampler's own time apart.
"""

import json
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import optuna
from optuna.distributions import IntDistribution
from optuna.samplers import RandomSampler

from nas import Study, tiny_googlenet
from nas.experiment.experiment import Experiment
from nas.plan.description import describe
from nas.plan.plans import Search
from nas.runs.record import Epoch, Record, seeds
from nas.store.database import connect
from nas.store.writing import Ledger
from nas.tree.tree import to_json
from search_spaces.tiny import widths

DECISIONS = {f"width.{at}": IntDistribution(0, 7) for at in range(30)}
ROUNDS, TRIALS = 3, 20


def epoch(at: int) -> Epoch:
    rest = {"train_loss": 1.0, "train_accuracy": 50.0, "loss": 1.0, "lr": 0.1}
    return Epoch(epoch=at, accuracy=50.0 + at, seconds=1.0, images_per_second=1.0, **rest)


def record(experiment: Experiment, number: int) -> Record:
    return Record(
        number=number, role="candidate", state="running", candidate_id=experiment.candidate_id,
        network_id=experiment.network_id, experiment=to_json(experiment),
        decisions=dict.fromkeys(DECISIONS, "1"), seeds=seeds(0), epochs=5,
        excess={"mult_adds": -0.1},
    )  # fmt: skip


def ours(ledger: Ledger, made: Record) -> None:
    number = made.number
    ledger.begin(made, dict.fromkeys(DECISIONS, 1), DECISIONS)
    for at in range(1, 6):
        ledger.add_epochs(number, [epoch(at)])
        ledger.flush(1.0)
    ledger.note(number, mult_adds_fvcore=1, predictions="0" * 64, weights="0" * 64)
    ledger.tell(number, "complete", None, epoch(5))


def theirs(study: optuna.Study, made: Record) -> None:
    trial = study.ask(DECISIONS)
    for at in range(1, 6):
        trial.report(epoch(at).accuracy, at)
    study.tell(trial, epoch(5).accuracy)


def milliseconds(work, arguments) -> float:
    spent = []
    for each in arguments:
        began = time.perf_counter()
        work(each)
        spent.append(time.perf_counter() - began)
    return 1e3 * statistics.median(spent)


def main() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = Study(name="storage", question="?", plan=Search(trials=2), space=widths)
    told: dict[str, list[float]] = {"ours": [], "optuna": []}
    with (
        tempfile.TemporaryDirectory() as folder,
        connect(f"sqlite:///{Path(folder) / 'nas.db'}") as storage,
    ):
        ledger = Ledger(storage, describe(study))
        peer = optuna.create_study(
            storage=storage, study_name="peer", sampler=RandomSampler(seed=0)
        )
        base = record(tiny_googlenet, 0)
        for at in range(ROUNDS):
            made = [replace(base, number=at * TRIALS + each) for each in range(TRIALS)]
            told["ours"].append(milliseconds(lambda each: ours(ledger, each), made))
            told["optuna"].append(milliseconds(lambda each: theirs(peer, each), made))
    best = {name: min(values) for name, values in told.items()}
    print(
        f"ask + 5 reports + tell with 30 decisions: ours {best['ours']:.1f} ms a trial, Optuna's "
        f"own calls {best['optuna']:.1f} ms, {best['optuna'] / best['ours']:.0f} times as long"
    )
    print(json.dumps({name: round(value, 2) for name, value in best.items()}))


if __name__ == "__main__":
    main()
