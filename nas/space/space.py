"""SearchSpace: the canonical experiment with leaves left open; Candidate: a way to fill them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from nas.base.asking import asking
from nas.experiment.cost import Budget, cost
from nas.experiment.experiment import Experiment
from nas.space import fitting
from nas.space.draws import independent, labels
from nas.space.encoding import Column, columns, encode
from nas.space.fitting import Share
from nas.space.numbering import Points, undecided
from nas.space.populations import Costs, Positions
from nas.space.rules import Rule, sentence
from nas.space.validity import Census
from nas.tree.domain import Domain, Label
from nas.tree.tree import edit, require_leaf, rewrite, walk

Decide = Callable[[Domain], Label]
COUNTED, COUNTED_APART = 2**14, 512
"""Ways to decide up to which those that are not valid are left out of the size: where many are
counted at once, and where they are counted one by one."""
ENUMERATED = 10_000_000
MUTATIONS = 1_000


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

    `where` holds rules that every candidate must keep (nas/rules.py says what a rule is), `kept`
    the options that `restrict` and `freeze` left of some decisions. Raises ValueError when it is
    made: a pattern that matches nothing or overlaps another, a domain without the canonical value,
    one name with two lists of options, a rule that the baseline breaks.

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
    where: tuple[Rule, ...] = ()
    kept: Mapping[str, tuple[Label, ...]] = field(default_factory=dict[str, tuple[Label, ...]])

    def __post_init__(self) -> None:
        if callable(self.where):
            raise ValueError("where= takes several rules: where=(rule,)")
        sentences = [sentence(rule) for rule in self.where]
        if len(set(sentences)) < len(sentences):
            raise ValueError(f"where= has a rule twice: {'; '.join(sentences)}")
        if not self.domains:
            raise ValueError("a SearchSpace needs a domain; its edits leave nothing undecided")
        try:
            self.check(self.baseline)
            self.baseline.experiment.require_repeatable()
        except ValueError as error:
            raise ValueError(f"the baseline is not valid: {error}") from None
        self._census.require_rules()
        self._check_options()

    def _check_options(self) -> None:
        places = dict(walk(self.canonical))
        for path, domain in undecided(self.template):
            if path.startswith("recipe.fidelity"):
                raise ValueError(
                    f"{path} says how much training a run gets; it is no part of a candidate"
                )
            parent, _, leaf = path.rpartition(".")
            recipes: Any = domain.values if path == "recipe" else ()
            if path.startswith("recipe.dataset") or any(
                recipe.dataset != self.canonical.recipe.dataset for recipe in recipes
            ):
                raise ValueError(f"{path}: a study has one data set; make a study of each")
            for value in domain.values:
                try:
                    with asking(type(places[parent]).__name__):
                        require_leaf(places[parent], leaf, value)
                except ValueError as error:
                    raise ValueError(f"{path}: {error}") from None
            if domain.off == "off" and places[path] != ():
                self._check_items(path, domain)

    def _check_items(self, path: str, subsets: Domain) -> None:
        """Refuses an item that changes nothing, such as an aux head where there is no module."""
        items = {item for value in subsets.values if isinstance(value, tuple) for item in value}
        if () not in subsets.values or not all(isinstance(item, str) for item in items):
            return

        def layers(items: tuple[Any, ...]) -> Any:
            return edit(self.canonical, {path: items}).layers()

        bare = layers(())
        for item in sorted(items):
            try:
                idle = layers((item,)) == bare
            except ValueError:
                continue
            if idle:
                raise ValueError(
                    f"{path}: {item!r} builds the same network as nothing; the canonical network "
                    "has no such place"
                )

    @cached_property
    def template(self) -> Experiment:
        """The canonical tree with a domain at each undecided leaf."""
        opened = edit(self.canonical, self.edits)
        return rewrite(opened, self._left) if self.kept else opened

    def _left(self, path: str, value: Any) -> Any:
        if not isinstance(value, Domain):
            return value
        whole = value.changed(lambda option: rewrite(option.value, self._left))
        return whole.kept(self.kept[whole.name]) if whole.name in self.kept else whole

    @cached_property
    def domains(self) -> dict[str, Domain]:
        """The decisions by name, in the order of the tree; leaves that share a name are one."""
        named: dict[str, Domain] = {}
        for _, domain in undecided(self.template):
            known = named.setdefault(domain.name, domain)
            if str(known) != str(domain):
                raise ValueError(
                    f"the name {domain.name!r} has two lists of options: {known} and {domain}; "
                    "give the second another name"
                )
            if known.default != domain.default:
                raise ValueError(
                    f"the leaves tied by {domain.name!r} have different canonical values, "
                    f"{known.default} and {domain.default}; tie them with scaled() or versus()"
                )
        return named

    @cached_property
    def sites(self) -> dict[str, tuple[str, ...]]:
        """The paths of the leaves that each decision fills."""
        paths: dict[str, dict[str, None]] = {}
        for path, domain in undecided(self.template):
            paths.setdefault(domain.name, {})[path] = None
        return {name: tuple(own) for name, own in paths.items()}

    @cached_property
    def baseline(self) -> Candidate:
        """The canonical experiment as a point of the space, with what was frozen."""
        return self.at({})

    @cached_property
    def points(self) -> Points:
        """The ways to decide, numbered from 0."""
        return self._census.points

    @cached_property
    def size(self) -> int | float:
        """How many ways there are to decide, a dropped branch's decisions not counted; infinite
        where an interval has no step. Up to COUNTED of them, those that are not valid are left out.
        """
        ways = self.points.size
        if ways > (COUNTED if self._census.at_once else COUNTED_APART):
            return ways
        return int(self._census.costs(self.points.positions(0, int(ways))).valid.sum())

    def candidate(self, index: int) -> Candidate:
        """The candidate number `index` of the ways to decide; ValueError outside, where the point
        is not valid, and where an interval has no step."""
        return self._checked(self.points.decisions(index))

    def index_of(self, candidate: Candidate) -> int:
        """The number of a candidate: `candidate(index_of(x)) == x`."""
        return self.points.index(candidate.decisions)

    def enumerate(self, start: int = 0, stop: int | None = None) -> Iterator[Candidate]:
        """Every valid candidate of the points from `start` to `stop`, lazily and in order.

        Raises ValueError at once where there are more than ENUMERATED of them, or where an interval
        has no step.
        """
        self.points.require_finite()
        end = self.points.size if stop is None else min(stop, self.points.size)
        if end - start > ENUMERATED:
            raise ValueError(
                f"the space has {self.points.size:,} points, too many to go through: "
                "enumerate(start, stop) a part of them, sample() some, or restrict() it"
            )
        return self._valid(self.points.decisions(index) for index in range(start, int(end)))

    def _valid(self, points: Iterable[Mapping[str, Label]]) -> Iterator[Candidate]:
        """The candidates at some points, without those that are not valid."""
        for decisions in points:
            try:
                yield self._checked(decisions)
            except ValueError:
                continue

    def _checked(self, decisions: Mapping[str, Label]) -> Candidate:
        candidate = self.at(decisions)
        self.check(candidate)
        return candidate

    def resolve(self, decide: Decide) -> Candidate:
        """The candidate that comes of asking `decide` once for each decision that is reached.

        Raises ValueError where the answers describe no network.
        """
        decisions: dict[str, Label] = {}

        def fill(path: str, value: Any) -> Any:
            if not isinstance(value, Domain):
                return value
            if value.name not in decisions:
                decisions[value.name] = decide(value)
            return rewrite(value.value(decisions[value.name]), fill, path)

        experiment = rewrite(self.template, fill)
        return Candidate(experiment=experiment, decisions=decisions)

    def at(self, decisions: Mapping[str, Label]) -> Candidate:
        """The candidate with these decisions, and the canonical ones elsewhere."""
        for name in decisions:
            self._domain(name)
        return self.resolve(lambda domain: decisions.get(domain.name, domain.default))

    def around(self, canonical: Experiment) -> SearchSpace:
        """The same axes and rules around another baseline."""
        return replace(self, canonical=canonical)

    def restrict(self, options: Mapping[str, Iterable[Label]]) -> SearchSpace:
        """A smaller space: {decision: the labels that are left of it}, of an interval its two ends.
        ValueError where the canonical one is not among them, or for what there is not.

        >>> from nas import googlenet, scaled
        >>> space = SearchSpace(googlenet, {"network.inception_3a.*.width": scaled(0.5, 1, 2)})
        >>> space.restrict({"network.inception_3a.conv3x3.width": ["1", "2"]}).size
        54
        """
        kept: dict[str, tuple[Label, ...]] = {}
        for name, some in options.items():
            domain = self._domain(name)
            if isinstance(some, str):
                raise ValueError(f"{name}: restrict() takes a list of labels, not {some!r}")
            left = kept[name] = tuple(some)
            for label in left:
                domain.value(label)
            if not domain.keeps(left):
                raise ValueError(
                    f"{name}: what is left must have the canonical option {domain.default!r}, and "
                    f"{list(left)} has not; freeze() fixes another"
                )
        return replace(self, kept={**self.kept, **kept})

    def freeze(self, decisions: Mapping[str, Label]) -> SearchSpace:
        """A smaller space with some decisions fixed; its baseline has them too.

        >>> from nas import googlenet, scaled
        >>> space = SearchSpace(googlenet, {"network.inception_3a.*.width": scaled(0.5, 1, 2)})
        >>> space.freeze({"network.inception_3a.conv3x3.width": "2"}).size
        27
        """
        for name, label in decisions.items():
            self._domain(name).value(label)
        fixed = {name: (label,) for name, label in decisions.items()}
        return replace(self, kept={**self.kept, **fixed})

    def _domain(self, name: str) -> Domain:
        if name not in self.domains:
            near = get_close_matches(name, self.domains, n=3, cutoff=0.4)
            hint = f"; near it: {', '.join(near)}" if near else ""
            raise ValueError(f"the space has no decision {name!r}{hint}")
        return self.domains[name]

    def sample(self, rng: Generator, budget: Budget | None = None) -> Candidate:
        """A random valid candidate, within the budget if there is one.

        Raises NothingFits when nothing fits, and names the least cost there is; ValueError when
        none of many draws fits, or none is valid.

        >>> import numpy as np
        >>> from nas import googlenet, scaled
        >>> space = SearchSpace(googlenet, {"network.inception_3a.*.width": scaled(0.5, 1, 2)})
        >>> candidate = space.sample(np.random.default_rng(0), Budget(mult_adds=1.5e9))
        >>> cost(candidate.experiment).mult_adds
        1472284672
        """
        return next(self.fitting(rng, budget))

    def fitting(self, rng: Generator, budget: Budget | None = None) -> Iterator[Candidate]:
        """Random candidates without end, uniform over what is valid and fits the budget. Raises as
        `sample`."""
        return (self.at(decisions) for decisions in fitting.fitting(self._census, rng, budget))

    def decisions(
        self, rng: Generator, budget: Budget | None = None, count: int = 1
    ) -> list[dict[str, Label]]:
        """The decisions of `count` random candidates, as `fitting` draws them; their experiments
        are not made."""
        drawn = fitting.fitting(self._census, rng, budget, first=count)
        return [self.reached(decisions) for decisions in islice(drawn, count)]

    def reached(self, decisions: Mapping[str, Label]) -> dict[str, Label]:
        """The decisions that a point with these comes to, the canonical ones where there are none:
        none inside an option that was not taken."""
        return self.points.reached(decisions)

    def positions(self, points: Sequence[Mapping[str, Label]]) -> dict[str, NDArray[Any]]:
        """The population of some points, decision by decision (N,); what one does not decide stands
        as in the baseline."""
        return {
            name: np.array([domain.position(point.get(name, domain.default)) for point in points])
            for name, domain in self.domains.items()
        }

    @property
    def counts_at_once(self) -> bool:
        """Whether the costs of many candidates are counted in one go; else one by one."""
        return self._census.at_once

    def fit(self, positions: Positions, budget: Budget | None = None) -> NDArray[np.bool_]:
        """Which of a population's candidates are valid and within the budget, (N,)."""
        spent = self.costs(positions, budget and budget.image_size)
        return fitting.within(self._census, spent, budget)

    def share(self, rng: Generator, budget: Budget | None, draws: int) -> Share:
        """How many of `draws` random points are valid, and how many of them fit the budget."""
        return fitting.share(self._census, rng, budget, draws)

    def require_fit(self, budget: Budget) -> None:
        """Raises NothingFits, with the least cost there is, when no candidate fits the budget."""
        fitting.require_fit(self._census, budget)

    def cheapest(self, name: str = "mult_adds", image_size: int | None = None) -> int:
        """The least `name` (mult_adds, params, activations) there is, or in a large space the least
        that could be found."""
        return fitting.cheapest(self._census, name, image_size)

    def costs(self, positions: Positions, image_size: int | None = None) -> Costs:
        """What the candidates of a population cost, for images of the recipe's size or another:
        arrays (N,), equal to each one's `cost` to the unit; `valid` (N,) are the networks that keep
        the rules."""
        columns = {name: np.asarray(positions[name]) for name in self.domains if name in positions}
        if len(columns) < len(self.domains) or len(set(map(len, columns.values()))) > 1:
            raise ValueError(
                "a population is one array of positions for each decision of the space, all of one "
                f"length: {', '.join(self.domains)}"
            )
        for name, column in columns.items():
            domain = self.domains[name]
            ends = domain.values if math.isinf(domain.size) else (0, domain.size - 1)
            least, most = map(float, ends)
            if len(column) and not (least <= column.min() and column.max() <= most):
                raise ValueError(f"{name}: positions lie between {least:g} and {most:g}")
        return self._census.costs(columns, image_size)

    @cached_property
    def _census(self) -> Census:
        return Census(self.template, self.domains, self.where, lambda d: self.at(d).experiment)

    def check(self, candidate: Candidate) -> None:
        """Raises ValueError where a candidate is not valid: no network, or breaking a rule."""
        self._census.check(candidate.experiment, candidate.decisions)

    def excess(self, candidate: Candidate, budget: Budget | None) -> dict[str, float]:
        """How far the candidate is over each limit, as a share of it; ValueError when it is not
        valid."""
        self.check(candidate)
        if budget is None:
            return {}
        return budget.excess(candidate.experiment, self.baseline.experiment)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names (D,) of what `encode` gives."""
        return tuple(name for name, _, _ in self._columns)

    @cached_property
    def _columns(self) -> list[Column]:
        return columns(self.template)

    def encode(self, candidate: Candidate) -> NDArray[np.float64]:
        """A candidate as a row of numbers (D,), for surrogate models: every leaf that the space can
        change, as a number; a name as one column for each option, a set as one for each item. What
        is dropped is 0.

        >>> from nas import googlenet, scaled, versus
        >>> at = "network.inception_3a.conv5x5"
        >>> space = SearchSpace(googlenet, {at: versus(off=None), f"{at}.width": scaled(1, 2)})
        >>> space.columns
        ('network.inception_3a.conv5x5.width',)
        >>> [float(*space.encode(candidate)) for candidate in space.enumerate()]
        [32.0, 64.0, 0.0]
        """
        return encode(self._columns, candidate.experiment)

    def neighbours(self, candidate: Candidate) -> Iterator[Candidate]:
        """The valid candidates one decision away: the next options of an ordered decision, every
        other option of an unordered one; none for an interval without steps. ValueError for one
        that is not valid itself."""
        self.check(candidate)
        yield from self._valid(
            {**candidate.decisions, name: other}
            for name, label in candidate.decisions.items()
            for other in beside(self.domains[name], label)
        )

    def mutate(self, candidate: Candidate, rng: Generator) -> Candidate:
        """A valid candidate with one random decision changed to another random option; ValueError
        where none of many tries describes a network."""
        names = list(candidate.decisions)
        for _ in range(MUTATIONS):
            name = names[int(rng.integers(len(names)))]
            domains = {name: self.domains[name]}
            other = labels(independent(domains, rng, 1), domains, 0)
            if other[name] == candidate.decisions[name]:
                continue
            for changed in self._valid([{**candidate.decisions, **other}]):
                return changed
        raise ValueError(f"none of {MUTATIONS:,} random changes of the candidate is valid")

    def explain(self, decisions: Mapping[str, Label], budget: Budget | None = None) -> str:
        """One sentence: what a point costs against the budget, or the rule that it breaks.
        ValueError for a decision or an option that there is not.

        >>> from nas import googlenet, versus
        >>> space = SearchSpace(googlenet, {"network.inception_4e": versus(off=None, name="4e")})
        >>> space.explain({"4e": "off"}, Budget(mult_adds=1.5e9))
        '1,404,095,488 mult-adds, 5,955,096 parameters; 6.4% under 1,500,000,000 mult-adds'
        """
        for name, label in decisions.items():
            self._domain(name).value(label)
        try:
            candidate = self._checked(decisions)
            spent = cost(candidate.experiment, budget and budget.image_size)
        except ValueError as error:
            return f"not valid: {error}"
        parts = [f"{spent.mult_adds:,} mult-adds, {spent.params:,} parameters"]
        if budget:
            parts += budget.explain(candidate.experiment, self.baseline.experiment).values()
        return "; ".join(parts)


def beside(domain: Domain, label: Label) -> Iterable[Label]:
    """The next options of an ordered decision, every other of an unordered one; none of an interval
    without steps."""
    if not domain.ordered:
        return [other for other in domain.labels if other != label]
    if math.isinf(domain.size):
        return ()
    at = int(domain.position(label))
    return [domain.label(near) for near in (at - 1, at + 1) if 0 <= near < domain.size]
