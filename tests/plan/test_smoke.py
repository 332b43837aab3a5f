import pytest

from nas.cli.find import find_study, study_names
from nas.plan.smoke import smoke
from nas.plan.steps import total


@pytest.mark.parametrize("name", study_names())
def test_every_study_has_a_small_one_of_its_own(name):
    study = find_study(name)
    small = smoke(study)
    assert small.name == f"{name}-smoke"
    assert small.full_name != study.full_name
    assert small.space.canonical.recipe.dataset == "synthetic"
    assert small.space.canonical.recipe.fidelity.epochs == 1
    assert total(small) <= 40
