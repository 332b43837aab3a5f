"""Does averaging the weights do what a falling learning rate does?

    nas run averaging_schedule   50 runs on scikit-learn's digits, about 3 minutes on two cores
    nas report averaging_schedule

The paper trained with Polyak averaging and a rate that falls 4 % every eight epochs (sec. 6). Both
take the noise out of the last steps. The baseline has a one-cycle schedule and no averaging.
Written before the first run: a constant rate loses a point, averaging alone changes nothing, and
with a constant rate it wins most of the loss back: the two interact.
"""

from nas import Ablation, SearchSpace, Study, tiny_googlenet, versus

study = Study(
    name="averaging_schedule",
    question="Does averaging the weights do what a falling learning rate does?",
    space=SearchSpace(
        tiny_googlenet,
        {"recipe.averaging": versus("polyak"), "recipe.lr_schedule": versus("constant")},
    ),
    plan=Ablation(design="pairs", seeds=range(10)),
)
