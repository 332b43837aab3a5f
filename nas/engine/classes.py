"""Which classes a study's runs would never train or validate on, before anything runs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nas.base.wording import times
from nas.data.catalogue import class_names, load
from nas.data.datasets import class_name
from nas.data.images import split, stratified
from nas.plan.study import StudySpec
from nas.runs.record import Settings

NAMED = 5
"""How many classes are named; of more, the number is said."""


def unseen(study: StudySpec, settings: Settings) -> Iterator[str]:
    """What is said of classes without an image to train or to validate on, under the baseline's
    recipe, on any split seed of the plan. Raises ValueError as `load` does."""
    recipe = study.space.baseline.experiment.recipe
    data = load(recipe.data)
    labels, held_out = data.train.labels, recipe.data.validation
    names = class_names(recipe.data, data.sha256)
    each = np.bincount(labels, minlength=recipe.data.classes)
    lost: dict[str, set[int]] = {"train": set(), "validate": set()}
    for seed in _split_seeds(study):
        share = recipe.fidelity.share
        if settings.stratified:
            parts = stratified(labels, held_out, seed, share)
        else:
            parts = split(len(labels), held_out, seed, share)
        for known, index in zip(lost.values(), parts, strict=True):
            counts = np.bincount(labels[index], minlength=recipe.data.classes)
            known |= set(np.flatnonzero(counts == 0).tolist())
        if settings.stratified:
            break  # every seed has the same numbers
    for what, found in lost.items():
        if found:
            named = [
                f"{class_name(label, names)} (of {times(int(each[label]), 'image')})"
                for label in sorted(found)[:NAMED]
            ]
            more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
            yield (
                f"{times(len(found), 'class', 'classes')} of {recipe.data.name} would have no "
                f"image to {what} on, on some seed: {', '.join(named)}{more}; with {held_out} of "
                f"{len(labels)} images held out and Fidelity.share {recipe.fidelity.share:g}"
            )


def _split_seeds(study: StudySpec) -> list[int]:
    seeds = {seed.split for arm in study.arms for seed in arm.seeds} if study.ablation else set()
    if study.search:
        seeds.add(study.search.seed)
    return sorted(seeds or {0})
