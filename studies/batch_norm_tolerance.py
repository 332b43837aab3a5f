"""Does batch norm tolerate rates and initial weights that stop a network without it?

    nas run batch_norm_tolerance   104 runs on scikit-learn's digits, 5 minutes on two cores
    nas report batch_norm_tolerance

Ioffe and Szegedy 2015: batch norm "allows us to use much higher learning rates and be less careful
about initialization". Three rates, two initializations, with and without batch norm, all
combinations; the baseline has batch norm, He's initialization and 0.1. Written before the first
run: with batch norm all but the highest rate stay within two points; without it torch's
initialization stays at chance at every rate, and He's is within three points at 0.1 and falls
further at 0.5.
"""

from nas import Ablation, SearchSpace, Study, choice, tiny_googlenet, versus

study = Study(
    name="batch_norm_tolerance",
    question="Does batch norm tolerate rates and initial weights that stop a network without it?",
    space=SearchSpace(
        tiny_googlenet,
        {
            "network.normalization": versus(off="none", name="batch norm"),
            "recipe.initialization": versus("torch"),
            "recipe.lr": choice(0.02, 0.1, 0.5),
        },
    ),
    plan=Ablation(design="grid"),
)
