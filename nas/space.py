"""SearchSpace: the canonical experiment with leaves left open; Candidate: a way to fill them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import Any

from numpy.random import Generator

from nas.cost import Budget, Cost, cost
from nas.domain import Choice, Domain, Interval, Label
from nas.errors import NothingFits
from nas.experiment import Experiment
from nas.tree import edit, rewrite, walk

Decide = Callable[[Domain], Label]
COUNTED = 512
DRAWS = 2_000
"""Draws without a fit after which sampling within a budget gives up."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An experiment without undecided leaves, and the decisions that made it: {name: label}.

    A decision inside a branch that another decision dropped is not among them.
    """

    experiment: Experiment
    decisions: Mapping[str, Label] = field(default_factory=dict[str, Label])


@dataclass(frozen=True, eq=False)
class SearchSpace:
    """The canonical experiment, and domains for what may vary: {pattern: domain}.

    Raises ValueError when it is made: a pattern that matches nothing or overlaps another, a domain
    without the canonical value, one name with two lists of options.

    >>> from nas import googlenet, scaled, subsets
    >>> space = SearchSpace(
    ...     googlenet,
    ...     {
    ...         "network.inception_*.conv3x3.width": scaled(0.5, 1, name="3x3 width"),
    ...         "network.aux_after": subsets("4a", "4d", name="aux heads"),
    ...     },
    ... )
    >>> space.size
    8
    >>> space.baseline.decisions
    {'3x3 width': '1', 'aux heads': '4a+4d'}
    """

    canonical: Experiment
    edits: Mapping[str, Any]

    def __post_init__(self) -> None:
        if not self.domains:
            raise ValueError("a SearchSpace needs a domain; its edits leave nothing undecided")
        self.baseline.experiment.layers()
        self._check_options()

    def _check_options(self) -> None:
        places = dict(walk(self.canonical))
        for path, domain in _undecided(self.template):
            if path.startswith("recipe.fidelity"):
                raise ValueError(
                    f"{path} says how much training a run gets; it is no part of a candidate"
                )
            parent, _, leaf = path.rpartition(".")
            if isinstance(domain, Choice):
                values: list[Any] = [option.value for option in domain.options]
            else:
                values = [domain.low, domain.high]
            recipes = values if path == "recipe" else []
            if path.startswith("recipe.dataset") or any(
                recipe.dataset != self.canonical.recipe.dataset for recipe in recipes
            ):
                raise ValueError(f"{path}: a study has one data set; make a study of each")
            for value in values:
                try:
                    dataclasses.replace(places[parent], **{leaf: value})
                except ValueError as error:
                    raise ValueError(f"{path}: {error}") from None
            if isinstance(domain, Choice) and isinstance(places[path], tuple):
                self._check_items(path, domain)

    def _check_items(self, path: str, subsets: Choice) -> None:
        """Refuses an item that changes nothing, such as an aux head where there is no module."""

        def layers(items: tuple[Any, ...]) -> Any:
            try:
                return edit(self.canonical, {path: items}).layers()
            except ValueError:
                return None

        bare = layers(())
        items = {item for option in subsets.options for item in option.value}
        idle = sorted(item for item in items if layers((item,)) == bare)
        if idle:
            raise ValueError(
                f"{path}: {idle[0]!r} builds the same network as nothing; the canonical network "
                "has no such place"
            )

    @cached_property
    def template(self) -> Experiment:
        """The canonical tree with a domain at each undecided leaf."""
        return edit(self.canonical, self.edits)

    @cached_property
    def domains(self) -> dict[str, Domain]:
        """The decisions by name, in the order of the tree; leaves that share a name are one."""
        made: dict[str, Domain] = {}
        for _, domain in _undecided(self.template):
            known = made.setdefault(domain.name, domain)
            if _spelled(known) != _spelled(domain):
                raise ValueError(
                    f"the name {domain.name!r} has two lists of options: {_spelled(known)} and "
                    f"{_spelled(domain)}; give the second another name"
                )
            if known.default != domain.default:
                raise ValueError(
                    f"the leaves tied by {domain.name!r} have different canonical values, "
                    f"{known.default} and {domain.default}; tie them with scaled() or versus()"
                )
        return made

    @cached_property
    def sites(self) -> dict[str, tuple[str, ...]]:
        """The paths of the leaves that each decision fills."""
        made: dict[str, list[str]] = {}
        for path, domain in _undecided(self.template):
            if path not in made.setdefault(domain.name, []):
                made[domain.name].append(path)
        return {name: tuple(paths) for name, paths in made.items()}

    @cached_property
    def baseline(self) -> Candidate:
        """The canonical experiment as a point of the space."""
        return self.at({})

    @cached_property
    def size(self) -> int | float:
        """How many ways there are to decide, a dropped branch's decisions not counted; infinite
        where an interval has no step. Up to COUNTED of them, those that describe no network are
        left out."""
        ways = _count([domain for _, domain in _active(self.template)], {})
        return ways if ways > COUNTED else sum(map(self._valid, _ways(self.template, {})))

    def _valid(self, decisions: Mapping[str, Label]) -> bool:
        try:
            self.at(decisions).experiment.layers()
        except ValueError:
            return False
        return True

    def resolve(self, decide: Decide) -> Candidate:
        """The candidate that comes of asking `decide` once for each decision that is reached.

        Raises ValueError where the answers describe no network.
        """
        decisions: dict[str, Label] = {}

        def fill(path: str, value: Any) -> Any:
            if not isinstance(value, Choice | Interval):
                return value
            if value.name not in decisions:
                decisions[value.name] = decide(value)
            return rewrite(value.value(decisions[value.name]), fill, path)

        experiment = rewrite(self.template, fill)
        return Candidate(experiment=experiment, decisions=decisions)

    def at(self, decisions: Mapping[str, Label]) -> Candidate:
        """The candidate with these decisions, and the canonical ones elsewhere."""
        for name in decisions:
            if name not in self.domains:
                near = get_close_matches(name, self.domains, n=3, cutoff=0.4)
                hint = f"; near it: {', '.join(near)}" if near else ""
                raise ValueError(f"the space has no decision {name!r}{hint}")
        return self.resolve(lambda domain: decisions.get(domain.name, domain.default))

    def around(self, canonical: Experiment) -> SearchSpace:
        """The same axes around another baseline."""
        return SearchSpace(canonical, self.edits)

    def sample(self, rng: Generator, budget: Budget | None = None) -> Candidate:
        """A random valid candidate, within the budget if there is one.

        Raises NothingFits when nothing fits, and names the least cost there is; ValueError when
        none of many draws fits, or none is a network.

        >>> import numpy as np
        >>> from nas import googlenet, scaled
        >>> space = SearchSpace(googlenet, {"network.inception_3a.*.width": scaled(0.5, 1, 2)})
        >>> candidate = space.sample(np.random.default_rng(0), Budget(mult_adds=1.5e9))
        >>> cost(candidate.experiment).mult_adds
        1459138560
        """
        valid = False
        for _ in range(DRAWS):
            drawn = self.draw(rng, budget)
            if drawn is None:
                continue
            candidate, excess = drawn
            if all(over <= 0 for over in excess.values()):
                return candidate
            valid = True
        if not valid or budget is None:
            raise ValueError(f"none of {DRAWS:,} random candidates describes a network")
        self.require_fit(budget)
        limits = budget.limits(self.baseline.experiment)
        raise ValueError(
            f"none of {DRAWS:,} random candidates fits the budget of "
            + " and ".join(f"{limit:,.0f} {name}" for name, limit in limits.items())
            + "; raise it, or give the space smaller options"
        )

    def draw(
        self, rng: Generator, budget: Budget | None = None
    ) -> tuple[Candidate, dict[str, float]] | None:
        """A random candidate and its excess over each limit; None where the draw is no network."""
        try:
            candidate = self.resolve(lambda domain: _draw(domain, rng))
            return candidate, self.excess(candidate, budget)
        except ValueError:
            return None

    def require_fit(self, budget: Budget) -> None:
        """Raises NothingFits, with the least cost there is, when no candidate fits the budget."""
        excess = self.excess(self.baseline, budget)
        for name, limit in budget.limits(self.baseline.experiment).items():
            if excess[name] <= 0:
                continue
            least = getattr(self.cheapest(name, budget.image_size), name)
            if least > limit:
                raise NothingFits(
                    f"nothing fits the budget of {limit:,.0f} {name.replace('_', '-')}: the least "
                    f"that a candidate of this space costs is {least:,}; raise the budget, or give "
                    "the space smaller options"
                )

    def cheapest(self, name: str = "mult_adds", image_size: int | None = None) -> Cost:
        """The least `name` (mult_adds, params) there is: each decision in turn is set to its
        cheapest option until none makes the network cheaper."""
        decisions = dict(self.baseline.decisions)
        best = cost(self.baseline.experiment, image_size)
        better = True
        while better:
            better = False
            for decision in list(decisions):
                for label in _ends(self.domains[decision]):
                    try:
                        candidate = self.at({**decisions, decision: label})
                        spent = cost(candidate.experiment, image_size)
                    except ValueError:
                        continue
                    if getattr(spent, name) < getattr(best, name):
                        decisions, best, better = dict(candidate.decisions), spent, True
        return best

    def excess(self, candidate: Candidate, budget: Budget | None) -> dict[str, float]:
        """How far the candidate is over each limit, as a share of it; ValueError when it is no
        network at all."""
        candidate.experiment.layers()
        if budget is None:
            return {}
        return budget.excess(candidate.experiment, self.baseline.experiment)

    def neighbours(self, candidate: Candidate) -> Iterator[Candidate]:
        """The valid candidates one decision away: the next options of an ordered decision, every
        other option of an unordered one."""
        for name, label in candidate.decisions.items():
            for other in _beside(self.domains[name], label):
                try:
                    near = self.at({**candidate.decisions, name: other})
                    near.experiment.layers()
                except ValueError:
                    continue
                yield near

    def explain(self, decisions: Mapping[str, Label], budget: Budget | None = None) -> str:
        """One sentence: what a point costs against the budget, or the rule that it breaks.

        >>> from nas import googlenet, versus
        >>> space = SearchSpace(googlenet, {"network.inception_4e": versus(off=None, name="4e")})
        >>> space.explain({"4e": "off"}, Budget(mult_adds=1.5e9))
        "1,404,095,488 mult-adds, 5,955,096 parameters; 6.4% under the budget's mult_adds"
        """
        try:
            candidate = self.at(decisions)
            excess = self.excess(candidate, budget)
        except ValueError as error:
            return f"no network: {error}"
        spent = cost(candidate.experiment, budget and budget.image_size)
        text = f"{spent.mult_adds:,} mult-adds, {spent.params:,} parameters"
        for name, over in excess.items():
            side = "over" if over > 0 else "under"
            text += f"; {abs(over):.1%} {side} the budget's {name}"
        return text


def _undecided(tree: Any, path: str = "") -> Iterator[tuple[str, Domain]]:
    """Every domain of a template with its path, those inside options too."""
    for place, domain in _active(tree, path):
        yield place, domain
        if isinstance(domain, Choice):
            for option in domain.options:
                yield from _undecided(option.value, place)


def _active(tree: Any, path: str = "") -> Iterator[tuple[str, Domain]]:
    for place, value in walk(tree, path):
        if isinstance(value, Choice | Interval):
            yield place, value


def _spelled(domain: Domain) -> str:
    if isinstance(domain, Choice):
        return "(" + ", ".join(domain.labels) + ")"
    return f"[{domain.low:g}, {domain.high:g}] step {domain.step} log {domain.log}"


def _draw(domain: Domain, rng: Generator) -> Label:
    if isinstance(domain, Choice):
        return domain.labels[rng.integers(len(domain.labels))]
    if domain.log:
        value = math.exp(rng.uniform(math.log(domain.low), math.log(domain.high)))
        return round(value) if isinstance(domain.default, int) else value
    if domain.step is not None:
        return domain.at(int(rng.integers(int(steps(domain)))))
    return float(rng.uniform(domain.low, domain.high))


def steps(domain: Interval) -> int | float:
    """How many values an interval has."""
    if domain.step is None:
        return math.inf
    return math.floor((domain.high - domain.low) / domain.step + 1e-9) + 1


def _ends(domain: Domain) -> Iterable[Label]:
    if isinstance(domain, Choice):
        return domain.labels
    return (domain.low, domain.high)


def _beside(domain: Domain, label: Label) -> Iterable[Label]:
    if isinstance(domain, Choice):
        if not domain.ordered:
            return [other for other in domain.labels if other != label]
        at = domain.labels.index(str(label))
        return [domain.labels[i] for i in (at - 1, at + 1) if 0 <= i < len(domain.labels)]
    if domain.step is None:
        return []
    at = round((float(label) - domain.low) / domain.step)
    return [domain.at(near) for near in (at - 1, at + 1) if 0 <= near < steps(domain)]


def _ways(tree: Any, decided: Mapping[str, Label]) -> Iterator[Mapping[str, Label]]:
    """Every way to decide what a template leaves open, decision by decision."""
    undecided = [d for _, domain in _active(tree) for d in _open(domain, decided)]
    if not undecided:
        yield decided
        return
    first = undecided[0]
    if isinstance(first, Choice):
        labels: Iterable[Label] = first.labels
    else:
        labels = map(first.at, range(int(steps(first))))
    for label in labels:
        yield from _ways(tree, {**decided, first.name: label})


def _count(active: list[Domain], decided: Mapping[str, Label]) -> int | float:
    """Ways to decide these domains, some names being decided: group by group of names that meet
    in one option or one name, and inside a group option by option."""
    total = 1
    for group in _groups(active):
        first = next((d for d in group if isinstance(d, Choice) and _nested(d)), None)
        if first is None or isinstance(first, Interval):
            domain = group[0]
            total *= len(domain.labels) if isinstance(domain, Choice) else steps(domain)
            continue
        ways = 0
        for label in first.labels:
            known = {**decided, first.name: label}
            ways += _count([d for domain in group for d in _open(domain, known)], known)
        total *= ways
    return total


def _open(domain: Domain, known: Mapping[str, Label]) -> Iterator[Domain]:
    """The domains still undecided where this one stands."""
    if domain.name not in known:
        yield domain
    elif isinstance(domain, Choice):
        for _, inner in _active(domain.value(known[domain.name])):
            yield from _open(inner, known)


def _nested(domain: Choice) -> bool:
    return any(True for option in domain.options for _ in _active(option.value))


def _groups(active: list[Domain]) -> list[list[Domain]]:
    groups: list[tuple[set[str], list[Domain]]] = []
    for domain in active:
        names = {domain.name}
        if isinstance(domain, Choice):
            names |= {d.name for option in domain.options for _, d in _undecided(option.value)}
        merged, members = names, [domain]
        apart: list[tuple[set[str], list[Domain]]] = []
        for known, held in groups:
            if known & names:
                merged, members = merged | known, held + members
            else:
                apart.append((known, held))
        groups = [*apart, (merged, members)]
    return [members for _, members in groups]
