"""A finished study: a search, an ablation whose arms are retuned on seeds of streams, and a
confirmation."""

from walls import base, space

from nas import Ablation, Confirmation, Search, SearchSpace, Seeds, Study, versus

study = Study(
    name="done",
    question="Is it done?",
    space=space,
    plan=(
        Search(trials=4),
        Ablation(
            over=SearchSpace(
                base, {"network.normalization": versus(off="none", name="batch norm")}
            ),
            kinds=("raw", "retuned"),
            seeds=[Seeds(split=0, init=at, order=at, dropout=at) for at in range(2)],
        ),
        Confirmation(top=1, seeds=2),
    ),
)
