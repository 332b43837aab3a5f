"""Search spaces around GoogLeNet: branch widths, bottleneck ratios, branches, aux heads, tricks.

by_stage    how wide should each kind of branch be, early, in the middle and late? 19 decisions
by_module   the same, module by module: 55 decisions
branches    which of the 36 branches does the network need?
tricks      which of the paper's tricks does the training need?
"""

from nas import PLACES, Experiment, SearchSpace, scaled, subsets, versus

WIDTHS = ("conv1x1.width", "conv3x3.width", "conv5x5.width", "pool_proj.width")
RATIOS = ("conv3x3.ratio", "conv5x5.ratio")
BRANCHES = ("conv1x1", "conv3x3", "conv5x5", "pool_proj")

BRANCH_WIDTHS = {
    f"network.inception_{stage}?.{leaf}": scaled(0.5, 0.75, 1, 1.25, name=f"stage{stage}.{leaf}")
    for stage in "345"
    for leaf in WIDTHS
}
BOTTLENECK_RATIOS = {
    f"network.inception_{stage}?.{leaf}": versus(1 / 4, 1 / 2, 3 / 4, name=f"stage{stage}.{leaf}")
    for stage in "345"
    for leaf in RATIOS
}
AUX_PLACEMENT = {
    "network.aux_after": subsets("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", upto=2),
}
TRICKS = {
    "recipe.averaging": versus(off=None),  # the paper trained with Polyak averaging
    "recipe.augmentation": versus("flip", off=None),
    "network.head.pooling": versus("flatten"),  # average pooling against a fully connected head
}

by_stage = SearchSpace(Experiment(), BRANCH_WIDTHS | BOTTLENECK_RATIOS | AUX_PLACEMENT)

by_module = SearchSpace(
    Experiment(),
    {
        f"network.inception_{place}.{leaf}": scaled(0.5, 0.75, 1, 1.25)
        for place in PLACES
        for leaf in WIDTHS
    }
    | {
        f"network.inception_{place}.{leaf}": versus(1 / 4, 1 / 2, 3 / 4)
        for place in PLACES
        for leaf in RATIOS
    }
    | AUX_PLACEMENT,
)

branches = SearchSpace(
    Experiment(),
    {f"network.inception_*.{branch}": versus(off=None) for branch in BRANCHES},
)

tricks = SearchSpace(Experiment(), TRICKS | AUX_PLACEMENT)
