"""What may vary: the widths of a small GoogLeNet's branches, and which of its parts may go."""

from nas import SearchSpace, edit, scaled, subsets, tiny_googlenet, versus

# Three Inception modules on scikit-learn's digits: a few seconds a run on one core.
baseline = edit(tiny_googlenet, {"recipe.fidelity.epochs": 8})

widths = SearchSpace(
    baseline,
    {
        "network.inception_*.conv3x3.width": scaled(0.5, 1, 1.5, name="3x3 width"),
        "network.inception_*.conv3x3.ratio": versus(1 / 4, 1 / 2, name="3x3 ratio"),
        "network.aux_after": subsets("3a", "4a", upto=1),
    },
)
parts = SearchSpace(
    baseline,
    {
        "network.inception_*.conv5x5": versus(off=None, name="5x5 branches"),
        "network.aux_after": subsets("4a", name="aux heads"),
    },
)
