"""Where should dropout stand, and how much?

    nas run dropout_place      80 runs on scikit-learn's digits, about 5 minutes on two cores
    nas report dropout_place

The paper drops 40 % before the classifier. Here at the end of a stage instead, nowhere, and at
other rates. Written before the first run: low in the network it costs a point or more, for twelve
epochs are few; before the classifier it matters little.
"""

from nas import Ablation, SearchSpace, Study, choice, subsets, tiny_googlenet

study = Study(
    name="dropout_place",
    question="Where should dropout stand, and how much?",
    space=SearchSpace(
        tiny_googlenet,
        {
            "network.dropout_at": subsets("stage3", "stage4", "stage5", "head", upto=1),
            "network.dropout": choice(0.2, 0.4, 0.6),
        },
    ),
    plan=Ablation(design="one_factor", seeds=range(10)),
)
