import pytest

import nas
from nas import Budget, SearchSpace, choice, edit, relative, scaled, versus
from nas.plan.plans import ASHA, Ablation, Search
from nas.plan.samplers.tpe import TPE
from nas.plan.study import Resources
from nas.runs.record import Seeds
from nas.study import Study
from tests.specimens import quick

space = SearchSpace(
    quick,
    {
        "network.inception_3a.conv5x5": versus(off=None),
        "network.inception_3a.conv3x3.width": scaled(0.5, 1),
    },
)


def study(**values):
    known = {"name": "tiny", "question": "?", "space": space, "plan": Search(trials=4)}
    return Study(**(known | values))


@pytest.mark.parametrize(
    ("halving", "epochs", "rungs"),
    [
        (ASHA(), 1, ()),
        (ASHA(), 12, (1, 3, 9)),
        (ASHA(), 9, (1, 3)),
        (ASHA(grace_period=5), 250, (5, 15, 45, 135)),
        (ASHA(grace_period=2, factor=2), 9, (2, 4, 8)),
        (ASHA(grace_period=5), 5, ()),
    ],
)
def test_asha_compares_at_these_epochs(halving, epochs, rungs):
    assert halving.rungs(epochs) == rungs


def test_a_study_may_hold_a_search_and_an_ablation():
    made = study(plan=(Search(trials=4), Ablation(seeds=range(3))))
    assert made.search == Search(trials=4)
    assert made.ablation == Ablation(seeds=(0, 1, 2))
    assert study().ablation is None


RULES = [
    {},
    {"name": "other"},
    {"budget": Budget(mult_adds=relative(1.0))},
    {"budget": Budget(mult_adds=1e6)},
    {"plan": Search(trials=4, sampler=TPE(seed=1))},
    {"space": SearchSpace(quick, {"recipe.lr": choice(0.1, 0.2)})},
    {"space": space.around(edit(quick, {"recipe.lr": 0.2}))},
]


def test_another_template_budget_or_sampler_is_another_study():
    names = [study(**values).full_name for values in RULES]
    assert len(set(names)) == len(RULES)
    assert all(name.split("@")[0] in ("tiny", "other") for name in names)


@pytest.mark.parametrize(
    "values",
    [
        {"plan": Search(trials=9, seed=3)},
        {"plan": Search(trials=4, scheduler=ASHA())},
        {"plan": (Search(trials=4), Ablation(seeds=range(4)))},
        {"resources": Resources(cpus=2)},
        {"question": "what else?"},
    ],
)
def test_trials_seeds_plans_and_resources_may_change_within_a_study(values):
    assert study(**values).full_name == study().full_name


DOUBLE = (0, Seeds(split=0, init=0, order=0, dropout=0))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Search(trials=0), "Search.trials must be 1 or more, not 0"),
        (lambda: ASHA(grace_period=0), "grace_period of 1 or more and factor of 2 or more"),
        (lambda: ASHA(factor=1), "grace_period of 1 or more and factor of 2 or more"),
        (lambda: Ablation(seeds=(1,)), r"needs 2 different seeds or more, not \[1\]"),
        (lambda: Ablation(seeds=(1, 1, 2)), "needs 2 different seeds or more, not"),
        (lambda: Ablation(seeds=DOUBLE), "needs 2 different seeds or more, not"),
        (lambda: Ablation(margin=0.0), "margin must be above 0 points, not 0"),
        (lambda: Ablation(design="stars"), "'one_out' or 'one_in' or .*, not 'stars'"),
        (
            lambda: Ablation(kinds=("cooked",)),
            "a tuple of 'raw' or 'matched' or 'control' or 'retuned'",
        ),
        (lambda: Ablation(kinds=()), "takes each kind once, not ()"),
        (lambda: Ablation(kinds=("raw", "raw")), "takes each kind once, not ('raw', 'raw')"),
        (lambda: Ablation(kinds=("control",)), "'control' is held against 'raw': give kinds of"),
        (lambda: Ablation(rates=(0.5, 2.0)), "two or more and 1 among them, not (0.5, 2.0)"),
        (lambda: Ablation(rates=(1.0, 0.0)), "factors of the learning rate above 0"),
        (lambda: Ablation(design="path"), "to= says where a path goes"),
        (lambda: Ablation(to={"a": "b"}), "the design is 'one_out' and to= is {'a': 'b'}"),
        (lambda: Ablation(looks=(6, 10)), "rising numbers of seeds, .*, not (6, 10) with 8 seeds"),
        (lambda: Ablation(looks=(10, 8)), "rising numbers of seeds"),
        (lambda: Ablation(looks=(1, 8)), "rising numbers of seeds, from 2 on"),
        (lambda: Resources(cpus=0), "Resources needs cpus of 1 or more"),
        (lambda: Resources(gpus=-0.5), "gpus of 0 or more"),
        (lambda: Resources(precision="float16"), "must be 'float32' or 'bfloat16' or 'auto'"),
        (lambda: study(name="a b"), "letters, digits, _ and - only, not 'a b'"),
        (lambda: study(name=""), "letters, digits, _ and - only, not ''"),
        (lambda: study(name="ä" * 51), "at most 100 bytes in UTF-8, not äää"),
        (lambda: study(plan=()), "a Search, an Ablation, a Confirmation, or one of each"),
        (lambda: study(plan=(Search(trials=1),) * 2), "make several studies of it"),
        (
            lambda: study(plan=Ablation(over=space.around(edit(quick, {"recipe.lr": 0.2})))),
            "another baseline than the study's; move it with over=SPACE.around",
        ),
    ],
)
def test_a_study_that_cannot_be_is_refused_where_it_is_written(make, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(").replace(")", r"\)")):
        make()


@pytest.mark.parametrize(
    "name", ["ASHA", "TPE", "Ablation", "Resources", "Search", "Study", "edit"]
)
def test_what_studies_are_written_with_stands_in_nas(name):
    assert name in nas.__all__
