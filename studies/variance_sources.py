"""How much of a score's spread comes of the split, the initialization, the order, dropout?

    nas run variance_sources   192 runs on scikit-learn's digits, 6 to 8 minutes on two cores
    nas effects variance_sources

Bouthillier et al. 2021 found the split of the data to vary scores most, and initialization and
order less, about alike. One stream of the seed varies alone, and all but one. Written before the
first run: the standard deviation of the split alone is the largest, more than half of the whole;
initialization and order come next, dropout last.
"""

from nas import Ablation, Study
from search_spaces.tiny import parts

study = Study(
    name="variance_sources",
    question="How much of a score's spread comes of which stream of its seed?",
    space=parts,
    plan=Ablation(design="streams", seeds=range(20)),
)
