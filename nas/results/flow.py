"""The gradient that reaches each module of a candidate, from the stem to the head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nas.experiment.experiment import Experiment
from nas.runs.record import Record


@dataclass(frozen=True, kw_only=True)
class GradientRow:
    """A module's mean gradient norm over the last epoch, over `n` runs with the least and the
    greatest of them. `depth` counts the modules from the image on."""

    network: str
    module: str
    depth: int
    n: int
    mean: float
    low: float
    high: float


def gradients(
    network: str, experiment: Experiment, records: Sequence[Record], candidate_id: str
) -> tuple[GradientRow, ...]:
    """A row a module, aux heads left out; none where the runs are older than the measurement."""
    last = [
        record.curve[-1].gradients
        for record in records
        if record.candidate_id == candidate_id and record.curve and record.curve[-1].gradients
    ]
    modules = list(dict.fromkeys(layer.module for layer in experiment.layers() if not layer.aux))
    rows: list[GradientRow] = []
    for module in modules:
        norms = [norm[module] for norm in last if module in norm]
        if norms:
            rows.append(
                GradientRow(
                    network=network,
                    module=module,
                    depth=len(rows) + 1,
                    n=len(norms),
                    mean=sum(norms) / len(norms),
                    low=min(norms),
                    high=max(norms),
                )
            )
    return tuple(rows)
