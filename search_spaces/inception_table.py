"""The space of the table of Inception networks: one in which architecture matters.

table           depth, widths, branches, kernels, reductions, shortcuts, normalization and heads?

Three stages of one to three Inception modules on maps of 8, 4 and 2 pixels, for Fashion-MNIST at
16 pixels. What varies inside a module does so in all of them, widths a stage at a time, from a
quarter to 1.5 times; a plain convolution or nothing may stand for the lowest stage, nothing for the
highest. At this size of image the stem is a convolution and a pool, of which the width varies.
A run trains on 4,400 images and is scored on 5,000, drawn by its seed: the score's step is 0.02
points.
"""

from nas import Plain, SearchSpace, choice, edit, mini_googlenet, scaled, subsets, versus

FACTORS = (0.25, 0.5, 1, 1.5)

baseline = edit(
    mini_googlenet,
    {
        "network.inception_?a.repeat": 2,
        "recipe.dataset": "fashion_mnist",
        "recipe.image_size": 16,
        "recipe.fidelity.share": 0.08,
        "recipe.fidelity.epochs": 6,
    },
)

STAGES = {
    "network.stem.conv3x3": scaled(*FACTORS, name="stem width"),
    "network.inception_3a": versus(Plain(width=256), off=None, name="stage 3"),
    "network.inception_5a": versus(off=None, name="stage 5"),
} | {
    path: domain
    for stage in "345"
    for path, domain in {
        f"network.inception_{stage}a.repeat": choice(1, 2, 3, name=f"stage {stage} modules"),
        f"network.inception_{stage}a.*.width": scaled(*FACTORS, name=f"stage {stage} width"),
    }.items()
}
INSIDE = {
    "network.inception_*.conv1x1": versus(off=None, name="1x1 branches"),
    "network.inception_*.conv5x5": versus(off=None, name="5x5 branches"),
    "network.inception_*.pool_proj": versus(off=None, name="pool branches"),
    "network.inception_*.conv5x5.kernel": versus(3, 7, "3+3", name="5x5 kernel"),
    "network.inception_*.conv?x?.ratio": versus(1 / 4, off=None, name="reductions"),
    "network.inception_*.shortcut": versus(on=True, name="shortcuts"),
}
OUTSIDE = {
    "network.normalization": versus("lrn", off="none", name="normalization"),
    "network.aux_after": subsets("3a", "4a", name="aux heads"),
    "network.dropout_at": subsets("head", name="dropout"),
    "network.head.pooling": versus("flatten", name="head"),
}

table = SearchSpace(baseline, STAGES | INSIDE | OUTSIDE)
