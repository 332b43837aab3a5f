"""What a study would run, before anything is spent: runs, what fits, hours, what seeds can show."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import median, stdev
from string import ascii_letters

import numpy as np

from nas.base.wording import times
from nas.data.catalogue import READY, coming, load, prepare
from nas.data.store import find
from nas.engine.classes import unseen
from nas.engine.machine import Notice, at_once, here, settings
from nas.experiment.cost import cost
from nas.experiment.experiment import Experiment
from nas.plan.description import describe
from nas.plan.plans import Confirmation, Plan
from nas.plan.power import UNTESTED, aliased, instead, outlook
from nas.plan.registration import continued, registered
from nas.plan.steps import concerns, confirmations, total
from nas.plan.study import StudySpec
from nas.plan.unmet import drawn, unmet
from nas.runs.counted import counted, said
from nas.runs.record import OVER, Record, Settings, StudyRecord, seeds
from nas.stats.paired import wilson
from nas.store.database import connect, exists
from nas.store.reading import records, stored_name, study_record
from nas.train.training import Training

DRAWS = 100_000
"""Random candidates from which the share that fits is estimated."""
BATCHES = 20
"""Batches of training from which the speed is measured."""


@dataclass(frozen=True)
class ForecastRow:
    """One line of a plan: what it is about, the number and its unit, how it is meant, and the ends
    of its 95 % interval where it has one."""

    item: str
    value: int | float | str | None
    unit: str
    detail: str
    low: float | None = None
    high: float | None = None


def forecast(
    study: StudySpec, url: str, notice: Notice = lambda text: None
) -> tuple[ForecastRow, ...]:
    """The lines of a study's plan.

    The speed is that of the baseline's runs in the database, or else of a few training steps here.
    Raises ValueError where the plan cannot be met, NothingFits where no candidate fits.
    """
    stored, every = _history(study, url)
    study = continued(study, stored)
    name = stored.full_name if stored else study.full_name
    asked = registered(describe(study), stored, every)
    known, left = counted(every, _images(study, stored, notice))
    if left:
        notice(f"{name}: {said(left)}; what the plan needs of them is run anew")
    if study.search and study.budget:
        study.space.require_fit(study.budget)
    return (
        ForecastRow("study", name, "", study.question),
        *_space(study),
        *_runs(study, known),
        *(ForecastRow("not asked", None, "", said) for said in unmet(study)),
        *(ForecastRow("at random", None, "", said) for said in _drawn(study)),
        *_machine(study),
        *_hours(study, known, notice),
        *_read(study, known),
        *_ablation(study, asked, known),
    )


def _history(study: StudySpec, url: str) -> tuple[StudyRecord | None, Sequence[Record]]:
    if not exists(url):
        return None, []
    with connect(url) as storage:
        name = stored_name(storage, study.full_names)
        if name is None:
            return None, []
        return study_record(storage, name), records(storage, name)


def _images(study: StudySpec, stored: StudyRecord | None, notice: Notice) -> str | None:
    """The images of the next run, or of the last where those of the next are not here."""
    if stored is None:
        return None
    try:
        return coming(study.space.baseline.experiment.recipe.data, notice) or stored.images
    except (OSError, ValueError):
        return stored.images


def _drawn(study: StudySpec) -> Iterable[str]:
    return drawn(study.search) if study.search else ()


def _space(study: StudySpec) -> Iterable[ForecastRow]:
    space = study.space
    baseline = cost(space.baseline.experiment, study.budget and study.budget.image_size)
    decisions = times(len(space.domains), "decision")
    yield ForecastRow("space", space.size, "candidates", f"by {decisions}")
    params = f"{baseline.params:,} parameters"
    yield ForecastRow("baseline", baseline.mult_adds, "mult-adds", params)
    if not study.budget:
        return
    for name, limit in study.budget.limits(space.baseline.experiment).items():
        share = f"at most: {limit / getattr(baseline, name):.0%} of the baseline"
        yield ForecastRow("budget", round(limit), name.replace("_", "-"), share)
    began = time.perf_counter()
    drawn = space.share(np.random.default_rng(0), study.budget, DRAWS)
    rate = DRAWS / (time.perf_counter() - began)
    low, high = wilson(drawn.fitting, DRAWS)
    detail = (
        f"of random draws ({low:.2%} to {high:.2%}); {1 - drawn.valid / DRAWS:.1%} are not valid; "
        f"{rate:,.0f} draws a second"
    )
    yield ForecastRow("fits", drawn.fitting / DRAWS, "share", detail, low, high)


def _runs(study: StudySpec, known: Sequence[Record]) -> Iterable[ForecastRow]:
    done = sum(r.state in OVER and concerns(study.plans, r.role) for r in known)
    finished = f"; {times(done, 'is done', 'are done')}" if done else ""
    yield ForecastRow("runs", total(study), "runs", f"in all{finished}")
    if study.search:
        epochs = study.space.baseline.experiment.recipe.fidelity.epochs
        halving = study.search.scheduler
        early = f", compared after {_epochs(halving.rungs(epochs))}" if halving else ""
        detail = f"the baseline among them; {times(epochs, 'epoch')} each{early}"
        yield ForecastRow("search", study.search.trials, "runs", detail)
    if study.ablation:
        lines = study.arms
        changes = (arm for arm in lines if arm.role == "change")
        named = ", ".join(dict.fromkeys(arm.change for arm in changes))
        most = "at most; " if any(arm.options for arm in lines) else ""
        detail = (
            f"{most}{study.ablation.design} ({', '.join(study.ablation.kinds)}): "
            f"{len(lines)} arms on {len(lines[0].seeds)} seeds: baseline, A/A, {named}"
        )
        yield ForecastRow("ablation", total(study, (study.ablation,)), "runs", detail)
    if study.confirmation:
        plan = study.confirmation
        fidelity = plan.at(study.space.baseline.experiment).recipe.fidelity
        what = f"the baseline and the {plan.top} best" if plan.top else "the baseline"
        detail = (
            f"{what} on {times(plan.seeds, 'fresh seed')}, {times(fidelity.epochs, 'epoch')} each; "
            "reads the test split"
        )
        yield ForecastRow("confirmation", confirmations(plan), "runs", detail)


def _machine(study: StudySpec) -> Iterable[ForecastRow]:
    recipe, wanted, have = study.space.baseline.experiment.recipe, study.resources, here()
    data = recipe.data
    sizes = f"images of {data.image_size} pixels"
    if recipe.trained_size != data.image_size:
        sizes += f", trained at {recipe.trained_size}"
    yield ForecastRow("data", data.name, "", sizes)
    asks = (
        f"a trial asks for {times(wanted.cpus, 'CPU')} and {times(wanted.gpus, 'GPU')}; there are "
        f"{have.cpus:g} and {have.gpus:g} here"
    )
    if wanted.cpus > have.cpus or (have.gpus and wanted.gpus > have.gpus):
        asks += ": it would be refused on this machine"
    elif wanted.gpus and not have.gpus:
        asks += ": it would run on the CPU"
    yield ForecastRow("device", "cuda" if wanted.gpus and have.gpus else "cpu", "", asks)


def _hours(study: StudySpec, known: Sequence[Record], notice: Notice) -> Iterable[ForecastRow]:
    baseline = study.space.baseline.experiment
    over = [r for r in known if r.role in ("reference", "baseline") and r.state == "complete"]
    spans = [r.ended - r.started for r in over if r.started and r.ended]
    gpus = here().gpus if study.resources.gpus else 0
    if spans:
        a_run, how = median(spans), f"the median of {times(len(spans), 'run')} of the baseline"
    else:
        try:
            prepare(baseline.recipe.data, notice)
            own = baseline.recipe.data.source is not None
            wanted = dataclasses.replace(settings(study.resources, gpus > 0), stratified=own)
            a_run = seconds_an_epoch(baseline, wanted) * baseline.recipe.fidelity.epochs
        except (OSError, ValueError) as error:
            yield ForecastRow("hours", None, "hours", f"not known: {error}")
            return
        how = "measured on the baseline here, now"
    slots = max(1, at_once(study.resources, [here()]))
    yield ForecastRow("a run", round(a_run, 1), "seconds", how)
    early = "; fewer where runs are stopped early" if study.search else ""
    parts = [tuple(p for p in study.plans if isinstance(p, Confirmation) == it) for it in (0, 1)]
    left, confirming = (_left(study, plans, known) for plans in parts)
    longer = _work(study.confirmation.at(baseline)) / _work(baseline) if study.confirmation else 1
    unlike = f" ({confirming} of them {longer:.3g} times)" if longer != 1 else ""
    hours = round((left + longer * confirming) * a_run / 3600 / slots, 4)
    detail = (
        f"{times(left + confirming, 'run')} on this machine, {slots} at a time, each as long as "
        f"the baseline{unlike}{early}"
    )
    yield ForecastRow("hours", hours, "hours", detail)


def _read(study: StudySpec, known: Sequence[Record]) -> Iterable[ForecastRow]:
    """What is told of the images, where their files are made."""
    data = study.space.baseline.experiment.recipe.data
    own = data.source is not None
    is_stratified = next((r.protocol.stratified for r in known if r.protocol), own)
    with suppress(ValueError):
        made = None if data.name in READY else find(data)
        for remark in made.remarks if made else ():
            yield ForecastRow("images", data.name, "", remark)
        if made or data.name in READY:
            for remark in unseen(study, Settings(stratified=is_stratified)):
                yield ForecastRow("classes", data.name, "", remark)


def _left(study: StudySpec, plans: tuple[Plan, ...], known: Sequence[Record]) -> int:
    """How many runs these plans have still to make."""
    over = (r for r in known if r.state in OVER and concerns(plans, r.role))
    return max(0, total(study, plans) - sum(1 for _ in over))


def _work(experiment: Experiment) -> float:
    """What a run's length goes by: its epochs, and the pixels of each."""
    fidelity = experiment.recipe.fidelity
    return fidelity.epochs * fidelity.share * experiment.recipe.trained_size**2


def seconds_an_epoch(experiment: Experiment, settings: Settings) -> float:
    """How long an epoch takes here, from an epoch on a few batches; another one warms up.

    Raises ValueError or OSError where the data set is not to be had.
    """
    recipe = experiment.recipe
    images = len(load(recipe.data).train)
    share = min(1.0, BATCHES * recipe.batch_size / images)
    few = dataclasses.replace(
        recipe, fidelity=dataclasses.replace(recipe.fidelity, epochs=2, share=share)
    )
    training = Training(experiment.trained_layers, few, seeds(0), settings)
    next(iter(training))
    began = time.perf_counter()
    epoch = next(iter(training))
    evaluation = time.perf_counter() - began - epoch.seconds
    return epoch.seconds / share * recipe.fidelity.share + evaluation


def _ablation(
    study: StudySpec, asked: StudyRecord, known: Sequence[Record]
) -> Iterable[ForecastRow]:
    """What the ablation can see before it is paid for, and what was written down of it."""
    plan = study.ablation
    if not plan:
        return
    lines = study.arms
    for arm in lines:
        if arm.note:
            yield ForecastRow("kind", arm.kind, "", f"{arm.change}: {arm.note}")
    if plan.design == "factorial":
        factors = max(lines, key=lambda arm: len(arm.parts)).parts
        for letter, factor in zip(ascii_letters, factors, strict=False):
            yield ForecastRow("factor", letter, "", factor)
        for group in aliased(lines):
            yield ForecastRow("aliases", "alike", "", group)
    if plan.design not in UNTESTED:
        points, unit, of = _unit(study, known)
        own = outlook(plan, lines)
        detail = (
            f"the smallest effect that {own.seeds} seeds show in 80 % of cases, among "
            f"{times(own.family, 'change')}; {of}"
        )
        yield ForecastRow("visible", round(own.effect * points, 2), unit, detail)
        for other in instead(plan, study.space, lines):
            detail = (
                f"what {other.design} would show for as many runs: {other.arms} arms on "
                f"{other.seeds} seeds, among {times(other.family, 'change')}"
            )
            yield ForecastRow("instead", round(other.effect * points, 2), unit, detail)
    at = time.strftime("%Y-%m-%d %H:%M", time.localtime(asked.registered_at))
    when = f"stored at {at}" if known else "to be stored before the first run"
    looks = ", ".join(map(str, asked.looks))
    detail = f"{when}: the changes, kinds, seeds, margin and contrasts; read at {looks} seeds"
    yield ForecastRow("asked", asked.registered, "", detail)


def _unit(study: StudySpec, known: Sequence[Record]) -> tuple[float, str, str]:
    """What an effect is said in: points, once the baseline has run."""
    runs = {r.seeds: r.score for r in known if r.role == "baseline" and r.state == "complete"}
    scores = [score for score in runs.values() if score is not None]
    if len(scores) < 2:
        return 1.0, "sd", "of the paired differences, in points once the baseline has run"
    # A spread below one validation image is no spread (statistics of an ablation, point 3).
    spread = max(stdev(scores), 100 / study.space.baseline.experiment.recipe.data.validation)
    return math.sqrt(2) * spread, "points", f"from sqrt(2) x the baseline's sd of {spread:.2f}"


def _epochs(numbers: Sequence[int]) -> str:
    if not numbers:
        return "no epoch"
    *before, last = numbers
    return " and ".join([*map(str, before), times(last, "epoch")])
