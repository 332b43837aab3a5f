"""Search spaces around GoogLeNet, each for a question.

by_stage        how wide should each kind of branch be, and its reduction, early, middle and late?
by_module       how wide should each branch be, and its reduction, module by module?
ratios          how narrow may the 1x1 reductions before the 3x3 and the 5x5 be, stage by stage?
shares          should the 5x5 take more of the work from the 3x3 in higher stages, at equal cost?
kernels         is a 5x5 the right large kernel, or a 3x3, a 7x7, two 3x3, stage by stage?
activations     does a 1x1 reduction need its ReLU, stage by stage and branch by branch?
branches        which of the 36 branches does the network need?
shortcuts       does a shortcut around a module help, and around which?
depth           how many modules should each stage have, from 1 to one more than the paper's?
plain_low       from which module on does Inception beat plain convolutions of the same cost?
stem            how should the stem be built (7x7, separable, three 3x3), and how wide?
head            average pooling or a flattened map, with or without a hidden layer?
aux_heads       where should aux heads stand, and how much should their loss count?
dropout         where should dropout stand, at which rate, and at which in the aux heads?
normalization   LRN, batch norm or none, with which initial weights?
tricks          which of the paper's tricks does the training need?
everything      which network, all of these but shares and plain_low at once, module by module?

GoogLeNet costs 1.583 G mult-adds. The comments say how many candidates of a space fit 1.5 G; where
none do, ask without that budget, or around a baseline that fits, such as one with a separable stem:
`SPACE.around(edit(googlenet, {"network.stem.kind": "separable"}))`.
"""

from nas import SearchSpace
from nas import googlenet as baseline
from search_spaces.axes import (
    AUX_PLACEMENT,
    AUX_WEIGHT,
    BOTTLENECK_RATIOS,
    BRANCH_WIDTHS,
    BRANCHES,
    DEPTH,
    DROPOUT,
    HEAD,
    INSIDE,
    KERNELS,
    NORMALIZATION,
    RATIOS,
    REDUCTION_ACTIVATIONS,
    SHORTCUTS,
    STEM,
    TRICKS,
    WIDTHS,
)  # fmt: skip
from search_spaces.axes import (
    by_module as each,
)
from search_spaces.equal_cost import plain_below
from search_spaces.equal_cost import shares as shared

by_stage = SearchSpace(baseline, BRANCH_WIDTHS | BOTTLENECK_RATIOS | AUX_PLACEMENT)  # 68 %
by_module = SearchSpace(baseline, each(*WIDTHS, *RATIOS) | AUX_PLACEMENT)  # 76 %
ratios = SearchSpace(baseline, BOTTLENECK_RATIOS)  # 33 %
shares = SearchSpace(baseline, shared(baseline))  # none: 1.570 to 1.588 G
kernels = SearchSpace(baseline, KERNELS)  # one of 64: 3x3 everywhere
activations = SearchSpace(baseline, REDUCTION_ACTIVATIONS)  # none: all cost the same
branches = SearchSpace(baseline, each(*BRANCHES))  # all but the baseline and its nearest
shortcuts = SearchSpace(baseline, SHORTCUTS)  # none: up to 1.947 G with all nine
depth = SearchSpace(baseline, DEPTH)  # 33 of 54
plain_low = SearchSpace(baseline, plain_below(baseline))  # none: 1.582 to 1.584 G
stem = SearchSpace(baseline, STEM)  # 105 of 192
head = SearchSpace(baseline, HEAD)  # none: up to 1.791 G
aux_heads = SearchSpace(baseline, AUX_PLACEMENT | AUX_WEIGHT)  # none: all cost the same
dropout = SearchSpace(baseline, DROPOUT)  # none: all cost the same
normalization = SearchSpace(baseline, NORMALIZATION)  # none: all cost the same
tricks = SearchSpace(baseline, TRICKS | AUX_PLACEMENT)  # none: up to 1.632 G

REST = AUX_PLACEMENT | AUX_WEIGHT | DROPOUT | HEAD | NORMALIZATION | TRICKS
everything = SearchSpace(baseline, each(*INSIDE) | DEPTH | STEM | REST)  # 144 decisions, 2e55
