"""What the engine costs a trial that does nothing: ours, and plain Ray Tune with OptunaSearch.

    python benchmarks/engine.py [TRIALS]

First the driver alone over TRIALS (2,000) searched trials of 5 reports each, 100 at a time: its CPU
time for a trial, whether that grows, what a trial leaves in memory; then how long the study takes
to resume, beside Optuna's own load of it. Then both engines on Ray in turns, 2 at a time: seconds a
trial of the whole run, and once the first ten were over. 30 decisions, SQLite, random proposals.
"""

import dataclasses
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import IntDistribution
from optuna.samplers import RandomSampler

import nas.engine.ray_tune
from nas import TPE, Resources, Search, SearchSpace, Study, scaled, small_googlenet
from nas.engine.bridge import Bridge
from nas.engine.driver import run
from nas.engine.executor import Progress
from nas.plan.description import describe
from nas.runs.record import Epoch, Settings
from nas.store.database import connect
from nas.store.reading import records
from nas.store.writing import Ledger

REPORTS, AT_A_TIME, ON_RAY, COLD, ROUNDS = 5, 100, 40, 10, 2
MODULES = ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")
BRANCHES = ("conv1x1", "conv3x3", "conv5x5", "pool_proj")
LEAVES = [f"network.inception_{m}.{b}.width" for m in MODULES for b in BRANCHES][:30]
SPACE = SearchSpace(small_googlenet, dict.fromkeys(LEAVES, scaled(0.5, 0.75, 1, 1.25)))


def study(trials: int) -> Study:
    search = Search(trials=trials, sampler=TPE(startup=10**6))
    return Study(
        name="engine", question="?", space=SPACE, plan=search, resources=Resources(concurrent=2)
    )


def epoch(at: int) -> dict[str, Any]:
    rest = {"train_loss": 1.0, "train_accuracy": 50.0, "loss": 1.0, "lr": 0.1}
    made = Epoch(epoch=at, accuracy=50.0 + at, seconds=1.0, images_per_second=1.0, **rest)
    return dataclasses.asdict(made)


class Nothing:
    """A trial that reports and does nothing."""

    def __init__(self, job: Any) -> None:
        self.number, self.at, self.left = job["number"], 0, None
        self.log = Path(job["folder"]) / "logs" / f"{self.number}.log"

    def step(self) -> dict[str, Any]:
        self.at += 1
        made = {"number": self.number, "epochs": [epoch(self.at)]}
        return made | ({"outcome": "complete"} if self.at == REPORTS else {})


def memory() -> float:
    """The resident memory of this process in KB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024


def driver(trials: int, folder: Path) -> dict[str, float]:
    """The driver alone: its workers answer at once."""
    told: list[tuple[int, float, float]] = []
    with connect(f"sqlite:///{folder / 'nas.db'}") as storage:
        asked = study(trials)
        bridge = Bridge(asked, Ledger(storage, describe(asked)), [], Settings(), folder)
        at_work: list[Nothing] = []
        began = time.process_time()
        results, more = 0, True
        while more or at_work:
            # Not all at once, so that they do not end together.
            for _ in range(AT_A_TIME // REPORTS if more else 0):
                job = bridge.next()
                more = not isinstance(job, str)
                if isinstance(job, str):
                    break
                at_work.append(Nothing(job))
            for worker in tuple(at_work):
                results += 1
                if bridge.report(worker.step()):
                    at_work.remove(worker)
                    done = len(bridge.records) - len(at_work)
                    told.append((done, time.process_time() - began, memory()))
        bridge.flush()
    tenth = len(told) // 10

    def slope(at: int, of: int) -> float:
        return (told[at + tenth][of] - told[at][of]) / (told[at + tenth][0] - told[at][0])

    half = len(told) // 2
    kilobytes = (told[-1][2] - told[half][2]) / (told[-1][0] - told[half][0])
    return {
        "trials": trials,
        "cpu_ms_a_trial_first_tenth": 1e3 * slope(0, 1),
        "cpu_ms_a_trial_last_tenth": 1e3 * slope(-tenth - 1, 1),
        "results_a_cpu_second": results / told[-1][1],
        "kilobytes_a_trial": kilobytes,
    }


def resumed(trials: int, folder: Path) -> dict[str, float]:
    """How long an old study takes to go on, and Optuna's own load of it."""
    url, asked = f"sqlite:///{folder / 'nas.db'}", study(trials)
    began = time.perf_counter()
    with connect(url) as storage:
        optuna.load_study(storage=storage, study_name=asked.full_name).get_trials(deepcopy=False)
        optunas = time.perf_counter() - began
    began = time.perf_counter()
    with connect(url) as storage:
        history = records(storage, asked.full_name)
        bridge = Bridge(asked, Ledger(storage, describe(asked)), history, Settings(), folder)
        assert bridge.next() == "done"
    return {"resume_seconds": time.perf_counter() - began, "optuna_load_seconds": optunas}


def a_trial(began: float, ended: list[float]) -> tuple[float, float]:
    """Seconds a trial: of the whole run, its start among them; and once it was warm."""
    assert len(ended) == ON_RAY
    return (ended[-1] - began) / ON_RAY, (ended[-1] - ended[COLD - 1]) / (ON_RAY - COLD)


def ours(folder: Path) -> tuple[float, float]:
    ended: list[float] = []

    def watch(now: Progress) -> None:
        if now.changed is not None and now.changed.state == "complete":
            ended.append(time.perf_counter())

    began = time.perf_counter()
    run(study(ON_RAY), f"sqlite:///{folder / 'nas.db'}", watch=watch)
    return a_trial(began, ended)


def theirs(folder: Path, reuse: bool) -> tuple[float, float]:
    from ray import tune
    from ray.tune.search import ConcurrencyLimiter
    from ray.tune.search.optuna import OptunaSearch

    names = SPACE.domains
    distributions = {name: IntDistribution(0, 3) for name in names}

    def function(config: dict[str, Any]) -> None:
        for at in range(1, REPORTS + 1):
            tune.report({"accuracy": 50.0 + at})

    class Actor(tune.Trainable):
        def setup(self, config: dict[str, Any]) -> None:
            self.at = 0

        def step(self) -> dict[str, Any]:
            self.at += 1
            return {"accuracy": 50.0 + self.at, "done": self.at == REPORTS}

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self.at = 0
            return True

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            return None

        def load_checkpoint(self, checkpoint: Any) -> None:
            return None

    ended: list[float] = []

    class Ends(tune.Callback):
        def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            ended.append(time.perf_counter())

        def __reduce__(self) -> Any:
            return (tune.Callback, ())

    storage = optuna.storages.RDBStorage(f"sqlite:///{folder / 'theirs.db'}")
    search = OptunaSearch(
        space=distributions, sampler=RandomSampler(seed=0), metric="accuracy", mode="max",
        storage=storage, study_name=f"theirs-{time.time()}",
    )  # fmt: skip
    began = time.perf_counter()
    tune.Tuner(
        Actor if reuse else function,
        tune_config=tune.TuneConfig(
            search_alg=ConcurrencyLimiter(search, 2), num_samples=ON_RAY, reuse_actors=reuse
        ),
        run_config=tune.RunConfig(
            storage_path=str(folder / "theirs"), callbacks=[Ends()], verbose=0
        ),
    ).fit()
    return a_trial(began, ended)


def on_ray(folder: Path) -> dict[str, float]:
    import ray

    os.environ.update(RAY_AIR_NEW_OUTPUT="0", RAY_USAGE_STATS_ENABLED="0")
    told: dict[str, list[tuple[float, float]]] = {}
    for at in range(ROUNDS):
        place = folder / str(at)
        place.mkdir()
        os.environ["NAS_HOME"] = str(place)
        for name, work in (
            ("ours", ours),
            ("tune_function", lambda place: theirs(place, False)),
            ("tune_reused_actor", lambda place: theirs(place, True)),
        ):
            ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
            told.setdefault(name, []).append(work(place))
            ray.shutdown()
    return {
        f"{name}_seconds_a_trial{warm}": statistics.median(each[at] for each in found)
        for name, found in told.items()
        for at, warm in enumerate(("", "_warm"))
    }


def main() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    nas.engine.ray_tune.Trial = Nothing
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    told: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for part in (
            lambda: driver(trials, Path(folder)),
            lambda: resumed(trials, Path(folder)),
            lambda: on_ray(Path(folder)),
        ):
            found = part()
            told |= found
            for name, value in found.items():
                print(f"{name:40} {value:12,.3f}", flush=True)
    print(json.dumps({name: round(value, 4) for name, value in told.items()}))


if __name__ == "__main__":
    main()
