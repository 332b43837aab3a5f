import math
from dataclasses import replace

import pytest
from examples import ablation_records, record

from nas import edit, googlenet
from nas.ablation import BASELINE
from nas.summary import summary
from nas.tables import Results
from reports import words
from reports.case import Case
from reports.pages import differences
from reports.pages.search import search
from reports.pages.study import study
from reports.pages.variant import variant

FIRST, SECOND = "aaaa", "bbbb"


def confirmed(test, validation):
    """A stored search and the confirmation of its two candidates and the baseline: their accuracies
    on the test and the validation split, seed by seed."""
    known, ablation = ablation_records({BASELINE: [98.0, 98.5, 98.25], "a": [97.0, 97.75, 97.0]})
    found = [
        *ablation,
        record(20, 98.5, role="reference", seed=77),
        record(21, 99.5, role="candidate", candidate_id=FIRST, mult_adds=500),
        record(22, 99.0, role="candidate", candidate_id=SECOND, mult_adds=600),
    ]
    for key, scores in test.items():
        for at, (score, fresh) in enumerate(zip(scores, validation[key], strict=True)):
            made = record(100 + len(found), fresh, role="confirmation", seed=1000 + at,
                          candidate_id=key)  # fmt: skip
            found.append(replace(made, test=score, crops=1))
    return Results(replace(known, trials=2), tuple(found))


@pytest.fixture
def results():
    return confirmed(
        {None: [98.5, 99.0, 98.75], FIRST: [98.5, 98.75, 98.5], SECOND: [98.25, 98.5, 98.75]},
        {None: [98.0, 98.5, 98.25], FIRST: [97.0, 97.5, 97.0], SECOND: [98.0, 98.75, 98.0]},
    )


def test_every_place_names_the_same_best_network(results):
    row, case = results.confirmed, Case(results)
    assert row.name == summary(results).confirmed == "trial 22"
    assert row.mean < results.confirmations[1].mean  # the test split chooses nothing
    page = study(case, summary(results))
    told = [page.headline, page.tiles[1].detail, *(each.finding for each in page.sections[:2])]
    for text in (*told, words.headline(results), search(case).headline):
        assert "trial 22" in text
        assert "trial 21" not in text
    assert page.tiles[1].value == f"{row.mean:.2f} %"
    assert "trial 22, scores 98.25 % on the validation split" in page.sections[0].finding


def test_a_best_network_that_is_not_better_is_said_not_to_be(results):
    (said,) = {words.headline(results).partition("mult-adds, ")[2]}
    assert said.startswith("not shown better than the baseline's 98.75 % (−0.25 points, ")
    assert said.endswith("n = 3 fresh seeds).")


def test_without_a_confirmation_the_best_is_exploratory_everywhere(results):
    one = Results(results.study, tuple(r for r in results.records if r.role != "confirmation"))
    page = study(Case(one), summary(one))
    for text in (page.headline, page.sections[0].finding):
        assert "is trial 21 so far: 99.50 % at 500 mult-adds on one seed: exploratory" in text


def test_the_baselines_tile_has_the_sd_of_its_own_seeds_and_says_what_its_other_numbers_are(
    results,
):
    detail = study(Case(results), summary(results)).tiles[0].detail
    row = Case(results).baseline
    assert (row.n, f"± {row.sd:.2f} (sd) over 7 seeds" in detail) == (7, True)
    assert row.sd != pytest.approx(results.effects[0].sd)
    assert "It is 98.25 % on the 3 seeds of the ablation" in detail
    assert "98.75 % on the test split, 3 fresh seeds" in detail


def test_the_headline_has_the_range_of_n_and_says_what_has_not_run():
    nan = math.nan
    scores = {
        BASELINE: [98.0, 98.5, 98.25], "bad": [90.0, 90.25, 90.5], "short": [97.0, 98.5, nan],
        "never": [nan, nan, nan],
    }  # fmt: skip
    said = words.verdicts(Results(*ablation_records(scores)).effects, None)
    assert said.startswith("Of 3 changes 1 hurts, 0 help, ")
    assert said.endswith("1 has no verdict, 1 has not run, at n = 2 to 3 paired seeds.")


def test_a_variants_headline_has_its_effect_its_confirmation_and_what_it_differs_in(results):
    case = Case(results)
    rows = {row.name: row for row in case.scored}
    best = variant(case, rows["trial 22"])
    assert "over 3 seeds, without the run by which the search chose it)" in best.headline
    assert "On the test split 98.50 %, not shown better than the baseline's" in best.headline
    (runs,) = (section for section in best.sections if section.name == "seeds")
    assert runs.finding.startswith("4 runs, 4 of them to the end; the mean above is over 3 of them")
    said = variant(case, rows["a"]).headline
    assert "As the change “a”, −1.00 points (" in said
    assert "ahead on 0 of 3 seeds: " in said


def test_what_a_network_differs_in_is_summed_up_and_its_widths_are_before_the_multiplier():
    tree = edit(
        googlenet,
        {"network.inception_3b": None, "network.inception_4a.conv1x1.width": 288,
         "network.inception_4a.conv3x3.width": 104, "network.width": 0.125,
         "network.aux_after": ()},
    )  # fmt: skip
    rows = differences.from_the_paper(tree)
    assert differences.summed(rows) == ("5 settings: without 3b, aux heads; changed 4a (2), width")
    (table,) = differences.table("far", "Against", "paper", rows, tree)
    assert "before the network's width multiplier, here 0.125" in table.note
    assert rows[0].before == "conv1x1 128, conv3x3 192, conv5x5 96, pool_proj 64"
    assert differences.from_the_paper(googlenet) == []
