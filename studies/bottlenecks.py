"""What do the 1x1 reductions and the pool projection do: narrower, wider, or none at all?

    nas run bottlenecks        120 runs on scikit-learn's digits, about 7 minutes on two cores
    nas report bottlenecks

Without any of them stands the naive module (paper, fig. 2a). Each change is asked as it is, and at
the baseline's cost where a width factor of 0.8 to 1.25 reaches that; `nas plan` says where none
does. Written before the first run: at equal cost nothing here moves the accuracy by a point; raw,
the wider ones gain a little, for they cost more.
"""

from nas import Ablation, SearchSpace, Study, tiny_googlenet, versus

RATIOS = versus(1 / 4, 1 / 2, off=None, name="reductions")

study = Study(
    name="bottlenecks",
    question="What do the 1x1 reductions and the pool projection do?",
    space=SearchSpace(
        tiny_googlenet,
        {
            "network.inception_[345]a.conv3x3.ratio": RATIOS,
            "network.inception_[345]a.conv5x5.ratio": RATIOS,
            "network.inception_[345]a.pool_proj.width": versus(off=None, name="pool projections"),
        },
    ),
    plan=Ablation(design="one_factor", kinds=("raw", "matched", "control"), seeds=range(10)),
)
