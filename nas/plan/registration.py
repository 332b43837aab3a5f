"""What was asked before the first run, and what came later.

The design, changes, kinds, seeds, looks, margin and primary contrasts of an ablation are stored
with a fingerprint and the time. Seeds may be added; other ones and another design are refused; an
arm that is added later says when, one that is taken out stays in the family, and a margin that is
named later judges nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nas.plan.plans import Ablation
from nas.plan.study import StudySpec
from nas.runs.record import (
    ArmRecord,
    ConfirmationRecord,
    Record,
    Seeds,
    StudyRecord,
    seeds,
    spelled,
)
from nas.tree.tree import fingerprint

SMALL = "-smoke"
"""How the name of a study in small ends."""


def registered(
    study: StudyRecord, before: StudyRecord | None, records: Sequence[Record] = ()
) -> StudyRecord:
    """The study as it is stored: as it is asked now, with what was registered before; `records` are
    its runs, of which those of confirmations say which have begun."""
    if before is not None:
        study = replace(study, confirmed=_confirmed(study, before, records))
    if before is None or not before.arms:
        if not study.arms:
            return study
        return replace(study, registered=_fingerprint(study), registered_at=study.created)
    study = replace(study, registered=before.registered, registered_at=before.registered_at)
    if not study.arms:
        # Whoever takes the whole ablation out has asked it all the same.
        return replace(
            study,
            arms=before.arms,
            design=before.design,
            looks=before.looks,
            margin=before.margin,
            margin_later=before.margin_later,
            resolution=before.resolution,
        )
    return replace(
        study,
        arms=_kept(study, before),
        looks=before.looks,
        margin=before.margin,
        margin_later=study.margin if study.margin != before.margin else None,
    )


def _confirmed(
    study: StudyRecord, before: StudyRecord, records: Sequence[Record]
) -> tuple[ConfirmationRecord, ...]:
    """The confirmations that have begun, with the seeds that they were to have then, and what is
    asked now."""
    begun = {(run.key[1], run.crops) for run in records if run.role == "confirmation"}
    made = {each.kind: each for each in before.confirmed if each.kind in begun}
    for each in study.confirmed:
        made[each.kind] = replace(each, first=made.get(each.kind, each).first)
    return tuple(made.values())


def _kept(study: StudyRecord, before: StudyRecord) -> tuple[ArmRecord, ...]:
    """The arms that are asked now and those that were asked before: whoever takes some out, or
    another kind for the primary one, once the table has been read, has asked them all the same."""
    known = {_identity(arm): arm for arm in before.arms}
    now = [
        replace(arm, added=old.added, primary=arm.primary or old.primary)
        if (old := known.pop(_identity(arm), None))
        else replace(arm, added=study.created)
        for arm in study.arms
    ]
    gone = [
        replace(arm, withdrawn=arm.withdrawn or study.created)
        for arm in known.values()
        if arm.role == "change"
    ]
    if any(arm.role == "baseline" for arm in known.values()):
        gone = []  # a design with another baseline is another question
    first = [arm for arm in now if arm.role != "control"]
    return (*first, *gone, *(arm for arm in now if arm.role == "control"))


def continued(study: StudySpec, before: StudyRecord | None) -> StudySpec:
    """The study with the seeds that were added to its ablation in earlier runs.

    Raises ValueError where it was registered with other seeds or another design: whoever exchanges
    them once the table has been read, until it pleases, finds something by chance. A study in small
    is no evidence, and may be asked anything.
    """
    ablation = study.ablation
    if ablation is None or before is None:
        return study
    stored, own = _seeds(before), ablation.paired
    both = min(len(stored), len(own))
    if before.registered and not _in_small(study):
        if stored[:both] != own[:both]:
            raise _exchanged(study, "seeds", spelled(stored), spelled(own))
        if before.design != ablation.design:
            raise _exchanged(study, "design", before.design, ablation.design)
    if len(stored) == both or stored[:both] != own:
        return study
    looks = ablation.looks if len(stored) in ablation.looks else ()
    return _with(study, replace(ablation, seeds=stored, looks=looks))


def _exchanged(study: StudySpec, what: str, before: str, now: str) -> ValueError:
    more = ", or add some behind them (`nas run STUDY --seeds +N`)" if what == "seeds" else ""
    return ValueError(
        f"{study.name}: an ablation keeps the {what} that it began with: {before}, not {now}. Give "
        f"the study another name{more}"
    )


def _in_small(study: StudySpec) -> bool:
    dataset = study.space.canonical.recipe.dataset
    return study.name.endswith(SMALL) and dataset == "synthetic"


def with_seeds(study: StudySpec, more: int, before: StudyRecord | None) -> StudySpec:
    """The study with that many seeds more than it had, in the database or else in its file.

    Raises ValueError where it has no ablation, and where its seeds set streams apart.
    """
    study = continued(study, before)
    ablation = study.ablation
    if ablation is None:
        raise ValueError(f"{study.name} has no Ablation: --seeds adds seeds to one")
    own = ablation.paired
    if any(seed != seeds(seed.init) for seed in own):
        raise ValueError(
            f"{study.name} sets the streams of its seeds apart; write the new ones into seeds="
        )
    last = max(seed.init for seed in own)
    new = (seeds(last + step) for step in range(1, more + 1))
    return _with(study, replace(ablation, seeds=(*own, *new), looks=()))


def _with(study: StudySpec, ablation: Ablation) -> StudySpec:
    plans = tuple(ablation if plan is study.ablation else plan for plan in study.plans)
    return replace(study, plan=plans)


def _seeds(study: StudyRecord | None) -> tuple[Seeds, ...]:
    arms = study.arms if study else ()
    return next((arm.seeds for arm in arms if arm.role == "baseline"), ())


def _identity(arm: ArmRecord) -> tuple[object, ...]:
    return (arm.role, arm.change, arm.kind, arm.candidate_id, arm.options)


def _fingerprint(study: StudyRecord) -> str:
    asked = [(*_identity(arm), arm.primary) for arm in study.arms]
    return fingerprint([study.design, study.margin, study.looks, _seeds(study), asked])
