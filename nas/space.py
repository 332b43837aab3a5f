"""SearchSpace: the canonical experiment with leaves left open; Candidate: a way to fill them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from nas.cost import Budget, Cost, cost
from nas.domain import Choice, Domain, Interval, Label
from nas.errors import NothingFits
from nas.experiment import Experiment
from nas.points import Points, options, undecided
from nas.population import Buildable, Costs, Positions, Undecided, costs, join, one
from nas.sampling import draw, independent, labels
from nas.tree import edit, rewrite, walk

Decide = Callable[[Domain], Label]
COUNTED = 512
ENUMERATED = 10_000_000
FIRST, CHUNK = 64, 8192
"""Candidates that are counted at a time: few for one sample, then as many as fit the cache."""
MUTATIONS = 1_000
CHEAPEST, STARTS = 2048, 4
"""Random candidates that are looked at for the cheapest, and how many of them are improved."""
DRAWS = 100_000
"""Draws without a fit after which sampling within a budget gives up."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """Of so many random points, how many are networks, and how many of them fit a budget."""

    draws: int
    valid: int
    fitting: int


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
        for path, domain in undecided(self.template):
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
            if isinstance(domain, Choice) and domain.off == "off" and places[path] != ():
                self._check_items(path, domain)

    def _check_items(self, path: str, subsets: Choice) -> None:
        """Refuses an item that changes nothing, such as an aux head where there is no module."""
        values = [option.value for option in subsets.options]
        items = {item for value in values if isinstance(value, tuple) for item in value}
        if () not in values or not all(isinstance(item, str) for item in items):
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
        return edit(self.canonical, self.edits)

    @cached_property
    def domains(self) -> dict[str, Domain]:
        """The decisions by name, in the order of the tree; leaves that share a name are one."""
        made: dict[str, Domain] = {}
        for _, domain in undecided(self.template):
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
        for path, domain in undecided(self.template):
            if path not in made.setdefault(domain.name, []):
                made[domain.name].append(path)
        return {name: tuple(paths) for name, paths in made.items()}

    @cached_property
    def baseline(self) -> Candidate:
        """The canonical experiment as a point of the space."""
        return self.at({})

    @cached_property
    def points(self) -> Points:
        """The ways to decide, numbered from 0."""
        return Points(self.template)

    @cached_property
    def size(self) -> int | float:
        """How many ways there are to decide, a dropped branch's decisions not counted; infinite
        where an interval has no step. Up to COUNTED of them, those that describe no network are
        left out."""
        ways = self.points.size
        return ways if ways > COUNTED else sum(1 for _ in self.enumerate())

    def candidate(self, index: int) -> Candidate:
        """The candidate number `index` of the ways to decide; ValueError outside, where the point
        describes no network, and where an interval has no step."""
        candidate = self.at(self.points.decisions(index))
        candidate.experiment.layers()
        return candidate

    def index_of(self, candidate: Candidate) -> int:
        """The number of a candidate: `candidate(index_of(x)) == x`."""
        return self.points.index(candidate.decisions)

    def enumerate(self, start: int = 0, stop: int | None = None) -> Iterator[Candidate]:
        """Every valid candidate of the points from `start` to `stop`, lazily and in order.

        Raises ValueError at once where there are more than ENUMERATED of them.
        """
        end = self.points.size if stop is None else min(stop, self.points.size)
        if end - start > ENUMERATED:
            raise ValueError(
                f"the space has {self.points.size:,} points, too many to go through: "
                "enumerate(start, stop) a part of them, sample() some, or give fewer options"
            )
        return self._enumerate(range(start, int(end)))

    def _enumerate(self, indices: range) -> Iterator[Candidate]:
        for index in indices:
            try:
                yield self.candidate(index)
            except ValueError:
                continue

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
        1472284672
        """
        return next(self.fitting(rng, budget))

    def fitting(self, rng: Generator, budget: Budget | None = None) -> Iterator[Candidate]:
        """Random candidates without end, uniform over what is valid and fits the budget.

        Points are drawn uniformly and kept where they fit, thousands at a time. Raises as `sample`.
        """
        count, missed = FIRST, 0
        while True:
            drawn = draw(self.points, self.domains, rng, count)
            fits = self.fit(drawn, budget)
            if not fits.any():
                missed += count
                if missed >= DRAWS:
                    raise self._nothing(budget, missed)
            for at in np.flatnonzero(fits):
                missed = 0
                yield self.at(labels(drawn, self.domains, int(at)))
            count = min(2 * count, CHUNK)

    def fit(self, positions: Positions, budget: Budget | None = None) -> NDArray[np.bool_]:
        """Which of a population's candidates are networks within the budget, (N,)."""
        spent = self.costs(positions, budget.image_size if budget else None)
        fits = spent.valid.copy()
        for limit in budget.bounds(self.baseline.experiment) if budget else ():
            values = getattr(spent, limit.name)
            fits &= (values >= limit.least) & (values <= limit.most)
        return fits

    def costs(self, positions: Positions, image_size: int | None = None) -> Costs:
        """What the candidates of a population cost, for images of the recipe's size or another:
        arrays (N,), equal to each one's `cost` to the unit.

        A network without `build`, and a space that decides over the image size or over whole
        networks, is counted one candidate at a time.
        """
        count = len(next(iter(positions.values())))
        parts = [
            {name: held[at : at + CHUNK] for name, held in positions.items()}
            for at in range(0, count, CHUNK)
        ]
        made = [self._costs(part, image_size) for part in parts]
        return made[0] if len(made) == 1 else join(made)

    def _costs(self, positions: Positions, image_size: int | None) -> Costs:
        count = len(next(iter(positions.values())))
        network: Any = self.template.network
        trained: Any = getattr(self.template.recipe, "image_size", None)
        if isinstance(network, Buildable) and isinstance(trained, int):
            size = image_size or trained
            shape = (self.canonical.shape[0], size, size)
            with suppress(Undecided):
                return costs(network, shape, self.canonical.classes, positions, count)
        each = (labels(positions, self.domains, at) for at in range(count))
        return join([self._cost_of(decisions, image_size) for decisions in each])

    def _cost_of(self, decisions: Mapping[str, Label], image_size: int | None) -> Costs:
        try:
            spent = cost(self.at(decisions).experiment, image_size)
        except ValueError:
            return one(None)
        return one(spent)

    def share(self, rng: Generator, budget: Budget | None, draws: int) -> Share:
        """How many of `draws` random points are networks, and how many of them fit the budget."""
        valid = fitting = 0
        for at in range(0, draws, CHUNK):
            drawn = draw(self.points, self.domains, rng, min(CHUNK, draws - at))
            valid += int(self.fit(drawn).sum())
            fitting += int(self.fit(drawn, budget).sum())
        return Share(draws=draws, valid=valid, fitting=fitting)

    def _nothing(self, budget: Budget | None, missed: int) -> Exception:
        """Why nothing was found: no networks, no candidate that fits at all, or too few."""
        if budget is None:
            return ValueError(f"none of {missed:,} random candidates describes a network")
        try:
            self.require_fit(budget)
        except NothingFits as error:
            return error
        rng = np.random.default_rng(0)
        drawn = draw(self.points, self.domains, rng, CHUNK)
        spent = self.costs(drawn, budget.image_size)
        said: list[str] = []
        for limit in budget.bounds(self.baseline.experiment):
            values = getattr(spent, limit.name)[spent.valid]
            under, over = values[values < limit.least], values[values > limit.most]
            near = [f"{under.max():,.0f} below"] if len(under) else []
            near += [f"{over.min():,.0f} above"] if len(over) else []
            said.append(f"{limit} (nearest met: {', '.join(near) or 'inside'})")
        return ValueError(
            f"none of {missed:,} random candidates fits the budget of {' and '.join(said)}; widen "
            "it, or give the space other options"
        )

    def require_fit(self, budget: Budget) -> None:
        """Raises NothingFits, with the least cost there is, when no candidate fits the budget."""
        for limit in budget.bounds(self.baseline.experiment):
            known = getattr(cost(self.baseline.experiment, budget.image_size), limit.name)
            if known <= limit.most:
                continue
            least = getattr(self.cheapest(limit.name, budget.image_size), limit.name)
            if least > limit.most:
                raise NothingFits(
                    f"nothing fits the budget of {limit.most:,.0f} {limit.name.replace('_', '-')}: "
                    f"the least that a candidate of this space costs is {least:,}; raise the "
                    "budget, or give the space smaller options"
                )

    def cheapest(self, name: str = "mult_adds", image_size: int | None = None) -> Cost:
        """The least `name` (mult_adds, params, activations) found: from the baseline and from the
        cheapest of many random candidates, each decision in turn is set to its cheapest option
        until none makes the network cheaper."""
        drawn = draw(self.points, self.domains, np.random.default_rng(0), CHEAPEST)
        spent = self.costs(drawn, image_size)
        ranked = np.argsort(np.where(spent.valid, getattr(spent, name), np.inf))[:STARTS]
        starts = [labels(drawn, self.domains, int(at)) for at in ranked if spent.valid[at]]
        found = [self._descend(start, name, image_size) for start in ({}, *starts)]
        return min(found, key=lambda spent: getattr(spent, name))

    def _descend(self, decisions: Mapping[str, Label], name: str, image_size: int | None) -> Cost:
        here = dict(decisions)
        best = cost(self.at(here).experiment, image_size)
        better = True
        while better:
            better = False
            for decision, domain in self.domains.items():
                for label in _some(domain):
                    try:
                        candidate = self.at({**here, decision: label})
                        spent = cost(candidate.experiment, image_size)
                    except ValueError:
                        continue
                    if getattr(spent, name) < getattr(best, name):
                        here, best, better = {**here, decision: label}, spent, True
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

    def mutate(self, candidate: Candidate, rng: Generator) -> Candidate:
        """A valid candidate with one random decision changed to another random option; ValueError
        where none of many tries describes a network."""
        names = list(candidate.decisions)
        for _ in range(MUTATIONS):
            name = names[int(rng.integers(len(names)))]
            domain = self.domains[name]
            other = labels(independent({name: domain}, rng, 1), {name: domain}, 0)[name]
            if other == candidate.decisions[name]:
                continue
            try:
                changed = self.at({**candidate.decisions, name: other})
                changed.experiment.layers()
            except ValueError:
                continue
            return changed
        raise ValueError(f"none of {MUTATIONS:,} random changes of the candidate is a network")

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


def _spelled(domain: Domain) -> str:
    if isinstance(domain, Choice):
        return "(" + ", ".join(domain.labels) + ")"
    return f"[{domain.low:g}, {domain.high:g}] step {domain.step} log {domain.log}"


def _some(domain: Domain) -> Iterable[Label]:
    """The labels of a domain; of one with very many, its ends and some between."""
    if isinstance(domain, Choice):
        return domain.labels
    if domain.step is None:
        return (domain.low, domain.high)
    count = int(options(domain))
    return [domain.at(step) for step in sorted({*range(0, count, -(-count // 16)), count - 1})]


def _beside(domain: Domain, label: Label) -> Iterable[Label]:
    if isinstance(domain, Choice):
        if not domain.ordered:
            return [other for other in domain.labels if other != label]
        at = domain.labels.index(str(label))
        return [domain.labels[i] for i in (at - 1, at + 1) if 0 <= i < len(domain.labels)]
    if domain.step is None:
        return []
    at = round((float(label) - domain.low) / domain.step)
    return [domain.at(near) for near in (at - 1, at + 1) if 0 <= near < options(domain)]
