"""The frozen rows that every table, figure and file is made of.

Accuracies are in percent, differences in percentage points.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class EffectRow:
    """A line of the ablation table. `wins` of `n` seeds were better than the baseline's; `diverged`
    of the `n` ended in a loss that was not finite; `seeds` and `differences` go pair by pair."""

    change: str
    kind: str | None
    n: int
    planned: int
    mean: float
    sd: float
    delta: float
    low: float
    high: float
    p: float
    p_holm: float
    wins: int | None
    correlation: float
    verdict: str
    mult_adds: int
    params: int
    diverged: int
    candidate_id: str
    seeds: tuple[int, ...] = ()
    differences: tuple[float, ...] = ()


EFFECT_COLUMNS = (
    "change", "kind", "n", "mean", "sd", "delta", "low", "high", "p", "p_holm", "wins",
    "correlation", "verdict", "mult_adds", "params",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class CandidateRow:
    """A candidate over all its finished runs: `n` seeds, the mean with a 95 % interval from two
    seeds on. `feasible` says whether it is within the budget; `exploratory` that a search chose it
    and one seed scored it."""

    candidate_id: str
    name: str
    role: str
    n: int
    mean: float
    low: float
    high: float
    mult_adds: int
    params: int
    feasible: bool
    exploratory: bool
    number: int


@dataclass(frozen=True, kw_only=True)
class ConfirmationRow:
    """The baseline, or a search's candidate, over `n` fresh seeds: `mean` and `sd` on the test
    split, where `delta` is its paired difference from the baseline with a 95 % interval.

    number: the trial that the search chose, `searched` its validation accuracy, `validation` that
    of the fresh runs. drop: what is lost from `searched` to `mean`; the baseline, which nothing
    chose, loses by the change of split alone. diverged: of the `n`, ended in no finite loss.
    """

    name: str
    number: int | None
    n: int
    mean: float
    sd: float
    searched: float
    validation: float
    drop: float
    delta: float
    low: float
    high: float
    wins: int | None
    mult_adds: int
    params: int
    epochs: int
    crops: int
    diverged: int
    candidate_id: str
    seeds: tuple[int, ...] = ()
    differences: tuple[float, ...] = ()


CONFIRMATION_COLUMNS = (
    "name", "number", "n", "mean", "sd", "searched", "validation", "drop", "delta", "low", "high",
    "wins", "mult_adds", "params", "epochs", "crops", "diverged", "candidate_id",
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
