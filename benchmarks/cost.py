"""How long one network takes to count, from its tree: ours, fvcore, torch's FlopCounterMode.

Candidates of googlenet.by_module, in turns; the three must agree to the unit. fvcore and torch
build the module first, as whoever counts with them has to.
"""

import json
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from nas import Experiment
from nas.audit import audit
from nas.cost import total
from nas.layers import Layer
from nas.network import Net
from search_spaces.googlenet import by_module

ROUNDS = 10


def layers(experiment: Experiment) -> tuple[Layer, ...]:
    """The layers, listed anew: `experiment.layers()` would remember them."""
    return experiment.network.layers(experiment.shape, experiment.classes)


def ours(experiment: Experiment) -> int:
    return total(layers(experiment)).mult_adds


def fvcore(experiment: Experiment) -> int:
    return audit(layers(experiment)).mult_adds


def torchs(experiment: Experiment) -> int:
    net = Net(layers(experiment)).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net(torch.zeros(1, *experiment.shape))
    return counter.get_total_flops() // 2


COUNTERS: dict[str, Callable[[Experiment], int]] = {
    "ours": ours,
    "fvcore": fvcore,
    "torch": torchs,
}


def main() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(0)
    seconds: dict[str, list[float]] = {name: [] for name in COUNTERS}
    for _ in range(ROUNDS):
        experiment = by_module.sample(rng).experiment
        counted: set[int] = set()
        for name, count in COUNTERS.items():
            began = time.perf_counter()
            counted.add(count(experiment))
            seconds[name].append(time.perf_counter() - began)
        assert len(counted) == 1, counted
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, value in medians.items():
        print(f"{name:8} {1000 * value:9.3f} ms   {value / medians['ours']:8.1f} x ours")
    print(json.dumps({"benchmark": "cost", "seconds": medians}))


if __name__ == "__main__":
    main()
