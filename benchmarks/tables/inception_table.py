"""Trains the table of Inception networks: 300 drawn from `search_spaces.inception_table`, 3 seeds.

    python benchmarks/tables/inception_table.py FILE.csv    2 hours on an idle core

It goes on where FILE stopped. inception_table.csv.gz beside this file is what is there so far:
exploratory and unfinished, the first 879 runs of 900 (torch 2.14.1, one thread of an x86-64 core
that others used too, so that `wall_seconds` says little). `gunzip -k` it to go on.

One line a run, network by network, appended when it is over: the decisions (empty where there is
nothing to decide), the ids, the costs, the seconds of CPU and of the clock, and by epoch the
validation accuracy in percent, the validation and the training loss in nats. `failure` is
"diverged" where the loss became NaN, or the error. A network that FILE has is that of its
decisions; any other is drawn evenly from the space, no network twice. So any number of first lines
is a random sample.
"""

import csv
import itertools
import math
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nas import Candidate, cost
from nas.runs.record import Settings, seeds
from nas.train.training import Training
from search_spaces.inception_table import baseline, table

NETWORKS, SEEDS, DRAWS = 300, 3, 0
EPOCHS = range(1, baseline.recipe.fidelity.epochs + 1)
CURVES = {"accuracy": 4, "loss": 6, "train_loss": 6}
COLUMNS = (
    "number", "seed", "candidate_id", "network_id", *table.domains,
    "mult_adds", "params", "params_aux", "activations", "cpu_seconds", "wall_seconds", "failure",
    *(f"{name}_{epoch}" for name in CURVES for epoch in EPOCHS),
)  # fmt: skip


def networks(rows: Iterable[Mapping[str, str]]) -> Iterator[Candidate]:
    """Those of these rows, then new ones; one for each number from 0."""
    stored = {int(row["number"]): row for row in rows}
    known = {row["network_id"] for row in stored.values()}
    for number in itertools.count():
        if number in stored:
            own = stored[number]
            yield table.at({name: own[name] for name in table.domains if own[name]})
            continue
        rng = np.random.default_rng((DRAWS, number))
        while True:
            candidate = table.candidate(int(rng.integers(table.points.size)))
            if (network_id := candidate.experiment.network_id) not in known:
                break
        known.add(network_id)
        yield candidate


def described(candidate: Candidate) -> dict[str, Any]:
    """What is known of a candidate before it is trained."""
    experiment = candidate.experiment
    spent = cost(experiment)
    costs = ("mult_adds", "params", "params_aux", "activations")
    ids = {"candidate_id": experiment.candidate_id, "network_id": experiment.network_id}
    return ids | dict(candidate.decisions) | {name: getattr(spent, name) for name in costs}


def trained(candidate: Candidate, seed: int) -> dict[str, Any]:
    """The curves of a run, its seconds and its failure."""
    made: dict[str, Any] = {"failure": ""}
    cpu, wall = time.process_time(), time.perf_counter()
    experiment = candidate.experiment
    try:
        for epoch in Training(
            experiment.trained_layers, experiment.recipe, seeds(seed), Settings()
        ):
            for name, digits in CURVES.items():
                made[f"{name}_{epoch.epoch}"] = round(getattr(epoch, name), digits)
            if not math.isfinite(epoch.loss + epoch.train_loss):
                made["failure"] = "diverged"
                break
    except (RuntimeError, ValueError) as error:
        made["failure"] = f"{type(error).__name__}: {error}"
    seconds = time.process_time() - cpu, time.perf_counter() - wall
    return made | dict(zip(("cpu_seconds", "wall_seconds"), np.round(seconds, 2), strict=True))


def main(file: Path) -> None:
    if not file.exists():
        with file.open("w", newline="") as out:
            csv.writer(out, lineterminator="\n").writerow(COLUMNS)
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    done = {(int(row["number"]), int(row["seed"])) for row in rows}
    for number, candidate in enumerate(itertools.islice(networks(rows), NETWORKS)):
        for seed in range(SEEDS):
            if (number, seed) in done:
                continue
            row = {"number": number, "seed": seed} | described(candidate) | trained(candidate, seed)
            with file.open("a", newline="") as out:
                csv.DictWriter(out, COLUMNS, lineterminator="\n").writerow(row)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
