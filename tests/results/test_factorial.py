import math

import numpy as np
import pytest

from nas.plan.designs import fraction
from nas.results.factorial import factor_interactions, factors
from tests import examples

SEEDS = 3


def sample(parts, scores, role=None, **values):
    role = role or ("change" if parts else "baseline")
    return examples.sample("run " + "".join(parts), scores, role, parts=parts, **values)


def made(score, count=4, **values):
    """A fraction of the factors a, b, ..., each arm with `score(parts)`, seed by seed."""
    names = "abcdefgh"[:count]
    runs = [
        tuple(name for name, high in zip(names, run, strict=True) if high)
        for run in fraction(count)
    ]
    return [sample(parts, score(parts), **values) for parts in runs]


def noisy(rng, level=90.0):
    return lambda parts: level + rng.normal(0, 0.1, SEEDS)


def test_retuned_arms_are_held_against_the_retuned_baseline():
    rng = np.random.default_rng(0)
    plain = sample((), noisy(rng)(()))
    tuned = made(noisy(rng, level=92.0), kind="retuned")
    again = sample((), noisy(rng)(()), role="control")
    first, *rows, chance = factors([plain, *tuned, again])
    assert (first.kind, first.mean) == ("retuned", pytest.approx(92, abs=0.2))
    assert {row.verdict for row in rows} == {"inconclusive"}
    assert max(abs(row.delta) for row in rows) < 0.3
    assert abs(chance.delta) < 0.3  # from the plain baseline


def test_the_a_a_row_of_a_factorial_knows_the_metrics_step():
    arms = made(lambda parts: [98.0] * SEEDS)
    again = sample((), [98.25] * SEEDS, role="control")
    *_, chance = factors([*arms, again], resolution=0.25)
    assert chance.p > 0.05
    assert chance.low < 0 < chance.high


def test_what_is_unfinished_has_neither_factors_nor_interactions_with_a_p():
    arms = made(noisy(np.random.default_rng(1)), waiting=1)
    rows = (*factors(arms)[1:], *factor_interactions(arms))
    assert {row.verdict for row in rows} == {"unfinished"}
    assert all(math.isnan(row.p) and math.isnan(row.level) for row in rows)
    extended = made(noisy(np.random.default_rng(1)))
    assert {row.verdict for row in factor_interactions(extended, looks=(2,))} == {"extended"}


def varying(rng, *names, seeds=8):
    """Arms whose factors `names` do something else on each seed, and nothing on average."""
    effect = {name: rng.normal(0, 2.0, seeds) for name in names}
    shift = rng.normal(0, 0.1, (8, seeds))
    runs = fraction(4)

    def score(parts):
        at = runs.index(tuple(int(name in parts) for name in "abcd"))
        return (
            90
            + shift[at]
            + sum((effect[name] for name in parts if name in effect), np.zeros(seeds))
        )

    return made(score)


def test_a_factor_that_varies_with_the_seed_is_judged_by_its_own_seeds():
    rows = {row.change: row for row in factors(varying(np.random.default_rng(2), "a"))[1:]}
    assert "varies from seed to seed more than the others" in rows["a"].note
    assert rows["a"].high - rows["a"].low > 2 * (rows["b"].high - rows["b"].low)
    assert [rows[name].note for name in "bcd"] == [""] * 3


def test_equal_scores_on_every_seed_tell_nothing_of_a_factor():
    rows = factors(made(lambda parts: [98.0 + ("a" in parts)] * SEEDS))[1:]
    assert {row.verdict for row in rows} == {"inconclusive"}
    assert all("say by resolution=" in row.note for row in rows)
