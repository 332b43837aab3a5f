import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from specimens import Residual
from torch import nn

from nas import Layer, Network, Tape, googlenet
from nas.layers import depth, results


@given(st.integers(1, 60), st.integers(1, 7), st.integers(1, 4), st.data())
def test_a_max_pool_has_the_size_that_torch_gives_it(side, kernel, stride, data):
    padding = data.draw(st.integers(0, kernel // 2))
    tape = Tape((1, side, side))
    pool = nn.MaxPool2d(kernel, stride, padding, ceil_mode=True)
    if side + 2 * padding < kernel:
        with pytest.raises(ValueError, match=rf"pool: a {kernel}x{kernel} window does not fit"):
            tape.max_pool("pool", tape.image, kernel, stride, padding)
        return
    expected = tuple(pool(torch.zeros(1, 1, side, side)).shape[1:])
    assert tape.max_pool("pool", tape.image, kernel, stride, padding).shape == expected


@given(st.integers(1, 40), st.sampled_from([1, 2, 3, 4, 5, 7]), st.integers(1, 4))
def test_a_convolution_has_the_size_that_torch_gives_it(side, kernel, stride):
    tape = Tape((2, side, side))
    if side + 2 * (kernel // 2) < kernel:
        return
    made = tape.conv("conv", tape.image, 3, kernel, stride)
    conv = nn.Conv2d(2, 3, kernel, stride, kernel // 2)
    assert made.shape == tuple(conv(torch.zeros(1, 2, side, side)).shape[1:])
    assert tape.layers[0].params == sum(p.numel() for p in conv.parameters())


@given(st.integers(1, 40), st.integers(1, 7), st.integers(1, 4))
def test_an_average_pool_rounds_down(side, kernel, stride):
    tape = Tape((1, side, side))
    if side < kernel:
        return
    pool = nn.AvgPool2d(kernel, stride)
    expected = tuple(pool(torch.zeros(1, 1, side, side)).shape[1:])
    assert tape.average_pool("pool", tape.image, kernel, stride).shape == expected


def test_a_window_that_does_not_fit_says_which_and_the_way_out():
    tape = Tape((3, 4, 4))
    message = r"aux_4a.pool: a 5x5 window does not fit a map of 4x4; take a larger image_size"
    with pytest.raises(ValueError, match=message):
        tape.average_pool("aux_4a.pool", tape.image, 5, 3)


SHAPES = {"inputs": ("x",), "in_shape": (6, 4, 4), "shape": (8, 4, 4)}


@pytest.mark.parametrize(
    ("layer", "weights", "params", "mult_adds", "activations"),
    [
        (Layer(name="a", op="conv", kernel=3, bias=True, **SHAPES), 432, 440, 6912, 128),
        (Layer(name="a", op="conv", kernel=3, groups=2, **SHAPES), 216, 216, 3456, 128),
        (Layer(name="a", op="linear", bias=True, **SHAPES | {"shape": (5,)}), 480, 485, 480, 5),
        (Layer(name="a", op="batch_norm", **SHAPES | {"shape": (6, 4, 4)}), 6, 12, 0, 0),
        (Layer(name="a", op="max_pool", **SHAPES), 0, 0, 0, 0),
        (Layer(name="a", op="relu", **SHAPES), 0, 0, 0, 0),
    ],
)
def test_a_layer_counts_its_weights_and_multiply_adds(
    layer, weights, params, mult_adds, activations
):
    assert (layer.weights, layer.params) == (weights, params)
    assert (layer.mult_adds, layer.activations) == (mult_adds, activations)


def test_a_name_says_module_and_branch():
    layer = Layer(name="inception_3a.conv5x5.reduce", op="conv", **SHAPES)
    assert (layer.module, layer.branch) == ("inception_3a", "conv5x5")


def test_the_canonical_network_is_22_layers_deep():
    assert depth(googlenet.layers()) == 22


def test_depth_follows_the_deepest_path_to_the_logits_only():
    tape = Tape((1, 8, 8))
    x = tape.conv("a", tape.image, 2)
    y = tape.conv("b2", tape.conv("b1", x, 2), 2)
    x = tape.concat("joined", x, y)
    tape.aux = True
    z = tape.conv("aux.2", tape.conv("aux.1", x, 2), 2)
    tape.linear("aux.classifier", z, 3)
    tape.aux = False
    tape.linear("classifier", x, 3)
    assert depth(tuple(tape.layers)) == 4


def test_the_results_are_the_logits_and_then_the_aux_heads():
    names = [layer.name for layer in results(googlenet.layers())]
    assert names == ["head.classifier", "aux_4a.classifier", "aux_4d.classifier"]


def test_every_layer_reads_what_stands_before_it():
    known = {"image"}
    for layer in googlenet.layers():
        assert known.issuperset(layer.inputs)
        assert layer.name not in known
        known.add(layer.name)


def test_whatever_has_layers_is_a_network():
    assert isinstance(Residual(), Network)
    assert not isinstance("googlenet", Network)


def test_maps_of_two_sizes_are_not_joined():
    tape = Tape((1, 8, 8))
    small = tape.conv("small", tape.image, 2, 3, 2)
    with pytest.raises(ValueError, match="both"):
        tape.concat("both", tape.image, small)
    with pytest.raises(ValueError, match="sum"):
        tape.add("sum", tape.image, small)


def test_a_name_is_given_to_one_layer():
    tape = Tape((1, 8, 8))
    x = tape.conv("conv", tape.image, 2)
    with pytest.raises(ValueError, match="conv"):
        tape.conv("conv", x, 2)
