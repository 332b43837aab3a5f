"""A search with early stopping, an ablation of several kinds and a confirmation, in seconds."""

from nas import (
    ASHA,
    TPE,
    Ablation,
    Budget,
    Confirmation,
    Search,
    SearchSpace,
    Study,
    between,
    edit,
    relative,
    scaled,
    subsets,
    tiny_googlenet,
    versus,
)

base = edit(
    tiny_googlenet,
    {
        "network.width": 0.06,
        "recipe.dataset": "synthetic",
        "recipe.fidelity.epochs": 2,
        "recipe.batch_size": 32,
    },
)
space = SearchSpace(
    base,
    {
        "network.inception_*.conv3x3.width": scaled(0.5, 0.75, 1, 1.5, name="3x3 widths"),
        "network.inception_5a.conv1x1.width": between(64, 512),
        "network.aux_after": subsets("3a", "4a", upto=2, name="aux heads"),
        "recipe.lr": between(0.01, 0.5, log=True),
    },
)
parts = SearchSpace(
    base,
    {
        "network.inception_[345]a.conv5x5": versus(off=None, name="5x5 branches"),
        "network.aux_after": versus(off=(), name="aux heads"),
        "network.normalization": versus(off="none", name="batch norm"),
    },
)
study = Study(
    name="walls",
    question="Does it stand?",
    space=space,
    budget=Budget(mult_adds=relative(1.1)),
    plan=(
        Search(trials=8, sampler=TPE(seed=1, startup=4), scheduler=ASHA(grace_period=1)),
        Ablation(over=parts, kinds=("raw", "matched", "control"), seeds=range(3)),
        Confirmation(top=2, seeds=2),
    ),
)
