"""The frozen rows that every table, figure and file is made of.

Accuracies are in percent, differences in percentage points.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal

from nas.runs.record import ArmRole


@dataclass(frozen=True, kw_only=True)
class EffectRow:
    """A line of the ablation table: a change of one kind against its baseline on the same n seeds.

    delta: the mean paired difference with its 95 % interval; standardised: delta in standard
    deviations of the differences. wins: seeds of `n` that were better than the baseline's, and the
    interval of that share. beats_unpaired: the chance that a fresh run beats a fresh run of the
    baseline. primary: whether it is its change's contrast in the family; the others have no p.
    p_holm and p_margin (of not being within the margin) are adjusted over the family, and so is
    sign_flip, the exact check of p_holm; verdicts are given at `level`. visible: the smallest
    effect in points that such a row shows in 80 of 100 cases, if the spread is what it shows.
    planned, waiting: seeds in all, and those still to run. diverged: runs that ended in no finite
    loss, with a score or without; at_chance: of the `n`, scored no better than guessing. note: what
    is special about the row. mult_adds (of runs from elsewhere any cost), params: None where they
    are not known, or not one number. `seeds` and `differences` go pair by pair.
    """

    role: ArmRole
    change: str
    kind: str | None
    primary: bool
    n: int
    planned: int
    waiting: int
    mean: float
    sd: float
    delta: float
    low: float
    high: float
    p: float
    p_holm: float
    p_margin: float
    sign_flip: float
    level: float
    wins: int | None
    wins_low: float
    wins_high: float
    standardised: float
    beats_unpaired: float
    visible: float
    correlation: float
    verdict: str
    mult_adds: float | None
    params: int | None
    diverged: int
    at_chance: int
    note: str
    candidate_id: str
    seeds: tuple[int | str, ...] = ()
    differences: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        """The change, with its kind where it is not the plain one."""
        return (
            self.change if self.kind in (None, "raw", "factor") else f"{self.change} ({self.kind})"
        )

    @property
    def check(self) -> str:
        """The sign-flip p in words: the number, or why there is none for a row that has a p."""
        if math.isnan(self.p_holm) or self.kind == "factor":
            return ""
        return "n too small" if math.isnan(self.sign_flip) else f"{self.sign_flip:.3g}"


EFFECT_COLUMNS = (
    "change", "kind", "primary", "n", "mean", "sd", "delta", "low", "high", "p", "p_holm",
    "p_margin", "sign_flip", "level", "wins", "wins_low", "wins_high", "standardised",
    "beats_unpaired", "visible", "correlation", "verdict", "mult_adds", "params", "diverged",
    "at_chance", "note",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class DecompositionRow:
    """What a change did, split: delta (raw - baseline) is what the part is worth (part = raw -
    control) and what the mult-adds are that went with it (size = control - baseline); each with
    its 95 % interval over the n seeds that all three have."""

    change: str
    n: int
    delta: float
    low: float
    high: float
    part: float
    part_low: float
    part_high: float
    size: float
    size_low: float
    size_high: float


@dataclass(frozen=True, kw_only=True)
class InteractionRow:
    """What two changes do together more than apart: delta = both - first - second + baseline on the
    same n seeds, with its 95 % interval and p, adjusted over the table's interactions and tested at
    `level`, where both have one. aliases: the other pairs that the design cannot tell from this
    one."""

    first: str
    second: str
    n: int
    delta: float
    low: float
    high: float
    p: float
    p_holm: float
    level: float
    standardised: float
    verdict: str
    aliases: str = ""


@dataclass(frozen=True, kw_only=True)
class SeedRow:
    """One replicate of one arm, beside the baseline's on the same seed. stream: which of the seed's
    streams vary over the arm, of which `seed` is the number; None for runs from elsewhere."""

    change: str
    kind: str | None
    stream: str | None
    seed: int | str
    score: float
    baseline: float
    difference: float
    diverged: bool
    at_chance: bool


@dataclass(frozen=True, kw_only=True)
class ImportanceRow:
    """How much of its R^2 a model of random candidates' scores loses when a column, a decision, is
    shuffled, with the standard deviation over folds; NaN where the cross-validated `r2` over the
    `n` candidates is too low to say."""

    column: str
    importance: float
    sd: float
    r2: float
    n: int


@dataclass(frozen=True, kw_only=True)
class CandidateRow:
    """A candidate over all its finished runs: `n` seeds, the mean with their sd and a 95 % interval
    from two seeds on. `feasible` says whether it is within the budget; `exploratory` that a search
    chose it and one seed scored it."""

    candidate_id: str
    name: str
    role: str
    n: int
    mean: float
    sd: float
    low: float
    high: float
    mult_adds: int
    params: int
    feasible: bool
    exploratory: bool
    number: int


@dataclass(frozen=True, kw_only=True)
class FrontierRow(CandidateRow):
    """A candidate, and whether no other with several seeds and within the budget is as good for
    fewer mult-adds."""

    on_front: bool


@dataclass(frozen=True, kw_only=True)
class ConfirmationRow:
    """The baseline, or a search's candidate, over `n` fresh seeds: `mean` and `sd` on the test
    split, where `delta` is its paired difference from the baseline with a 95 % interval over seeds;
    low_two_way to high_two_way is that over seeds and test images. p_holm is adjusted over the
    candidates of one fidelity and number of crops.

    number: the trial that the search chose, `searched` its validation accuracy, `validation` that
    of the fresh runs. planned, waiting: seeds in all, and those still to run. drop: what is lost
    from `searched` to `mean`; the baseline, which nothing chose, loses by the change of split
    alone. diverged: of the `n`, ended in no finite loss.
    mult_adds: of one image, over all its `crops`.
    """

    role: Literal["baseline", "candidate"]
    name: str
    number: int | None
    n: int
    planned: int
    waiting: int
    mean: float
    sd: float
    searched: float
    validation: float
    drop: float
    delta: float
    low: float
    high: float
    low_two_way: float
    high_two_way: float
    p: float
    p_holm: float
    wins: int | None
    verdict: str
    mult_adds: int
    params: int
    epochs: int
    crops: int
    diverged: int
    candidate_id: str
    seeds: tuple[int | str, ...] = ()
    differences: tuple[float, ...] = ()


CONFIRMATION_COLUMNS = (
    "name", "number", "n", "planned", "mean", "sd", "searched", "validation", "drop", "delta",
    "low", "high", "low_two_way", "high_two_way", "p", "p_holm", "wins", "verdict", "mult_adds",
    "params", "epochs", "crops", "diverged", "candidate_id",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TrialRow:
    """A run as one line: `score` on the validation split, `test` on that of the test."""

    number: int
    role: str
    change: str | None
    state: str
    reason: str | None
    seed: int
    score: float | None
    test: float | None
    epochs: int
    mult_adds: int
    mult_adds_fvcore: int | None
    params: int
    params_aux: int
    seconds: float | None
    candidate_id: str
    network_id: str


BESIDE = (
    *(each.name for each in fields(TrialRow)),
    "what", "accuracy", "against_baseline", "changed",
)  # fmt: skip
"""What stands beside runs' decisions in tables: no decision's column is called so."""


@dataclass(frozen=True, kw_only=True)
class CurveRow:
    """One epoch of one run."""

    number: int
    role: str
    change: str | None
    state: str
    seed: int
    epoch: int
    train_loss: float
    loss: float
    train_accuracy: float
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class WidthRow:
    """A branch's output channels in the canonical network and in a variant; 0 where it is not."""

    module: str
    branch: str
    canonical: int
    variant: int


@dataclass(frozen=True, kw_only=True)
class ModuleRow:
    """A module's multiply-adds and parameters in the canonical network and in a variant. A change
    is `direct` (the module's own) and `propagated` (its input's) in sum."""

    module: str
    canonical_mult_adds: int
    variant_mult_adds: int
    canonical_params: int
    variant_params: int
    direct: int
    propagated: int
    direct_params: int
    propagated_params: int

    @property
    def change(self) -> int:
        """Multiply-adds gained (or, below 0, saved) by the variant."""
        return self.variant_mult_adds - self.canonical_mult_adds

    @property
    def change_params(self) -> int:
        """Parameters gained (or, below 0, saved) by the variant."""
        return self.variant_params - self.canonical_params


MODULE_COLUMNS = (
    "module", "canonical_mult_adds", "variant_mult_adds", "change", "direct", "propagated",
    "canonical_params", "variant_params",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ComparedRow:
    """A row of table 1, its total, or a network: parameters and multiply-adds as published, where
    they are, and as counted, by themselves and as shares of the canonical network's. A row of table
    1 has weights for parameters, without biases. `reason` says why the two differ, or what it is.
    """

    table: str
    name: str
    image_size: int
    published_params: float | None
    published_mult_adds: float | None
    params: int
    mult_adds: int
    of_published_params: float | None
    of_published_mult_adds: float | None
    of_canonical_params: float
    of_canonical_mult_adds: float
    reason: str
