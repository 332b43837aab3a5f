"""A Gaussian process inside the budget: the sampler that a search has where none is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.plan.samplers.sampler import Ask, Decisions, Sampler
from nas.runs.record import Record

if TYPE_CHECKING:
    from nas.plan.samplers.surrogate import Encoding, Floats, Kernel, Posterior

POOL, POOL_APART = 800, 200
"""Random candidates that are weighed, and where costs are counted one by one."""
BEST = 5
"""Candidates of the highest means whose neighbours are weighed too."""
SAMPLE = 256
"""Random candidates among which a cost has its rank."""
LIKELY = 200
"""Runs from which the kernel is fitted at the most, evenly spaced."""


@dataclass(frozen=True, kw_only=True)
class GP(Sampler):
    """A Gaussian process on the decisions and the costs, by its expected improvement.

    The kernel is ordinal and Hamming, with a weight for each decision (by the marginal likelihood).
    Scores go in as normal quantiles of their ranks. Weighed are random candidates from inside the
    budget and the neighbours of the five best; the best so far is that of the highest mean, not of
    the luckiest score. A run under way counts as what is expected of it; one that was stopped early
    ranks behind all that went further.
    """

    def suggest(self, ask: Ask) -> Decisions:
        if self.is_starting(ask) or len(ask.scored) < 2:
            return ask.random()
        from nas.plan.samplers.surrogate import expected_improvement

        posterior, tried = self._posterior(ask)
        known = [record.decisions for record in tried]
        means, _ = posterior.at(posterior.rows)
        near = [known[at] for at in np.argsort(-means, kind="stable")[:BEST]]
        drawn = ask.pool(POOL if ask.space.counts_at_once else POOL_APART)
        weighed = [*drawn, *ask.neighbours(*near)]
        trained = set(map(ask.key, known))
        new = {ask.key(each): each for each in weighed}
        left = [each for key, each in new.items() if key not in trained]
        if not left:
            return ask.random()
        rows = _encoded(ask, posterior.encoding, left)
        gains = expected_improvement(*posterior.at(rows), float(means.max()))
        return ask.first_new(left[at] for at in np.argsort(-gains, kind="stable"))

    def means(self, ask: Ask) -> dict[int, float]:
        """For each run that is over the mean of its true score's rank, as a normal quantile."""
        posterior, tried = self._posterior(ask)
        means, _ = posterior.at(posterior.rows)
        return {record.number: float(mean) for record, mean in zip(tried, means, strict=True)}

    def _posterior(self, ask: Ask) -> tuple[Posterior, list[Record]]:
        from nas.plan.samplers.surrogate import Posterior, normal_scores

        encoding = self._encoding(ask)
        over = [record for record in ask.tried if record.state != "running"]
        running = [record for record in ask.tried if record.state == "running"]
        rows = _encoded(ask, encoding, [record.decisions for record in over])
        scores = normal_scores(list(map(_rank, over)))
        kernel = self._kernel(ask, encoding, rows, list(map(_rank, over)))
        posterior = Posterior(encoding, kernel, rows, scores)
        if running:
            more = _encoded(ask, encoding, [record.decisions for record in running])
            believed, _ = posterior.at(more)
            rows, scores = np.concatenate([rows, more]), np.concatenate([scores, believed])
            posterior = Posterior(encoding, kernel, rows, scores)
        return posterior, [*over, *running]

    def _encoding(self, ask: Ask) -> Encoding:
        from nas.plan.samplers.surrogate import Encoding

        if "encoding" not in ask.memory:
            space = ask.space
            drawn = space.decisions(self.rng(-1), ask.budget, SAMPLE)
            ask.memory["encoding"] = Encoding(space, space.costs(space.positions(drawn)))
        return ask.memory["encoding"]

    def _kernel(self, ask: Ask, encoding: Encoding, rows: Floats, ranks: list[Any]) -> Kernel:
        """Fitted anew when a tenth more runs are over: to the first of them, by number."""
        from nas.plan.samplers.surrogate import fitted, normal_scores

        count = len(rows) - len(rows) % max(1, len(rows) // 10)
        some = np.unique(np.linspace(0, count - 1, min(count, LIKELY)).astype(int))
        used, told = rows[some], normal_scores([ranks[at] for at in some])
        key = (used.tobytes(), told.tobytes())
        if ask.memory.get("fitted") != key:
            ask.memory["fitted"], ask.memory["kernel"] = key, fitted(encoding, used, told)
        return ask.memory["kernel"]


def _encoded(ask: Ask, encoding: Encoding, many: list[Decisions]) -> Floats:
    return encoding.rows(many, ask.space.costs(ask.space.positions(many)))


def _rank(record: Record) -> tuple[int, float]:
    """What a run's score is ranked by: how far it came, then the score there."""
    if record.score is None or record.state not in ("complete", "stopped"):
        return 0, 0.0
    return len(record.curve), record.score
