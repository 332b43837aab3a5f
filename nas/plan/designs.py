"""Designs: which settings of some decisions answer a question.

A setting is what it changes of the canonical decisions. Two-level designs know of a decision its
off label, or the only other one that it has.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, combinations, count, product
from string import ascii_letters

from nas.plan.changes import change_name, restored_name
from nas.plan.plans import Ablation
from nas.tree.domain import Domain, Label

Decisions = dict[str, Label]
Domains = Mapping[str, Domain]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One arm of a design: what it is called, the single changes that it makes, and the decisions
    that differ from the canonical ones."""

    name: str
    parts: tuple[str, ...]
    decisions: Mapping[str, Label]


def start(ablation: Ablation, domains: Domains) -> Decisions:
    """The decisions of a design's baseline: the canonical ones, or all off for one_in."""
    return _offs(domains) if ablation.design == "one_in" else {}


def settings(ablation: Ablation, domains: Domains) -> tuple[Setting, ...]:
    """The settings of an ablation's design, without its baseline.

    Raises ValueError for decisions that the design cannot take, and for more arms than `most`.
    """
    made = _combinations(ablation, domains)
    if not made:
        have = ", ".join(domains)
        raise ValueError(
            f"{ablation.design} needs a decision that can be off (versus(off=...), or subsets); "
            f"the space has {have}"
        )
    singles = {single: None for decisions in made for single in decisions.items()}
    offs = start(ablation, domains)
    said: dict[tuple[str, Label], str] = {}
    for decision, label in sorted(singles, key=lambda single: list(domains).index(single[0])):
        domain = domains[decision]
        words = restored_name(domain) if offs else change_name(domain, label)
        said[decision, label] = f"{words} ({decision})" if words in said.values() else words
    found: list[Setting] = []
    for number, decisions in enumerate(made, 1):
        parts = tuple(said[single] for single in decisions.items())
        whole = {**offs, **decisions}
        found.append(
            Setting(name=_called(ablation, number, parts, said), parts=parts, decisions=whole)
        )
    return tuple(found)


def _called(
    ablation: Ablation, number: int, parts: tuple[str, ...], said: Mapping[tuple[str, Label], str]
) -> str:
    if ablation.design == "path":
        return f"step {number}: {parts[-1]}"
    if ablation.design == "factorial":
        # Yates' notation: the letters of the factors that are changed.
        letters = dict(zip(said.values(), ascii_letters, strict=False))
        return "run " + "".join(letters[part] for part in parts)
    return " + ".join(parts)


def _combinations(ablation: Ablation, domains: Domains) -> list[Decisions]:
    design = ablation.design
    if design == "path":
        return _path(ablation.to or {}, domains)
    made: list[Decisions]
    if design in ("one_out", "one_in"):
        offs = _offs(domains)
        back = {name: domains[name].default for name in offs} if design == "one_in" else offs
        made = [{name: label} for name, label in back.items()]
    elif design in ("one_factor", "grid"):
        labels = {name: _labels(domain) for name, domain in domains.items()}
        if design == "grid":
            _require(math.prod(map(len, labels.values())) - 1, ablation)
            points = product(*labels.values())
            made = [_changed(dict(zip(labels, point, strict=True)), domains) for point in points]
            return [decisions for decisions in made if decisions]
        made = [
            {name: label}
            for name, options in labels.items()
            for label in options
            if label != domains[name].default
        ]
    else:
        other = {name: _other(domain) for name, domain in domains.items()}
        if design == "pairs":
            several = [*combinations(other, 1), *combinations(other, 2)]
        else:
            _require(2 ** _basics(len(other)) - 1, ablation)
            if len(other) > len(ascii_letters):
                raise ValueError(
                    f"a factorial calls its factors by {len(ascii_letters)} letters, and there are "
                    f"{len(other)}: choose some decisions by over="
                )
            several = [
                [name for name, high in zip(other, run, strict=True) if high]
                for run in fraction(len(other))
            ][1:]
        made = [{name: other[name] for name in names} for names in several]
    _require(len(made), ablation)
    return made


def _require(arms: int, ablation: Ablation) -> None:
    if arms > ablation.most:
        raise ValueError(
            f"the design {ablation.design} has {arms:,} arms beside the baseline, more than "
            f"{ablation.most}: choose some decisions by over=, or say most={arms}"
        )


def _path(to: Mapping[str, Label], domains: Domains) -> list[Decisions]:
    for name, label in to.items():
        if name not in domains:
            raise ValueError(f"to= has no decision {name!r} in {', '.join(domains)}")
        domains[name].value(label)
    steps = _changed(to, domains)
    if not steps:
        raise ValueError("a path goes somewhere: to= has the canonical labels only")
    return list(accumulate(({name: label} for name, label in steps.items()), lambda a, b: a | b))


def _changed(decisions: Mapping[str, Label], domains: Domains) -> Decisions:
    return {name: label for name, label in decisions.items() if label != domains[name].default}


def _offs(domains: Domains) -> Decisions:
    """The decisions that can be off and are not."""
    offs = {name: domain.off for name, domain in domains.items()}
    return {name: off for name, off in offs.items() if off not in (None, domains[name].default)}  # pyright: ignore[reportReturnType]


def _labels(domain: Domain) -> tuple[str, ...]:
    if not domain.labels:
        raise ValueError(
            f"{domain.name} is an interval, which has no list of labels: give choice(...) instead"
        )
    return domain.labels


def _other(domain: Domain) -> Label:
    """The one level of a two-level factor that is not the canonical one."""
    if domain.off not in (None, domain.default):
        return domain.off  # pyright: ignore[reportReturnType]
    others = [label for label in _labels(domain) if label != domain.default]
    if len(others) > 1:
        raise ValueError(
            f"{domain.name} has several levels, {', '.join(others)} beside the canonical "
            f"{domain.default}, and a two-level design takes one: SPACE.restrict() it"
        )
    return others[0]


def _basics(factors: int) -> int:
    return next(basics for basics in count(1) if 2 ** (basics - 1) >= factors)


def fraction(factors: int) -> list[tuple[int, ...]]:
    """A two-level fraction of resolution IV or more: the runs, a 0 or 1 for each factor; the first
    is all 0. 2 ** b runs take up to 2 ** (b - 1) factors.

    Each factor is a product of an odd number of b basic ones, so each word of the defining relation
    has an even number of letters, and no two factors are one (Box and Hunter 1961): four or more.

    >>> len(fraction(4)), len(fraction(12))
    (8, 32)
    """
    basics = _basics(factors)
    odd = (combinations(range(basics), size) for size in range(1, basics + 1, 2))
    words = [word for words in odd for word in words][:factors]
    runs = product((0, 1), repeat=basics)
    return [tuple(sum(run[basic] for basic in word) % 2 for word in words) for run in runs]


def aliases(runs: Sequence[Iterable[str]]) -> tuple[tuple[tuple[str, str], ...], ...]:
    """The two-factor interactions that some runs cannot tell from one another, group by group. A
    run is the changes that it makes; the baseline's is empty.

    >>> full = [(), ("a",), ("b",), ("a", "b")]
    >>> aliases([*full, *(("c", *run) for run in full)])
    ()
    """
    made = [set(run) for run in runs]
    longest = sorted(map(list, runs), key=len, reverse=True)
    factors = list(dict.fromkeys(factor for run in longest for factor in run))
    groups: dict[tuple[bool, ...], list[tuple[str, str]]] = {}
    for pair in combinations(factors, 2):
        column = tuple((pair[0] in run) == (pair[1] in run) for run in made)
        key = column if column[0] else tuple(not same for same in column)
        groups.setdefault(key, []).append(pair)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)
