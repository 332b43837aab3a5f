from itertools import pairwise

import pytest
import torch
from torch import nn
from torchvision import models

from nas import (
    AlexNet,
    Convolution,
    Experiment,
    LeNet5,
    NetworkInNetwork,
    PlainNet,
    SearchSpace,
    alexnet,
    cost,
    edit,
    scaled,
    small_network_in_network,
    zfnet,
)
from nas.experiment.cost import total
from nas.experiment.presets import PRESETS
from nas.networks.replay import resized
from nas.runs.record import Settings, seeds
from nas.train.audit import audit
from nas.train.net import Net
from nas.train.training import Training
from tests.specimens import QUICK, carried, fvcore_mult_adds

SMALL = ("lenet5", "small_alexnet", "small_network_in_network", "small_plain", "small_vgg16")
THEIRS = {
    "vgg16": (lambda: models.vgg16(init_weights=False), 138_357_544),
    "torchvision_alexnet": (models.alexnet, 61_100_840),
}


@pytest.mark.parametrize(
    ("name", "params", "mult_adds"),
    [
        ("lenet5", 61_706, 416_520),
        ("alexnet", 60_965_224, 724_406_816),
        ("zfnet", 62_357_608, 1_168_032_896),
        ("network_in_network", 7_595_176, 1_100_188_800),
        ("vgg16", 138_357_544, 15_470_264_320),
    ],
)
def test_a_network_has_its_published_parameters(name, params, mult_adds):
    found = cost(PRESETS[name])
    assert (found.params, found.mult_adds) == (params, mult_adds)


@pytest.fixture(scope="module", params=THEIRS)
def torchvisions(request):
    """A preset, torchvision's own module of it, and its number of parameters."""
    build, params = THEIRS[request.param]
    return PRESETS[request.param], build().eval(), params


@pytest.mark.parametrize("size", [64, 100, 147, 224, 320])
def test_torchvisions_module_has_the_same_weights_and_mult_adds_at_every_size(torchvisions, size):
    preset, theirs, params = torchvisions
    counted = cost(preset, size)
    assert counted.params == params
    assert counted.mult_adds == fvcore_mult_adds(theirs, torch.zeros(1, 3, size, size))


@pytest.mark.parametrize("size", [64, 100, 224])
def test_torchvisions_weights_give_torchvisions_logits_at_every_size(torchvisions, size):
    preset, theirs, _ = torchvisions
    ours = carried(theirs, preset.layers(size))
    images = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert (ours(images) - theirs(images)).abs().max() < 1e-5


def test_a_grid_changes_nothing_where_the_map_is_of_its_size():
    for name in ("alexnet", "vgg16"):
        preset = PRESETS[name]
        assert preset.network_id == edit(preset, {"network.grid": None}).network_id
        assert cost(preset, 112).params == cost(preset).params


def test_a_network_that_rounds_down_does_so_at_another_size_too():
    layers = PRESETS["torchvision_alexnet"].layers(227)
    assert resized(layers, (3, 226, 226))[0].shape == (64, 55, 55)
    with pytest.raises(ValueError, match=r"fc6.linear reads a map of \(256, 6, 6\)"):
        resized(PRESETS["torchvision_alexnet"].layers(), (3, 216, 216))


def convolutions(*rows):
    """Plain torch: (channels in, out, kernel, stride, padding[, pool]) with a ReLU after each."""
    made = []
    for row in rows:
        made += [nn.Conv2d(*row[:5]), nn.ReLU(), *row[5:]]
    return made


def hidden(*widths):
    made = [nn.Flatten()]
    for given, width in pairwise(widths):
        made += [nn.Linear(given, width), nn.ReLU()]
    return made[:-1]


def largest():
    return nn.MaxPool2d(3, 2, ceil_mode=True)


BY_HAND = {
    "lenet5": lambda: [
        *convolutions((1, 6, 5, 1, 2, nn.AvgPool2d(2)), (6, 16, 5, 1, 0, nn.AvgPool2d(2))),
        *hidden(400, 120, 84, 10),
    ],
    "zfnet": lambda: [
        *convolutions(
            (3, 96, 7, 2, 1, largest()), (96, 256, 5, 2, 0, largest()), (256, 384, 3, 1, 1),
            (384, 384, 3, 1, 1), (384, 256, 3, 1, 1, largest()),
        ),
        *hidden(9216, 4096, 4096, 1000),
    ],
    "network_in_network": lambda: [
        *convolutions(
            (3, 96, 11, 4, 0), (96, 96, 1, 1, 0), (96, 96, 1, 1, 0, largest()),
            (96, 256, 5, 1, 2), (256, 256, 1, 1, 0), (256, 256, 1, 1, 0, largest()),
            (256, 384, 3, 1, 1), (384, 384, 1, 1, 0), (384, 384, 1, 1, 0, largest()),
            (384, 1024, 3, 1, 1), (1024, 1024, 1, 1, 0), (1024, 1000, 1, 1, 0),
        ),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", BY_HAND)
def test_a_network_is_the_one_written_in_plain_torch(name):
    experiment, theirs = PRESETS[name], nn.Sequential(*BY_HAND[name]()).eval()
    layers = edit(experiment, {"network.normalization": "none"} if name == "zfnet" else {}).layers()
    ours = Net(layers).eval()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        mine.data = other.data
    images = torch.randn(2, *experiment.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(ours(images), theirs(images))


def test_the_maps_of_alexnet_and_zfnet_are_the_papers():
    def sides(experiment):
        return [layer.shape[1] for layer in experiment.layers() if layer.op in ("conv", "max_pool")]

    assert sides(alexnet) == [55, 27, 27, 13, 13, 13, 13, 6]
    assert sides(zfnet) == [110, 55, 26, 13, 13, 13, 13, 6]


def test_network_in_network_for_cifar_has_its_published_parameters():
    full = edit(
        small_network_in_network, {"network.width": 1.0, "network.normalization": "none"}
    ).network
    layers = full.layers((3, 32, 32), 10)
    assert total(layers).params == audit(layers).params == 966_986


def test_lenet_5_has_the_papers_parameters_but_for_what_its_docstring_names():
    table, classifier, averages = 16 * 6 * 25 - 60 * 25, 85 * 10, 2 * (6 + 16)
    assert cost(PRESETS["lenet5"]).params - table - classifier + averages == 60_000


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)], ids=str)
@pytest.mark.parametrize("name", SMALL)
def test_a_small_network_takes_small_images_of_one_and_three_channels(name, shape):
    layers = PRESETS[name].network.layers(shape, 10)
    assert audit(layers).params == total(layers).params
    with torch.no_grad():
        assert Net(layers).eval()(torch.zeros(2, *shape)).shape == (2, 10)


@pytest.mark.parametrize("name", SMALL)
def test_a_small_network_is_trained_by_the_same_trainer(name):
    recipe = edit(QUICK, {"image_size": 28, "fidelity.epochs": 1})
    experiment = edit(PRESETS[name], {"recipe": recipe})
    (epoch,) = Training(experiment.layers(), experiment.recipe, seeds(0), Settings())
    assert epoch.train_loss < 10


def test_widths_of_a_classic_network_are_searched_and_odd_towers_refused():
    widths = {"network.conv*.width": scaled(0.5, 1, name="width")}
    space = SearchSpace(PRESETS["small_alexnet"], widths)
    assert space.size == 2
    assert space.at({"width": "0.5"}).experiment.network.conv2.width == 128
    with pytest.raises(ValueError, match=r"conv2.conv: 2 groups .* do not divide 5 and 256"):
        AlexNet(conv1=Convolution(width=5, kernel=3)).layers((1, 28, 28), 10)


def test_a_stage_or_a_block_that_is_dropped_takes_its_pool_with_it():
    without = PlainNet(stage4=None, stage5=None).layers((1, 28, 28), 10)
    assert {x.module for x in without} == {"stage1", "stage2", "stage3", "fc6", "fc7", "head"}
    assert next(x.in_shape for x in without if x.name == "fc6.linear") == (256, 4, 4)
    fewer = NetworkInNetwork(mlpconv3=None).layers((3, 224, 224), 10)
    assert len([x for x in fewer if x.op == "max_pool"]) == 2


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: Convolution(width=0), "Convolution.width must be 1 or more, not 0"),
        (lambda: Convolution(width=1, padding=-1), "Convolution.padding must be 0 or more, not -1"),
        (lambda: LeNet5(f6=0), "LeNet5.f6 must be 1 or more, not 0"),
        (lambda: AlexNet(width=0.0), "AlexNet.width must be above 0, not 0"),
        (lambda: PlainNet(dropout=1.0), r"PlainNet.dropout must lie in \[0, 1\), not 1"),
        (lambda: PlainNet(hidden=0), "PlainNet.hidden must be 1 or more, not 0"),
    ],
)
def test_a_network_that_cannot_be_is_refused_when_it_is_written(make, rule):
    with pytest.raises(ValueError, match=rule):
        make()


def test_an_image_that_is_too_small_names_the_window():
    with pytest.raises(ValueError, match=r"conv5\.pool: a 3x3 window does not fit a map of 1x1"):
        Experiment(network=AlexNet()).layers(32)
