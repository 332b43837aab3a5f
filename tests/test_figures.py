import pytest
from examples import BASE, ablation_records, record

from nas import edit
from nas.ablation import BASELINE, CONTROL
from nas.tables import Results, modules, widths
from reports import figures

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


def test_the_forest_plots_the_tables_numbers(results):
    figure = figures.forest(results.effects, margin=None)
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
    figure = figures.frontier(results.candidates, 1000)
    explored = named(figure, "explored, one seed")
    assert explored.marker.symbol == "circle-open"
    assert list(explored.error_y.array) == [0]
    refused = named(figure, "over budget, not trained")
    assert (refused.marker.symbol, list(refused.x)) == ("x-thin", [1500])
    assert named(figure, "baseline").marker.symbol == "star"
    assert figure.layout.shapes[0].x0 == 1000


def test_curves_show_every_search_trial_and_the_baselines_range(results):
    figure = figures.curves(results.curves)
    assert list(named(figure, "search trials (dotted: stopped)").y) == [98.0, 99.0]
    assert list(named(figure, "baseline").y) == pytest.approx([97.0, 98.0])
    assert named(figure, "baseline, range over seeds").fill == "toself"


def test_width_bars_are_the_layers_channels_and_the_lower_panel_adds_up():
    variant = edit(BASE, {"network.inception_3a.conv5x5": None})
    parts = modules(BASE, variant)
    figure = figures.widths(widths(BASE, variant), parts)
    assert list(named(figure, "conv5x5, canonical").y) == [4, 6, 16]
    assert list(named(figure, "conv5x5, variant").y) == [0, 6, 16]
    lower = named(figure, "change in mult-adds")
    assert sum(lower.y) == sum(part.change for part in parts)
