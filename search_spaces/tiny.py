"""Search spaces around a GoogLeNet of three modules: seconds a run on scikit-learn's digits.

widths   how wide should each branch of the three modules be, and where does the aux head go?
parts    which parts does the network need: a kind of branch, the aux head, batch norm?
"""

from nas import SearchSpace, scaled, subsets, tiny_googlenet, versus

WIDTHS = ("conv1x1.width", "conv3x3.width", "conv5x5.width", "pool_proj.width")

widths = SearchSpace(
    tiny_googlenet,
    {
        f"network.inception_{place}.{leaf}": scaled(0.5, 0.75, 1, 1.5)
        for place in ("3a", "4a", "5a")
        for leaf in WIDTHS
    }
    | {"network.aux_after": subsets("3a", "4a", upto=2)},
)

parts = SearchSpace(
    tiny_googlenet,
    {
        "network.inception_[345]a.conv5x5": versus(off=None, name="5x5 branches"),
        "network.inception_[345]a.pool_proj": versus(off=None, name="pool branches"),
        "network.aux_after": subsets("3a", "4a", upto=1, name="aux heads"),
        "network.normalization": versus(off="none", name="batch norm"),
    },
)
