"""Are two 3x3 as good as one 5x5, which costs more?

    nas run two_3x3            30 runs on 12,000 images of Fashion-MNIST, 10 minutes on two cores
    nas report two_3x3

Szegedy et al. 2016 (sec. 3.1): two 3x3 see as far as a 5x5 for 28 % fewer mult-adds, and nothing is
lost. That saving is of layers as wide as their input; behind a reduction, as here, the two cost
2 % more in all. Written before the first run: the difference lies within half a point.
"""

from nas import Ablation, SearchSpace, Study, mini_googlenet, versus

study = Study(
    name="two_3x3",
    question="Are two 3x3 as good as one 5x5?",
    space=SearchSpace(
        mini_googlenet,
        {"network.inception_[345]a.conv5x5.kernel": versus("3+3", name="large kernels")},
    ),
    plan=Ablation(design="one_factor", seeds=range(10), margin=0.5),
)
