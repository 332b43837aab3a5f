import re
from importlib import import_module
from pathlib import Path

import pytest

from nas.cli.find import find_study, study_names
from nas.plan.description import describe
from nas.plan.plans import Ablation
from nas.plan.smoke import smoke
from nas.plan.steps import total


@pytest.mark.parametrize("name", study_names())
def test_a_shipped_study_says_its_command_its_cost_and_what_was_expected(name):
    study = find_study(name)
    said = " ".join(import_module(f"studies.{name}").__doc__.split())
    assert study.name == name
    assert "?" in said
    assert re.search(rf"nas (run|confirm) {name}\b", said)
    assert "minute" in said or "hour" in said or name == "quickstart"
    told = re.search("[Ee]xpected|[Ww]ritten before the first run|[Aa]sked of it", said)
    assert told or name == "fashion_smoke"


def test_the_findings_tell_of_every_study_that_asks_something():
    told = set(re.findall(r"`(\w+)`", (Path(__file__).parents[1] / "docs/findings.md").read_text()))
    assert set(study_names()) - told == {"quickstart", "fashion_smoke"}


@pytest.mark.parametrize("name", study_names())
def test_a_shipped_study_can_be_planned_and_tried_in_small(name):
    study = find_study(name)
    assert describe(study).planned == total(study)
    small = smoke(study)
    assert describe(small).name == f"{name}-smoke"
    assert total(small) <= total(study)


@pytest.mark.parametrize("name", study_names())
def test_the_number_of_runs_that_a_study_says_is_that_of_its_plan(name):
    study, said = find_study(name), import_module(f"studies.{name}").__doc__
    told = re.findall(rf"nas run {name}\s+(\d+) runs", said)
    if study.plans == (study.ablation,):
        assert told == [str(total(study))]


@pytest.mark.parametrize("name", study_names())
def test_what_is_published_has_eight_seeds_or_more_and_the_demo_six(name):
    plan = find_study(name).ablation
    if isinstance(plan, Ablation) and plan.design != "factorial":
        assert len(tuple(plan.seeds)) >= (6 if name == "quickstart" else 8)
