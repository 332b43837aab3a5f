"""Experiments with a name: the baselines to start from."""

from nas.arch import PLACES, AuxHead
from nas.experiment import Experiment
from nas.recipe import Fidelity, Recipe
from nas.tree import edit

googlenet = Experiment()
"""The canonical network: table 1 of the paper, on ImageNet, with the paper's recipe."""

torchvision_googlenet = edit(
    googlenet,
    {
        "network.normalization": "batch",
        "network.inception_*.conv5x5.kernel": 3,
        "network.dropout": 0.2,
    },
)
"""The network of torchvision.models.googlenet: batch norm, and a 3x3 in the "5x5" branch."""

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

PRESETS = {
    "googlenet": googlenet,
    "mini_googlenet": mini_googlenet,
    "small_googlenet": small_googlenet,
    "tiny_googlenet": tiny_googlenet,
    "torchvision_googlenet": torchvision_googlenet,
}
