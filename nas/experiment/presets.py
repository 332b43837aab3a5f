"""Experiments with a name: the baselines to start from."""

from nas.experiment.experiment import Experiment
from nas.experiment.recipe import Fidelity, Recipe
from nas.networks.classics import (
    AlexNet,
    Convolution,
    LeNet5,
    MlpConv,
    NetworkInNetwork,
    PlainNet,
    Stage,
)
from nas.networks.googlenet import PLACES, AuxHead
from nas.tree.tree import edit

googlenet = Experiment()
"""The canonical network: table 1 of the paper, on ImageNet, with the paper's recipe."""

torchvision_googlenet = edit(
    googlenet,
    {
        "network.normalization": "batch",
        "network.inception_*.conv5x5.kernel": 3,
        "network.dropout": 0.2,
        "network.pool5": 2,
        "network.epsilon": 1e-3,
        "network.aux_head.grid": 4,
    },
)
"""The network of torchvision.models.googlenet, for images of any size: batch norm with an epsilon
of 1e-3, a 3x3 in the "5x5" branch, a 2x2 pool before stage 5, aux heads on 4 x 4 averages."""

small_googlenet = edit(
    googlenet,
    {
        "network.normalization": "batch",
        "network.stem.kind": "small",
        "network.width": 0.25,
        "recipe": Recipe(
            dataset="fashion_mnist",
            image_size=28,
            fidelity=Fidelity(epochs=6),
            batch_size=128,
            lr=0.1,
            lr_schedule="one_cycle",
            weight_decay=0.0005,
            averaging=None,
            augmentation=None,
        ),
    },
)
"""A quarter of the width, batch norm and a small stem: the baseline for images of 28 pixels."""

tiny_googlenet = edit(
    small_googlenet,
    {place: None for place in (f"network.inception_{p}" for p in PLACES) if place[-2:] not in
     ("3a", "4a", "5a")}
    | {
        "network.width": 0.125,
        "network.aux_after": ("4a",),
        "network.aux_head": AuxHead(kernel=3, stride=2),
        "recipe.dataset": "digits",
        "recipe.image_size": 16,
        "recipe.fidelity.epochs": 12,
        "recipe.batch_size": 64,
    },
)  # fmt: skip
"""Three modules at an eighth of the width on scikit-learn's digits: seconds a run on one core."""

mini_googlenet = edit(
    tiny_googlenet,
    {
        "network.width": 0.15,
        "recipe.dataset": "fashion_small",
        "recipe.image_size": 14,
        "recipe.fidelity.epochs": 8,
    },
)
"""The same three modules, wider, on 12,000 small images of Fashion-MNIST: 40 seconds a run on one
core, 88.3 % of the validation images right (seeds 0 to 2); between the tiny and the small one."""

alexnet = edit(googlenet, {"network": AlexNet(grid=6)})
"""AlexNet, which won ImageNet two years before GoogLeNet; with GoogLeNet's recipe."""

torchvision_alexnet = edit(
    alexnet,
    {
        "network.conv*.groups": 1,
        "network.conv1.width": 64,
        "network.conv2.width": 192,
        "network.conv4.width": 256,
        "network.normalization": "none",
    },
)
"""The network of torchvision.models.alexnet, for images of any size (Krizhevsky 2014): one tower,
other widths, no LRN. Its dropouts stand after the hidden layers, as the paper's do, where
torchvision has them before."""

zfnet = edit(
    alexnet,
    {
        "network.conv[45].groups": 1,
        "network.conv1": Convolution(width=96, kernel=7, stride=2, padding=1),
        "network.conv2": Convolution(width=256, kernel=5, stride=2, padding=0),
        "network.grid": None,
    },
)
"""ZFNet (Zeiler and Fergus 2014, fig. 3): AlexNet with a 7x7 first layer of stride 2, a second of
stride 2, and one tower; 62,357,608 parameters. Its contrast normalization, after the pools there,
is AlexNet's LRN here."""

network_in_network = edit(googlenet, {"network": NetworkInNetwork()})
"""Network in Network, from which GoogLeNet has its 1x1 convolutions and its average pool."""

vgg16 = edit(googlenet, {"network": PlainNet(grid=7)})
"""VGG-16, second to GoogLeNet in 2014; with GoogLeNet's recipe. For images of any size it is
torchvision.models.vgg16."""

lenet5 = edit(small_googlenet, {"network": LeNet5()})
"""LeNet-5 on images of 28 pixels; with the small GoogLeNet's recipe."""

small_alexnet = edit(
    small_googlenet,
    {"network": AlexNet(conv1=Convolution(width=96), normalization="batch", width=0.25)},
)
"""AlexNet for images of 28 pixels, as `small_googlenet` is GoogLeNet for them: a quarter of the
width, batch norm, a 3x3 first layer without stride."""

small_network_in_network = edit(
    small_googlenet,
    {
        "network": NetworkInNetwork(
            mlpconv1=MlpConv(conv=Convolution(width=192, kernel=5), first=160, second=96),
            mlpconv2=MlpConv(conv=Convolution(width=192, kernel=5), first=192, second=192),
            mlpconv3=None,
            conv4=Convolution(width=192),
            first4=192,
            normalization="batch",
            width=0.25,
        )
    },
)
"""Network in Network for small images: its authors' published model for CIFAR-10 (966,986
parameters at full width), at a quarter of the width and with batch norm. Both pools are maxima."""

small_vgg16 = edit(small_googlenet, {"network": PlainNet(normalization="batch", width=0.25)})
"""VGG-16 at a quarter of the width and with batch norm, on images of 28 pixels."""

small_plain = edit(
    small_googlenet,
    {
        "network": PlainNet(
            stage1=Stage(width=24),
            stage2=Stage(width=48),
            stage3=Stage(width=96),
            stage4=None,
            stage5=None,
            hidden=None,
            dropout=0.4,
            normalization="batch",
        )
    },
)
"""Six 3x3 convolutions and GoogLeNet's head: a plain stack of about the mult-adds of
`small_googlenet`."""

PRESETS = {
    "googlenet": googlenet,
    "mini_googlenet": mini_googlenet,
    "small_googlenet": small_googlenet,
    "tiny_googlenet": tiny_googlenet,
    "torchvision_googlenet": torchvision_googlenet,
    "torchvision_alexnet": torchvision_alexnet,
    "alexnet": alexnet,
    "lenet5": lenet5,
    "network_in_network": network_in_network,
    "vgg16": vgg16,
    "zfnet": zfnet,
    "small_alexnet": small_alexnet,
    "small_network_in_network": small_network_in_network,
    "small_plain": small_plain,
    "small_vgg16": small_vgg16,
}
