"""What does a small GoogLeNet need, and is there a better one for the same multiply-adds?

    nas run quickstart         13 search trials and 36 ablation runs on scikit-learn's digits
    nas report quickstart

A search of 12 candidates beside the baseline, within the baseline's own cost; then four changes,
each against the baseline on the same six seeds. Written before the first run: without batch norm
the accuracy drops by more than a point; the other three changes stay within the noise.
"""

from nas import ASHA, TPE, Ablation, Budget, Search, Study, relative
from search_spaces.tiny import parts, widths

study = Study(
    name="quickstart",
    question="What does a small GoogLeNet need, and is there a better one for the same cost?",
    space=widths,
    budget=Budget(mult_adds=relative(1.0)),
    plan=(
        Search(trials=13, sampler=TPE(seed=0), scheduler=ASHA(grace_period=2)),
        Ablation(design="one_out", over=parts, seeds=range(6)),
    ),
)
