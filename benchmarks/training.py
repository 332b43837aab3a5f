"""How long a training step takes: the trainer's, the same network's in a plain loop, torchvision's.

In turns in one process on one thread, on random images; the least CPU time of a few rounds, so that
other programs' share of the machine is not counted.
small: small_googlenet at 28 px, batch 128. full: torchvision's googlenet at 224 px, batch 16.
`plain`: float32 in torch's own memory format, as most write it; `tuned`: in channels_last, with
bfloat16 where this CPU computes in it. `share`: of the rate that a matrix product reaches here.
Last, two trials of one thread each at the same time against one trial of two threads.
"""

import dataclasses
import json
import multiprocessing
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import googlenet

from nas import Experiment, small_googlenet, torchvision_googlenet
from nas.experiment.cost import total
from nas.experiment.recipe import Fidelity
from nas.runs.record import Settings, seeds
from nas.train.net import Net, initialize
from nas.train.settings import changes
from nas.train.training import Training

ROUNDS = 6
TOGETHER = 10
LOW = {"precision": "bfloat16"} in changes("cpu", 1)
Step = Callable[[], object]
Outputs = Callable[[Tensor], list[Tensor]]


def batch(experiment: Experiment, count: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(count, *experiment.shape, generator=generator)
    return images, torch.randint(experiment.classes, (count,), generator=generator)


def loop(experiment: Experiment, count: int, net: nn.Module, outputs: Outputs, tuned: bool) -> Step:
    """A step of a plain loop: the losses with the aux heads', backward, SGD."""
    images, labels = batch(experiment, count)
    if tuned:
        net = net.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(net.train().parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)

    def step() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=tuned and LOW):
            loss, *aux = (functional.cross_entropy(made, labels) for made in outputs(images))
        optimizer.zero_grad()
        (loss + 0.3 * sum(aux)).backward()
        optimizer.step()

    return step


def modules(experiment: Experiment, count: int, tuned: bool = False) -> Step:
    net = Net(experiment.layers())
    initialize(net, 0, "he")
    return loop(experiment, count, net, lambda x: list(net.outputs(x).values()), tuned)


def torchvisions(experiment: Experiment, count: int, tuned: bool = False) -> Step:
    net = googlenet(num_classes=experiment.classes, aux_logits=True, init_weights=False)
    return loop(experiment, count, net, lambda x: list(net(x)), tuned)


def ours(experiment: Experiment, count: int, settings: Settings) -> Step:
    """The trainer's own step, with its clipping and its schedule."""
    recipe = dataclasses.replace(
        experiment.recipe, dataset="synthetic", fidelity=Fidelity(epochs=1000), averaging=None
    )
    training = Training(experiment.layers(), recipe, seeds(0), settings)
    images, labels = batch(experiment, count)
    return lambda: training.net.train() and training._step(images, labels)


def least(steps: dict[str, Step]) -> dict[str, float]:
    """The least CPU seconds of each, in turns, after one round that warms up."""
    spent: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(1 + ROUNDS):
        for name, step in steps.items():
            began = time.process_time()
            step()
            spent[name].append(time.process_time() - began)
    return {name: min(times[1:]) for name, times in spent.items()}


def product(dtype: torch.dtype) -> Step:
    left, right = torch.randn(2, 1024, 1024).to(dtype)
    return lambda: left @ right


def images_a_second(threads: int) -> float:
    """What one trial of these threads trains, beside whatever else runs."""
    step = ours(small_googlenet, 128, Settings(threads=threads))
    step()
    began = time.perf_counter()
    for _ in range(TOGETHER):
        step()
    return 128 * TOGETHER / (time.perf_counter() - began)


def report(experiment: Experiment, count: int, steps: dict[str, Step]) -> dict[str, float]:
    rate = 2 * 1024**3
    made = least(steps | {"product": product(torch.bfloat16 if LOW else torch.float32)})
    cost = total(experiment.layers())
    floor = 6 * count * cost.mult_adds * made.pop("product") / rate
    for name, value in made.items():
        print(
            f"{experiment.recipe.image_size} px  {name:18} {1e3 * value:8.0f} ms "
            f"{value / made['ours']:6.2f} x ours, share {floor / value:.0%}"
        )
    return made | {"share": floor / made["ours"]}


def main() -> None:
    torch.set_num_threads(1)
    low = Settings(precision="bfloat16" if LOW else "float32")
    small = report(
        small_googlenet,
        128,
        {
            "plain": modules(small_googlenet, 128),
            "tuned": modules(small_googlenet, 128, tuned=True),
            "ours": ours(small_googlenet, 128, low),
        },
    )
    full = report(
        torchvision_googlenet,
        16,
        {
            "torchvision plain": torchvisions(torchvision_googlenet, 16),
            "torchvision tuned": torchvisions(torchvision_googlenet, 16, tuned=True),
            "ours": ours(torchvision_googlenet, 16, low),
        },
    )
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        two = sum(pool.map(images_a_second, [1, 1], chunksize=1))
        one = sum(pool.map(images_a_second, [2]))
    print(f"two trials of one thread {two:.0f} images a second, one of two threads {one:.0f}")
    made = {"small": small, "full": full, "two_of_one": two, "one_of_two": one}
    print(json.dumps({"benchmark": "training", "bfloat16": LOW, "seconds": made}))


if __name__ == "__main__":
    main()
