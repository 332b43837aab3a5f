"""A study in small: the same space and plan on synthetic images, one epoch, a few trials."""

from __future__ import annotations

import dataclasses

from nas.experiment.recipe import Fidelity
from nas.plan.plans import Ablation, Confirmation, Plan, Search
from nas.plan.registration import SMALL
from nas.plan.study import StudySpec
from nas.space.space import SearchSpace
from nas.tree.tree import edit

SIDE = 96
"""The largest image in pixels: the canonical network and its aux heads still fit."""
FEW = 4
"""The most decisions of an ablation."""


def smoke(study: StudySpec) -> StudySpec:
    """The study as one of its own, NAME-smoke, that takes seconds."""
    recipe = study.space.canonical.recipe
    canonical = edit(
        study.space.canonical,
        {
            "recipe": dataclasses.replace(
                recipe,
                dataset="synthetic",
                image_size=min(recipe.image_size, SIDE),
                fidelity=Fidelity(epochs=1),
                batch_size=min(recipe.batch_size, 64),
            )
        },
    )

    def small(plan: Plan) -> Plan:
        if isinstance(plan, Search):
            return dataclasses.replace(plan, trials=2)
        if isinstance(plan, Confirmation):
            return dataclasses.replace(
                plan, top=min(plan.top, 1), seeds=min(plan.seeds, 2), fidelity=None, crops=1
            )
        assert isinstance(plan, Ablation), "a pilot is made of the small study"
        over = _few(plan, (plan.over or study.space).around(canonical))
        return dataclasses.replace(plan, over=over, seeds=plan.paired[:2], looks=())

    return dataclasses.replace(
        study,
        name=f"{study.name}{SMALL}",
        space=study.space.around(canonical),
        plan=tuple(small(plan) for plan in study.plans),
    )


def _few(plan: Ablation, over: SearchSpace) -> SearchSpace:
    """The space with the other decisions as they are; those that can be off are kept first."""
    first = sorted(over.domains, key=lambda name: over.domains[name].off is None)
    rest = [] if plan.to else first[FEW:]
    return over.freeze({name: over.domains[name].default for name in rest})
