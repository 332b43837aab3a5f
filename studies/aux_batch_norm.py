"""Do auxiliary heads help where batch norm does not?

    nas run aux_batch_norm     50 runs on scikit-learn's digits, about 3 minutes on two cores
    nas report aux_batch_norm

Szegedy et al. 2016 (sec. 4) found that auxiliary heads do not speed up early training and act as a
regularizer, stronger where the head itself has batch norm. Two changes, no heads and no batch norm,
each alone and both. Written before the first run: without batch norm some accuracy is lost, without
the heads none; the interaction, whether the heads carry a network without batch norm, is within a
point.
"""

from nas import Ablation, SearchSpace, Study, tiny_googlenet, versus

study = Study(
    name="aux_batch_norm",
    question="Do auxiliary heads help where batch norm does not?",
    space=SearchSpace(
        tiny_googlenet,
        {
            "network.aux_after": versus(off=(), name="aux heads"),
            "network.normalization": versus(off="none", name="batch norm"),
        },
    ),
    plan=Ablation(design="pairs", seeds=range(10)),
)
