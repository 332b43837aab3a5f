import math

import numpy as np
import pytest
from sklearn import inspection

from nas.results.importance import importances, random_start
from tests.examples import epoch, record


def test_the_column_that_moves_the_scores_is_the_most_important():
    rng = np.random.default_rng(0)
    rows = rng.random((40, 3))
    made = importances(("a", "b", "c"), rows, list(90 + 3 * rows[:, 1] + rng.normal(0, 0.2, 40)))
    assert made[0].column == "b"
    assert made[0].r2 > 0.7
    assert made[0].importance > 1
    assert all(abs(row.importance) < 0.2 for row in made[1:])


@pytest.mark.parametrize("n", [6, 40])
def test_scores_that_no_column_explains_show_no_importance(n):
    rng = np.random.default_rng(1)
    made = importances(("a", "b"), rng.random((n, 2)), list(rng.normal(size=n)))
    assert all(math.isnan(row.importance) for row in made)
    assert [row.n for row in made] == [n, n]
    assert not made[0].r2 >= 0.3


def test_the_random_start_is_compared_at_the_last_epoch_that_all_of_it_reached():
    stopped = record(2, 80.0, role="candidate", state="stopped")
    stopped = stopped.__class__(**{**vars(stopped), "curve": (epoch(1, 80.0),)})
    drawn = [record(1, 90.0, role="candidate"), stopped, record(3, 95.0, role="candidate")]
    found = random_start([record(0, 99.0, role="reference"), *drawn], 2)
    assert [(each.number, score) for each, score in found] == [(1, 89.0), (2, 80.0)]
    assert random_start([], 10) == []


def test_what_was_refused_is_of_the_random_start_too():
    refused = record(1, None, role="candidate", state="infeasible")
    refused = refused.__class__(**{**vars(refused), "curve": ()})
    drawn = [refused, record(2, 90.0, role="candidate"), record(3, 95.0, role="candidate")]
    assert [each.number for each, _ in random_start(drawn, 2)] == [2]


def test_nothing_is_shuffled_for_a_model_that_explains_too_little(monkeypatch):
    asked = []
    monkeypatch.setattr(inspection, "permutation_importance", lambda *_, **__: asked.append(1))
    importances(("a",), np.random.default_rng(1).random((10, 1)), [*range(5), *range(5)])
    assert asked == []
