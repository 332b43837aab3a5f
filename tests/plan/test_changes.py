import pytest

from nas import SearchSpace, between, choice, scaled, subsets, versus
from nas.plan.changes import change_name, restored_name
from nas.tree.domain import Choice, Option
from search_spaces import googlenet
from tests.specimens import quick


@pytest.mark.parametrize(
    ("path", "value", "name"),
    [
        ("network.inception_3b.conv1x1", None, "3b: no 1x1 branch"),
        ("network.inception_4c", None, "no module 4c"),
        ("network.inception_3a.conv3x3.ratio", None, "3a: no 3x3 branch ratio"),
        ("network.aux_after", (), "no aux heads"),
        ("network.dropout_at", (), "no dropout"),
        ("recipe.averaging", None, "no averaging"),
        ("recipe.weight_decay", 0.0, "no weight decay"),
        ("network.aux_head.dropout", 0.0, "no aux head dropout"),
    ],
)
def test_a_change_is_called_by_what_it_takes_away(path, value, name):
    made = SearchSpace(googlenet.by_stage.canonical, {path: versus(off=value)})
    assert change_name(made.domains[path]) == name


AUX = subsets("3a", "4a", "4d", upto=2)


@pytest.mark.parametrize(
    ("path", "domain", "label", "name"),
    [
        ("network.head.pooling", versus("flatten"), "flatten", "flatten instead of average pooling"),
        ("network.aux_after", AUX, "4a", "no aux head after 4d"),
        ("network.aux_after", AUX, "3a", "aux head after 3a"),
        ("network.aux_after", AUX, "3a+4a", "aux heads after 3a and 4a"),
        ("network.dropout_at", subsets("stage5", "head"), "stage5+head", "also dropout at stage5"),
        ("network.dropout", choice(0.2, 0.4), "0.2", "dropout 0.2 instead of 0.4"),
        ("recipe.lr", between(0.01, 0.1, log=True), 0.02, "learning rate 0.02 instead of 0.05"),
        ("recipe.lr_schedule", versus("one_cycle"), "one_cycle", "one cycle instead of step schedule"),
        ("network.head.hidden", versus(1024), "1024", "head hidden 1024"),
        ("network.stem.kind", versus("deep"), "deep", "deep instead of dense stem"),
        ("network.stem.conv3x3", scaled(0.5, 1), "0.5", "stem conv3x3 times 0.5"),
        ("network.inception_3a.shortcut", versus(True), "True", "3a: with shortcut"),
        ("network.inception_3a.conv3x3.width", scaled(0.5, 1), "0.5", "3a: 3x3 branch width times 0.5"),
        ("network.inception_3b.conv5x5.kernel", versus("3+3"), "3+3", "3b: 5x5 branch kernel 3+3 instead of 5"),
        ("network.inception_3?.conv3x3.ratio", versus(0.5, name="stage3.conv3x3.ratio"), "0.5", "stage 3: 3x3 branch ratio 0.5"),
        ("network.inception_3a", versus(twice=lambda m: m, name="modules"), "twice", "modules twice"),
    ],
)  # fmt: skip
def test_a_change_to_a_label_says_what_stands_there_instead(path, domain, label, name):
    space = SearchSpace(googlenet.by_stage.canonical, {path: domain})
    (made,) = space.domains.values()
    assert change_name(made, label) == name


def test_what_was_off_and_is_added_is_called_by_its_name():
    space = SearchSpace(quick, {"recipe.averaging": versus("polyak", off=None)})
    assert change_name(space.domains["recipe.averaging"], "polyak") == "polyak averaging"


def test_what_is_put_back_is_with():
    space = SearchSpace(quick, {"network.inception_3a.conv5x5": versus(off=None)})
    assert restored_name(space.domains["network.inception_3a.conv5x5"]) == "3a: with 5x5 branch"


def test_what_is_put_back_by_a_name_of_its_own_is_taken_back():
    def put_back(name):
        options = (Option(label="as is", value=False), Option(label=name, value=True))
        return restored_name(Choice(name=name, options=options, default="as is", off=name))

    assert put_back("A") == "without A"
    assert put_back("piano light") == "without piano light"
    assert put_back("no A") == "with A"
