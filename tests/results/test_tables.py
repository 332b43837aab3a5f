import math
from dataclasses import replace

import pytest
from scipy import stats

from nas import edit
from nas.cli.findings import best_so_far, notes
from nas.plan.arms import BASELINE, CONTROL
from nas.results.rows import EFFECT_COLUMNS
from nas.results.tables import Results, frame, modules, pareto, trials, widths
from nas.runs.record import Protocol, seeds
from tests.examples import BASE, STORED, ablation_records, record, search_records

SCORES = {
    BASELINE: [98.0, 98.5, 97.5, 98.25, 98.0, 98.5],
    "no batch norm": [95.0, 95.75, 94.5, 95.0, 95.25, 96.0],
    "no aux heads": [98.25, 98.25, 97.5, 98.5, 97.75, 98.5],
    CONTROL: [98.0, 97.75, 98.5, 98.25, 98.0, 97.5],
}


def effects(scores=SCORES, margin=None):
    return {row.change: row for row in Results(*ablation_records(scores, margin)).effects}


def test_a_change_is_compared_pair_by_pair_with_the_baseline():
    row = effects()["no batch norm"]
    known = stats.ttest_rel(SCORES["no batch norm"], SCORES[BASELINE])
    assert row.p == pytest.approx(known.pvalue)
    assert row.p_holm == pytest.approx(2 * known.pvalue)
    assert (row.n, row.wins, row.verdict) == (6, 0, "worse")


def test_the_baseline_comes_first_and_the_control_last_without_p_holm_or_verdict_of_its_own():
    rows = Results(*ablation_records(SCORES)).effects
    assert [row.change for row in rows] == list(SCORES)
    assert (rows[0].verdict, rows[-1].verdict) == ("baseline", "control")
    assert math.isnan(rows[0].p_holm)
    assert math.isnan(rows[-1].p_holm)


def test_a_run_has_a_column_a_decision_after_its_own_and_none_where_it_does_not_decide_it():
    study, records = ablation_records({BASELINE: [98.0, 98.5, 97.5]})
    decided = ({"width": 128, "=lr": "0.5"}, {}, {"seed": "b", "width": 0.25, "what": "x"})
    made = tuple(replace(run, decisions=own) for run, own in zip(records, decided, strict=True))
    table = trials(Results(study, made))
    columns = list(frame(Results(study, made).trials).columns)
    more = ["width", "=lr", "seed (decision)", "what (decision)"]
    assert list(table.columns) == [*columns, *more]
    assert table[more].to_numpy().tolist() == [
        [128, "0.5", None, None],
        [None, None, None, None],
        [0.25, None, "b", "x"],
    ]
    bare = Results(study, records)
    assert trials(bare).equals(frame(bare.trials))
    assert list(trials(Results(study, ())).columns) == []


def test_decisions_that_would_share_a_column_have_one_each():
    study, (first, *_) = ablation_records(SCORES)
    own = {"score": "a", "score (decision)": "b"}
    (row,) = Results(study, (replace(first, decisions=own),)).decided
    assert sorted(row.values()) == ["a", "b"]
    assert "score" not in row


def test_the_control_is_not_in_the_family():
    without = {change: scores for change, scores in SCORES.items() if change != CONTROL}
    assert effects()["no batch norm"].p_holm == effects(without)["no batch norm"].p_holm


def test_a_missing_seed_takes_its_pair_out_and_n_says_so():
    scores = SCORES | {"no batch norm": [math.nan, 95.75, 94.5, 95.0, 95.25, 96.0]}
    row = effects(scores)["no batch norm"]
    assert (row.n, row.planned) == (5, 6)
    assert row.delta == pytest.approx(
        sum(b - a for a, b in zip(SCORES[BASELINE][1:], scores["no batch norm"][1:], strict=True))
        / 5
    )


def test_runs_of_different_protocols_are_never_a_pair():
    study, records = ablation_records(SCORES)
    other = Protocol(
        data_sha256="0", split="", evaluation="", precision="bfloat16", threads=1,
        training_version=1,
    )  # fmt: skip
    changed = tuple(
        record.__class__(**{**vars(record), "protocol": other}) if record.change == BASELINE
        and record.seeds.init == 0 else record
        for record in records
    )  # fmt: skip
    rows = {row.change: row for row in Results(study, changed).effects}
    assert rows["no batch norm"].n == 5


def test_a_diverged_replicate_stays_in_its_pair_and_is_counted():
    study, records = ablation_records(SCORES | {"no batch norm": [10.0] + [95.0] * 5})
    changed = tuple(
        r.__class__(**{**vars(r), "state": "diverged"}) if r.score == 10.0 else r for r in records
    )
    row = {row.change: row for row in Results(study, changed).effects}["no batch norm"]
    assert (row.n, row.diverged, row.at_chance) == (6, 1, 1)


def test_a_margin_makes_equivalence_possible_and_none_claims_none():
    close = SCORES | {"no aux heads": [score + 0.25 * (-1) ** at for at, score in
                                       enumerate(SCORES[BASELINE])]}  # fmt: skip
    assert effects(close, margin=2.0)["no aux heads"].verdict == "equivalent"
    assert effects(close)["no aux heads"].verdict == "inconclusive"


def test_the_frame_has_the_documented_columns_and_whole_counts():
    table = frame(Results(*ablation_records(SCORES)).effects, EFFECT_COLUMNS)
    assert tuple(table.columns) == EFFECT_COLUMNS
    assert str(table["wins"].dtype) == "Int64"


def test_the_front_holds_confirmed_feasible_candidates_that_nothing_beats():
    study, records = ablation_records(
        {BASELINE: [98.0, 98.5], "cheap": [97.0, 97.5], "worse": [96.0, 96.5]}
    )
    costs = {BASELINE: 1000, "cheap": 500, "worse": 800}
    priced = tuple(r.__class__(**{**vars(r), "mult_adds": costs[r.change or ""]}) for r in records)
    lucky = record(99, 99.9, candidate_id="lucky", role="candidate", mult_adds=100)
    over = [
        record(100 + s, 99.9, candidate_id="over", seed=s, mult_adds=9000, excess=1.0)
        for s in (0, 1)
    ]
    rows = Results(study, (*priced, lucky, *over)).candidates
    assert [row.name for row in pareto(rows)] == ["cheap", "baseline"]


def test_one_seed_is_exploratory_and_has_no_interval():
    study, records = ablation_records({BASELINE: [98.0, 98.5]})
    found = Results(study, (*records, record(9, 99.0, candidate_id="x", role="candidate")))
    row = found.best
    assert row is not None
    assert row.exploratory
    assert math.isnan(row.low)


def test_a_candidate_of_one_decision_is_called_by_it():
    study, records = ablation_records({BASELINE: [98.0, 98.5]})
    found = record(9, 99.0, candidate_id="x", role="candidate")
    one = replace(found, decisions={"network": "alexnet"})
    two = replace(found, decisions={"network": "alexnet", "recipe.lr": "0.1"})
    assert Results(study, (*records, one)).best.name == "trial 9: network=alexnet"
    assert Results(study, (*records, two)).best.name == "trial 9"


def test_a_refused_candidate_has_no_score_and_is_never_the_best():
    study, records = ablation_records({BASELINE: [98.0, 98.5]})
    refused = record(9, None, candidate_id="x", role="candidate", state="infeasible", excess=0.5)
    found = Results(study, (*records, refused))
    assert found.best is None
    assert [row.feasible for row in found.candidates] == [True, False]


def test_the_best_stands_beside_the_baseline_on_its_own_seed():
    study, runs = search_records(8)
    others = (record(at, 90.0, seed=at, role="baseline") for at in range(20, 24))
    found = Results(study, (*runs, *others))
    assert found.best
    assert found.best.n == 1
    assert found.beside == 98.0
    assert Results(study, runs[1:]).beside is None


def test_a_baseline_that_got_nothing_right_stands_beside_the_best_all_the_same(capsys):
    study, (reference, *runs) = search_records(8)
    best_so_far(Results(study, (replace(reference, score=0.0), *runs)))
    assert capsys.readouterr().out.endswith("; the baseline 0.00 % on that seed\n")


def test_the_control_does_not_move_the_baselines_mean():
    rows = Results(*ablation_records(SCORES)).candidates
    baseline = next(row for row in rows if row.role == "baseline")
    assert (baseline.n, baseline.mean) == (6, pytest.approx(sum(SCORES[BASELINE]) / 6))


def test_module_changes_add_up_to_the_whole_difference():
    variant = edit(BASE, {"network.inception_3a.conv5x5": None})
    from nas.experiment.cost import cost

    whole = cost(variant).mult_adds - cost(BASE).mult_adds
    assert sum(row.change for row in modules(BASE, variant)) == whole


def test_a_dropped_branch_has_width_0_in_the_variant():
    variant = edit(BASE, {"network.inception_3a.conv5x5": None})
    rows = {(row.module, row.branch): row for row in widths(BASE, variant)}
    dropped = rows["inception_3a", "conv5x5"]
    assert (dropped.canonical, dropped.variant) == (4, 0)
    kept = rows["inception_4a", "conv5x5"]
    assert kept.canonical == kept.variant


def test_the_canonical_network_differs_from_itself_nowhere():
    found = Results(*ablation_records(SCORES))
    assert found.differences(STORED.candidate_id) == {}


def designed(design, scores, parts):
    """A stored ablation of a design: the single changes of each of its arms by name."""
    study, records = ablation_records(scores)
    arms = tuple(replace(arm, parts=parts.get(arm.change, ())) for arm in study.arms)
    return Results(replace(study, arms=arms, design=design), records)


def test_a_design_of_pairs_has_what_two_changes_do_more_than_apart():
    scores = {
        BASELINE: [98.0, 98.5, 97.5],
        "a": [97.0, 97.5, 96.5],
        "b": [97.5, 98.0, 97.0],
        "a + b": [94.5, 95.25, 94.0],
        CONTROL: [98.0, 97.75, 98.5],
    }
    found = designed("pairs", scores, {"a": ("a",), "b": ("b",), "a + b": ("a", "b")})
    (row,) = found.interactions
    assert (row.first, row.second, row.n) == ("a", "b", 3)
    assert row.delta == pytest.approx((-2.0 - 1.75 - 2.0) / 3)
    assert [each.primary for each in found.effects] == [False, True, True, True, False]
    assert any("a x b: together -1.92" in line and "worse" in line for line in notes(found))
    assert Results(*ablation_records(SCORES)).interactions == ()


def test_a_factorial_design_has_a_row_a_factor_and_its_arms_among_the_seeds():
    scores = {
        BASELINE: [98.0, 98.5, 97.5],
        "run b": [97.5, 98.0, 97.0],
        "run a": [97.0, 97.5, 96.5],
        "run ab": [96.5, 97.25, 96.0],
        CONTROL: [98.0, 97.75, 98.5],
    }
    parts = {"run b": ("b",), "run a": ("a",), "run ab": ("a", "b")}
    found = designed("factorial", scores, parts)
    base, a, b, control = found.effects
    assert (base.verdict, control.verdict) == ("baseline", "control")
    assert (a.change, a.kind, a.n, a.verdict) == ("a", "factor", 3, "worse")
    means = [sum(values) / 3 for values in scores.values()]
    assert a.delta == pytest.approx((means[2] + means[3] - means[0] - means[1]) / 2)
    assert b.delta == pytest.approx((means[1] + means[3] - means[0] - means[2]) / 2)
    assert a.high < 0
    assert len(found.seeds) == 15


def test_a_retuned_arm_waits_for_its_rate_though_another_arm_has_the_same_runs():
    study, records = ablation_records(SCORES)
    raw = study.arms[1]
    tuned = replace(raw, kind="retuned", options=(raw.candidate_id, "other"), tuning=(seeds(500),))
    study = replace(study, arms=(*study.arms[:2], replace(tuned, primary=False), *study.arms[2:]))
    (row,) = [row for row in Results(study, records).effects if row.kind == "retuned"]
    assert (row.n, row.waiting) == (0, 6)
    chosen = [
        record(900 + at, score, candidate_id=option, seed=500, role="tuning")
        for at, (option, score) in enumerate(zip(tuned.options, (95.0, 90.0), strict=True))
    ]
    (row,) = [r for r in Results(study, (*records, *chosen)).effects if r.kind == "retuned"]
    assert (row.n, row.waiting) == (6, 0)


def test_a_path_selects_and_so_has_no_p():
    found = designed("path", SCORES, {})
    assert {row.verdict for row in found.effects} == {"baseline", "secondary", "control"}
    assert all(math.isnan(row.p_holm) for row in found.effects)
