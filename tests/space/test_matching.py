import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas import (
    PLACES,
    Experiment,
    Plain,
    control,
    cost,
    edit,
    googlenet,
    match,
    small_alexnet,
    small_network_in_network,
    tiny_googlenet,
)
from nas.space.matching import widths
from nas.train.audit import audit
from nas.tree.tree import differences
from tests.space.test_populations import Straight

BRANCHES = ("conv1x1", "conv3x3", "conv5x5", "pool_proj")
removals = st.tuples(st.sampled_from(PLACES), st.sampled_from(BRANCHES)).map(
    lambda at: f"network.inception_{at[0]}.{at[1]}"
)


def test_the_widths_are_those_of_stem_and_branches_and_no_others():
    found = widths(googlenet)
    assert len(found) == 3 + 9 * 4
    assert set(found[:3]) == {f"network.stem.{name}" for name in ("conv7x7", "reduce", "conv3x3")}
    assert not any("aux" in path or "kernel" in path for path in found)
    straight = Experiment(network=Straight(), recipe=tiny_googlenet.recipe)
    assert widths(straight) == ("network.width",)


@settings(max_examples=15, deadline=None)
@given(removals)
def test_a_matched_removal_costs_what_the_baseline_does(path):
    variant = edit(googlenet, {path: None})
    wanted, saved = cost(googlenet).mult_adds, cost(variant).mult_adds
    found = match(variant, googlenet)
    spent = cost(found.experiment).mult_adds
    assert (found.mult_adds, found.wanted) == (spent, wanted)
    assert abs(spent - wanted) <= 1e-5 * wanted <= 0.1 * (wanted - saved)
    assert 1 <= found.factor <= 1.25
    changed = differences(variant, found.experiment)
    assert set(changed) <= set(widths(googlenet))
    for old, new in changed.values():
        assert abs(new - found.factor * old) <= 17


def test_a_matched_variant_is_counted_alike_by_fvcore():
    found = match(edit(googlenet, {"network.inception_4e.conv3x3": None}), googlenet)
    assert audit(found.experiment.layers()).mult_adds == found.mult_adds


def test_what_the_change_is_about_is_not_widened():
    half = edit(googlenet, {"network.inception_4a.conv3x3.width": 104})
    found = match(half, googlenet).experiment.network
    assert found.inception_4a.conv3x3.width == 104
    plain = edit(googlenet, {"network.inception_4b": Plain(width=256)})
    assert match(plain, googlenet).experiment.network.inception_4b == Plain(width=256)


def test_a_change_without_a_cost_is_its_own_match():
    bare = edit(googlenet, {"network.aux_after": (), "network.normalization": "none"})
    found = match(bare, googlenet)
    assert (found.experiment, found.factor) == (bare, 1.0)


def test_a_variant_that_costs_more_is_narrowed():
    larger = edit(googlenet, {"network.inception_3a.conv5x5.kernel": 7})
    found = match(larger, googlenet)
    assert found.factor < 1
    assert abs(found.mult_adds - found.wanted) <= 1e-5 * found.wanted


def test_another_network_is_refused():
    plain = edit(googlenet, {"network.inception_*.conv3x3": None})
    with pytest.raises(ValueError, match=r"a width factor of 0.8 to 1.25 gives .* another network"):
        match(plain, googlenet)


def test_a_change_of_every_width_leaves_none_to_match():
    halved = edit(googlenet, {path: lambda width: width // 2 for path in widths(googlenet)})
    with pytest.raises(ValueError, match="leaves no width of the baseline alone"):
        match(halved, googlenet)


def test_channels_too_coarse_for_a_tenth_of_the_saving_are_refused():
    straight = Experiment(network=Straight(width=2), recipe=tiny_googlenet.recipe)
    with pytest.raises(ValueError, match=r"the nearest to .* widths of whole channels come is"):
        control(straight, cost(straight).mult_adds + 10)


@settings(max_examples=10, deadline=None)
@given(removals)
def test_the_size_control_is_the_baseline_at_the_cost_of_the_variant(path):
    saved = cost(edit(googlenet, {path: None})).mult_adds
    found = control(googlenet, saved)
    assert abs(found.mult_adds - saved) <= 1e-5 * saved
    assert set(differences(googlenet, found.experiment)) <= set(widths(googlenet))
    assert 0.8 < found.factor < 1


@pytest.mark.parametrize("place", ["3a", "4a", "5a"])
@pytest.mark.parametrize("branch", ["conv1x1", "conv5x5", "pool_proj"])
def test_a_small_network_is_matched_to_a_tenth_of_the_saving(place, branch):
    variant = edit(tiny_googlenet, {f"network.inception_{place}.{branch}": None})
    found = match(variant, tiny_googlenet)
    saved = found.wanted - cost(variant).mult_adds
    assert abs(found.mult_adds - found.wanted) <= min(0.1 * saved, 0.01 * found.wanted)


def test_a_network_that_is_counted_one_by_one_is_matched_too():
    straight = Experiment(network=Straight(width=400), recipe=tiny_googlenet.recipe)
    found = control(straight, round(0.8 * cost(straight).mult_adds))
    assert found.experiment.network.width == 320


@pytest.mark.parametrize("network", [small_alexnet, small_network_in_network])
def test_groups_are_no_width_and_networks_that_cannot_be_are_passed_over(network):
    assert not any("groups" in path for path in widths(network))
    wanted = round(0.9 * cost(network).mult_adds)
    assert abs(control(network, wanted).mult_adds - wanted) <= 0.01 * wanted
