from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas import AuxHead, Experiment, GoogLeNet, Recipe, Tape, cost, edit, googlenet, small_googlenet
from nas.experiment.experiment import rebuilt
from nas.experiment.subject import Config
from tests.specimens import Residual, quick


def resized(factor):
    """Every width of the canonical network multiplied by hand."""

    def times(width):
        return max(1, round(width * factor))

    leaves = ("conv1x1.width", "conv3x3.width", "conv5x5.width", "pool_proj.width")
    edits = {f"network.inception_*.{leaf}": times for leaf in leaves}
    stem = {f"network.stem.{leaf}": times for leaf in ("conv7x7", "reduce", "conv3x3")}
    aux = {f"network.aux_head.{leaf}": times for leaf in ("conv", "hidden")}
    return edit(googlenet, edits | stem | aux)


@given(st.sampled_from([0.5, 0.25, 0.75, 2.0]) | st.floats(0.01, 2.0))
def test_a_global_width_and_widths_made_by_hand_are_one_network(factor):
    by_hand = resized(factor)
    at_once = edit(googlenet, {"network.width": factor})
    assert by_hand.network != at_once.network or factor == 1
    assert by_hand.network_id == at_once.network_id
    assert by_hand.candidate_id == at_once.candidate_id


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"network.aux_after": ("4a", "4d")}, {"network.aux_after": ("4d", "4a")}),
        ({"network.aux_after": ()}, {"network.aux_after": (), "network.aux_head": AuxHead(conv=8)}),
        (
            {"network.inception_4a": None},
            {"network.inception_4a": None, "network.aux_after": ("4d",)},
        ),
        ({"network.width": 1}, {"network.width": np.float64(1.0)}),
        ({"network.inception_3a.conv1x1.width": np.int64(32)},) * 2,
        (
            {"network.inception_3a.conv3x3.ratio": None},
            {
                "network.inception_3a.conv3x3.ratio": None,
                "network.inception_3a.conv3x3.activation": False,
            },
        ),
        ({"network.stem.kind": "small"}, {"network.stem.kind": "small", "network.stem.reduce": 9}),
    ],
)
def test_two_trees_that_build_one_network_share_its_id(first, second):
    assert edit(googlenet, first).network_id == edit(googlenet, second).network_id


DIFFERENT = [
    {},
    {"network.inception_3a.conv1x1.width": 65},
    {"network.inception_3a.conv5x5.kernel": 3},
    {"network.inception_3a.conv5x5.kernel": "3+3"},
    {"network.inception_3a.conv3x3.activation": False},
    {"network.inception_3a.shortcut": True},
    {"network.inception_4c": None},
    {"network.aux_after": ("4a",)},
    {"network.aux_after": ()},
    {"network.aux_head.dropout": 0.5},
    {"network.dropout": 0.5},
    {"network.dropout": 0.0},
    {"network.normalization": "none"},
    {"network.normalization": "batch"},
    {"network.stem.kind": "separable"},
    {"network.head.pooling": "flatten"},
    {"network.width": 0.5},
    {"recipe.image_size": 256},
]


def test_different_networks_have_different_ids():
    ids = [edit(googlenet, edits).network_id for edits in DIFFERENT]
    assert len(set(ids)) == len(DIFFERENT)


RECIPES = [
    {},
    {"recipe.lr": 0.1},
    {"recipe.batch_size": 128},
    {"recipe.averaging": None},
    {"recipe.augmentation": "flip"},
    {"recipe.initialization": "torch"},
    {"recipe.aux_weight": 0.4},
]


def test_a_recipe_makes_another_candidate_of_the_same_network():
    made = [edit(googlenet, edits) for edits in RECIPES]
    assert len({one.network_id for one in made}) == 1
    assert len({one.candidate_id for one in made}) == len(RECIPES)


def test_fidelity_does_not_make_another_candidate():
    longer = edit(googlenet, {"recipe.fidelity.epochs": 10, "recipe.fidelity.share": 0.5})
    assert longer.candidate_id == googlenet.candidate_id


def test_classes_and_channels_follow_from_the_data_set():
    assert (googlenet.shape, googlenet.classes) == ((3, 224, 224), 1000)
    assert (small_googlenet.shape, small_googlenet.classes) == ((1, 28, 28), 10)
    assert small_googlenet.layers()[0].in_shape == (1, 28, 28)
    assert small_googlenet.layers()[-1].shape == (10,)


def test_a_frozen_dataclass_of_a_users_own_is_a_network():
    made = edit(quick, {"network": Residual(width=8)})
    assert cost(made).params == 8 * 9 + 8 + 8 * 8 * 9 + 8 + 8 * 4 + 4
    assert made.network_id != edit(quick, {"network": Residual(width=9)}).network_id


@dataclass(frozen=True)
class Stranger:
    """A network that knows nothing of this library's trees."""

    width: int = 4

    def layers(self, shape, classes):
        return Residual(width=self.width).layers(shape, classes)


def test_a_users_network_need_not_inherit_anything():
    made = Experiment(network=Stranger(), recipe=quick.recipe)
    assert made.network_id == edit(quick, {"network": Residual(width=4)}).network_id
    assert made.candidate_id == edit(quick, {"network": Residual(width=4)}).candidate_id


def test_what_has_no_layers_is_no_network():
    with pytest.raises(ValueError, match=r"Recipe is no network: it needs layers\(shape, classes"):
        Experiment(network=Recipe())


def test_an_image_that_is_too_small_is_refused_with_the_place():
    with pytest.raises(ValueError, match=r"aux_4a.pool: a 5x5 window does not fit a map of 2x2"):
        Experiment(network=GoogLeNet()).layers(image_size=32)


def test_a_fidelity_of_smaller_images_is_no_other_candidate_and_counted_as_before():
    cheap = edit(small_googlenet, {"recipe.fidelity.image_size": 20})
    assert cheap.candidate_id == small_googlenet.candidate_id
    assert cost(cheap) == cost(small_googlenet)
    assert cheap.trained_layers == small_googlenet.layers(20)
    assert small_googlenet.trained_layers == small_googlenet.layers()


def test_a_fidelity_of_images_that_the_network_does_not_fit_is_refused():
    with pytest.raises(
        ValueError, match=r"at Fidelity.image_size 16, .*: a 3x3 window does not fit a map of 2x2"
    ):
        edit(googlenet, {"recipe.fidelity.image_size": 16})


@dataclass(frozen=True)
class Headless:
    """A network whose classifier was forgotten."""

    def layers(self, shape, classes):
        tape = Tape(shape)
        tape.conv("stem", tape.image, 8)
        return tuple(tape.layers)


def test_a_network_without_its_logits_is_refused_when_it_is_counted():
    made = Experiment(network=Headless(), recipe=quick.recipe)
    with pytest.raises(ValueError, match=r"^Headless: stem is read by no other layer, so it must"):
        cost(made)


def test_what_a_function_is_called_with_needs_no_logits():
    made = Experiment(network=Config(values="{}"), recipe=quick.recipe)
    assert cost(made).params == 0


def test_a_proposal_that_was_not_valid_has_no_network():
    with pytest.raises(ValueError, match="was not valid: there is no network of it"):
        rebuilt({}, "")
