"""Is 5x5 the right kernel for the large branch, module by module?

    nas run large_kernel       160 runs on scikit-learn's digits, 7 minutes on two cores
    nas report large_kernel

A 3x3, a 7x7 and two 3x3 in its place, each as it is and at the baseline's cost. Written before the
first run: nothing differs by half a point. The maps are 8, 4 and 2 pixels wide here; on larger
images this wants asking again (`small.kernels`).
"""

from nas import Ablation, Study
from search_spaces.tiny import kernels

study = Study(
    name="large_kernel",
    question="Is 5x5 the right kernel for the large branch?",
    space=kernels,
    plan=Ablation(design="one_factor", kinds=("raw", "matched"), margin=0.5),
)
