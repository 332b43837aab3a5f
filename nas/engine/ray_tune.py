"""Ray Tune carries the bridge's jobs to the workers, and their reports back.

Every start is a fresh Tuner; Tune's own snapshots, loggers and console output are off.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nas.engine.bridge import BATCH, Bridge
from nas.engine.machine import Machine
from nas.runs.failures import classified, constraint, one_line
from nas.train.worker import Report, Trial

GRACE, PATIENCE = 30.0, 60.0
"""Seconds after a trial's time limit at which a worker that is stuck ends itself, and at which the
driver ends one that cannot even do that."""

Tick = Callable[[int | None], None]


def carry(bridge: Bridge, machine: Machine, tick: Tick, heed: Callable[[], None]) -> None:
    """Gives the bridge's jobs to workers on Ray until it has no more; calls `tick` with the number
    of a run that was heard of, and `heed` again and again. Raises what goes wrong in the driver."""
    import ray
    from ray import tune
    from ray.tune.schedulers import FIFOScheduler, TrialScheduler
    from ray.tune.search import Searcher

    # What goes wrong in Tune's hooks ends the run here: Tune itself would only log it.
    stop: list[Exception] = []

    class Proposals(Searcher):
        """Hands the bridge's jobs to Tune; a job is one JSON string."""

        def suggest(self, trial_id: str) -> Any:
            if stop:
                return Searcher.FINISHED
            try:
                if bridge.running >= machine.concurrent:
                    return None
                job = bridge.next()
                tick(None)
            except Exception as error:
                stop.append(error)
                return Searcher.FINISHED
            if job == "done":
                return Searcher.FINISHED
            return None if job == "wait" else {"number": job["number"], "job": json.dumps(job)}

        def on_trial_complete(
            self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
        ) -> None:
            pass

        def save(self, checkpoint_path: str) -> None:
            pass

        def restore(self, checkpoint_path: str) -> None:
            pass

        def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
            pass

        def __reduce__(self) -> Any:
            return (Searcher, ())

    class Reports(FIFOScheduler):
        """Hands the workers' reports to the bridge, which decides what stops."""

        def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
            report: Report = json.loads(result["report"])
            if stop:
                return TrialScheduler.STOP
            over = True
            try:
                over = bridge.report(report)
                tick(report["number"])
            except Exception as error:
                stop.append(error)
            return TrialScheduler.STOP if over or stop else TrialScheduler.CONTINUE

        def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
            error = trial.get_pickled_error() or ConnectionError("the worker died")
            number, why = trial.config["number"], f"worker lost: {one_line(error)}"
            try:
                bridge.failed(number, classified(error), why, constraint(error))
                tick(number)
            except Exception as error:
                stop.append(error)

        def __reduce__(self) -> Any:
            return (FIFOScheduler, ())

    told = set[int]()

    class Pulse(tune.Callback):
        """Commits what waits, hears what is asked and looks after the workers, while none of them
        says anything."""

        def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
            heed()
            try:
                if not stop:
                    bridge.flush(BATCH)
                    self.look(trials)
            except Exception as error:
                stop.append(error)

        def on_trial_start(
            self, iteration: int, trials: list[Any], trial: Any, **info: Any
        ) -> None:
            # Its worker may have had to be started first.
            bridge.clocks.give(trial.config["number"])

        def look(self, trials: list[Any]) -> None:
            at_work = bridge.at_work
            late = {number for number in at_work if bridge.clocks.over(number, PATIENCE)}
            for trial in trials if late else ():
                worker = trial.temporary_state.ray_actor
                if trial.config["number"] in late and worker is not None:
                    # As a process that somebody stopped. Tune then hears that it died, and the
                    # bridge from Tune.
                    ray.kill(worker)
            for number in at_work - told:
                quiet = bridge.clocks.quiet(number)
                if quiet is not None and not bridge.clocks.limit:
                    told.add(number)
                    machine.notice(
                        f"nothing was heard of trial {number} for {quiet / 60:.0f} minutes; "
                        "Resources(trial_seconds=) ends what takes too long"
                    )

        def __reduce__(self) -> Any:
            return (tune.Callback, ())

    # With fewer, Tune hands a finished trial's worker on before it ever starts a second one.
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(machine.concurrent)
    tuner = tune.Tuner(
        tune.with_resources(_actor(), machine.per_trial),
        tune_config=tune.TuneConfig(
            search_alg=Proposals(),
            scheduler=Reports(),
            num_samples=-1,
            reuse_actors=True,
            trial_name_creator=lambda trial: str(trial.config["number"]),
            trial_dirname_creator=lambda trial: str(trial.config["number"]),
        ),
        run_config=tune.RunConfig(
            name=f"ray-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}",
            storage_path=str(bridge.folder),
            callbacks=[Pulse()],
            verbose=0,
        ),
    )
    tuner.fit()
    if stop:
        raise stop[0]


def _actor() -> type:
    from ray import tune

    class TrialActor(tune.Trainable):
        """A worker: takes one job after another and reports each step as one JSON string."""

        def setup(self, config: dict[str, Any]) -> None:
            self.trial = Trial(json.loads(config["job"])) if "job" in config else None
            if self.trial:
                write_to(self.trial.log)

        def step(self) -> dict[str, Any]:
            assert self.trial is not None
            left = self.trial.left
            if left is not None:
                # For what is stuck in native code, which no signal interrupts.
                faulthandler.dump_traceback_later(max(0.0, left) + GRACE, exit=True)
            report = self.trial.step()
            faulthandler.cancel_dump_traceback_later()
            return {"report": json.dumps(report)}

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self.setup(new_config)
            return True

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            return None

        def load_checkpoint(self, checkpoint: Any) -> None:
            return None

    return TrialActor


def write_to(path: Path) -> None:
    """Appends what this process prints to a file, down to what native code writes; a file that
    cannot be had changes nothing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError:
        return
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    for number in (1, 2):
        os.dup2(file, number)
    os.close(file)
