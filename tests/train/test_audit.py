import dataclasses
import logging

import pytest
import torch
from hypothesis import given, settings

from nas import cost, edit, googlenet
from nas.experiment.presets import PRESETS
from nas.networks.tape import Tape
from nas.train.audit import Audit, audit
from nas.train.net import Net
from nas.tree.tree import Node
from tests.specimens import Residual, fvcore_mult_adds, golden, quick, torch_mult_adds
from tests.strategies import candidates, wide_open


@pytest.mark.parametrize("name", PRESETS)
def test_fvcore_counts_a_preset_as_the_closed_form_does(name):
    known = golden("presets")[name]
    expected = {key: known[key] for key in ("mult_adds", "params", "params_aux")}
    assert audit(PRESETS[name].layers()) == Audit(**expected)


@settings(max_examples=10)
@given(candidates(wide_open))
def test_three_counters_agree_on_a_random_candidate(candidate):
    experiment = candidate.experiment
    found = audit(experiment.layers())
    known = cost(experiment)
    assert (found.mult_adds, found.params) == (known.mult_adds, known.params)
    assert found.params_aux == known.params_aux
    net = Net(experiment.layers())
    assert torch_mult_adds(net, torch.zeros(1, *experiment.shape)) == known.mult_adds


def test_three_counters_agree_on_the_canonical_network():
    image = torch.zeros(1, 3, 224, 224)
    net = Net(googlenet.layers())
    assert torch_mult_adds(net, image) == fvcore_mult_adds(net, image) == 1_582_671_872


@pytest.mark.parametrize("edits", [{"network.stem.kind": "separable"}, {"network.aux_after": ()}])
def test_variants_are_counted_at_another_image_size(edits):
    experiment = edit(googlenet, edits)
    assert audit(experiment.layers(112)).mult_adds == cost(experiment, 112).mult_adds


def test_a_users_own_network_is_counted():
    experiment = edit(quick, {"network": Residual()})
    assert audit(experiment.layers()).mult_adds == cost(experiment).mult_adds == 41_504


def test_the_audit_leaves_the_level_of_fvcores_log_even_where_fvcore_fails(monkeypatch):
    logger = logging.getLogger("fvcore")
    before = logger.level
    audit(quick.layers())
    assert logger.level == before

    def fail(_):
        raise RuntimeError("not traced")

    monkeypatch.setattr("nas.train.audit.FlopCountAnalysis.by_operator", fail)
    with pytest.raises(RuntimeError, match="not traced"):
        audit(quick.layers())
    assert logger.level == before


@dataclasses.dataclass(frozen=True, kw_only=True)
class Liar(Node):
    """A network that says a shape it does not have."""

    def layers(self, shape, classes):
        tape = Tape(shape)
        tape.linear("head", tape.conv("conv", tape.image, 4, stride=2), classes)
        conv, head = tape.layers
        wide = dataclasses.replace(conv, shape=(4, 9, 9))
        return (wide, head)


def test_counts_that_disagree_are_an_error_with_both():
    with pytest.raises(RuntimeError, match=r"the counts disagree: fvcore .* closed form Audit"):
        audit(edit(quick, {"network": Liar()}).layers())
