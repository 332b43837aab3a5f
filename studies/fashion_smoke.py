"""Does the whole chain work on Fashion-MNIST's 60,000 images? Two candidates, one epoch each.

nas run fashion_smoke      the baseline and one candidate, about a minute each on one core
nas report fashion_smoke
"""

from nas import TPE, Budget, Search, Study, edit, relative, small_googlenet
from search_spaces.small import by_stage

study = Study(
    name="fashion_smoke",
    question="Does the whole chain work on Fashion-MNIST's 60,000 images?",
    space=by_stage.around(edit(small_googlenet, {"recipe.fidelity.epochs": 1})),
    budget=Budget(mult_adds=relative(1.0)),
    plan=Search(trials=2, sampler=TPE(seed=0)),
)
