"""The study as it is written into the database, before anything of it runs."""

from __future__ import annotations

import time

from nas.plan.arms import Arm
from nas.plan.plans import Confirmation
from nas.plan.steps import confirmations, total
from nas.plan.study import StudySpec
from nas.runs.record import ConfirmationRecord, StudyRecord
from nas.runs.scores import shorter_sides


def describe(study: StudySpec) -> StudyRecord:
    """The study as it is written into the database.

    Raises ValueError when a change of the ablation is over the budget: it would be refused; and for
    crops that the images are too small for.
    """
    baseline, ablation = study.space.baseline.experiment, study.ablation
    for arm in study.arms:
        _require_within(study, arm)
    return StudyRecord(
        name=study.name,
        full_name=study.full_name,
        question=study.question,
        baseline=baseline,
        limits=study.budget.limits(baseline) if study.budget else {},
        image_size=study.budget.image_size if study.budget else None,
        trials=study.search.trials if study.search else 0,
        planned=total(study),
        arms=tuple(arm.stored for arm in study.arms),
        design=ablation.design if ablation else "one_out",
        looks=(ablation.looks or (len(ablation.paired),)) if ablation else (),
        margin=ablation.margin if ablation else None,
        resolution=ablation.resolution if ablation else None,
        created=time.time(),
        confirmations=confirmations(study.confirmation) if study.confirmation else 0,
        startup=study.search.sampler.startup if study.search else 0,
        confirmed=(_planned(study, study.confirmation),) if study.confirmation else (),
    )


def _require_within(study: StudySpec, arm: Arm) -> None:
    """ValueError for a change that is outside the study's budget, where no search has it."""
    baseline = study.space.baseline.experiment
    if study.budget is None or study.search or arm.experiment == baseline:
        return
    for name, excess in study.budget.excess(arm.experiment, baseline).items():
        if excess > 0:
            raise ValueError(
                f"{study.name}: the change {arm.change!r} is outside the budget, "
                f"{study.budget.explain(arm.experiment, baseline)[name]}; change the budget or "
                "leave the change out"
            )


def _planned(study: StudySpec, confirmation: Confirmation) -> ConfirmationRecord:
    recipe = confirmation.at(study.space.baseline.experiment).recipe
    shorter_sides(confirmation.crops, recipe.trained_size)
    return ConfirmationRecord(
        fidelity=recipe.fidelity,
        crops=confirmation.crops,
        first=confirmation.seeds,
        seeds=confirmation.seeds,
    )
