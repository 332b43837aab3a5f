from dataclasses import replace

import pytest

from nas import (
    GP,
    Ablation,
    Budget,
    Random,
    Search,
    SearchSpace,
    between,
    choice,
    relative,
    subsets,
    versus,
)
from nas.plan.unmet import drawn, unmet
from tests.commands import nas
from tests.examples import BASE, search_only

SPACE = SearchSpace(
    BASE,
    {
        "network.aux_after": subsets("4a", name="aux heads"),
        "recipe.lr": between(0.01, 0.1, name="rate"),
        "network.inception_3a.conv3x3.width": choice(96, 128, name="width"),
    },
)


def asked(space=SPACE, budget=None, **plan):
    return replace(search_only(2, budget), space=space, plan=Ablation(seeds=range(2), **plan))


@pytest.mark.parametrize("design", ["one_out", "one_in"])
def test_decisions_that_a_design_leaves_out_are_named_with_the_design_that_asks_them(design):
    (said,) = unmet(asked(design=design))
    assert said == (
        f"the ablation asks nothing of width, rate: {design} asks what can be off; "
        'design="one_factor" asks every option (of rate too, where it is a choice of some '
        "numbers)"
    )


def test_a_design_that_asks_everything_leaves_nothing_out():
    space = SPACE.freeze({"rate": BASE.recipe.lr})
    assert unmet(asked(space, design="one_factor")) == ()
    assert unmet(asked(SPACE.freeze({"rate": BASE.recipe.lr, "width": "128"}))) == ()


def test_a_search_that_ends_before_its_sampler_learns_is_named():
    assert [*drawn(Search(trials=12))] == []
    (said,) = drawn(Search(trials=9, sampler=GP(startup=8)))
    assert said == (
        "all 8 candidates of the search are drawn at random: GP learns from the first 8 (startup=8)"
    )
    assert [*drawn(Search(trials=9, sampler=Random()))] == []


def test_changes_over_the_budget_of_a_search_beside_them_are_named_and_run():
    parts = SearchSpace(BASE, {"network.inception_3a.conv5x5": versus(off=None, name="5x5")})
    budget = Budget(mult_adds=relative(0.6))
    plan = (Search(trials=13), Ablation(over=parts, seeds=range(2)))
    study = replace(search_only(2, budget), plan=plan)
    (said,) = unmet(study)
    assert said == "1 change of the ablation is over the budget, which holds for the search: no 5x5"


STUDY = """
from tests.plan.test_unmet import asked
study = asked()
"""


def test_plan_and_the_first_run_say_it(tmp_path, monkeypatch):
    monkeypatch.setenv("NAS_HOME", str(tmp_path))
    (tmp_path / "left.py").write_text(STUDY)
    said = "the ablation asks nothing of width, rate"
    assert said in " ".join(nas("plan", tmp_path / "left.py").stdout.split())
    assert said in nas("run", tmp_path / "left.py", "--local").stderr
    assert said not in nas("run", tmp_path / "left.py", "--local").stderr
