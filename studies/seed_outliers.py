"""How far apart are the best and the worst seed of one and the same network?

    nas run seed_outliers      200 runs on scikit-learn's digits, 6 to 8 minutes on two cores
    nas report seed_outliers

Picard 2021 trained one network on many seeds and found outliers much better or worse than the mean,
"a good seed" worth half a point or more on CIFAR-10. The baseline alone, scored on the test split.
Written before the first run: a standard deviation near 0.6 points, and three points and more from
the worst to the best.
"""

from nas import Confirmation, Study
from search_spaces.tiny import parts

study = Study(
    name="seed_outliers",
    question="How far apart are the best and the worst seed of one network?",
    space=parts,
    plan=Confirmation(top=0, seeds=200),
)
