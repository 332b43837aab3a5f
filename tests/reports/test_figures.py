from dataclasses import replace

import pytest

from nas import edit
from nas.experiment.cost import cost
from nas.plan.arms import BASELINE, CONTROL
from nas.results.price import prices
from nas.results.rows import CandidateRow
from nas.results.search import DistributionRow, progress, spent, timeline
from nas.results.tables import Results, modules, pareto, widths
from nas.runs.record import OVER
from reports.case import Case
from reports.figures import ablation, compare, search, variant
from reports.figures.frontier import EXPLORED, frontier
from reports.figures.style import COLOURS, DASHES, PATTERNS, SYMBOLS, VERDICTS, styles
from reports.pages.ablation import ablation as ablation_page
from reports.pages.variant import variant as page
from tests.examples import BASE, ablation_records, cells, record, search_records

SCORES = {
    BASELINE: [98.0, 98.5, 97.5],
    "no batch norm": [90.0, 90.75, 89.5],
    "no aux heads": [98.25, 98.25, 97.5],
    CONTROL: [98.0, 97.75, 98.5],
}


@pytest.fixture
def results():
    study, records = ablation_records(SCORES)
    more = (
        record(90, 99.0, candidate_id="one", role="candidate", mult_adds=800),
        record(91, None, candidate_id="over", role="candidate", state="infeasible", excess=0.5,
               mult_adds=1500),
    )  # fmt: skip
    return Results(study, (*records, *more))


def named(figure, name):
    return next(trace for trace in figure.data if trace.name == name)


def candidate(number, **values):
    known = {"n": 1, "role": "candidate", "feasible": True, "exploratory": True,
             "mean": 90 + number / 1e4}  # fmt: skip
    return CandidateRow(
        candidate_id=str(number), name=f"trial {number}", number=number, sd=0.5,
        low=89.0, high=91.0, mult_adds=1000 + number, params=1, **(known | values),
    )  # fmt: skip


def test_the_forest_plots_the_tables_numbers(results):
    figure = ablation.forest(results.effects, margin=None)
    rows = {row.change: row for row in results.effects}
    for trace in figure.data:
        if trace.name == "one seed":
            continue
        for change, x, up, down in zip(
            trace.y, trace.x, trace.error_x.array, trace.error_x.arrayminus, strict=True
        ):
            row = rows[change]
            assert (x, x + up, x - down) == pytest.approx((row.delta, row.high, row.low))
    assert len(named(figure, "one seed").x) == 9


def test_the_frontier_draws_one_seed_hollow_and_the_refused_as_grey_crosses(results):
    figure = frontier(results.candidates, 1000)
    explored = named(figure, "explored, one seed")
    assert explored.marker.symbol == "circle-open"
    assert list(explored.error_y.array) == [0]
    refused = named(figure, "over budget, not trained")
    assert (refused.marker.symbol, list(refused.x)) == ("x-thin", [1500])
    assert named(figure, "baseline").marker.symbol == "star"
    assert any(shape.x0 == 1000 for shape in figure.layout.shapes)


def test_thinning_never_touches_the_front_nor_the_baseline():
    rows = [candidate(number) for number in range(5000)]
    rows[7] = candidate(7, n=5, exploratory=False)
    rows[11] = candidate(11, n=5, exploratory=False)
    rows[13] = candidate(13, n=5, exploratory=False, role="baseline")
    figure = frontier(rows, None)
    assert len(named(figure, "explored, one seed").x) == EXPLORED
    assert list(named(figure, "confirmed, several seeds").x) == [1007, 1011]
    assert list(named(figure, "baseline").x) == [1013]
    assert list(named(figure, "front of the confirmed").x) == [r.mult_adds for r in pareto(rows)]


def test_of_many_explored_the_best_within_the_budget_is_drawn_and_named():
    rows = [candidate(number, mean=90.0 + (number == 7)) for number in range(5000)]
    rows[9] = candidate(9, mean=99.0, feasible=False)
    figure = frontier(rows, None)
    drawn = named(figure, "explored, one seed")
    assert len(drawn.x) == EXPLORED
    assert "trial 7, n = 1" in drawn.text
    assert [label[2] for label in figure.layout.meta["labels"]] == ["trial 7"]


def test_the_front_the_baseline_and_few_changes_are_named_without_a_pointer(results):
    names = {label[2] for label in frontier(results.candidates, 1000).layout.meta["labels"]}
    assert names == {"baseline", "no batch norm", "no aux heads", "trial 90"}
    labels = ablation.effect_and_cost(results.effects, 2000).layout.meta["labels"]
    assert {label[2] for label in labels} == {"no batch norm", "no aux heads"}


def test_names_are_text_to_plotly_and_never_markup_mathematics_or_numbers():
    hostile = '<a href="//x">y</a>', "<b>b</b><br>", r"$\frac{1}{2}$", "%{x}", "\u202eevil", "0.01"
    study, records = ablation_records(
        {BASELINE: [98.0, 98.5, 97.5]} | {name: [97.0, 97.5, 97.25] for name in hostile}
    )
    results = Results(study, records)
    for figure in (
        forest := ablation.forest(results.effects, None),
        ablation.effect_and_cost(results.effects, 2000),
        ablation.slopes(results.seeds, results.effects),
        ablation.waterfall(results.effects),
        ablation.path(results.effects),
        search.curves(results.curves),
        frontier(results.candidates, None),
    ):
        text = figure.to_json()
        assert not any(each in text for each in ("<a", "<b>", "$", '"%{x}"', "\u202e")), text
    assert forest.layout.yaxis.type == "category"


def test_a_forest_has_a_label_for_each_long_name_that_no_other_row_has():
    long = [f"replace every 5x5 convolution of module {at} by two of 3x3, no more" for at in "abcd"]
    study, records = ablation_records({name: [97.0, 97.5] for name in (BASELINE, *long)})
    layout = ablation.forest(Results(study, records).effects, None).layout
    assert len({each["text"] for each in layout.meta["narrow"]["annotations"]}) == 4
    assert len(set(layout.yaxis.ticktext)) == 4
    assert layout.height > 130 + 4 * 40


def test_curves_begin_where_the_second_half_of_the_epochs_is(results):
    run = replace(results.curves[0], role="baseline")
    rows = [replace(run, epoch=at, accuracy=score) for at, score in
            enumerate((10.0, 60.0, 90.0, 97.0, 98.0, 98.5), 1)]  # fmt: skip
    low, high = search.curves(rows).layout.yaxis.range
    assert 96 < low < 97 < 98.5 < high < 99
    assert search.curves(rows[3:]).layout.yaxis.range is None


def test_of_many_changes_the_curves_that_end_far_from_the_baseline_are_named():
    study, records = ablation_records(
        {BASELINE: [98.0, 98.5]} | {f"change {at}": [98.0 - at, 98.5 - at] for at in range(14)}
    )
    drawn = search.curves(Results(study, records).curves)
    legend = [trace.name for trace in drawn.data if trace.showlegend is not False]
    assert legend == [
        "baseline", "changes that end nearer to it", *(f"change {at}" for at in range(4, 14)),
    ]  # fmt: skip
    assert drawn.layout.xaxis.dtick == 1


def test_the_distribution_rises_from_none_to_all():
    rows = [DistributionRow(score=98.25, share=0.5, number=2),
            DistributionRow(score=98.75, share=1.0, number=1)]  # fmt: skip
    figure = search.distributions({"one": rows})
    (trace,) = figure.data
    assert (list(trace.y), trace.x[1:3]) == ([0, 0.5, 1, 1], (98.25, 98.75))
    assert figure.layout.yaxis.range[0] == 0


def test_a_band_has_no_points_and_no_place_in_the_legend(results):
    drawn = named(search.curves(results.curves), "baseline, range over seeds")
    assert (drawn.mode, drawn.showlegend) == ("lines", False)


def test_curves_show_every_search_trial_and_the_baselines_range(results):
    figure = search.curves(results.curves)
    assert list(named(figure, "search trials (dotted: stopped)").y) == [98.0, 99.0]
    assert list(named(figure, "baseline").y) == pytest.approx([97.0, 98.0], abs=0.1)
    assert named(figure, "baseline, range over seeds").fill == "toself"


def test_width_bars_are_the_layers_channels_and_the_lower_panel_adds_up():
    other = edit(BASE, {"network.inception_3a.conv5x5": None})
    parts = modules(BASE, other)
    figure = variant.widths(widths(BASE, other), parts)
    assert list(named(figure, "conv5x5").y) == [4, 6, 16]
    assert list(named(figure, "conv5x5, variant").y) == [0, 6, 16]
    direct, passed = (named(figure, f"mult-adds, {name}") for name in ("direct", "propagated"))
    assert sum(direct.y) + sum(passed.y) == sum(part.change for part in parts)


def test_the_icicle_adds_up_to_the_network():
    found = cost(BASE, by="layer")
    (trace,) = variant.icicle(found.rows).data
    values = dict(zip(trace.ids, trace.values, strict=True))
    assert values["network"] == found.mult_adds
    for parent in set(trace.parents) - {""}:
        inner = [v for i, v in zip(trace.parents, trace.values, strict=True) if i == parent]
        assert sum(inner) == values[parent]


def test_slopes_go_from_the_baselines_score_to_the_changes(results):
    rows = results.seeds
    figure = ablation.slopes(rows, results.effects)
    drawn = [y for trace in figure.data for y in trace.y if y is not None]
    assert sorted(drawn) == sorted(v for row in rows for v in (row.baseline, row.score))


def test_the_quadrants_place_a_change_by_its_cost_and_its_effect(results):
    figure = ablation.effect_and_cost(results.effects, 2000)
    trace = named(figure, "worse")
    row = next(row for row in results.effects if row.verdict == "worse")
    assert (list(trace.x), list(trace.y)) == ([pytest.approx(-50)], [row.delta])
    assert "cheaper, worse" in {note.text for note in figure.layout.annotations}


def test_the_map_has_a_cell_for_each_branch_that_was_asked():
    study, records = ablation_records(SCORES)
    results = Results(study, records)
    beside = [
        _placed(row, "inception_3a", branch)
        for row, branch in zip(prices(results), ("conv1x1", "conv5x5"), strict=True)
    ]
    (trace,) = ablation.places(results.effects, beside).data
    assert list(trace.x) == ["3a"]
    assert [line[0] for line in trace.z] == [row.delta for row in results.effects[1:3]]
    assert "worse" in trace.text[0][0]


def test_the_map_of_a_network_of_ones_own_is_of_its_modules():
    results = cells()
    (trace,) = ablation.places(results.effects, prices(results)).data
    assert (list(trace.x), list(trace.y)) == (["1a", "2b"], ["wide", "narrow"])
    assert [list(line) for line in trace.z] == [[-1.0, None], [None, -2.0]]


def test_a_network_of_ones_own_is_drawn_module_by_module():
    case = Case(cells())
    row = next(row for row in case.shown if row.name == "1a: no wide")
    key, order = row.candidate_id, ["stem", "1a", "2a", "2b", "head"]
    drawn = variant.widths(case.widths[key], case.modules[key])
    assert list(drawn.layout.xaxis.categoryarray) == order
    beside = compare.modules({key: case.modules[key]}, {key: row.name})
    assert list(beside.data[0].x) == order
    said = {section.name: section.finding for section in page(case, row).sections}
    assert said["changes"] == "Differs from the study's baseline in 1 setting: changed 1a."
    assert said["modules"].endswith("directly in 1a, by a changed input in 2a.")
    assert "places" in {section.name for section in ablation_page(case).sections}


def _placed(row, module, branch):
    return type(row)(**(vars(row) | {"module": module, "branch": branch}))


def test_the_best_so_far_is_drawn_against_candidates_and_minutes():
    records = search_records(30)[1]
    rows = progress(records)
    figure = search.progress(rows, None)
    best = named(figure, "best so far, within the budget")
    assert best.y[-1] == rows[-1].best
    paid = search.paid(rows, None)
    assert named(paid, "of training, all workers").x[-1] == pytest.approx(rows[-1].compute / 60)
    assert sum(sum(trace.y) for trace in search.spent(spent(records), 1000).data) == 30
    assert sum(len(trace.y) for trace in search.timeline(timeline(records)).data) == 24 + 1


def test_a_run_of_any_end_is_a_bar_of_the_timeline_and_one_proposal():
    for state in (*OVER, "failed"):
        (own,) = [replace(run, state=state) for run in search_records(30)[1] if run.number == 3]
        drawn = search.timeline(timeline([own]))
        assert [len(trace.y) for trace in drawn.data] == [1], state
        told = sum(row.complete + row.stopped for row in spent([own]))
        assert told == (state != "failed"), state


def test_colour_is_never_the_only_cue():
    assert len({symbol for _, symbol in VERDICTS.values()}) == len(VERDICTS)
    looks = list(styles([str(at) for at in range(36)]).values())
    for cue in ("dash", "symbol", "pattern"):
        assert len({(each.colour, getattr(each, cue)) for each in looks}) == 36
    assert len(set(DASHES)) == len(set(SYMBOLS)) == len(set(PATTERNS)) == len(set(COLOURS))
