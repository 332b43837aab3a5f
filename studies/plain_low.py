"""From where on is Inception better than plain convolutions of the same cost?

    nas run plain_low          50 runs on scikit-learn's digits, about 3 minutes on two cores
    nas report plain_low

The paper keeps the lower layers "in traditional convolutional fashion", for memory efficiency and
out of no need (sec. 4). Below the first Inception module stand plain 3x3 convolutions, their widths
such that the network costs the same. Written before the first run: plain low is as good; plain
everywhere loses a point.
"""

from nas import Ablation, Study
from search_spaces.tiny import plain_low

study = Study(
    name="plain_low",
    question="From where on is Inception better than plain convolutions of the same cost?",
    space=plain_low,
    plan=Ablation(design="one_factor", seeds=range(10), margin=1.0),
)
