"""Samplers and schedulers on the table of Inception networks, in epochs.

    python benchmarks/search_inception.py [--repeats 50] [--trials 60]

The table (benchmarks/tables/inception_table.csv.gz) has three seeds of each network with their
curves; a training is that of one seed drawn at random, and the network that a search recommends,
that of its best score, is judged by the mean of its seeds' last epochs. A search is held to the
networks of the table. The factor is random search's epochs over those after which the mean regret
is no more than what random search ends with; the interval is over the searches (bootstrap).
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd

from nas import ASHA, GP, Evolution, LocalSearch, Random, Search, Study
from nas.plan.samplers.sampler import Ask
from nas.tabular import tabular
from search_spaces.inception_table import table

FILE = Path(__file__).parent / "tables" / "inception_table.csv.gz"
EPOCHS = table.baseline.experiment.recipe.fidelity.epochs
RIVALS = {
    "Random": (Random, None),
    "LocalSearch": (LocalSearch, None),
    "Evolution": (Evolution, None),
    "GP": (GP, None),
    "Random + ASHA": (Random, ASHA(grace_period=1, factor=3)),
    "GP + ASHA": (GP, ASHA(grace_period=1, factor=3)),
}


def read() -> tuple[list[dict[str, str]], dict[object, np.ndarray]]:
    """The networks' decisions, and the curves (seeds, epochs) of each; 10 % where one diverged."""
    rows = pd.read_csv(FILE, dtype=dict.fromkeys(table.domains, str))
    columns = [f"accuracy_{epoch}" for epoch in range(1, EPOCHS + 1)]
    curves, points = {}, []
    for _, runs in rows.groupby("number"):
        told = runs.iloc[0][list(table.domains)].dropna().to_dict()
        curves[Ask.key(told)] = runs[columns].fillna(10.0).to_numpy()
        points.append(told)
    return points, curves


def search(points, curves, sampler, scheduler, trials, repeat) -> np.ndarray:
    """The true score (E,) of what is recommended after each epoch of a search."""
    rng, drawn = np.random.default_rng(repeat), {}

    def curve(decisions, _):
        known = Ask.key(decisions)
        if known not in curves:
            return [0.0] * EPOCHS  # the baseline, which the table has not
        return drawn.setdefault(known, curves[known][rng.integers(len(curves[known]))])

    plan = Search(trials=trials + 1, sampler=sampler(seed=repeat), scheduler=scheduler)
    study = Study(name="table", question="Which?", space=table, plan=plan)
    best, true = 0.0, []
    for run in tabular(study, curve, points):
        if run.role != "candidate":
            continue
        last = true[-1] if true else 0.0
        true += [last] * len(run.curve)
        if run.state == "complete" and run.score > best:
            best = run.score
            true[-1] = float(curves[Ask.key(run.decisions)][:, -1].mean())
    return np.array(true)


def padded(many: list[np.ndarray], length: int) -> np.ndarray:
    return np.array(
        [np.r_[one, np.full(max(0, length - len(one)), one[-1])][:length] for one in many]
    )


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--repeats", type=int, default=50)
    asked.add_argument("--trials", type=int, default=60)
    told = asked.parse_args()
    points, curves = read()
    best = max(float(one[:, -1].mean()) for one in curves.values())
    length = told.trials * EPOCHS
    ends, lines = defaultdict(list), {}
    for repeat in range(told.repeats):
        for name, (sampler, scheduler) in RIVALS.items():
            ends[name].append(search(points, curves, sampler, scheduler, told.trials, repeat))
    whole = {name: best - padded(many, length) for name, many in ends.items()}

    def factor(name, some) -> float:
        goal = whole["Random"][some].mean(0)[-1]
        reached = np.flatnonzero(whole[name][some].mean(0) <= goal + 1e-12)
        return length / (reached[0] + 1) if len(reached) else float("nan")

    rng, every = np.random.default_rng(0), np.arange(told.repeats)
    for name in RIVALS:
        again = [factor(name, rng.choice(every, told.repeats)) for _ in range(1000)]
        low, high = np.nanquantile(again, (0.025, 0.975))
        regret = whole[name].mean(0)
        lines[name] = {
            "factor": round(float(factor(name, every)), 2),
            "interval": [round(float(low), 2), round(float(high), 2)],
            "regret": round(float(regret[-1]), 3),
            "regret at a third": round(float(regret[length // 3 - 1]), 3),
            "epochs": round(float(np.mean([len(one) for one in ends[name]])), 1),
        }
        print(name, lines[name], flush=True)
    print(json.dumps({"benchmark": "search_inception", "networks": len(points),
                      "repeats": told.repeats, "trials": told.trials} | lines))  # fmt: skip


if __name__ == "__main__":
    main()
