"""Search spaces around a GoogLeNet of three modules: seconds a run on scikit-learn's digits.

widths          how wide should each branch of the three modules be, and where does the aux head go?
parts           which parts does the network need: a kind of branch, the aux head, batch norm?
depth           how often should each of the three modules stand, one to three times?

The other questions are those of `search_spaces.googlenet`; with a module a stage, "stage by stage"
is module by module.
"""

from nas import SearchSpace, choice, scaled, subsets, versus
from nas import tiny_googlenet as baseline
from search_spaces import googlenet
from search_spaces.axes import ACTIVATIONS, AUX_WEIGHT, INSIDE, RATIOS, TRICKS, WIDTHS
from search_spaces.axes import by_module as each
from search_spaces.equal_cost import plain_below
from search_spaces.equal_cost import shares as shared

AUX_PLACEMENT = {"network.aux_after": subsets("3a", "4a", upto=2)}
DEPTH = {"network.inception_?a.repeat": choice(1, 2, 3)}

widths = SearchSpace(
    baseline,
    {f"network.inception_*.{leaf}": scaled(0.5, 0.75, 1, 1.5) for leaf in WIDTHS} | AUX_PLACEMENT,
)

parts = SearchSpace(
    baseline,
    {
        "network.inception_[345]a.conv5x5": versus(off=None, name="5x5 branches"),
        "network.inception_[345]a.pool_proj": versus(off=None, name="pool branches"),
        "network.aux_after": subsets("3a", "4a", upto=1, name="aux heads"),
        "network.normalization": versus(off="none", name="batch norm"),
    },
)

ratios = SearchSpace(baseline, each(*RATIOS))
shares = SearchSpace(baseline, shared(baseline))
kernels = SearchSpace(baseline, each("conv5x5.kernel"))
activations = SearchSpace(baseline, each(*ACTIVATIONS))
branches = googlenet.branches.around(baseline)
shortcuts = googlenet.shortcuts.around(baseline)
depth = SearchSpace(baseline, DEPTH)
plain_low = SearchSpace(baseline, plain_below(baseline))
head = googlenet.head.around(baseline)
aux_heads = SearchSpace(baseline, AUX_PLACEMENT | AUX_WEIGHT)
dropout = googlenet.dropout.around(baseline)
normalization = googlenet.normalization.around(baseline)
tricks = SearchSpace(baseline, TRICKS | AUX_PLACEMENT)
everything = SearchSpace(baseline, each(*INSIDE) | DEPTH | googlenet.REST | AUX_PLACEMENT)
