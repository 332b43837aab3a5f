"""Which of the paper's tricks of training does the network need?

    nas plan tricks            what it can see, and which interactions it cannot tell apart
    nas run tricks             68 runs on 12,000 images of Fashion-MNIST, 25 minutes on two cores
    nas report tricks

Six tricks at once, a two-level factorial of resolution IV: half of the sixteen arms have a trick
and half have not, so that every run says something of each. Written before the first run: crops of
8 to 100 % of the area lose a point or more in eight epochs, and so does photometric distortion,
less; the paper's schedule, which hardly falls in eight epochs, loses a point, which Polyak
averaging wins back; the aux head and dropout stay within half a point each.
"""

from nas import Ablation, SearchSpace, Study, mini_googlenet, versus

study = Study(
    name="tricks",
    question="Which of the paper's tricks of training does the network need?",
    space=SearchSpace(
        mini_googlenet,
        {
            "recipe.averaging": versus("polyak"),
            "recipe.augmentation": versus("crops"),
            "recipe.photometric": versus(0.5),
            "network.aux_after": versus(off=()),
            "network.dropout": versus(off=0.0),
            "recipe.lr_schedule": versus("step"),
        },
    ),
    plan=Ablation(design="factorial", seeds=range(4)),
)
