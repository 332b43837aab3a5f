"""A search under a rule, and its ablation."""

from walls import base, parts

from nas import TPE, Ablation, Search, SearchSpace, Study, scaled, subsets

MOST = 640


def not_too_wide(tree):
    """The 3x3 branches of the last two modules have at most 640 channels together."""
    network = tree.network
    return network.inception_4a.conv3x3.width + network.inception_5a.conv3x3.width <= MOST


space = SearchSpace(
    base,
    {
        "network.inception_4a.conv3x3.width": scaled(0.5, 1, 2, name="4a"),
        "network.inception_5a.conv3x3.width": scaled(0.5, 1, 2, name="5a"),
        "network.aux_after": subsets("3a", "4a", upto=1, name="aux heads"),
    },
    where=(not_too_wide,),
)
study = Study(
    name="ruled",
    question="Does it keep to its rule?",
    space=space,
    plan=(
        Search(trials=5, sampler=TPE(seed=2, startup=2)),
        Ablation(over=parts, design="one_factor", seeds=range(2)),
    ),
)
