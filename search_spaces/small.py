"""The axes of `search_spaces.googlenet` around the small GoogLeNet for images of 28 pixels.

The small recipe has no averaging and no augmentation, so `tricks` asks what each would add.
"""

from nas import SearchSpace, small_googlenet, versus
from search_spaces import googlenet

by_stage = googlenet.by_stage.around(small_googlenet)
by_module = googlenet.by_module.around(small_googlenet)
branches = googlenet.branches.around(small_googlenet)
tricks = SearchSpace(
    small_googlenet,
    {
        "recipe.averaging": versus("polyak"),
        "recipe.augmentation": versus("flip", "crops"),
        "network.head.pooling": versus("flatten"),
    }
    | googlenet.AUX_PLACEMENT,
)
