"""How long a candidate within a narrow budget takes to draw: ours, and blind rejection.

googlenet.by_stage between 1.49 and 1.50 G mult-adds. Blind rejection is what one writes by hand:
draw decisions, list the candidate's layers, count them, throw it away if it does not fit. It counts
with our own closed form here; with a module and fvcore it would take a hundred times as long.
"""

import itertools
import json
import statistics
import time

import numpy as np

from nas import Budget
from nas.experiment.cost import cost
from search_spaces.googlenet import by_stage

ROUNDS, EACH = 5, 200
BAND = Budget(mult_adds=(1.49e9, 1.5e9))


def blind(rng: np.random.Generator, count: int) -> None:
    found = 0
    while found < count:
        candidate = by_stage.resolve(lambda d: d.labels[rng.integers(len(d.labels))])
        found += 1.49e9 <= cost(candidate.experiment).mult_adds <= 1.5e9


def main() -> None:
    rng = np.random.default_rng(0)
    seconds: dict[str, list[float]] = {"ours": [], "blind": []}
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in itertools.islice(by_stage.fitting(rng, BAND), EACH):
            pass
        seconds["ours"].append((time.perf_counter() - began) / EACH)
        began = time.perf_counter()
        blind(rng, EACH // 40)
        seconds["blind"].append((time.perf_counter() - began) / (EACH // 40))
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, value in medians.items():
        print(f"{name:6} {1e3 * value:9.3f} ms   {value / medians['ours']:8.1f} x ours")
    print(json.dumps({"benchmark": "sampling", "seconds": medians}))


if __name__ == "__main__":
    main()
