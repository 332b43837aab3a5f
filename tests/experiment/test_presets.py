import pytest
import torch
from torchvision.models import googlenet as build_torchvision

from nas import cost, torchvision_googlenet
from nas.experiment.experiment import CLASSES
from nas.experiment.presets import PRESETS
from nas.train.net import Net
from nas.tree.tree import from_json, to_json
from tests.specimens import fvcore_mult_adds, golden


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


def test_the_torchvision_preset_counts_what_torchvisions_module_does(theirs):
    counted = fvcore_mult_adds(theirs, torch.zeros(1, 3, 224, 224))
    assert counted == cost(torchvision_googlenet).mult_adds == 1_498_376_192


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
