"""The spaces of `search_spaces.googlenet` around the small GoogLeNet for images of 28 pixels.

The small recipe has no averaging and no augmentation, so `tricks` asks what each would add.

stem            how wide should the one 3x3 of the small stem be?
"""

from nas import SearchSpace, scaled
from nas import small_googlenet as baseline
from search_spaces import googlenet
from search_spaces.axes import DEPTH, INSIDE
from search_spaces.axes import by_module as each
from search_spaces.equal_cost import plain_below
from search_spaces.equal_cost import shares as shared

STEM = {"network.stem.conv3x3": scaled(0.5, 0.75, 1, 1.25)}

by_stage = googlenet.by_stage.around(baseline)
by_module = googlenet.by_module.around(baseline)
ratios = googlenet.ratios.around(baseline)
shares = SearchSpace(baseline, shared(baseline))
kernels = googlenet.kernels.around(baseline)
activations = googlenet.activations.around(baseline)
branches = googlenet.branches.around(baseline)
shortcuts = googlenet.shortcuts.around(baseline)
depth = googlenet.depth.around(baseline)
plain_low = SearchSpace(baseline, plain_below(baseline))
stem = SearchSpace(baseline, STEM)
head = googlenet.head.around(baseline)
aux_heads = googlenet.aux_heads.around(baseline)
dropout = googlenet.dropout.around(baseline)
normalization = googlenet.normalization.around(baseline)
tricks = googlenet.tricks.around(baseline)
everything = SearchSpace(baseline, each(*INSIDE) | DEPTH | STEM | googlenet.REST)
