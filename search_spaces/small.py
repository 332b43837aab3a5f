"""The axes of `search_spaces.googlenet` around the small GoogLeNet for images of 28 pixels."""

from nas import small_googlenet
from search_spaces import googlenet

by_stage = googlenet.by_stage.around(small_googlenet)
by_module = googlenet.by_module.around(small_googlenet)
branches = googlenet.branches.around(small_googlenet)
