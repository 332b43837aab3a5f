import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from nas import GoogLeNet, Layer, Network, Tape, googlenet
from nas.networks.googlenet import MODULES
from nas.networks.layers import check_results, module_fields, results
from nas.networks.names import NET, TAKEN, shortened
from nas.train.net import Net
from tests.specimens import Cells, Residual


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


def test_a_module_is_called_by_its_place_where_no_other_is_called_so():
    assert shortened(["stem", "inception_3a", "inception_3a_2", "block_1"]) == {
        "stem": "stem", "inception_3a": "3a", "inception_3a_2": "3a_2", "block_1": "block_1",
    }  # fmt: skip
    assert shortened(["left_3a", "right_3a"]) == {"left_3a": "left_3a", "right_3a": "right_3a"}


def test_the_fields_of_one_type_are_a_networks_modules():
    assert module_fields(GoogLeNet()) == set(MODULES)
    assert module_fields(Cells(cell_2a=None)) == {"cell_1a", "cell_2a", "cell_2b"}
    assert module_fields(Residual()) == set()


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


def recorded(build):
    """A tape on which `build(tape, x)` recorded behind a convolution `x` called stem.conv."""
    tape = Tape((1, 8, 8))
    build(tape, tape.conv("stem.conv", tape.image, 4))
    return tape


REFUSED = {
    "act: .* and there is no 'gelu'": lambda tape, x: tape.simple("gelu", "act", x),
    "act: .* and there is no 'conv'": lambda tape, x: tape.simple("conv", "act", x),
    "d: dropout needs a rate": lambda tape, x: tape.simple("dropout", "d", x),
    "d: rate .* not 1.0": lambda tape, x: tape.simple("dropout", "d", x, 1.0),
    "d: rate .* not nan": lambda tape, x: tape.simple("dropout", "d", x, float("nan")),
    "'' is no name": lambda tape, x: tape.conv("", x, 8),
    "'a..b.' is no name": lambda tape, x: tape.conv("a..b.", x, 8),
    "'_steps' is no name": lambda tape, x: tape.conv("_steps", x, 8),
    "'für/x' is no name": lambda tape, x: tape.conv("für/x", x, 8),
    "down.half: .* has 'half' of its own": lambda tape, x: tape.conv("down.half", x, 8),
    "outputs.a: .* has 'outputs' of its own": lambda tape, x: tape.conv("outputs.a", x, 8),
    "two layers are called image": lambda tape, x: tape.conv("image", x, 8),
    "stem is a layer, and stem.conv would lie": lambda tape, x: tape.conv("stem", x, 8),
    "stem.conv is a layer, and stem.conv.a.b": lambda tape, x: tape.conv("stem.conv.a.b", x, 8),
    "b: width .* not 12.0; max": lambda tape, x: tape.conv("b", x, 12.0),
    "b: width .* not 0": lambda tape, x: tape.linear("b", x, 0),
    "b: kernel .* not 0; say kernel=1": lambda tape, x: tape.conv("b", x, 8, kernel=0),
    "b: kernel .* not .3, 1.": lambda tape, x: tape.conv("b", x, 8, kernel=(3, 1)),
    "b: kernel .* not -1": lambda tape, x: tape.average_pool("b", x, -1),
    "b: stride .* not 0": lambda tape, x: tape.max_pool("b", x, 2, 0),
    "b: groups .* not 0": lambda tape, x: tape.conv("b", x, 8, groups=0),
    "b: padding .* not -1": lambda tape, x: tape.conv("b", x, 8, 3, padding=-1),
    "b: padding .* at most half its kernel, not 2": lambda tape, x: tape.max_pool("b", x, 2, 2, 2),
    "b: a layer reads what .* not 'stem.conv'": lambda tape, x: tape.conv("b", "stem.conv", 8),
    "b: a layer reads what .* not .Ref": lambda tape, x: tape.concat("b", [x, x]),
    "b: a layer reads what .* not None": lambda tape, x: tape.simple("relu", "b", None),
    "b: a layer reads what .* not Ref.name='image', shape=": (
        lambda tape, x: tape.add("b", x, Tape((2, 8, 8)).image)
    ),
    "b: concat needs an output": lambda tape, x: tape.concat("b"),
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_cannot_be_built_is_refused_as_it_is_recorded(said):
    with pytest.raises(ValueError, match=f"^{said}"):
        recorded(REFUSED[said])


@pytest.mark.parametrize("op", ["conv", "max_pool", "average_pool", "batch_norm", "lrn"])
def test_what_reads_maps_does_not_stand_behind_a_linear_layer(op):
    def build(tape, x):
        x = tape.linear("hidden", x, 5)
        if op in ("batch_norm", "lrn"):
            tape.simple(op, "late", x)
        else:
            getattr(tape, op)("late", x, 2, 2)

    with pytest.raises(ValueError, match=rf"late: {op} reads a map .* hidden is \(5,\)"):
        recorded(build)


def test_the_network_does_not_read_an_aux_head():
    def build(tape, x):
        tape.aux = True
        x = tape.conv("aux.conv", x, 2)
        tape.aux = False
        tape.linear("head", x, 3)

    with pytest.raises(ValueError, match=r"head: no aux head is there .* read its aux.conv"):
        recorded(build)


def test_a_dropout_whose_rate_is_a_leaf_may_be_0():
    assert recorded(lambda tape, x: tape.simple("dropout", "d", x, 0.0)).layers[-1].rate == 0


def test_the_names_that_torch_modules_have_are_all_refused():
    public = {name for name in dir(nn.Module()) if not name.startswith("_")}
    assert public <= TAKEN
    tape = recorded(lambda tape, x: tape.linear("head", x, 3))
    of_nets = {name for name in dir(Net(tuple(tape.layers))) if not name.startswith("_")}
    assert of_nets == public | NET | {"stem", "head"}


def late_relu(tape, x):
    tape.simple("relu", "late", tape.linear("a", x, 10))
    tape.linear("b", x, 10)


def small_aux_head(tape, x):
    tape.linear("head", x, 10)
    tape.aux = True
    tape.linear("aux", x, 3)


def all_aux(tape, x):
    tape.aux = True
    tape.linear("head", tape.conv("aux", x, 4), 10)


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda tape, x: None, r"stem.conv .* each of the 10 classes, not 256 numbers \(4, 8, 8\)"),
        (lambda tape, x: tape.linear("head", x, 7), r"head .* the 10 classes, not 7 numbers"),
        (small_aux_head, r"aux .* the 10 classes, not 3 numbers"),
        (late_relu, r"just one layer .*; here these are: late, b; .* tape.aux = False"),
        (all_aux, r"just one layer .*; here there is none"),
    ],
)
def test_a_network_ends_in_one_logit_a_class(build, said):
    with pytest.raises(ValueError, match=said):
        check_results(tuple(recorded(build).layers), 10)


@pytest.mark.parametrize("given", [None, [], Tape((1, 8, 8))])
def test_what_layers_gives_is_a_tuple_of_layers(given):
    said = rf"layers\(\) must return tuple\(tape.layers\), not a {type(given).__name__}"
    with pytest.raises(ValueError, match=said):
        check_results(given, 10)
