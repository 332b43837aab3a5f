import random
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas import (
    Budget,
    Experiment,
    Layer,
    Node,
    Plain,
    Recipe,
    SearchSpace,
    Tape,
    between,
    choice,
    cost,
    edit,
    googlenet,
    relative,
    scaled,
    small_googlenet,
    tiny_googlenet,
    versus,
)
from nas.base.errors import NothingFits
from nas.tree.domain import Choice
from search_spaces import tiny
from tests.strategies import assignments, candidates, labels, wide_open

WIDTH = "network.inception_3a.conv3x3.width"
conditional = SearchSpace(
    googlenet,
    {
        "network.inception_3a.conv5x5": versus(off=None),
        "network.inception_3a.conv5x5.width": scaled(0.5, 1, 2),
        "network.inception_3a.conv5x5.kernel": versus(3, "3+3"),
        WIDTH: scaled(0.5, 1),
    },
)
tied = SearchSpace(
    googlenet,
    {
        "network.inception_3?.conv5x5": versus(off=None, name="5x5"),
        "network.inception_3?.conv5x5.width": scaled(0.5, 1, name="5x5 width"),
        "network.inception_4?.conv5x5.width": scaled(0.5, 1, name="5x5 width"),
        "network.inception_3b": versus(Plain(width=64), off=None),
    },
)


@given(candidates(wide_open))
def test_at_gives_back_what_resolve_decided(candidate):
    assert wide_open.at(candidate.decisions) == candidate


@given(st.data())
def test_resolve_gives_back_what_at_was_told(data):
    names = data.draw(st.sets(st.sampled_from(sorted(wide_open.domains))))
    told = {name: data.draw(labels(wide_open.domains[name])) for name in sorted(names)}
    candidate = wide_open.at(told)
    for name, label in candidate.decisions.items():
        assert label == told.get(name, wide_open.domains[name].default)
    assert wide_open.resolve(lambda domain: candidate.decisions[domain.name]) == candidate


@given(candidates(wide_open))
def test_every_decision_stands_in_the_tree_where_its_sites_are(candidate):
    asked = []
    wide_open.resolve(lambda domain: asked.append(domain.name) or candidate.decisions[domain.name])
    assert len(asked) == len(set(asked))
    assert set(asked) == set(candidate.decisions) <= set(wide_open.sites)


@pytest.mark.parametrize("space", [wide_open, conditional, tied, tiny.widths, tiny.parts])
def test_the_baseline_is_the_canonical_experiment(space):
    assert space.baseline.experiment == space.canonical
    assert space.at(space.baseline.decisions) == space.baseline


@pytest.mark.parametrize("space", [conditional, tied, tiny.parts])
def test_the_size_is_the_number_of_ways_to_decide(space):
    made = [tuple(sorted(decisions.items())) for decisions in assignments(space)]
    assert len(set(made)) == len(made) == space.size


@pytest.mark.parametrize(
    ("space", "size"),
    [
        (conditional, 2 * (3 * 3 + 1)),
        (tied, 2 * 2 * 3),
        (tiny.widths, 4**12 * 4),
        (SearchSpace(googlenet, {"recipe.lr": between(0.01, 1.0)}), float("inf")),
        (SearchSpace(googlenet, {WIDTH: between(64, 192), "recipe.clip": choice(1.0, 2.0)}), 258),
        (SearchSpace(googlenet, {"network.dropout": between(0.1, 0.7, step=0.1)}), 7),
    ],
)
def test_the_size_is_exact(space, size):
    assert space.size == size


@st.composite
def small_spaces(draw):
    """Spaces with conditionals and ties over the first two modules."""
    edits = {}
    for at, place in enumerate("ab"):
        path = f"network.inception_3{place}"
        name = draw(st.sampled_from([None, "shared", f"own {at}"]))
        if draw(st.booleans()):
            edits[path] = versus(Plain(width=64), off=None)
        if draw(st.booleans()):
            edits[f"{path}.conv5x5"] = versus(off=None, name=draw(st.sampled_from([None, "5x5"])))
        edits[f"{path}.conv5x5.width"] = scaled(0.5, 1, name=name)
    edits["network.inception_4a.conv5x5.width"] = scaled(
        0.5, 1, name=draw(st.sampled_from([None, "shared"]))
    )
    return SearchSpace(googlenet, edits)


@given(small_spaces())
def test_the_size_counts_conditionals_and_ties(space):
    made = {tuple(sorted(decisions.items())) for decisions in assignments(space)}
    assert len(made) == space.size


def test_what_describes_no_network_is_not_counted():
    branches = {f"network.inception_3a.{x}": versus(off=None) for x in ("conv1x1", "conv3x3")}
    base = edit(googlenet, {f"network.inception_3a.{x}": None for x in ("conv5x5", "pool_proj")})
    assert SearchSpace(base, branches).size == 3


def test_a_dropped_branch_asks_nothing_more():
    dropped = conditional.at({"network.inception_3a.conv5x5": "off"})
    assert set(dropped.decisions) == {WIDTH, "network.inception_3a.conv5x5"}
    assert dropped.experiment.network.inception_3a.conv5x5 is None


def test_a_tied_decision_fills_all_its_leaves():
    made = tied.at({"5x5 width": "0.5"}).experiment.network
    assert (made.inception_3a.conv5x5.width, made.inception_4a.conv5x5.width) == (16, 24)
    assert len(tied.sites["5x5 width"]) == 7


def test_a_space_moves_to_another_baseline():
    moved = conditional.around(small_googlenet)
    assert moved.baseline.experiment == small_googlenet
    assert list(moved.domains) == list(conditional.domains)
    assert moved.size == conditional.size


@given(candidates(wide_open), candidates(wide_open))
def test_equal_layers_are_equal_ids_and_other_layers_other_ids(first, second):
    one, other = first.experiment.layers(), second.experiment.layers()
    assert (first.experiment.network_id == second.experiment.network_id) == (one == other)


@given(candidates(tiny.widths))
def test_neighbours_are_one_decision_away_and_mutual(candidate):
    near = list(tiny.widths.neighbours(candidate))
    expected = 0
    for name, label in candidate.decisions.items():
        domain = tiny.widths.domains[name]
        assert isinstance(domain, Choice)
        at, last = domain.labels.index(str(label)), len(domain.labels) - 1
        expected += (at > 0) + (at < last) if domain.ordered else last
    assert len(near) == expected
    for other in near:
        assert sum(other.decisions[n] != candidate.decisions[n] for n in candidate.decisions) == 1
    assert candidate in list(tiny.widths.neighbours(near[0]))


@given(st.integers(0, 10_000))
def test_a_sample_is_valid_and_fits_its_budget(seed):
    budget = Budget(mult_adds=relative(0.8), params=relative(0.9))
    made = tiny.widths.sample(np.random.default_rng(seed), budget)
    known = cost(tiny_googlenet)
    assert cost(made.experiment).mult_adds <= 0.8 * known.mult_adds
    assert cost(made.experiment).params <= 0.9 * known.params
    assert tiny.widths.at(made.decisions) == made


def test_the_same_stream_draws_the_same_candidates():
    first, second = (
        [wide_open.sample(rng) for _ in range(5)]
        for rng in (np.random.default_rng(3), np.random.default_rng(3))
    )
    assert first == second
    assert len({one.experiment.candidate_id for one in first}) == 5


def test_sampling_reaches_every_candidate():
    rng = np.random.default_rng(0)
    met = set()
    for _ in range(400):
        met.add(tuple(sorted(conditional.sample(rng).decisions.items())))
        if len(met) == conditional.size:
            return
    pytest.fail(f"met {len(met)} of {conditional.size}")


def test_every_value_of_an_interval_is_reached_and_is_the_canonical_one_to_the_bit():
    base = edit(googlenet, {"network.dropout": 0.3})
    space = SearchSpace(base, {"network.dropout": between(0.0, 0.7, step=0.1)})
    rng = np.random.default_rng(0)
    met = {space.sample(rng).experiment.network.dropout for _ in range(200)}
    assert met == {0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7}
    near = [one.experiment.network.dropout for one in space.neighbours(space.baseline)]
    assert near == [0.2, 0.4]


def test_leaves_with_different_canonical_values_are_not_tied_by_a_choice():
    edits = {"network.inception_3[ab].conv3x3.width": choice(96, 128, 192, name="width")}
    with pytest.raises(ValueError, match="width"):
        SearchSpace(googlenet, edits)


def test_one_name_has_one_list_of_options():
    edits = {
        "network.inception_3a.conv3x3.width": scaled(0.5, 1, name="width"),
        "network.inception_3b.conv3x3.width": scaled(0.5, 1, 2, name="width"),
    }
    with pytest.raises(ValueError, match=r"'width' has two lists of options: \(0.5, 1\) and \(0.5"):
        SearchSpace(googlenet, edits)
    steps = {"network.dropout": between(0.0, 0.8, step=0.1, name="dropout")}
    finer = {"network.aux_head.dropout": between(0.0, 0.8, step=0.05, name="dropout")}
    base = edit(googlenet, {"network.aux_head.dropout": 0.4})
    with pytest.raises(ValueError, match="'dropout' has two lists of options"):
        SearchSpace(base, steps | finer)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SearchSpace(googlenet, {}), "leave nothing undecided"),
        (lambda: SearchSpace(googlenet, {"recipe.lr": 0.1}), "needs a domain; its edits leave"),
        (lambda: SearchSpace(googlenet, {"recipe.rl": choice(1, 2)}), "near it: recipe.lr"),
        (lambda: SearchSpace(googlenet, {WIDTH: choice(1, 2)}), "canonical value 128 is not among"),
        (lambda: conditional.at({"5x5": "off"}), "the space has no decision '5x5'"),
        (lambda: conditional.at({WIDTH + "s": "1"}), "near it: network.inception_3a.conv3x3.width"),
        (lambda: conditional.at({WIDTH: "3"}), "conv3x3.width has no option '3'; it has 0.5, 1"),
        (lambda: SearchSpace(edit(googlenet, {"recipe.image_size": 16}), {WIDTH: scaled(0.5, 1)}),
         "pool4.pool: a 3x3 window does not fit"),
    ],
)  # fmt: skip
def test_a_space_or_a_point_that_cannot_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_budget_that_nothing_fits_names_the_least_cost_there_is(monkeypatch):
    monkeypatch.setattr("nas.space.fitting.DRAWS", 50)
    space = SearchSpace(tiny_googlenet, {WIDTH: scaled(0.5, 1)})
    least = cost(space.at({WIDTH: "0.5"}).experiment).mult_adds
    with pytest.raises(NothingFits, match=f"nothing fits .* costs is {least:,}; raise the budget"):
        space.sample(np.random.default_rng(0), Budget(mult_adds=1000))


def test_a_point_is_explained_by_its_cost_or_by_the_rule_it_breaks():
    budget = Budget(mult_adds=1.5e9)
    text = conditional.explain({}, budget)
    assert text.startswith("1,582,671,872 mult-adds, 6,998,552 parameters; 5.5% over")
    with pytest.raises(ValueError, match=r"has no option '2'; it has 0.5, 1"):
        conditional.explain({WIDTH: "2"})


@pytest.mark.parametrize("width", [0, -1, 1.5])
def test_an_option_that_can_be_in_no_network_is_refused_when_the_space_is_made(width):
    with pytest.raises(
        ValueError, match=r"inception_3a\.conv3x3\.width: Bottleneck\.width must be"
    ):
        SearchSpace(googlenet, {"network.inception_3a.conv3x3.width": versus(width)})


def test_the_fidelity_of_a_run_is_no_decision():
    with pytest.raises(ValueError, match=r"no part of a candidate"):
        SearchSpace(googlenet, {"recipe.fidelity.share": versus(0.5)})


@pytest.mark.parametrize(
    "edits",
    [
        {"recipe.dataset": versus("cifar10")},
        {"recipe": versus(off=Recipe(dataset="cifar10"))},
    ],
)
def test_a_study_has_one_data_set(edits):
    with pytest.raises(ValueError, match="a study has one data set; make a study of each"):
        SearchSpace(googlenet, edits)


def test_the_least_cost_is_found_below_an_option_that_greed_would_not_take():
    space = SearchSpace(
        tiny_googlenet,
        {"network.inception_4a": versus(Plain(width=32)),
         "network.inception_4a.*.width": scaled(0.05, 1, name="w")},
    )  # fmt: skip
    costs = [cost(candidate.experiment).mult_adds for candidate in space.enumerate()]
    assert space.cheapest() == min(costs)
    space.require_fit(Budget(mult_adds=min(costs)))
    with pytest.raises(NothingFits):
        space.require_fit(Budget(mult_adds=min(costs) - 1))


def test_the_least_cost_of_steps_is_on_a_step():
    space = SearchSpace(tiny_googlenet, {WIDTH: between(2, 129, step=2)})
    assert space.cheapest() == cost(space.at({WIDTH: 2}).experiment).mult_adds


@dataclass(frozen=True, kw_only=True)
class Widths(Node):
    """A user's network with a tuple that is no set of places."""

    widths: tuple[int, ...] = (8, 16)

    def layers(self, shape: tuple[int, ...], classes: int) -> tuple[Layer, ...]:
        tape, (first, second) = Tape(shape), self.widths
        x = tape.conv("b", tape.conv("a", tape.image, first, 3), second, 3)
        tape.linear("classifier", tape.average_pool("pool", x), classes)
        return tuple(tape.layers)


def test_a_tuple_that_is_no_set_of_places_may_be_decided():
    experiment = Experiment(network=Widths(), recipe=tiny_googlenet.recipe)
    space = SearchSpace(experiment, {"network.widths": choice((8, 16), (16, 16), (4, 8))})
    assert space.size == 3


chance = random.Random(0)


@dataclass(frozen=True, kw_only=True)
class Drawn(Node):
    """A network that draws a width while it is listed."""

    width: int = 8

    def layers(self, shape: tuple[int, ...], classes: int) -> tuple[Layer, ...]:
        tape = Tape(shape)
        x = tape.conv("conv", tape.image, chance.randrange(1, 10**6))
        tape.linear("classifier", tape.average_pool("pool", x), classes)
        return tuple(tape.layers)


def test_a_network_that_gives_other_layers_each_time_is_refused():
    experiment = Experiment(network=Drawn(), recipe=tiny_googlenet.recipe)
    with pytest.raises(ValueError, match=r"Drawn.layers\(\) must give the same layers each time"):
        SearchSpace(experiment, {"network.width": choice(8, 16)})


def test_a_restricted_space_has_fewer_options_and_the_same_baseline():
    left = conditional.restrict(
        {WIDTH: ["1"], "network.inception_3a.conv5x5.kernel": ["canonical", "3"]}
    )
    assert list(left.domains) == [n for n in conditional.domains if n != WIDTH]
    assert left.domains["network.inception_3a.conv5x5.kernel"].labels == ("canonical", "3")
    assert left.size == 3 * 2 + 1
    assert left.baseline.experiment == conditional.baseline.experiment
    ids = {c.experiment.candidate_id for c in conditional.enumerate()}
    assert {c.experiment.candidate_id for c in left.enumerate()} < ids
    again = left.restrict({"network.inception_3a.conv5x5.width": ["0.5", "1"]})
    assert again.size == 2 * 2 + 1
    assert again.around(small_googlenet).size == again.size


def test_a_restricted_interval_keeps_its_steps():
    space = SearchSpace(googlenet, {"network.dropout": between(0.0, 0.8, step=0.1)})
    left = space.restrict({"network.dropout": (0.2, 0.5)})
    met = [candidate.experiment.network.dropout for candidate in left.enumerate()]
    assert met == [0.2, 0.3, 0.4, 0.5]


@given(candidates(conditional))
def test_a_space_with_all_but_one_decision_frozen_has_that_ones_options(candidate):
    others = {k: v for k, v in candidate.decisions.items() if k != WIDTH}
    fixed = conditional.freeze(others)
    assert {c.experiment.candidate_id for c in fixed.enumerate()} == {
        conditional.at({**others, WIDTH: label}).experiment.candidate_id for label in ("0.5", "1")
    }
    assert fixed.baseline.experiment == conditional.at(others).experiment


def test_a_frozen_decision_with_ties_fills_all_its_leaves_and_is_no_decision():
    fixed = tied.freeze({"5x5 width": "0.5"})
    assert "5x5 width" not in fixed.domains
    network = fixed.baseline.experiment.network
    assert (network.inception_3a.conv5x5.width, network.inception_4e.conv5x5.width) == (16, 64)
    assert fixed.size == 2 * 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: conditional.restrict({WIDTH: ["0.5"]}), "must have the canonical option '1'"),
        (lambda: conditional.restrict({"widht": ["1"]}), "the space has no decision 'widht'"),
        (lambda: conditional.restrict({WIDTH: ["1", "7"]}), "conv3x3.width has no option '7'"),
        (lambda: conditional.freeze({WIDTH: "7"}), "conv3x3.width has no option '7'"),
        (lambda: SearchSpace(googlenet, {WIDTH: scaled(0.5, 1)}).freeze({WIDTH: "1"}), "undecided"),
    ],
)  # fmt: skip
def test_a_smaller_space_that_cannot_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_labelled_function_sees_the_canonical_node_whose_leaves_are_open():
    space = SearchSpace(
        googlenet,
        {
            "network.inception_3a": versus(
                plain=lambda module: Plain(width=module.conv3x3.width), name="3a"
            ),
            "network.inception_3a.conv3x3.width": scaled(0.5, 1, name="3x3"),
        },
    )
    assert space.size == 3
    assert space.at({"3a": "plain"}).experiment.network.inception_3a == Plain(width=128)
    assert space.at({"3x3": "0.5"}).experiment.network.inception_3a.conv3x3.width == 64
    assert space.baseline.experiment == googlenet


def test_a_space_that_is_restricted_again_does_not_grow_back():
    left = conditional.restrict({WIDTH: ["1"], "network.inception_3a.conv5x5.width": ["1", "2"]})
    with pytest.raises(ValueError, match=r"has no option '0.5'; it has 1, 2"):
        left.restrict({"network.inception_3a.conv5x5.width": ["0.5", "1"]})


def test_a_point_below_a_band_is_not_called_over_it():
    band = Budget(mult_adds=(1.6e9, 1.7e9))
    assert conditional.explain({}, band).endswith("1.1% below 1,600,000,000 mult-adds")
    inside = Budget(mult_adds=(1.5e9, 1.6e9))
    assert conditional.explain({}, inside).endswith(
        "within 1,500,000,000 to 1,600,000,000 mult-adds"
    )
