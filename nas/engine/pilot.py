"""A pilot: random candidates on a few seeds, to see whether one seed can rank them at all."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from math import isnan
from statistics import median

import numpy as np

from nas.base.errors import NothingToReport
from nas.engine.forecast import ForecastRow
from nas.plan.plans import Pilot
from nas.plan.study import StudySpec
from nas.runs.counted import counted
from nas.runs.record import DONE, Record
from nas.space.space import Candidate
from nas.stats.variance import Components, RankCorrelation, best_of, components, rank_correlation
from nas.store.database import connect
from nas.store.reading import records, stored_name, study_record
from nas.tree.tree import edit

LEAST = 3
"""Candidates below which nothing can be said of their ranks."""
TRIES = 64
"""Draws for each candidate that is wanted, until the space is taken to have no other."""
Scores = Mapping[str, Mapping[int, float]]
"""Scores in percent by candidate and seed."""


def pilot(study: StudySpec, candidates: int = 8, seeds: int = 2) -> StudySpec:
    """The study's pilot, NAME-pilot: that many random candidates within the budget, on that many
    seeds. A larger one goes on where a smaller one ended.

    Raises ValueError for too few, or when the space has not as many; NothingFits.
    """
    if candidates < LEAST or seeds < 2:
        raise ValueError(
            f"a pilot needs {LEAST} candidates and 2 seeds or more, not {candidates} and {seeds}"
        )
    drawn: dict[str, Candidate] = {}
    fitting = study.space.fitting(np.random.default_rng(0), study.budget)
    for candidate in islice(fitting, TRIES * candidates):
        drawn.setdefault(candidate.experiment.candidate_id, candidate)
        if len(drawn) == candidates:
            break
    else:
        raise ValueError(
            f"{study.name}: {TRIES * candidates:,} draws found only {len(drawn)} different "
            f"candidates that fit; a pilot of {candidates} needs as many"
        )
    plan = Pilot(candidates=tuple(drawn.values()), seeds=tuple(range(seeds)))
    return dataclasses.replace(study, name=f"{study.name}-pilot", plan=plan)


def cheaper(full: StudySpec, changes: Mapping[str, float]) -> StudySpec:
    """A pilot's candidates on its first seed at another fidelity, as a study of its own: `changes`
    are leaves of Fidelity.

    Raises ValueError for what is no fidelity, or is the pilot's own, and where a candidate does not
    fit the smaller images.
    """
    (plan,) = full.plans
    assert isinstance(plan, Pilot)
    own = full.space.canonical.recipe.fidelity
    leaves = ", ".join(asdict(own))
    for leaf in changes:
        if leaf not in asdict(own):
            raise ValueError(f"a fidelity has {leaves}; not {leaf!r}")
    if dataclasses.replace(own, **changes) == own:
        raise ValueError(f"the fidelity is the study's own: {own}; give a cheaper one")
    space = full.space.around(
        edit(full.space.canonical, {f"recipe.fidelity.{k}": v for k, v in changes.items()})
    )
    short = (f"{leaf}{value:g}".replace(".", "_") for leaf, value in changes.items())
    return dataclasses.replace(
        full,
        name="-".join((full.name, *short)),
        space=space,
        plan=Pilot(
            candidates=tuple(space.at(candidate.decisions) for candidate in plan.candidates),
            seeds=plan.seeds[:1],
        ),
    )


def findings(
    study: StudySpec, full: StudySpec, cheap: StudySpec | None, url: str
) -> tuple[ForecastRow, ...]:
    """What a study's finished pilot says, and how well its cheap runs rank the candidates.

    Raises NothingToReport when too few of the runs have a score.
    """
    name, known = _runs(full, url)
    scores = _scores(known)
    (plan,) = full.plans
    assert isinstance(plan, Pilot)
    whole = {c: row for c, row in scores.items() if len(row) == len(plan.seeds)}
    if len(whole) < LEAST:
        raise NothingToReport(
            f"{name}: {len(whole)} of {len(plan.candidates)} candidates have a score on "
            f"each of the {len(plan.seeds)} seeds; a pilot needs {LEAST} that have"
        )
    table = [[row[seed] for seed in plan.seeds] for row in whole.values()]
    resolution = 100 / study.space.baseline.experiment.recipe.data.validation
    parts = components(table, resolution=resolution)
    rows = [*_variance(study, name, parts, len(plan.candidates), resolution)]
    if cheap:
        rows += _ranks(full, known, whole, cheap, *_runs(cheap, url))
    return tuple(rows)


def _runs(pilot: StudySpec, url: str) -> tuple[str, list[Record]]:
    """The full name that a pilot is stored under, and the runs of the plan that have a score; a
    larger pilot before may have left others."""
    (plan,) = pilot.plans
    assert isinstance(plan, Pilot)
    asked = {
        (candidate.experiment.candidate_id, seed)
        for candidate in plan.candidates
        for seed in plan.seeds
    }
    with connect(url) as storage:
        name = stored_name(storage, pilot.full_names) or pilot.full_name
        every = records(storage, name)
        runs, _ = counted(every, study_record(storage, name).images)
    over = (r for r in runs if r.state in DONE and r.score is not None)
    return name, [r for r in over if (r.candidate_id, r.seeds.init) in asked]


def _scores(runs: Iterable[Record]) -> Scores:
    scores: dict[str, dict[int, float]] = {}
    for run in runs:
        assert run.score is not None
        scores.setdefault(run.candidate_id, {})[run.seeds.init] = run.score
    return scores


def _variance(
    study: StudySpec, name: str, parts: Components, planned: int, resolution: float
) -> Iterable[ForecastRow]:
    left = f"; {planned - parts.n} have no score on each seed" if planned > parts.n else ""
    detail = (
        f"{parts.n} random candidates that fit, each on the same {parts.k} seeds, "
        f"{parts.mean:.2f} % on average; stored as {name}{left}"
    )
    yield ForecastRow("pilot", parts.n * parts.k, "runs", detail)
    detail = "sd of what the candidates are worth, the seeds' part taken out"
    yield ForecastRow("architecture", round(parts.candidate_sd, 2), "points", detail)
    least = ", at least a validation image" if parts.seed_sd <= resolution else ""
    detail = f"sd of one run around what its candidate is worth{least}"
    yield ForecastRow("seed", round(parts.seed_sd, 2), "points", detail)
    low, high = parts.low, parts.high
    detail = (
        "of the variance of scores on one seed is architecture (95 % interval "
        f"{low:.0%} to {high:.0%})"
    )
    yield ForecastRow("ICC", round(parts.icc, 3), "share", detail, round(low, 3), round(high, 3))
    if study.search:
        yield from _gain(parts, study.search.trials - 1)


def _gain(parts: Components, trials: int) -> Iterable[ForecastRow]:
    looks = parts.total_sd * best_of(trials) if trials else 0.0
    low, high = looks * parts.low, looks * parts.high
    detail = (
        f"what the best of {trials} random candidates on one seed is expected to be better than a "
        f"random one ({low:.2f} to {high:.2f}); it will look {looks:.2f} better"
    )
    value, low, high = (round(number, 2) for number in (looks * parts.icc, low, high))
    yield ForecastRow("gain", value, "points", detail, low, high)
    if parts.low > 0:
        value, detail = "yes", "one seed ranks candidates better than drawing lots does"
    else:
        value = "not shown"
        detail = (
            "candidates differ no more than seeds alone could make them: a search on one seed may "
            "be drawing lots; a pilot of more candidates or seeds says more"
        )
    yield ForecastRow("beats lots", value, "", detail)


def _ranks(
    full: StudySpec,
    full_runs: Sequence[Record],
    whole: Scores,
    cheap: StudySpec,
    cheap_name: str,
    cheap_runs: Sequence[Record],
) -> Iterable[ForecastRow]:
    """Cheap and full runs on the first seed, as forecasts of the full ones on the other seeds."""
    scores = _scores(cheap_runs)
    both = [candidate for candidate in whole if candidate in scores]
    if len(both) < LEAST:
        raise NothingToReport(
            f"{cheap_name}: {len(both)} candidates have a cheap score and full ones; a rank "
            f"correlation needs {LEAST}"
        )
    (plan,) = full.plans
    assert isinstance(plan, Pilot)
    first, *others = plan.seeds
    later = [float(np.mean([whole[c][seed] for seed in others])) for c in both]
    cheaply = rank_correlation([scores[c][first] for c in both], later)
    fully = rank_correlation([whole[c][first] for c in both], later)
    own, other = (asdict(each.space.canonical.recipe.fidelity).items() for each in (full, cheap))
    changes = ", ".join(f"{leaf} {value:g}" for leaf, value in other if (leaf, value) not in own)
    yield _rank("cheap rank", cheaply, f"a cheap run ({changes}) with full ones on other seeds")
    yield _rank("ceiling", fully, "a full run with full ones on other seeds: seed against seed")
    short, long = (
        median(sum(epoch.seconds for epoch in run.curve) for run in runs)
        for runs in (cheap_runs, full_runs)
    )
    detail = f"of the training time: {short:.1f} seconds a run in place of {long:.1f}"
    yield ForecastRow("saved", round(1 - short / long, 3), "share", detail)


def _rank(item: str, rank: RankCorrelation, between: str) -> ForecastRow:
    if isnan(rank.value):
        return ForecastRow(item, None, "", f"{between}: all candidates have one score")
    low, high = (None if isnan(end) else round(end, 2) for end in (rank.low, rank.high))
    ends = "no interval" if low is None else f"{rank.low:.2f} to {rank.high:.2f}"
    detail = f"{between}, over {rank.n} candidates ({ends})"
    return ForecastRow(item, round(rank.value, 2), "Spearman", detail, low, high)
