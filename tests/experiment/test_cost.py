from dataclasses import dataclass

import pytest
from hypothesis import given

from nas import (
    Bottleneck,
    Budget,
    Conv,
    Cost,
    Inception,
    Node,
    Tape,
    cost,
    edit,
    googlenet,
    relative,
    tiny_googlenet,
)
from nas.experiment.presets import PRESETS
from tests.specimens import Residual, golden, quick
from tests.strategies import candidates, wide_open


def test_the_canonical_network_costs_what_its_table_says():
    found = cost(googlenet)
    assert (found.mult_adds, found.params) == (1_582_671_872, 6_998_552)


@pytest.mark.parametrize(
    ("edits", "mult_adds", "params"),
    [
        ({"network.normalization": "batch"}, 1_582_671_872, 7_005_832),
        ({"network.normalization": "none"}, 1_582_671_872, 6_998_552),
        ({"network.stem.kind": "separable"}, 1_498_677_248, 6_998_552 - 9_408 + 2_712),
        ({"network.inception_*.conv5x5.kernel": 3}, 1_498_376_192, None),
        ({"network.aux_after": ()}, 1_582_671_872, 6_998_552),
        ({"recipe.dataset": "digits"}, None, None),
    ],
)
def test_a_variant_of_the_canonical_network_costs_this(edits, mult_adds, params):
    found = cost(edit(googlenet, edits))
    assert mult_adds in (None, found.mult_adds)
    assert params in (None, found.params)


def test_aux_heads_are_counted_apart():
    without = cost(edit(googlenet, {"network.aux_after": ()}))
    assert without.params_aux == 0
    share = cost(googlenet).params_aux / (cost(googlenet).params_aux + without.params)
    assert 0.47 < share < 0.49


@pytest.mark.parametrize("name", PRESETS)
def test_the_presets_cost_what_they_did(name):
    found, known = cost(PRESETS[name]), golden("presets")[name]
    for field in ("mult_adds", "params", "params_aux", "activations"):
        assert getattr(found, field) == known[field]


def module_cost(module, size=256) -> Cost:
    """The cost of a module in 3a's place, over a map of 28 x 28 x 256."""
    made = edit(googlenet, {"network.stem.conv3x3": size, "network.inception_3a": module})
    return next(row for row in cost(made).rows if row.name == "inception_3a")


def test_the_naive_module_costs_854m_and_gives_672_channels():
    naive = Inception(
        conv1x1=Conv(width=128),
        conv3x3=Bottleneck(width=192, kernel=3),
        conv5x5=Bottleneck(width=96, kernel=5),
        pool_proj=Conv(width=None),
    )
    assert module_cost(naive).mult_adds == 854_196_224
    made = edit(googlenet, {"network.stem.conv3x3": 256, "network.inception_3a": naive})
    shapes = {layer.name: layer.shape for layer in made.layers()}
    assert shapes["inception_3a.concat"] == (672, 28, 28)


def test_64_channel_reductions_bring_the_naive_module_down_to_271m():
    reduced = Inception(
        conv1x1=Conv(width=128),
        conv3x3=Bottleneck(width=192, kernel=3, ratio=64 / 192),
        conv5x5=Bottleneck(width=96, kernel=5, ratio=64 / 96),
        pool_proj=Conv(width=64),
    )
    found = module_cost(reduced).mult_adds
    assert found == 271_351_808
    # The 358 M that is often quoted counts the 3x3 convolution twice.
    assert found + 28 * 28 * 192 * 64 * 9 == 358_055_936


def test_a_reduction_saves_weights_in_the_3x3_branch_of_3a():
    def weights(edits):
        layers = edit(googlenet, edits).layers()
        branch = [x for x in layers if x.module == "inception_3a" and x.branch == "conv3x3"]
        return sum(layer.weights for layer in branch)

    assert weights({}) == 129_024
    assert weights({"network.inception_3a.conv3x3.ratio": None}) == 221_184


@pytest.mark.parametrize("by", ["module", "branch", "layer"])
@pytest.mark.parametrize("name", PRESETS)
def test_the_rows_sum_to_the_total_and_have_names_of_their_own(name, by):
    found = cost(PRESETS[name], by=by)
    for field in ("mult_adds", "params", "params_aux", "activations"):
        assert sum(getattr(row, field) for row in found.rows) == getattr(found, field)
    names = [row.name for row in found.rows]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", PRESETS)
def test_a_normalization_belongs_to_the_branch_of_its_convolution(name):
    branches = [row.name for row in cost(PRESETS[name], by="branch").rows]
    assert not [branch for branch in branches if branch.endswith("_norm")]


def test_another_image_size_scales_the_operations_and_not_the_parameters():
    small, large = cost(googlenet, image_size=224), cost(googlenet, image_size=448)
    convolutions = small.mult_adds - 1_024_000
    assert large.mult_adds == 4 * convolutions + 1_024_000
    assert large.params == small.params


@dataclass(frozen=True, kw_only=True)
class Woven(Node):
    """A network whose modules take turns."""

    def layers(self, shape, classes):
        tape = Tape(shape)
        x = tape.conv("left.1", tape.image, 2)
        x = tape.conv("left.2", tape.conv("right.1", x, 2), 2)
        tape.linear("head", x, classes)
        return tuple(tape.layers)


def test_a_users_own_network_has_one_row_for_each_of_its_modules():
    found = cost(edit(quick, {"network": Residual()}))
    assert [row.name for row in found.rows] == ["stem", "block", "head"]
    woven = cost(edit(quick, {"network": Woven()}))
    assert [row.name for row in woven.rows] == ["left", "right", "head"]


@given(candidates(wide_open))
def test_the_total_is_the_sum_of_its_layers(candidate):
    try:
        listed = candidate.experiment.layers()
    except ValueError:
        return
    found = cost(candidate.experiment)
    assert found.mult_adds == sum(layer.mult_adds for layer in listed if not layer.aux)
    assert found.params + found.params_aux == sum(layer.params for layer in listed)


def test_a_budget_is_absolute_or_relative_to_the_baseline():
    budget = Budget(mult_adds=1.5e9, params=relative(0.5))
    assert budget.limits(googlenet) == {"mult_adds": 1.5e9, "params": 0.5 * 6_998_552}
    excess = budget.excess(googlenet, googlenet)
    assert excess == {"mult_adds": 1_582_671_872 / 1.5e9 - 1, "params": pytest.approx(1.0)}


def test_the_baseline_fits_one_times_its_own_cost_exactly():
    budget = Budget(mult_adds=relative(1.0), params=relative(1.0))
    assert budget.excess(tiny_googlenet, tiny_googlenet) == {"mult_adds": 0.0, "params": 0.0}


def test_a_budget_may_count_at_another_image_size():
    limit = cost(tiny_googlenet, image_size=32).mult_adds
    assert Budget(mult_adds=relative(2.0), image_size=32).limits(tiny_googlenet) == {
        "mult_adds": 2.0 * limit
    }


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Budget(), "limits mult_adds, params, activations or several; leave"),
        (lambda: relative(0.0), "factor above 0, not 0"),
        (lambda: Budget(mult_adds="1.5G"), "must be float or Relative or a tuple of float"),
        (lambda: Budget(mult_adds=0), "mult_adds"),
        (lambda: Budget(params=-1), "params"),
        (lambda: Budget(mult_adds=float("nan")), "mult_adds"),
        (lambda: Budget(mult_adds=1e9, image_size=0), "image_size"),
        (lambda: Budget(mult_adds=(1.0, 2.0, 3.0)), r"a limit or a band \(least, most\)"),
        (lambda: Budget(mult_adds=(0, 1e9)), "mult_adds must be above 0, not 0"),
    ],
)
def test_a_budget_that_limits_nothing_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_band_is_refused_when_it_is_empty_and_measured_on_both_sides():
    with pytest.raises(ValueError, match="the band 2 to 1 mult-adds is empty"):
        Budget(mult_adds=(2.0, 1.0)).bounds(googlenet)
    spent = cost(googlenet).mult_adds
    band = Budget(mult_adds=(relative(0.5), relative(2.0)))
    assert band.excess(googlenet, googlenet) == {"mult_adds": -0.5}
    assert Budget(mult_adds=(2 * spent, 3 * spent)).excess(googlenet, googlenet) == {
        "mult_adds": 0.5
    }
    assert Budget(mult_adds=(1.0, spent / 2)).excess(googlenet, googlenet) == {"mult_adds": 1.0}


def test_activations_are_limited_like_the_others():
    spent = cost(googlenet).activations
    assert Budget(activations=relative(1.0)).limits(googlenet) == {"activations": spent}
