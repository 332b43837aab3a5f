"""Average pooling or a flattened map before the classifier, with and without dropout?

    nas run pooling_head       70 runs on scikit-learn's digits, 4 minutes on two cores
    nas report pooling_head

The paper: average pooling gave 0.6 points of top-1, "however the use of dropout remained essential
even after removing the fully connected layers" (sec. 5). Written before the first run: on digits,
where the last map is a few pixels, neither moves the accuracy by a point, nor do both together.
"""

from nas import Ablation, SearchSpace, Study, tiny_googlenet, versus

study = Study(
    name="pooling_head",
    question="Average pooling or a flattened map, with and without dropout?",
    space=SearchSpace(
        tiny_googlenet,
        {"network.head.pooling": versus("flatten"), "network.dropout": versus(off=0.0)},
    ),
    plan=Ablation(design="pairs", kinds=("raw", "matched"), seeds=range(10), margin=1.0),
)
