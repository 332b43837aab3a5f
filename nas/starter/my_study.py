"""How wide should the 3x3 branches be, and do the 5x5 branches earn their keep?

    nas plan my_study.py       what it would run; nothing is trained
    nas run my_study.py        8 search trials and 24 ablation runs, about a minute on two cores
    nas report my_study.py

Expected, written before the first run: ...
"""

from my_space import parts, widths

from nas import ASHA, TPE, Ablation, Budget, Search, Study, relative

study = Study(
    name="my_study",
    question="How wide should the 3x3 branches be, and do the 5x5 branches earn their keep?",
    space=widths,
    budget=Budget(mult_adds=relative(1.0)),
    plan=(
        Search(trials=8, sampler=TPE(seed=0, startup=4), scheduler=ASHA(grace_period=2)),
        Ablation(over=parts, seeds=range(6)),
    ),
)
