"""Designs of ablations: which experiments answer a question, and what each is called."""

from __future__ import annotations

from dataclasses import dataclass

from nas.domain import Domain
from nas.experiment import Experiment
from nas.record import ArmRole, Seeds, seeds
from nas.space import SearchSpace
from nas.study import Ablation, Kind
from nas.tree import fingerprint, to_json

BASELINE = "baseline"
CONTROL = "A/A (other seeds)"


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One line of an ablation: what it is for, its name, its kind, the experiment, its seeds."""

    role: ArmRole
    change: str
    kind: Kind | None
    experiment: Experiment
    seeds: tuple[Seeds, ...]


def arms(ablation: Ablation, space: SearchSpace) -> tuple[Arm, ...]:
    """The arms of an ablation: the baseline, each change, and the baseline on other seeds.

    Raises ValueError when no decision can be off, or when a change is not valid.
    """
    over = ablation.over or space
    paired = tuple(seeds(seed) for seed in ablation.seeds)
    baseline = over.baseline.experiment
    made = [Arm(role="baseline", change=BASELINE, kind=None, experiment=baseline, seeds=paired)]
    for name, domain in over.domains.items():
        if domain.off is None or domain.off == domain.default:
            continue
        try:
            candidate = over.at({name: domain.off})
            over.check(candidate)
        except ValueError as error:
            raise ValueError(f"the ablation's change {name} = off is not valid: {error}") from None
        experiment = candidate.experiment
        if experiment.candidate_id == baseline.candidate_id:
            continue
        change = change_name(domain)
        if change in {arm.change for arm in made}:
            change = f"{change} ({name})"
        made += [
            Arm(role="change", change=change, kind=kind, experiment=experiment, seeds=paired)
            for kind in ablation.kinds
        ]
    if len(made) == 1:
        raise ValueError(
            "one_out needs a decision that can be off (versus(off=...), or subsets); "
            f"the space has {', '.join(over.domains)}"
        )
    control = tuple(_apart(seed, paired) for seed in paired)
    made.append(Arm(role="control", change=CONTROL, kind=None, experiment=baseline, seeds=control))
    return tuple(made)


def change_name(domain: Domain) -> str:
    """What a change is called: "3b: no 5x5 branch" for a leaf, "no batch norm" for a name."""
    parts = domain.name.split(".")
    branches = {
        "conv1x1": "1x1 branch",
        "conv3x3": "3x3 branch",
        "conv5x5": "5x5 branch",
        "pool_proj": "pool branch",
    }
    if len(parts) > 1 and parts[1].startswith("inception_"):
        place = parts[1].removeprefix("inception_")
        if len(parts) == 2:
            return f"no module {place}"
        return f"{place}: no {branches.get(parts[2], parts[2].replace('_', ' '))}" + (
            f" {' '.join(parts[3:])}" if len(parts) > 3 else ""
        )
    known = {"aux_after": "aux heads", "dropout_at": "dropout"}
    return f"no {known.get(parts[-1], parts[-1].replace('_', ' '))}"


def _apart(seed: Seeds, paired: tuple[Seeds, ...]) -> Seeds:
    """A seed of its own for the A/A control, far from those of the pairs."""
    used = {number for pair in paired for number in (pair.split, pair.init, pair.order)}
    apart = 1_000_003 + int(fingerprint(to_json(seed))[:6], 16)
    while apart in used:
        apart += 1
    return seeds(apart)
