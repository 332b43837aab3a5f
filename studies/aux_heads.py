"""Does the network need its auxiliary heads: none, the lower, the upper, both, and how heavy?

    nas run aux_heads          70 runs on scikit-learn's digits, about 4 minutes on two cores
    nas report aux_heads

The paper reports "the effect of the auxiliary networks to be relatively minor (around 0.5 %)", and
one to be enough (sec. 5). The baseline has the upper one alone, after 4a, at weight 0.3. Written
before the first run: without it, and with both, the accuracy stays within a point; batch norm has
taken over what the heads were for. At weight 1.0 it may fall.
"""

from nas import Ablation, SearchSpace, Study, tiny_googlenet
from search_spaces.axes import AUX_WEIGHT
from search_spaces.tiny import AUX_PLACEMENT

study = Study(
    name="aux_heads",
    question="Does the network need its auxiliary heads?",
    space=SearchSpace(tiny_googlenet, AUX_PLACEMENT | AUX_WEIGHT),
    plan=Ablation(design="one_factor", seeds=range(10), margin=1.0),
)
