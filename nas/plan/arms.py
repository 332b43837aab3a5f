"""The arms of an ablation: which experiments are run on which seeds, and what each is for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from nas.experiment.cost import cost
from nas.experiment.experiment import Experiment
from nas.plan.designs import Setting, settings, start
from nas.plan.plans import Ablation, Kind
from nas.runs.record import ArmRecord, ArmRole, Seeds, seeds
from nas.space.matching import control, match
from nas.space.space import SearchSpace
from nas.tree.tree import edit, fingerprint, to_json

BASELINE = "baseline"
CONTROL = "A/A (other seeds)"
TUNING = (19_000_003, 19_000_004)
"""Seeds on which learning rates are chosen: of neither the pairs, nor A/A, nor confirmations."""
STREAMS = {"split": "split", "init": "initialization", "order": "order", "dropout": "dropout"}


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One line of an ablation: what it is for, its name, its kind, the experiment, its seeds.

    parts: the single changes that it makes. primary: a verdict is asked of it, not of another kind.
    note: why a kind of it is missing. options: of a retuned arm the experiments of which the best
    on the seeds `tuning` takes `experiment`'s place.
    """

    role: ArmRole
    change: str
    kind: Kind | None
    experiment: Experiment
    seeds: tuple[Seeds, ...]
    parts: tuple[str, ...] = ()
    primary: bool = True
    note: str | None = None
    options: tuple[Experiment, ...] = ()
    tuning: tuple[Seeds, ...] = ()

    @property
    def stored(self) -> ArmRecord:
        """The arm as the database has it."""
        same = vars(self).copy()
        del same["experiment"], same["options"]
        return ArmRecord(
            **same,
            candidate_id=self.experiment.candidate_id,
            epochs=self.experiment.recipe.fidelity.epochs,
            options=tuple(option.candidate_id for option in self.options),
        )


def arms(ablation: Ablation, space: SearchSpace) -> tuple[Arm, ...]:
    """The arms of an ablation: the baseline, each change in each kind, and the baseline on other
    seeds.

    Raises ValueError for a design that the space does not allow, for a change that is not valid or
    is another one over again, and for one that cannot be matched where nothing else is asked.
    """
    over = ablation.over or space
    baseline = over.at(start(ablation, over.domains)).experiment
    paired = ablation.paired
    first = Arm(role="baseline", change=BASELINE, kind=None, experiment=baseline, seeds=paired)
    made = [first]
    if "retuned" in ablation.kinds:
        made.append(_retuned(first, baseline, ablation))
    if ablation.design == "streams":
        return (*made, *_streams(first), _control(first))
    for setting, experiment in _changed(ablation, over, baseline):
        arm = replace(
            first, role="change", change=setting.name, experiment=experiment, parts=setting.parts
        )
        made += _kinds(arm, baseline, ablation)
    if ablation.design == "pairs":
        made = [_with_parts(arm, made) for arm in made]
    if not any(arm.role == "change" for arm in made):
        raise ValueError("the ablation changes nothing: each of its arms is the baseline again")
    return (*made, _control(first))


def _control(baseline: Arm) -> Arm:
    # What all seeds share is no chance: a stream that they hold is held here too.
    varied = [name for name in STREAMS if len({getattr(s, name) for s in baseline.seeds}) > 1]
    other = tuple(
        replace(seed, **dict.fromkeys(varied, _apart(seed, baseline.seeds)))
        for seed in baseline.seeds
    )
    return replace(baseline, role="control", change=CONTROL, seeds=other)


def _streams(baseline: Arm) -> Iterable[Arm]:
    """The baseline with one stream of its seeds varying alone, and with that one held, for each
    stream that varies; the others, or it, are the first seed's."""
    first, *_ = baseline.seeds
    for stream, name in STREAMS.items():
        drawn = [getattr(seed, stream) for seed in baseline.seeds]
        if len(set(drawn)) < len(drawn):
            continue
        alone = tuple(replace(first, **{stream: number}) for number in drawn)
        held = tuple(replace(seed, **{stream: drawn[0]}) for seed in baseline.seeds)
        yield replace(baseline, role="control", change=f"only the {name} varies", seeds=alone)
        if len(set(held)) == len(held):
            yield replace(baseline, role="control", change=f"the {name} is held", seeds=held)


def _changed(
    ablation: Ablation, over: SearchSpace, baseline: Experiment
) -> Iterable[tuple[Setting, Experiment]]:
    """The settings of the design with their experiments, without those that change nothing."""
    known: dict[str, str] = {}
    made = settings(ablation, over.domains)
    if ablation.design in ("pairs", "factorial"):
        for single in {single: None for setting in made for single in setting.decisions.items()}:
            if over.at(dict([single])).experiment.candidate_id == baseline.candidate_id:
                raise ValueError(
                    f"{single[0]} = {single[1]} changes nothing in this baseline; leave it out of "
                    f"a design that combines changes"
                )
    for setting in made:
        if setting.name in (BASELINE, CONTROL):
            raise ValueError(f"{setting.name!r} is a row of every table: call the change otherwise")
        try:
            candidate = over.at(setting.decisions)
            over.check(candidate)
        except ValueError as error:
            said = ", ".join(f"{name} = {label}" for name, label in setting.decisions.items())
            raise ValueError(f"the ablation's change {said} is not valid: {error}") from None
        experiment = candidate.experiment
        same = experiment.candidate_id == baseline.candidate_id
        if same and ablation.design != "factorial":
            continue
        if len(setting.parts) == 1 and not same:
            twin = known.setdefault(experiment.candidate_id, setting.name)
            if twin != setting.name:
                raise ValueError(
                    f"the changes {twin!r} and {setting.name!r} make the same network and recipe; "
                    "leave one out"
                )
        yield setting, experiment


def _kinds(arm: Arm, baseline: Experiment, ablation: Ablation) -> list[Arm]:
    """A change in each kind that is asked of it: where it moves no cost, raw or retuned."""
    before, after = cost(baseline).mult_adds, cost(arm.experiment).mult_adds
    tuned = arm.experiment.recipe.lr == baseline.recipe.lr
    made: dict[Kind, Arm] = {}
    notes: list[str] = []
    for kind in ablation.kinds:
        if kind == "raw" or (before == after and kind == "matched"):
            made["raw"] = replace(arm, kind="raw")
        elif kind == "retuned":
            if tuned:
                made[kind] = _retuned(arm, baseline, ablation)
        elif before != after:
            try:
                made[kind] = replace(arm, kind=kind, experiment=_equal(kind, arm, baseline))
            except ValueError as error:
                notes.append(f"not {kind}: {error}")
    first = next((k for k in ("matched", "raw", "retuned") if k in made), None)
    if first is None or (notes and ablation.design == "factorial"):
        why = "; ".join(notes) or "a change of the learning rate cannot be retuned"
        raise ValueError(f"the change {arm.change!r}: {why}; ask it one_out, with kind 'raw'")
    note = "; ".join(notes) or None
    return [
        replace(each, primary=kind == first, note=note if kind == first else None)
        for kind, each in made.items()
    ]


def _with_parts(pair: Arm, made: list[Arm]) -> Arm:
    """A change of two parts, with a note where one of them is of another cost: what both do more
    than apart could not be told from it."""
    if len(pair.parts) != 2 or not pair.primary:
        return pair
    free = cost(made[0].experiment).mult_adds
    singles = [arm for arm in made if arm.primary and len(arm.parts) == 1]
    for single in (arm for arm in singles if arm.parts[0] in pair.parts):
        if not comparable({a.kind: cost(a.experiment).mult_adds for a in (single, pair)}, free):
            why = f"{single.change!r} is {single.kind}, and this is {pair.kind}"
            notes = filter(None, (pair.note, f"no interaction is told: {why}"))
            return replace(pair, note="; ".join(notes))
    return pair


def comparable(costs: Mapping[str | None, float | None], free: float | None) -> bool:
    """Whether arms of these kinds, with their mult-adds, stand for their changes alike: as one kind
    does, or matched and a raw one that moves no cost from the baseline's. None is not known yet."""
    if len(costs) < 2:
        return True
    alike = costs.keys() <= {"raw", "matched"}
    return alike and (free is None or costs["raw"] in (None, free))


def _equal(kind: Kind, arm: Arm, baseline: Experiment) -> Experiment:
    if kind == "matched":
        return match(arm.experiment, baseline).experiment
    return control(baseline, cost(arm.experiment).mult_adds).experiment


def _retuned(arm: Arm, baseline: Experiment, ablation: Ablation) -> Arm:
    """An arm at its best of some learning rates, the same for all."""
    rates = [float(f"{factor * baseline.recipe.lr:.12g}") for factor in ablation.rates]
    return replace(
        arm,
        kind="retuned",
        options=tuple(edit(arm.experiment, {"recipe.lr": rate}) for rate in rates),
        tuning=tuple(map(seeds, TUNING)),
    )


def _apart(seed: Seeds, paired: tuple[Seeds, ...]) -> int:
    """The number of a seed of its own for the A/A control, far from those of the pairs."""
    used = {getattr(pair, name) for pair in paired for name in STREAMS}
    apart = 1_000_003 + int(fingerprint(to_json(seed))[:6], 16)
    while apart in used:
        apart += 1
    return apart
