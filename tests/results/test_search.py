import math
from dataclasses import replace

import numpy as np
import pytest
from sklearn import inspection

from nas.results.search import (
    distribution,
    early,
    importance,
    importances,
    progress,
    random_start,
    slices,
    spent,
    timeline,
)
from tests.examples import epoch, record, search_records
from tests.specimens import curve

RECORDS = search_records(60)[1]


def candidate(number, score, **values):
    return record(number, score, candidate_id=str(number), role="candidate", **values)


def test_the_best_so_far_counts_only_what_was_trained_to_the_end_within_the_budget():
    rows = progress(
        (
            record(0, 99.0, role="reference"),
            candidate(1, 90.0),
            candidate(2, 97.0, state="stopped"),
            candidate(3, 98.0, excess=0.5),
            candidate(4, None, state="infeasible", excess=0.5),
            candidate(5, 92.0),
        )
    )
    assert [row.number for row in rows] == [1, 2, 3, 5]
    assert [row.best for row in rows] == [90.0, 90.0, 90.0, 92.0]
    assert [row.score for row in rows] == [90.0, None, 98.0, 92.0]
    assert [row.compute for row in rows] == [2.0, 4.0, 6.0, 8.0]
    assert [row.elapsed for row in rows] == [1.0] * 4


def test_the_distribution_rises_to_one():
    rows = distribution(RECORDS)
    assert [row.score for row in rows] == sorted(row.score for row in rows)
    assert [row.share for row in rows] == pytest.approx(
        [sum(other.score <= row.score for other in rows) / len(rows) for row in rows]
    )
    assert rows[-1].share == 1


def test_every_proposal_is_in_one_bin():
    rows = spent(RECORDS)
    asked = [r for r in RECORDS if r.role == "candidate"]
    assert sum(row.refused for row in rows) == sum(r.state == "infeasible" for r in asked)
    assert sum(row.complete + row.stopped + row.refused for row in rows) == len(asked)
    assert rows[0].low == min(r.mult_adds for r in asked)


def test_early_epochs_are_ranked_against_the_last():
    runs = [candidate(at, 90.0 + at) for at in range(8)]
    rows = early(runs)
    assert [(row.epoch, row.n, row.correlation) for row in rows] == [(1, 8, pytest.approx(1.0))]
    assert early(runs[:4]) == ()


def test_slices_group_the_scores_by_label_in_the_labels_order():
    rows = slices(RECORDS)
    assert [row.label for row in rows if row.decision == "width"] == ["0.5", "0.75", "1", "1.5"]
    for row in rows:
        assert row.n == len(row.scores)
        assert row.best == max(row.scores)


def test_the_timeline_counts_from_the_first_run():
    rows = timeline(RECORDS)
    assert rows[0].start == 0.0
    assert [row.start for row in rows] == sorted(row.start for row in rows)


def test_the_decision_that_moves_the_score_is_the_most_important():
    width, heads = importance(RECORDS, startup=60)
    assert width.r2 > 0.5
    assert width.column == "width"
    assert width.importance > 5 * abs(heads.importance)


def test_no_importance_is_told_of_few_candidates_of_noise_or_of_no_decisions():
    assert math.isnan(importance(RECORDS, startup=5)[0].importance)
    noise = [replace(r, curve=curve(90.0 + r.number * 7919 % 13)) for r in RECORDS]
    assert math.isnan(importance(noise, startup=60)[0].importance)
    assert importance([replace(r, decisions={}) for r in RECORDS], startup=60) == ()


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
    start = random_start([record(0, 99.0, role="reference"), *drawn], 2)
    assert [(each.number, score) for each, score in start] == [(1, 89.0), (2, 80.0)]
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
