"""How long a candidate takes to count: ours, one and many at a time, and fvcore, torch's own
counter, Archai's and NNI's.

Candidates of googlenet.by_module, in turns; all must agree to the unit. The others build the module
first, as whoever counts with them has to. The population's time has its random decisions. Archai
and NNI run where they can be imported (Archai 1.0.0 needs overrides 3.1.0).
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
from nas.experiment.cost import total
from nas.networks.layers import Layer
from nas.space.draws import draw, labels
from nas.train.audit import audit
from nas.train.net import Net
from search_spaces.googlenet import by_module, by_stage

ROUNDS = 10
MANY = 8 * 8192


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


def archai(experiment: Experiment) -> int:
    from archai.discrete_search.evaluators.pt_profiler_utils.pt_profiler_eval import profile

    image = torch.zeros(1, *experiment.shape)
    net = Net(layers(experiment)).eval()
    return profile(net, (image,), num_warmups=0, num_samples=1)["macs"]


def nni(experiment: Experiment) -> int:
    from nni.compression.utils.counter import count_flops_params

    image = torch.zeros(1, *experiment.shape)
    return count_flops_params(Net(layers(experiment)).eval(), image, verbose=False)[0]


COUNTERS: dict[str, Callable[[Experiment], int]] = {
    "one": ours,
    "fvcore": fvcore,
    "torch": torchs,
    "archai": archai,
    "nni": nni,
}


def main() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(0)
    counters = dict(COUNTERS)
    for peer in ("archai", "nni"):
        try:
            COUNTERS[peer](Experiment())
        except ImportError as error:
            print(f"{peer} is left out: {error}")
            del counters[peer]
    seconds: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for name, space in (("by_stage", by_stage), ("by_module", by_module)):
            began = time.perf_counter()
            drawn = draw(space.points, space.domains, rng, MANY)
            spent = space.costs(drawn)
            seconds.setdefault(name, []).append((time.perf_counter() - began) / MANY)
        experiment = by_module.at(labels(drawn, by_module.domains, 0)).experiment
        for name, count in counters.items():
            began = time.perf_counter()
            counted = count(experiment)
            seconds.setdefault(name, []).append(time.perf_counter() - began)
            assert counted == spent.mult_adds[0], (name, counted, spent.mult_adds[0])
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, value in medians.items():
        ratio = value / medians["by_module"]
        print(f"{name:9} {1e6 * value:12.2f} us {1 / value:12,.0f} a second {ratio:12,.1f} x")
    least = {name: min(values) for name, values in seconds.items()}
    print(f"best: {1 / least['by_stage']:,.0f} and {1 / least['by_module']:,.0f} a second")
    print(json.dumps({"benchmark": "cost", "seconds": medians, "least": least}))


if __name__ == "__main__":
    main()
