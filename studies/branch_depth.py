"""What is each branch worth, low, in the middle and high in the network?

    nas run branch_depth       296 runs on scikit-learn's digits, 10 to 15 minutes on two cores
    nas report branch_depth

Each of the four branches of the three modules is taken out: as it is, with its mult-adds given back
to the others, and beside the whole network at the smaller cost, so that what a branch does is told
from what its mult-adds do. Written before the first run: no single branch is worth a point at equal
cost, on digits; the 3x3 of the last module comes nearest.
"""

from nas import Ablation, Study
from search_spaces.tiny import branches

study = Study(
    name="branch_depth",
    question="What is each branch worth, low, in the middle and high?",
    space=branches,
    plan=Ablation(kinds=("raw", "matched", "control")),
)
