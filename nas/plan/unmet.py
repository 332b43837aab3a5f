"""What a study's plans do not ask, though a reader may think so: said before anything runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from nas.base.wording import times
from nas.plan.designs import settings
from nas.plan.plans import Ablation, Search
from nas.plan.samplers.random import Random
from nas.plan.study import StudySpec
from nas.space.space import SearchSpace

NAMED = 5
"""So many decisions are named; the others are counted."""


def unmet(study: StudySpec) -> tuple[str, ...]:
    """A sentence for each: the decisions of an ablation that its design leaves out, and the changes
    that only a search's budget would refuse."""
    said: list[str] = []
    if study.ablation:
        said += _left_out(study.ablation, study.ablation.over or study.space)
    if study.search:
        said += _over_budget(study)
    return tuple(said)


def _left_out(ablation: Ablation, over: SearchSpace) -> Iterable[str]:
    if ablation.design not in ("one_out", "one_in"):
        return
    asked = {name for each in settings(ablation, over.domains) for name in each.decisions}
    left = [name for name in over.domains if name not in asked]
    if left:
        endless = [name for name in left if math.isinf(over.domains[name].size)]
        of = f" (of {_names(endless)} too, where it is a choice of some numbers)" if endless else ""
        yield (
            f"the ablation asks nothing of {_names(left)}: {ablation.design} asks what can be off; "
            f'design="one_factor" asks every option{of}'
        )


def drawn(search: Search) -> Iterable[str]:
    """That a search ends before its sampler learns, where it does."""
    candidates, startup = search.trials - 1, search.sampler.startup
    if 0 < candidates <= startup and not isinstance(search.sampler, Random):
        kind, count = type(search.sampler).__name__, times(candidates, "candidate")
        yield (
            f"all {count} of the search are drawn at random: {kind} learns from the first "
            f"{startup} (startup={startup})"
        )


def _over_budget(study: StudySpec) -> Iterable[str]:
    baseline, budget = study.space.baseline.experiment, study.budget
    if budget is None:
        return
    over = [
        arm.change
        for arm in study.arms
        if arm.role == "change" and max(budget.excess(arm.experiment, baseline).values()) > 0
    ]
    if over:
        count = times(len(over), "change of the ablation is", "changes of the ablation are")
        yield f"{count} over the budget, which holds for the search: {_names(over)}"


def _names(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join([*names[:NAMED], *([f"{more} more"] if more > 0 else [])])
