import math
from dataclasses import replace

import pytest

from nas import edit, googlenet
from nas.plan.arms import BASELINE, CONTROL
from nas.results.contrasts import seed_rows
from nas.results.effects import effects
from nas.results.methods import facts
from nas.results.price import needed, prices
from nas.results.summary import summary
from nas.results.tables import Results
from reports import words
from reports.case import Case
from reports.pages import differences, sure
from reports.pages.ablation import ablation, seeds
from reports.pages.search import search
from reports.pages.study import study
from reports.pages.variant import variant
from tests.examples import ablation_records, record, sample, search_records

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
    assert said.startswith("Of 3 changes 1 hurts (“bad”), 0 help, ")
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


SCORES = {BASELINE: [98.0, 98.5, 98.25, 97.75], "a": [97.0, 97.75, 97.25, 96.5]}


def streams():
    """A stored ablation of the streams of a seed: the split spreads the score, the order hardly."""
    spread, narrow = [97.0, 98.0, 99.0, 98.0], [98.0, 98.25, 98.0, 98.25]
    known, made = ablation_records(
        {BASELINE: spread, "only the split varies": spread, "the split is held": narrow,
         "only the order varies": narrow, CONTROL: spread}
    )  # fmt: skip
    arms = [arm if arm.role == "baseline" else replace(arm, role="control") for arm in known.arms]
    runs = [run if run.role == "baseline" else replace(run, role="control") for run in made]
    return Results(replace(known, arms=tuple(arms), design="streams"), tuple(runs))


def test_streams_of_a_seed_are_answered_by_their_standard_deviations():
    results = streams()
    case = Case(results)
    overview, page = study(case, summary(results)), ablation(case)
    wide = results.effects[0].sd
    for said in (overview.headline, page.headline, page.sections[0].finding):
        assert f"is 0.14 (the order) to {wide:.2f} (the split) points where one stream" in said
        assert f"{wide:.2f} where all vary, 0.14 (the split) where one is held." in said
        assert "At n = 4 seeds each is known to −43 to +273 %" in said
    assert overview.tiles[2].value == f"0.14 to {wide:.2f}"
    assert [section.name for section in page.sections] == ["effects", "reading"]
    assert "nothing is tested" in page.sections[1].finding
    (told,) = [fact.text for fact in facts(results) if fact.about == "Statistics"]
    assert told.startswith("Nothing was tested")


def test_streams_whose_intervals_overlap_are_not_told_apart():
    rows = streams().effects
    said = "no stream is shown to spread the score more than another."
    assert words.spreads(rows).endswith(said)
    apart = [replace(row, sd=0.01) if "order" in row.change else row for row in rows]
    assert words.spreads(apart).endswith("+273 %.")


def test_a_baseline_on_many_seeds_has_its_worst_and_best_and_nothing_that_a_search_chose():
    scores = [98.5, 97.0, 99.75]
    found = confirmed({None: scores}, {None: scores})
    runs = [run for run in found.records if run.role == "confirmation"]
    alone = Results(replace(found.study, arms=(), trials=0), tuple(runs))
    assert "98.42 % on average, from 97.00 to 99.75 %, at n = 3 seeds" in words.headline(alone)
    (section,) = [each for each in study(Case(alone), summary(alone)).sections
                  if each.name == "confirmation"]  # fmt: skip
    assert section.note.endswith("which has been read 3 times.")


def test_only_what_is_cheaper_than_the_baseline_is_the_cheapest_equivalent():
    even = [98.0, 98.5, 98.25, 97.75]
    for cost, said in ((900, "a"), (1000, "–"), (1100, "–")):
        known, made = ablation_records({BASELINE: even, "a": even}, margin=2.0)
        runs = [replace(run, mult_adds=cost) if run.change == "a" else run for run in made]
        found = Results(known, tuple(runs))
        assert found.effects[1].verdict == "equivalent"
        assert words.cheapest(found)[0] == said
    assert words.cheapest(found)[1] == "none equivalent is cheaper than the baseline"


def test_an_open_factor_is_counted_and_not_priced():
    rows = Results(*ablation_records(SCORES)).effects
    factor = [rows[0], replace(rows[1], kind="factor", verdict="inconclusive")]
    said = sure.changes((), factor)
    assert "1 change is inconclusive. Seeds are not priced here: a factor's difference" in said
    assert sure.sure((), factor, "prices.csv").parts == ()


def test_rows_without_a_verdict_say_why_and_ask_for_no_pairs():
    known, made = ablation_records(SCORES)
    late = Results(replace(known, looks=(3,)), made)
    assert late.effects[1].verdict == "extended"
    said = sure.changes(prices(late), late.effects)
    assert said == "No row has a verdict whose power could be told: 1 is extended."


def test_the_median_of_an_even_number_is_between_the_two_in_the_middle():
    known, made = search_records(3, startup=3)
    kept = [replace(run, state="complete", score=97.0 + at) for at, run in enumerate(made[1:3])]
    (section,) = [each for each in search(Case(Results(known, (made[0], *kept)))).sections
                  if each.name == "all"]  # fmt: skip
    assert "the median is 97.50 %" in section.finding
    rows = Results(*ablation_records(SCORES | {"b": [97.5, 97.5, 98.0, 96.0]})).effects
    middle = (rows[1].visible + rows[2].visible) / 2
    assert f"about {middle:.2f} points or more" in sure.changes((), rows)


def test_which_were_confirmed_and_which_is_the_best_of_them_is_said_alike(results):
    (section,) = [each for each in study(Case(results), summary(results)).sections
                  if each.name == "confirmation"]  # fmt: skip
    (told,) = [fact.text for fact in facts(results) if fact.about == "Selection"]
    for said in (section.note, told):
        assert "Confirmed were the first 2 by the search's score on the validation split" in said
        assert "the best of them is that of the highest mean validation accuracy" in said
        assert "The test split chooses nothing." in said


def test_an_open_best_network_says_what_it_would_take_to_be_sure_of_it(results):
    row = results.confirmed
    assert row.verdict == "inconclusive"
    resolution = 100 / results.baseline.recipe.data.test
    seeds = needed(row.differences, 2, resolution)
    said = sure.best(results)
    assert seeds > row.n
    # Two epochs of a second, of the network and of the baseline.
    assert f"would take {seeds} fresh seeds" in said
    assert f", {(seeds - row.n) * 4:.1f} s of training more." in said
    (section,) = [each for each in study(Case(results), summary(results)).sections
                  if each.name == "confirmation"]  # fmt: skip
    assert section.finding.endswith(said)


def test_seeds_do_not_narrow_what_is_of_the_test_images(results):
    row = results.confirmed
    for images, limits in ((0.01, False), (2.0, True)):
        half = math.hypot(row.high - row.delta, images)
        both = {"low_two_way": row.delta - half, "high_two_way": row.delta + half}
        rows = [replace(row, **both) if each is row else each for each in results.confirmations]
        results.__dict__["confirmations"] = tuple(rows)
        row, said = results.confirmed, sure.best(results)
        assert ("±2.00 points of its interval are of the test images" in said) is limits


def test_one_seed_has_no_spread_to_say_what_more_would_show(results):
    few = replace(results.confirmed, n=1)
    rows = [few if each is results.confirmed else each for each in results.confirmations]
    results.__dict__["confirmations"] = tuple(rows)
    assert (results.confirmed.n, sure.best(results)) == (1, "")


def test_a_change_of_several_kinds_goes_the_same_way_in_each_by_itself():
    samples = [
        sample("baseline", (90.0, 91.0, 92.0), "baseline"),
        sample("A", (91.0, 92.0, 93.0), kind="raw"),
        sample("A", (89.0, 90.0, 91.0), kind="matched", primary=False),
        sample("B", (91.0, 90.0, 93.0), kind="raw"),
    ]
    found = seeds(tuple(seed_rows(samples)), effects(samples), "pairs.csv")
    assert found.finding == "2 of 3 rows go the same way on every seed."


def test_one_is_not_several():
    known, made = ablation_records(SCORES | {"b": [98.25, 98.5, 98.0, 97.5]})
    rows = Results(known, made).effects
    cheap = [rows[0], replace(rows[1], mult_adds=900), rows[2]]
    said = "1 of 2 changes is cheaper than the baseline; it is not shown to be better"
    assert words.saving(cheap) == f"{said} or equivalent."
    assert words.saving(rows) == "No change is cheaper than the baseline."
    failed = record(0, None, role="reference", state="failed", reason="ValueError: broken")
    assert words.why(Results(known, (failed,))).endswith(
        "the only one failed, with ValueError: broken"
    )
    (tried,) = [fact.text for fact in facts(Results(known, made[:1]))
                if fact.about == "Tried in all"]  # fmt: skip
    assert tried.startswith("1 variant was trained in 1 run, ")
    alone = replace(rows[1], n=1, planned=1)
    assert words.verdicts([rows[0], alone], None).endswith(", at n = 1 paired seed.")
    short = Results(known, made[:-1])
    assert "1 row of the ablation lacks planned seeds." in words.warnings(short)


def test_an_interval_without_zero_that_the_correction_takes_back_has_its_p_beside():
    row = replace(Results(*ablation_records(SCORES)).effects[1], verdict="inconclusive", p_holm=0.3)
    assert words.effect(row).endswith("inconclusive, after correction p = 0.30")
    assert words.effect(replace(row, low=-2.0, high=0.5)).endswith("seeds: inconclusive")
