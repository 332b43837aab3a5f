import math
from dataclasses import replace

import pytest

from nas import edit
from nas.plan.arms import BASELINE, CONTROL
from nas.results.flow import gradients
from nas.results.methods import checklist, facts
from nas.results.price import prices
from nas.results.summary import summary
from nas.results.tables import Results
from nas.stats.looks import look_level
from nas.stats.paired import visible
from nas.tree.rebuild import python
from reports.pages.ablation import reading
from tests.examples import BASE, STORED, ablation_records, built, cells, search_records

SCORES = {
    BASELINE: [98.0, 98.5, 97.5, 98.25],
    "3a: no 5x5 branch": [97.0, 97.75, 96.5, 97.25],
    "same": [98.0, 98.5, 97.5, 98.25],
    CONTROL: [98.0, 97.75, 98.5, 98.25],
}


@pytest.fixture
def results():
    study, records = ablation_records(SCORES)
    without = edit(STORED, {"network.inception_3a.conv5x5": None})
    made = (built(r, without) if r.change == "3a: no 5x5 branch" else r for r in records)
    return Results(study, tuple(made))


def test_a_change_says_where_it_is_and_what_it_adds(results):
    row, same = prices(results)
    assert (row.module, row.branch) == ("inception_3a", "conv5x5")
    assert row.added == row.direct + row.propagated < 0
    assert (same.module, same.added) == (None, 0)
    assert row.seconds == 2.0


def test_a_change_to_a_network_of_ones_own_says_where_it_is_too():
    assert [(row.change, row.module, row.branch) for row in prices(cells())] == [
        ("1a: no wide", "cell_1a", "wide"), ("2b: no narrow", "cell_2b", "narrow"),
        ("no 2a", "cell_2a", None), ("narrow stem", None, None),
    ]  # fmt: skip


def test_the_seeds_that_are_needed_show_the_difference_and_one_less_does_not(results):
    row = prices(results)[0]
    effect = next(each for each in results.effects if each.change == row.change)
    spread = max(_sd(effect.differences), results.resolution)
    assert row.needed is not None
    assert visible(row.needed, 2) * spread <= abs(effect.delta)
    assert row.needed == 2 or visible(row.needed - 1, 2) * spread > abs(effect.delta)


def test_no_number_of_seeds_shows_no_difference(results):
    same = prices(results)[1]
    assert (same.needed, same.hours) == (None, None)


def test_the_summary_counts_what_the_tables_say(results):
    row = summary(results)
    assert row.trials == row.complete == len(results.records)
    assert row.baseline == next(r for r in results.candidates if r.role == "baseline").mean
    assert row.verdict == "1 worse, 1 inconclusive"
    assert row.confirmed is None
    assert math.isnan(row.delta)


def test_an_empty_study_has_a_summary_and_methods():
    study, _ = ablation_records(SCORES)
    empty = Results(study, ())
    assert summary(empty).updated is None
    assert facts(empty)
    assert not any(check.kept for check in checklist(empty))


def test_the_checklist_is_ticked_from_the_records_alone(results):
    kept = {check.practice: check.kept for check in checklist(results)}
    assert kept["Ablations"]
    asked = {check.practice: check.evidence for check in checklist(results)}["Ablations"]
    assert asked == f"{sum(row.primary for row in results.effects)} changes"
    assert kept["Several seeds, and their number told"]
    assert not kept["What was selected is confirmed on data that selected nothing"]
    assert not kept["A comparison with random search"]


def test_a_samplers_random_start_is_no_comparison_with_random_search():
    for startup, kept in ((10, False), (15, False), (16, True)):
        study, records = search_records(16, startup=startup)
        found = {check.practice: check for check in checklist(Results(study, records))}
        check = found["A comparison with random search"]
        assert check.kept is kept
        assert ("no search of its own" in check.evidence) is not kept


def test_the_checklist_counts_every_protocol_that_the_methods_list(results):
    first = results.records[0]
    other = replace(first.protocol, evaluation="test, last epoch, one crop")
    fresh = replace(first, number=99, role="confirmation", test=98.0, crops=1, protocol=other)
    for records, kept in (((fresh,), True), ((replace(fresh, role="change"),), False)):
        found = Results(results.study, (*results.records, *records))
        (check,) = (each for each in checklist(found) if each.practice.startswith("The same data"))
        listed = sum(fact.about == "Protocol" for fact in facts(found))
        assert check.evidence.startswith(f"protocols among the finished runs: {listed}; ")
        assert check.kept is kept


def test_gradients_go_from_the_image_to_the_head(results):
    first = results.records[0]
    norms = {"stem": 1.0, "inception_3a": 2.0, "aux_4a": 9.0, "head": 3.0}
    told = replace(first, curve=(replace(first.curve[-1], gradients=norms),))
    rows = gradients("this", BASE, [told, first], first.candidate_id)
    assert [(row.module, row.depth, row.mean) for row in rows] == [
        ("stem", 1, 1.0), ("inception_3a", 2, 2.0), ("head", 3, 3.0),
    ]  # fmt: skip
    assert gradients("this", BASE, [first], first.candidate_id) == ()


@pytest.mark.parametrize(
    "tree",
    [BASE, edit(BASE, {"network.inception_4a.conv5x5": None, "network.aux_after": ()})],
    ids=["baseline", "variant"],
)
def test_the_python_of_a_tree_makes_it_again(tree):
    made = {}
    exec(python(tree), made)
    assert made["experiment"] == tree
    assert made["experiment"].candidate_id == tree.candidate_id


def _sd(values):
    mean = sum(values) / len(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


def test_a_table_of_planned_looks_is_told_and_priced_at_their_level(results):
    looked = Results(replace(results.study, looks=(4, 8)), results.records)
    level = look_level((4, 8))
    effect, row = looked.effects[1], prices(looked)[0]
    assert effect.level == level < 0.05
    seen = abs(effect.delta) / max(_sd(effect.differences), looked.resolution)
    assert visible(row.needed, 2, level=level) <= seen < visible(row.needed - 1, 2, level=level)
    said = reading(looked.effects, None)
    assert f"an adjusted p below {level:g}, the level of each of the planned looks" in said
    assert "an adjusted p below 0.05." in reading(results.effects, None)
    (told,) = [fact.text for fact in facts(looked) if fact.about == "Statistics"]
    assert f"Looks were planned at 4 and 8 seeds, each at a level of {level:g}." in told


def test_a_factorial_is_not_told_as_a_paired_t_test(results):
    (told,) = [
        fact.text
        for fact in facts(Results(replace(results.study, design="factorial"), results.records))
        if fact.about == "Statistics"
    ]
    assert told.startswith("All arms that have a factor less all others, seed by seed")
    rows = [replace(results.effects[1], kind="factor")]
    assert reading(rows, None).startswith("A factor's difference is the mean of all arms that have")


def test_differences_without_a_spread_price_no_seeds(results):
    study = replace(results.study, resolution=0.0)
    same = prices(Results(study, results.records))[1]
    assert (same.change, same.needed, same.hours) == ("same", None, None)
