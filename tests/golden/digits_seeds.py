"""Makes digits_seeds.csv: two networks on 100 seeds of scikit-learn's digits, 200 runs.

    python tests/golden/digits_seeds.py    12 minutes on an idle core; goes on where it stopped

The validation accuracy in percent (a step is one of 400 images) and the loss in nats of the last
epoch of `tiny_googlenet` and of the same network without batch norm, on the seeds 0 to 99. The
simulations of tests/stats/test_simulations.py draw from them.
"""

import csv
from pathlib import Path

from nas import edit, tiny_googlenet
from nas.runs.record import Settings, seeds
from nas.train.training import Training

FILE = Path(__file__).with_suffix(".csv")
ARMS = {
    "baseline": tiny_googlenet,
    "no batch norm": edit(tiny_googlenet, {"network.normalization": "none"}),
}
SEEDS = 100
COLUMNS = ("change", "seed", "accuracy", "loss")


def main() -> None:
    if not FILE.exists():
        FILE.write_text(",".join(COLUMNS) + "\n")
    with FILE.open(newline="") as file:
        done = {(row["change"], int(row["seed"])) for row in csv.DictReader(file)}
    for seed in range(SEEDS):
        for change, experiment in ARMS.items():
            if (change, seed) in done:
                continue
            training = Training(
                experiment.trained_layers, experiment.recipe, seeds(seed), Settings()
            )
            *_, last = training
            with FILE.open("a", newline="") as file:
                row = (change, seed, round(last.accuracy, 4), round(last.loss, 5))
                csv.writer(file, lineterminator="\n").writerow(row)


if __name__ == "__main__":
    main()
