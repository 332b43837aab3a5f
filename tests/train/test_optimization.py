import copy
import math

import pytest
import torch
from torch import nn
from torch.optim import SGD, AdamW, RMSprop

from nas import Fidelity, Recipe
from nas.train.optimization import aux_weight, average, averaged, optimizer, schedule


def net():
    torch.manual_seed(0)
    return nn.Linear(3, 2)


def rates(steps=2, epochs=10, **values):
    """The rate of every step."""
    recipe = Recipe(lr=1.0, fidelity=Fidelity(epochs=epochs), **values)
    moving = optimizer(net(), recipe)
    rate = schedule(moving, recipe, steps)
    found = []
    for _ in range(steps * epochs):
        found.append(moving.param_groups[0]["lr"])
        moving.step()
        rate.step()
    assert rate.last_epoch == steps * epochs
    return found


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("sgd", SGD, {"momentum": 0.8, "nesterov": False}),
        ("nesterov", SGD, {"momentum": 0.8, "nesterov": True}),
        ("rmsprop", RMSprop, {"momentum": 0.8, "alpha": 0.9, "eps": 1.0}),
        ("adamw", AdamW, {"betas": (0.8, 0.999)}),
    ],
)
def test_an_optimizer_is_torchs_own(name, kind, said):
    made = optimizer(net(), Recipe(optimizer=name, lr=0.3, momentum=0.8, weight_decay=0.01))
    assert type(made) is kind
    group = made.param_groups[0]
    assert {key: group[key] for key in said} == said
    assert (group["lr"], group["weight_decay"]) == (0.3, 0.01)


@pytest.mark.parametrize("name", ["cosine", "constant"])
def test_a_warmup_comes_before_the_schedule_which_has_the_rest_of_the_steps(name):
    warmed = rates(lr_schedule=name, warmup=0.2)
    assert warmed[:4] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert warmed[4:] == pytest.approx(rates(lr_schedule=name, epochs=8))


def test_a_warmup_leaves_the_steps_down_at_their_epochs():
    plain = rates(lr_schedule="step", epochs=50)
    assert plain == pytest.approx([0.96 ** (step // 16) for step in range(100)])
    for warmup in (0.1, 0.2):
        rise = int(100 * warmup)
        assert rates(lr_schedule="step", epochs=50, warmup=warmup)[rise:] == plain[rise:]


def test_one_cycle_rises_for_the_warmup_and_for_30_percent_without_one():
    top = [max(range(100), key=rates(epochs=50, lr_schedule="one_cycle", warmup=share).__getitem__)
           for share in (0.1, 0.0, 0.5)]  # fmt: skip
    assert top == [10, 30, 50]


@pytest.mark.parametrize("name", ["step", "cosine", "one_cycle", "constant"])
@pytest.mark.parametrize("warmup", [0.0, 0.01, 0.1, 1 / 3, 0.99])
@pytest.mark.parametrize("steps", [1, 3])
def test_every_schedule_has_a_rate_for_every_step(name, warmup, steps):
    found = rates(steps, epochs=3, lr_schedule=name, warmup=warmup)
    assert all(0 < rate <= 1 for rate in found)


def test_an_aux_heads_weight_follows_its_schedule():
    def weights(name):
        recipe = Recipe(aux_schedule=name)
        return [aux_weight(recipe, done, 6) for done in range(6)]

    assert weights("constant") == [0.3] * 6
    assert weights("linear") == pytest.approx([0.3, 0.25, 0.2, 0.15, 0.1, 0.05])
    assert weights("half") == [0.3, 0.3, 0.3, 0, 0, 0]


def means(averaging, total):
    """What is scored after each of `total` steps in which the weights are 1, 2, 3, ..."""
    recipe, moving = Recipe(averaging=averaging), net()
    mean = average(moving, recipe, total)
    found = []
    for done in range(1, total + 1):
        with torch.no_grad():
            moving.weight.fill_(float(done))
        if averaged(recipe, done, total):
            mean.update_parameters(moving)
        found.append(mean.module.weight[0, 0].item())
    return found


def test_polyak_is_the_mean_of_the_last_half():
    assert means("polyak", 6)[3:] == pytest.approx([4, 4.5, 5])


def test_ema_forgets_over_a_tenth_of_the_steps():
    keep = math.exp(-10 / 40)
    wanted = [1.0]
    for done in range(2, 41):
        wanted.append(keep * wanted[-1] + (1 - keep) * done)
    assert means("ema", 40) == pytest.approx(wanted)
    assert 40 - wanted[-1] == pytest.approx(40 / 10, rel=0.15)


def test_nothing_is_averaged_unless_it_is_asked_for():
    assert average(net(), Recipe(averaging=None), 10) is None


def test_the_network_itself_is_left_as_it_was():
    moving = net()
    before = copy.deepcopy(moving.state_dict())
    average(moving, Recipe(averaging="ema"), 10).update_parameters(moving)
    assert all(torch.equal(before[name], value) for name, value in moving.state_dict().items())
