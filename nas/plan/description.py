"""The study as it is written into the database, before anything of it runs."""

from __future__ import annotations

import time

from nas.plan.arms import arms
from nas.plan.steps import confirmations, total
from nas.plan.study import StudySpec
from nas.runs.record import ArmRecord, ConfirmationRecord, StudyRecord
from nas.runs.scores import shorter_sides


def describe(study: StudySpec) -> StudyRecord:
    """The study as it is written into the database.

    Raises ValueError when a change of the ablation is over the budget: it would be refused; and for
    crops that the images are too small for.
    """
    baseline = study.space.baseline.experiment
    lines = arms(study.ablation, study.space) if study.ablation else ()
    for arm in lines:
        excess = study.budget.excess(arm.experiment, baseline) if study.budget else {}
        over = [name for name, share in excess.items() if share > 0]
        if over and study.budget and arm.experiment != baseline:
            said = study.budget.explain(arm.experiment, baseline)[over[0]]
            raise ValueError(
                f"{study.name}: the change {arm.change!r} is outside the budget, {said}; "
                "change the budget or leave the change out"
            )
    planned: tuple[ConfirmationRecord, ...] = ()
    if confirmation := study.confirmation:
        confirmed = confirmation.at(baseline).recipe
        shorter_sides(confirmation.crops, confirmed.trained_size)
        planned = (
            ConfirmationRecord(
                fidelity=confirmed.fidelity,
                crops=confirmation.crops,
                first=confirmation.seeds,
                seeds=confirmation.seeds,
            ),
        )
    return StudyRecord(
        name=study.name,
        full_name=study.full_name,
        question=study.question,
        baseline=baseline,
        limits=study.budget.limits(baseline) if study.budget else {},
        image_size=study.budget.image_size if study.budget else None,
        trials=study.search.trials if study.search else 0,
        planned=total(study),
        arms=tuple(
            ArmRecord(
                role=arm.role,
                change=arm.change,
                kind=arm.kind,
                candidate_id=arm.experiment.candidate_id,
                epochs=arm.experiment.recipe.fidelity.epochs,
                seeds=arm.seeds,
                parts=arm.parts,
                primary=arm.primary,
                note=arm.note,
                options=tuple(option.candidate_id for option in arm.options),
                tuning=arm.tuning,
            )
            for arm in lines
        ),
        design=study.ablation.design if study.ablation else "one_out",
        looks=(study.ablation.looks or (len(tuple(study.ablation.seeds)),))
        if study.ablation
        else (),
        margin=study.ablation.margin if study.ablation else None,
        resolution=study.ablation.resolution if study.ablation else None,
        created=time.time(),
        confirmations=confirmations(study.confirmation) if study.confirmation else 0,
        startup=study.search.sampler.startup if study.search else 0,
        confirmed=planned,
    )
