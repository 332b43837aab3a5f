import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings

from nas import Tape, edit
from nas.experiment.presets import PRESETS
from nas.export.onnx_graph import onnx_model
from nas.train.net import Net, initialize
from tests.specimens import Odd, Residual, quick
from tests.strategies import candidates, wide_open


def check(layers):
    """Compares the logits of onnxruntime with those of our module."""
    net = Net(layers).eval()
    initialize(net, 3, "torch")
    tensors = {k: v.numpy() for k, v in net.state_dict().items() if v.is_floating_point()}
    model = onnx_model(layers, tensors, "A network.")
    assert not any("aux" in node.name for node in model.graph.node)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    shape = next(layer.in_shape for layer in layers if layer.inputs == ("image",))
    images = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
    (theirs,) = session.run(["logits"], {"images": images.numpy()})
    with torch.no_grad():
        assert np.abs(theirs - net(images).numpy()).max() < 1e-5


@settings(max_examples=15)
@given(candidates(wide_open))
def test_any_candidate_computes_in_onnxruntime_what_it_does_in_torch(candidate):
    check(candidate.experiment.layers())


@pytest.mark.parametrize("name", [name for name in PRESETS if PRESETS[name].shape[1] < 64])
def test_any_preset_computes_in_onnxruntime_what_it_does_in_torch(name):
    check(PRESETS[name].layers())


@pytest.mark.parametrize("network", [Residual(), Odd()], ids=["Residual", "Odd"])
def test_a_network_of_ones_own_computes_in_onnxruntime_what_it_does_in_torch(network):
    check(edit(quick, {"network": network}).layers())


@pytest.mark.parametrize(("side", "kernel", "stride"), [(7, 2, 2), (8, 3, 2), (5, 2, 3), (6, 3, 1)])
@pytest.mark.parametrize("padding", [0, 1])
def test_a_pool_rounds_up_as_torch_does(side, kernel, stride, padding):
    tape = Tape((1, side, side))
    tape.linear("head", tape.max_pool("pool", tape.image, kernel, stride, padding), 4)
    check(tuple(tape.layers))


@pytest.mark.parametrize("side", [3, 4, 5, 8, 9])
def test_an_average_over_a_grid_is_torchs(side):
    tape = Tape((2, side, side + 1))
    tape.linear("head", tape.average_pool("pool", tape.image, grid=4), 4)
    check(tuple(tape.layers))


@pytest.mark.parametrize(("side", "kernel"), [(7, 2), (8, 3), (8, 2)])
@pytest.mark.parametrize("padding", [0, 1])
def test_a_pool_rounds_down_where_it_is_told_to(side, kernel, padding):
    tape = Tape((1, side, side))
    tape.linear("head", tape.max_pool("pool", tape.image, kernel, 2, padding, up=False), 4)
    check(tuple(tape.layers))


def test_the_epsilon_of_batch_norm_is_the_networks():
    check(edit(quick, {"network.epsilon": 0.1}).layers())
