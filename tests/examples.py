"""Studies and records small enough for tests."""

import hashlib
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nas import (
    ASHA,
    TPE,
    Ablation,
    Budget,
    Experiment,
    Search,
    Study,
    edit,
    relative,
    tiny_googlenet,
)
from nas.base.paths import predictions_path
from nas.experiment.experiment import CLASSES
from nas.plan.arms import BASELINE, CONTROL
from nas.results.effects import Replicate, Sample
from nas.results.tables import Results
from nas.runs.record import ArmRecord, Epoch, Protocol, Record, Seeds, StudyRecord, seeds
from nas.train.worker import packed
from nas.tree.tree import fingerprint, to_json
from search_spaces.tiny import parts, widths
from tests.specimens import Cell, Cells

BASE = edit(
    tiny_googlenet,
    {"recipe.dataset": "synthetic", "recipe.fidelity.epochs": 2, "recipe.batch_size": 32},
)
STORED = edit(BASE, {"recipe.dataset": "fashion_mnist"})
"""The baseline of stored records: 5,000 validation images, so a resolution of 0.02 points."""

NETWORK_ID, TREE = STORED.network_id, to_json(STORED)

PROTOCOL = Protocol(
    data_sha256="0", split="", evaluation="", precision="float32", threads=1, training_version=1
)


def small_study(name: str = "small", trials: int = 4, ablation_seeds: int = 2) -> Study:
    """A search and an ablation on synthetic images: tens of milliseconds an epoch."""
    return Study(
        name=name,
        question="Does it run?",
        space=widths.around(BASE),
        budget=Budget(mult_adds=relative(1.0)),
        plan=(
            Search(trials=trials, sampler=TPE(seed=1), scheduler=ASHA(grace_period=1)),
            Ablation(over=parts.around(BASE), seeds=range(ablation_seeds)),
        ),
    )


def search_only(trials: int, budget: Budget | None = None) -> Study:
    return Study(
        name="search",
        question="Which?",
        space=widths.around(BASE),
        budget=budget,
        plan=Search(trials=trials, sampler=TPE(seed=3, startup=3)),
    )


def epoch(number: int, accuracy: float, loss: float = 0.5) -> Epoch:
    return Epoch(
        epoch=number, train_loss=loss, train_accuracy=accuracy, loss=loss, accuracy=accuracy,
        lr=0.1, seconds=1.0, images_per_second=100.0,
    )  # fmt: skip


def built(run: Record, experiment: Experiment) -> Record:
    """The run as one of this experiment's network and recipe."""
    return replace(run, experiment=to_json(experiment), network_id=experiment.network_id)


def keep_predictions(folder: Path, probabilities: Any, labels: Any) -> str:
    """Keeps predictions as a run does; the name that a record has of them."""
    content = packed(np.asarray(probabilities), np.asarray(labels))
    name = hashlib.sha256(content).hexdigest()
    path = predictions_path(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return name


def record(
    number: int,
    score: float | None,
    *,
    candidate_id: str | None = None,
    seed: int | Seeds = 0,
    role: str = "change",
    state: str = "complete",
    change: str | None = None,
    mult_adds: int = 1000,
    excess: float = 0.0,
    reason: str | None = None,
) -> Record:
    return Record(
        number=number,
        role=role,
        state=state,
        candidate_id=candidate_id or STORED.candidate_id,
        network_id=NETWORK_ID,
        experiment=TREE,
        decisions={},
        seeds=seeds(seed),
        epochs=2,
        change=change,
        kind=None,
        reason=reason,
        mult_adds=mult_adds,
        mult_adds_fvcore=mult_adds,
        params=100,
        excess={"mult_adds": excess},
        protocol=PROTOCOL,
        curve=() if score is None else (epoch(1, score - 1), epoch(2, score)),
        score=score,
        started=0.0,
        ended=1.0,
    )


def ablation_records(
    scores: dict[str, list[float]], margin: float | None = None
) -> tuple[StudyRecord, tuple[Record, ...]]:
    """A stored ablation whose arms scored this, seed by seed; the first arm is the baseline."""
    arms, made = [], []
    for change, values in scores.items():
        itself = change in (BASELINE, CONTROL)
        candidate = STORED.candidate_id if itself else fingerprint(change)
        first = 100 if change == CONTROL else 0
        given = tuple(seeds(first + at) for at in range(len(values)))
        role = {BASELINE: "baseline", CONTROL: "control"}.get(change, "change")
        arms.append(
            ArmRecord(
                role=role,
                change=change, kind=None if itself else "raw", candidate_id=candidate, epochs=2,
                seeds=given,
            )
        )  # fmt: skip
        for seed, value in zip(given, values, strict=True):
            made.append(
                record(
                    len(made), None if math.isnan(value) else value, candidate_id=candidate,
                    seed=seed, role=role, change=change,
                    state="failed" if math.isnan(value) else "complete",
                )
            )  # fmt: skip
    study = StudyRecord(
        name="stored", full_name="stored@00000000", question="What mattered?", baseline=STORED,
        limits={"mult_adds": 1000.0}, image_size=None, trials=0, planned=len(made),
        arms=tuple(arms), margin=margin, created=0.0,
    )  # fmt: skip
    return study, tuple(made)


def cells() -> Results:
    """A stored ablation of a network of one's own: a branch out of one cell, of another, a cell,
    and the stem."""
    base = edit(STORED, {"network": Cells()})
    trees = {
        BASELINE: base,
        "1a: no wide": edit(base, {"network.cell_1a.wide": None}),
        "2b: no narrow": edit(base, {"network.cell_2b.narrow": None}),
        "no 2a": edit(base, {"network.cell_2a": None}),
        "narrow stem": edit(base, {"network.stem": 4}),
    }
    study, runs = ablation_records(
        {name: [98.0 - at, 98.5 - at, 97.5 - at] for at, name in enumerate(trees)}
    )
    arms = [replace(arm, candidate_id=trees[arm.change].candidate_id) for arm in study.arms]
    made = (
        replace(built(run, trees[run.change]), candidate_id=trees[run.change].candidate_id)
        for run in runs
    )
    study = replace(study, name="cells", baseline=base, arms=tuple(arms))
    return Results(study, tuple(made), classes={**CLASSES, "Cells": Cells, "Cell": Cell})


def sample(change, scores, role="change", kind=None, parts=(), primary=True, **values) -> Sample:
    """An arm that scored this, seed by seed; NaN where it has no score."""
    arm = ArmRecord(
        role=role, change=change, kind=kind, candidate_id="", epochs=1, parts=parts,
        primary=primary, seeds=tuple(map(seeds, range(len(scores)))),
    )  # fmt: skip
    runs = {
        at: Replicate(seed=at, score=float(score))
        for at, score in enumerate(scores)
        if not math.isnan(score)
    }
    return Sample(arm=arm, **({"runs": runs, "planned": len(scores)} | values))


def sqlite(folder: Path) -> str:
    return f"sqlite:///{folder / 'nas.db'}"


def search_records(count: int, startup: int = 10) -> tuple[StudyRecord, tuple[Record, ...]]:
    """A stored search of `count` proposals after its reference: every fifth is refused, every third
    of the others is stopped early, and the width alone moves the score."""
    rng = np.random.default_rng(0)
    made = [record(0, 98.0, role="reference")]
    for number in range(1, count + 1):
        width = (0.5, 0.75, 1.0, 1.5)[int(rng.integers(4))]
        heads = ("none", "4a")[int(rng.integers(2))]
        score = round(95 + 2 * width + float(rng.normal(0, 0.2)), 2)
        cost = int(600 * width) + int(rng.integers(50))
        state = "infeasible" if number % 5 == 0 else "stopped" if number % 3 == 0 else "complete"
        run = record(
            number, None if state == "infeasible" else score, candidate_id=fingerprint(number),
            role="candidate", state=state, mult_adds=cost + (state == "infeasible") * 1000,
            excess=0.5 if state == "infeasible" else 0.0,
        )  # fmt: skip
        decisions = {"width": f"{width:g}", "aux heads": heads}
        curve = tuple(epoch(at + 1, score - 4 / (at + 1)) for at in range(3)) if run.curve else ()
        made.append(
            replace(
                run, decisions=decisions, curve=(*curve, epoch(4, score)) if curve else (),
                epochs=4, started=60.0 * number, ended=60.0 * number + 50,
            )
        )  # fmt: skip
    study = StudyRecord(
        name="searched", full_name="searched@00000000", question="Which is best?", baseline=STORED,
        limits={"mult_adds": 1000.0}, image_size=None, trials=count, planned=count + 1, arms=(),
        margin=None, created=0.0, startup=startup,
    )  # fmt: skip
    return study, tuple(made)
