import math
from dataclasses import replace

import numpy as np
import pytest

from nas.results.contrasts import decompositions, interactions, seed_rows
from nas.results.effects import Replicate, effects
from tests.examples import sample

RNG = np.random.default_rng(0)
BASE = 90 + RNG.normal(0, 0.5, 8)


BASELINE = sample("baseline", BASE, "baseline")
NOISE = RNG.normal(0, 0.2, (6, 8))


def arm(change, delta, at, **values):
    return sample(change, BASE + delta + NOISE[at], **values)


def table(*samples, **how):
    return {row.name: row for row in effects([BASELINE, *samples], **how)}


def test_the_family_is_one_contrast_a_change_and_the_other_kinds_have_intervals_alone():
    raw = arm("no 5x5", -1, 0, kind="raw", primary=False)
    matched = arm("no 5x5", -0.5, 1, kind="matched")
    other = arm("no 1x1", -1, 2, kind="raw")
    rows = table(raw, matched, other)
    assert rows["no 5x5"].verdict == "secondary"
    assert math.isnan(rows["no 5x5"].p)
    assert rows["no 5x5"].low < -0.5
    both = (rows["no 5x5 (matched)"], rows["no 1x1"])
    assert [row.p_holm for row in both] == pytest.approx(
        [max(2 * min(r.p for r in both), r.p) if r.p > min(q.p for q in both) else 2 * r.p
         for r in both]
    )  # fmt: skip


def test_a_retuned_change_is_compared_with_the_retuned_baseline():
    tuned = sample("baseline", BASE + 1, "baseline", kind="retuned")
    rows = table(tuned, arm("no norm", 0.5, 0, kind="retuned"))
    assert rows["no norm (retuned)"].delta == pytest.approx(-0.5 + NOISE[0].mean())


def test_a_row_whose_seeds_have_not_all_run_has_no_p_but_its_place_in_the_family():
    done = arm("no norm", -1, 0)
    waiting = arm("no aux", -1, 1, waiting=3)
    rows = table(done, waiting)
    assert (rows["no aux"].verdict, math.isnan(rows["no aux"].p)) == ("unfinished", True)
    assert rows["no norm"].p_holm == pytest.approx(2 * rows["no norm"].p)


def test_seeds_outside_of_the_planned_looks_extend_a_row_and_planned_ones_keep_the_level():
    row = table(arm("no norm", -1, 0), looks=(6, 8))["no norm"]
    assert (row.verdict, row.level < 0.035) == ("worse", True)
    row = table(arm("no norm", -1, 0), looks=(6, 10))["no norm"]
    assert (row.verdict, math.isnan(row.p)) == ("extended", True)


def test_equivalent_needs_the_whole_interval_inside_the_margin():
    close = sample("close", BASE + np.tile([0.1, -0.1], 4))
    assert table(close, margin=0.5)["close"].verdict == "equivalent"
    low = table(close)["close"].low
    assert table(close, margin=-low * 0.99)["close"].verdict == "inconclusive"
    assert table(close)["close"].verdict == "inconclusive"


def test_what_a_row_could_have_shown_stands_beside_it():
    row = table(arm("no norm", -1, 0), arm("no aux", 0, 1))["no norm"]
    assert 0.1 < row.visible < 0.6
    assert row.check == "0.00781"
    few = sample("few", (BASE - 1 + NOISE[2])[:3])
    assert table(few)["few"].check == "n too small"


def test_diverged_and_guessing_runs_are_counted_and_kept():
    runs = dict(arm("no norm", 0, 0).runs)
    runs[2] = Replicate(seed=2, score=10.0, diverged=True, at_chance=True)
    row = table(sample("no norm", (), runs=runs))["no norm"]
    assert (row.n, row.diverged, row.at_chance) == (8, 1, 1)
    assert row.delta < -9


def test_a_change_with_a_seed_that_gave_no_score_has_an_interval_and_no_verdict():
    scores = [*(BASE + 2 + NOISE[0])[:6], math.nan, math.nan]
    left = sample("no norm", scores, lost=2, diverged=1)
    row = table(left, arm("no aux", 1, 0))["no norm"]
    assert (row.verdict, row.n, row.diverged) == ("incomplete", 6, 1)
    assert math.isnan(row.p_holm)
    assert row.low > 0
    assert row.note == "2 of 8 have no score"


def test_a_raw_effect_is_that_of_the_part_and_that_of_its_cost():
    raw = arm("no 5x5", -1.0, 0, kind="raw")
    control = arm("no 5x5", -0.4, 1, kind="control", primary=False)
    (row,) = decompositions([BASELINE, raw, control])
    assert row.delta == pytest.approx(row.part + row.size)
    assert row.size == pytest.approx(-0.4 + NOISE[1].mean())
    assert row.part_low < row.part < row.part_high
    holed = sample("no 5x5", [math.nan, *(BASE - 0.4)[1:]], kind="control", primary=False)
    (row,) = decompositions([BASELINE, raw, holed])
    assert row.n == 7
    assert row.delta == pytest.approx(row.part + row.size)


def test_an_interaction_is_what_two_changes_do_more_than_apart():
    a, b = arm("a", -1, 0, parts=("a",)), arm("b", -0.5, 1, parts=("b",))
    both = arm("a + b", -3, 2, parts=("a", "b"))
    (row,) = interactions([BASELINE, a, b, both])
    assert (row.first, row.second, row.verdict) == ("a", "b", "worse")
    assert row.delta == pytest.approx(-1.5 + (NOISE[2] - NOISE[0] - NOISE[1]).mean())
    assert interactions([BASELINE, a, b]) == ()


def pair(**values):
    a, b = arm("a", -1, 0, parts=("a",), **values), arm("b", -0.5, 1, parts=("b",), **values)
    return a, b, arm("a + b", -3, 2, parts=("a", "b"), **values)


@pytest.mark.parametrize(
    ("values", "looks", "said"),
    [
        ({"waiting": 2}, (), "unfinished"),
        ({"lost": 1}, (), "incomplete"),
        ({}, (6, 10), "extended"),
        ({}, (6, 8), "worse"),
    ],
)
def test_an_interaction_is_tested_only_where_its_changes_are(values, looks, said):
    (row,) = interactions([BASELINE, *pair(**values)], looks=looks)
    assert row.verdict == said
    assert math.isnan(row.p) == math.isnan(row.level) == (said != "worse")
    if looks == (6, 8):
        assert row.level < 0.035


def test_interactions_are_asked_of_one_kind_of_each_change():
    raw = pair(kind="raw", primary=False)
    assert len(interactions([BASELINE, *raw, *pair(kind="matched")])) == 1


@pytest.mark.parametrize(("raw", "told"), [(10, 1), (None, 1), (8, 0)])
def test_an_interaction_takes_a_raw_part_where_it_moves_no_cost(raw, told):
    a, b, both = pair(kind="matched", mult_adds=10)
    parts = [a, replace(b, arm=replace(b.arm, kind="raw"), mult_adds=raw), both]
    assert len(interactions([replace(BASELINE, mult_adds=10), *parts])) == told


def test_seeds_have_a_row_each_beside_the_baseline():
    rows = list(seed_rows([BASELINE, arm("a", -1, 0)]))
    assert len(rows) == 16
    assert rows[0].difference == 0
    assert rows[8].difference == pytest.approx(-1 + NOISE[0][0])
    assert [(row.stream, row.seed) for row in rows[8:11]] == [("all", 0), ("all", 1), ("all", 2)]
