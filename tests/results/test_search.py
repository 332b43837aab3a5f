import math
from dataclasses import replace

import pytest

from nas.results.search import decided, distribution, early, progress, slices, spent, timeline
from tests.examples import record, search_records
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
    width, heads = decided(RECORDS, startup=60)
    assert width.r2 > 0.5
    assert width.column == "width"
    assert width.importance > 5 * abs(heads.importance)


def test_no_importance_is_told_of_few_candidates_of_noise_or_of_no_decisions():
    assert math.isnan(decided(RECORDS, startup=5)[0].importance)
    noise = [replace(r, curve=curve(90.0 + r.number * 7919 % 13)) for r in RECORDS]
    assert math.isnan(decided(noise, startup=60)[0].importance)
    assert decided([replace(r, decisions={}) for r in RECORDS], startup=60) == ()
