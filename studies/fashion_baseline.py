"""How accurate is the small GoogLeNet, the baseline of the small spaces, on Fashion-MNIST's test?

    nas confirm fashion_baseline --top 0 --seeds 1

Trains on 55,000 of the 60,000 training images for eight epochs and reads the test split once. Asked
of it before the first full run: 93.0 % or more, in about 15 minutes on two cores. It scored 93.23 %
on seed 20,000,003 (torch 2.14.1): eight epochs of 135 seconds where nothing else runs, on two cores
whose matrix product reaches 127 GFLOP/s. The data set's own table has 93.7 % for a GoogLeNet
without augmentation; this one mirrors half of its images.
"""

from nas import Confirmation, Resources, Study, edit, small_googlenet
from search_spaces.small import by_stage

study = Study(
    name="fashion_baseline",
    question="How accurate is the small GoogLeNet on Fashion-MNIST's test split?",
    space=by_stage.around(
        edit(
            small_googlenet,
            {"recipe.fidelity.epochs": 8, "recipe.augmentation": "flip"},
        )
    ),
    plan=Confirmation(top=0, seeds=1),
    resources=Resources(cpus=2),
)
