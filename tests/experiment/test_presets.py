import pytest
import torch
from torchvision.models import googlenet as build_torchvision

from nas import cost, edit, torchvision_googlenet
from nas.experiment.experiment import CLASSES
from nas.experiment.presets import PRESETS
from nas.train.net import Net
from nas.tree.tree import from_json, to_json
from tests.specimens import carried, fvcore_mult_adds, golden


def depth(layers):
    """The most layers with weights that one path from the image to the logits passes through."""
    deepest = {"image": 0}
    for layer in layers:
        above = max(deepest[name] for name in layer.inputs)
        deepest[layer.name] = above + (layer.op in ("conv", "linear"))
    return max(deepest[layer.name] for layer in layers if not layer.aux)


@pytest.mark.parametrize("name", PRESETS)
def test_the_ids_of_the_presets_stay(name):
    preset, known = PRESETS[name], golden("presets")[name]
    assert preset.network_id == known["network_id"]
    assert preset.candidate_id == known["candidate_id"]
    assert depth(preset.layers()) == known["depth"]


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_comes_back_from_its_json(name):
    again = from_json(to_json(PRESETS[name]), CLASSES)
    assert again == PRESETS[name]
    assert again.candidate_id == PRESETS[name].candidate_id


@pytest.fixture(scope="module")
def theirs():
    """torchvision's own module."""
    return build_torchvision(weights=None, init_weights=False)


@pytest.mark.parametrize("size", [64, 65, 97, 112, 160, 200, 224, 255, 299, 320])
def test_the_torchvision_preset_counts_what_torchvisions_module_does_at_every_size(theirs, size):
    found = cost(torchvision_googlenet, size)
    assert found.mult_adds == fvcore_mult_adds(theirs.eval(), torch.zeros(1, 3, size, size))
    assert (found.params, found.params_aux) == (6_624_904, 6_379_984)


@pytest.mark.parametrize("size", [64, 112, 131, 224])
def test_torchvisions_weights_give_torchvisions_logits_at_every_size(theirs, size):
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, values in theirs.state_dict().items():
            if ".bn." in name and values.is_floating_point():
                values.uniform_(0.001, 0.5, generator=generator)
    ours = carried(theirs, torchvision_googlenet.layers(size))
    images = torch.rand(2, 3, size, size, generator=generator)
    with torch.no_grad():
        expected = theirs.eval()(images)
        assert (ours.eval()(images) - expected).abs().max() < 1e-5 * max(1, expected.abs().max())


@pytest.mark.parametrize("size", [64, 131, 224])
def test_torchvisions_weights_give_the_logits_of_torchvisions_aux_heads(size):
    generator = torch.Generator().manual_seed(0)
    theirs = build_torchvision(weights=None, init_weights=False, dropout=0, dropout_aux=0)
    dry = edit(torchvision_googlenet, {"network.dropout": 0.0, "network.aux_head.dropout": 0.0})
    ours = carried(theirs, dry.layers(size))
    images = torch.rand(4, 3, size, size, generator=generator)
    expected = theirs.train()(images)
    found = ours.train().outputs(images)
    for name, wanted in (
        ("head.classifier", expected.logits),
        ("aux_4a.classifier", expected.aux_logits1),
        ("aux_4d.classifier", expected.aux_logits2),
    ):
        assert (found[name] - wanted).abs().max() < 1e-5


def test_the_torchvision_preset_has_torchvisions_parameters(theirs):
    sizes = {name: weight.numel() for name, weight in theirs.named_parameters()}
    aux = sum(size for name, size in sizes.items() if name.startswith("aux"))
    found = cost(torchvision_googlenet)
    assert found.params == sum(sizes.values()) - aux == 6_624_904
    assert found.params_aux == aux


def test_the_torchvision_preset_has_torchvisions_weight_shapes(theirs):
    ours = Net(torchvision_googlenet.layers())
    shapes = sorted(tuple(weight.shape) for weight in ours.parameters())
    assert shapes == sorted(tuple(weight.shape) for weight in theirs.parameters())
