"""Do the members of an ensemble gain by initial weights of their own?

    nas run ensemble           106 runs on scikit-learn's digits, 6 minutes on two cores
    nas effects ensemble

The paper's seven members had "the same initial weights, mainly because of an oversight" and
differed in sampling alone (sec. 6). All runs share the split, so that their stored predictions can
be averaged; where the initialization is held, the order of the images and dropout still vary.
Written before the first run: single networks spread alike either way, and ensembles of both kinds
differ by less than half a point.
"""

from nas import Ablation, Seeds, Study
from search_spaces.tiny import parts

study = Study(
    name="ensemble",
    question="Do the members of an ensemble gain by initial weights of their own?",
    space=parts,
    plan=Ablation(
        design="streams",
        seeds=[Seeds(split=0, init=n, order=n, dropout=n) for n in range(14)],
    ),
)
