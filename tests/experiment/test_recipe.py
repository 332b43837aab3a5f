import pytest

from nas import Fidelity, Recipe
from nas.data.datasets import DATASETS
from nas.experiment.experiment import CLASSES
from nas.tree.tree import from_json, to_json


def test_the_default_is_the_papers_recipe():
    recipe = Recipe()
    assert (recipe.dataset, recipe.image_size) == ("imagenet", 224)
    assert (recipe.lr_schedule, recipe.averaging, recipe.augmentation) == (
        "step",
        "polyak",
        "crops",
    )
    assert (recipe.optimizer, recipe.momentum, recipe.aux_weight) == ("sgd", 0.9, 0.3)


def test_what_came_later_is_left_out_of_the_json_while_it_is_as_before():
    later = {
        "optimizer": "adamw",
        "warmup": 0.1,
        "interpolation": "random",
        "photometric": 0.5,
        "aux_schedule": "half",
        "class_weights": "balanced",
    }
    assert not set(later) & set(to_json(Recipe()))
    changed = Recipe(**later)
    assert to_json(changed) == to_json(Recipe()) | later
    for recipe in (Recipe(), changed):
        assert from_json(to_json(recipe), CLASSES) == recipe


@pytest.mark.parametrize("name", DATASETS)
def test_every_known_data_set_may_be_named(name):
    facts = DATASETS[name]
    assert Recipe(dataset=name).dataset == name
    assert facts.classes > 1
    assert facts.channels in (1, 3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"dataset": "fashon_mnist"},
            r"'fashon_mnist': there are imagenet, .*; did you mean fashion_mnist\?; "
            r"image_folder\(\) and own_data\(\) bring one's own",
        ),
        ({"dataset": DATASETS["digits"]}, r"digits has no source: .* is given by its name, one's"),
        ({"image_size": 0}, r"Recipe.image_size must be 1 or more, not 0"),
        ({"batch_size": -1}, r"Recipe.batch_size must be 1 or more, not -1"),
        ({"lr": 0.0}, r"Recipe.lr must be above 0, not 0"),
        ({"clip": -1.0}, r"Recipe.clip must be above 0, not -1"),
        ({"momentum": 1.0}, r"Recipe.momentum must lie in \[0, 1\), not 1"),
        ({"label_smoothing": -0.1}, r"Recipe.label_smoothing must lie in \[0, 1\), not -0.1"),
        ({"weight_decay": -1.0}, r"Recipe.weight_decay must be 0 or more, not -1"),
        ({"aux_weight": -0.3}, r"Recipe.aux_weight must be 0 or more, not -0.3"),
        ({"lr_schedule": "linear"}, r"must be 'step' or 'cosine' or 'one_cycle' or 'constant'"),
        ({"averaging": "swa"}, r"Recipe.averaging must be 'polyak' or 'ema' or None, not 'swa'"),
        ({"optimizer": "adam"}, r"must be 'sgd' or 'nesterov' or 'rmsprop' or 'adamw', not 'adam'"),
        ({"optimizer": "nesterov", "momentum": 0.0}, r"nesterov needs a momentum above 0"),
        ({"warmup": 1.0}, r"Recipe.warmup must lie in \[0, 1\), not 1"),
        ({"photometric": 1.5}, r"Recipe.photometric must lie in \[0, 1\], not 1.5"),
        ({"interpolation": "area"}, r"Recipe.interpolation must be 'bilinear' or 'random'"),
        ({"aux_schedule": "off"}, r"must be 'constant' or 'linear' or 'half', not 'off'"),
        ({"fidelity": 6}, r"Recipe.fidelity must be Fidelity, not 6"),
        (
            {"image_size": 28, "fidelity": Fidelity(image_size=32)},
            r"Fidelity.image_size 32 is above Recipe.image_size 28; a fidelity makes a run cheaper",
        ),
        ({"lr": float("nan")}, r"Recipe.lr"),
        ({"lr": float("inf")}, r"Recipe.lr"),
        ({"weight_decay": float("nan")}, r"Recipe.weight_decay"),
    ],
)
def test_a_recipe_that_cannot_train_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": 0}, r"Fidelity.epochs must be 1 or more, not 0"),
        ({"share": 0.0}, r"Fidelity.share must lie in \(0, 1\], not 0"),
        ({"share": 1.5}, r"Fidelity.share must lie in \(0, 1\], not 1.5"),
        ({"image_size": 0}, r"Fidelity.image_size must be 1 or more, not 0"),
        ({"epochs": 1.5}, r"Fidelity.epochs must be int, not 1.5"),
    ],
)
def test_a_fidelity_that_cannot_be_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Fidelity(**values)
