import math

import pytest
import torch
from torch import nn
from torch.nn.utils import get_total_norm

from nas import edit
from nas.runs.record import Settings, seeds
from nas.train.gradients import Gradients
from nas.train.training import Training
from tests.specimens import quick


def first(edits):
    """The first epoch of a run."""
    changed = edit(quick, edits)
    return next(iter(Training(changed.layers(), changed.recipe, seeds(0), Settings())))


def test_the_norm_of_a_module_is_that_of_all_its_gradients():
    net = nn.ModuleDict({"stem": nn.Linear(3, 2), "head": nn.Linear(2, 1, bias=False)})
    seen = Gradients(net)
    for scale in (1.0, 3.0):
        for parameter in net.parameters():
            parameter.grad = torch.full_like(parameter, scale)
        assert seen.step().item() == pytest.approx(scale * math.sqrt(8 + 2))
    assert seen.epoch() == pytest.approx({"stem": 2 * math.sqrt(8), "head": 2 * math.sqrt(2)})


def test_each_epoch_begins_anew():
    net = nn.ModuleDict({"stem": nn.Linear(1, 1, bias=False)})
    seen, found = Gradients(net), []
    for scale in (1.0, 5.0):
        net["stem"].weight.grad = torch.full((1, 1), scale)
        seen.step()
        found.append(seen.epoch()["stem"])
    assert found == [1, 5]


def test_an_epoch_has_the_norm_of_each_module_and_aux_head():
    assert list(first({}).gradients) == [
        "stem", "inception_3a", "aux_3a", "inception_4a", "aux_4a", "inception_5a", "head",
    ]  # fmt: skip
    assert all(norm > 0 for norm in first({}).gradients.values())


def test_the_norm_of_a_step_is_torchs_own_to_the_bit():
    training = Training(quick.layers(), quick.recipe, seeds(0), Settings())
    next(iter(training))
    wanted = get_total_norm([parameter.grad for parameter in training.net.parameters()])
    assert torch.equal(training.gradients.step(), wanted)


def test_the_norms_are_those_before_clipping():
    edits = {"recipe.fidelity.share": 0.3, "recipe.lr": 1e-9}
    free, clipped = (first(edits | {"recipe.clip": clip}).gradients for clip in (None, 1e-3))
    assert clipped == pytest.approx(free, rel=1e-3)


def test_an_aux_head_brings_gradient_to_the_modules_below_it():
    base = {"network.aux_after": ("3a",), "recipe.lr": 1e-9}
    silent, loud = (first(base | {"recipe.aux_weight": weight}).gradients for weight in (0.0, 9.0))
    assert silent["aux_3a"] == 0
    assert loud["stem"] > 2 * silent["stem"]
    assert loud["inception_4a"] == pytest.approx(silent["inception_4a"], rel=1e-3)


def test_a_gradient_that_is_no_number_is_told_as_such():
    net = nn.ModuleDict({"stem": nn.Linear(1, 1, bias=False), "head": nn.Linear(1, 1, bias=False)})
    seen = Gradients(net)
    net["stem"].weight.grad = torch.full((1, 1), math.nan)
    net["head"].weight.grad = torch.ones(1, 1)
    seen.step()
    found = seen.epoch()
    assert math.isnan(found["stem"])
    assert found["head"] == 1
