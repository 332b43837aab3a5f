"""Ray Tune carries a session's jobs to the workers, and their reports back.

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

import ray
from ray import tune
from ray.tune.execution import class_cache
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from nas.engine.bridge import BATCH
from nas.engine.executor import Session
from nas.train.worker import Job, Trial

GRACE, PATIENCE = 30.0, 60.0
"""Seconds after a trial's time limit at which a worker that is stuck ends itself, and at which the
driver ends one that cannot even do that."""


def carry(session: Session, concurrent: Callable[[], int], per_trial: dict[str, float]) -> None:
    """Gives the session's jobs to workers on Ray until it has no more: as many at a time as
    `concurrent` says, each with the resources of `per_trial`. Raises what goes wrong in the
    driver."""
    # With fewer, Tune hands a finished trial's worker on before it ever starts a second one.
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(concurrent())
    # Ray would log the keys of a cloud that the driver has in its environment.
    class_cache.ENV_VARS_TO_PROPAGATE.clear()
    worker = tune.with_parameters(Worker, work=Trial, grace=GRACE)
    stop = Stop()
    tuner = tune.Tuner(
        tune.with_resources(worker, per_trial),
        tune_config=tune.TuneConfig(
            search_alg=Proposals(session, stop, concurrent),
            scheduler=Reports(session, stop),
            num_samples=-1,
            reuse_actors=True,
            trial_name_creator=_name,
            trial_dirname_creator=_name,
        ),
        run_config=tune.RunConfig(
            name=f"ray-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}",
            storage_path=str(session.bridge.folder),
            callbacks=[Pulse(session, stop)],
            verbose=0,
        ),
    )
    tuner.fit()
    if stop.error:
        raise stop.error


def _name(trial: Any) -> str:
    return str(trial.config["number"])


class Stop:
    """The first thing that goes wrong in one of Tune's hooks ends the run: Tune itself would only
    log it. A context around what may."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, Exception):
            return False
        self.error = self.error or error
        return True


class _Unsaved:
    """Nothing of it is in Tune's snapshots."""

    def __reduce__(self) -> Any:
        return (object, ())


class Proposals(_Unsaved, Searcher):
    """Hands the session's jobs to Tune; a job is one JSON string."""

    def __init__(self, session: Session, stop: Stop, concurrent: Callable[[], int]) -> None:
        super().__init__()
        self._session, self._stop, self._concurrent = session, stop, concurrent

    def suggest(self, trial_id: str) -> Any:
        if not self._stop.error:
            with self._stop:
                if self._session.bridge.running >= self._concurrent():
                    return None
                job = self._session.next()
                if job == "wait":
                    return None
                if job != "done":
                    return {"number": job["number"], "job": json.dumps(job)}
        return Searcher.FINISHED

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


class Reports(_Unsaved, FIFOScheduler):
    """Hands the workers' reports to the session, which decides what stops."""

    def __init__(self, session: Session, stop: Stop) -> None:
        super().__init__()
        self._session, self._stop = session, stop

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        over = True
        if not self._stop.error:
            with self._stop:
                over = self._session.report(json.loads(result["report"]))
        return TrialScheduler.STOP if over or self._stop.error else TrialScheduler.CONTINUE

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        error = trial.get_pickled_error() or ConnectionError("the worker died")
        with self._stop:
            self._session.lost(trial.config["number"], error)


class Pulse(_Unsaved, tune.Callback):
    """Commits what waits, hears what is asked and looks after the workers, while none of them says
    anything."""

    def __init__(self, session: Session, stop: Stop) -> None:
        self._session, self._stop = session, stop
        self._noticed = set[int]()

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        self._session.heed()
        if not self._stop.error:
            with self._stop:
                self._session.bridge.flush(BATCH)
                self._end_late(trials)
                self._notice_quiet()

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        # Its worker may have had to be started first.
        self._session.bridge.clocks.give(trial.config["number"])

    def _end_late(self, trials: list[Any]) -> None:
        bridge = self._session.bridge
        late = {number for number in bridge.at_work if bridge.clocks.over(number, PATIENCE)}
        for trial in trials if late else ():
            worker = trial.temporary_state.ray_actor
            if trial.config["number"] in late and worker is not None:
                # As a process that somebody stopped. Tune then hears that it died, and the bridge
                # from Tune.
                ray.kill(worker)

    def _notice_quiet(self) -> None:
        bridge = self._session.bridge
        for number in bridge.at_work - self._noticed:
            quiet = bridge.clocks.quiet(number)
            if quiet is not None and not bridge.clocks.limit:
                self._noticed.add(number)
                self._session.notice(
                    f"nothing was heard of trial {number} for {quiet / 60:.0f} minutes; "
                    "Resources(trial_seconds=) ends what takes too long"
                )


class Worker(tune.Trainable):
    """A worker: takes one job after another and reports each step as one JSON string; `grace` is
    for how many seconds after its limit a trial may be stuck."""

    def setup(
        self, config: dict[str, Any], work: Callable[[Job], Trial] = Trial, grace: float = GRACE
    ) -> None:
        self.work, self.grace = work, grace
        self.reset_config(config)

    def step(self) -> dict[str, Any]:
        assert self.trial is not None
        left = self.trial.left
        if left is not None:
            # For what is stuck in native code, which no signal interrupts.
            faulthandler.dump_traceback_later(max(0.0, left) + self.grace, exit=True)
        report = self.trial.step()
        faulthandler.cancel_dump_traceback_later()
        return {"report": json.dumps(report)}

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.trial = self.work(json.loads(new_config["job"])) if "job" in new_config else None
        if self.trial:
            write_to(self.trial.log)
        return True

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        return None

    def load_checkpoint(self, checkpoint: Any) -> None:
        return None


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
