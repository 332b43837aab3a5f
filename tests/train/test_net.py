import copy

import pytest
import torch
from hypothesis import given, settings

from nas import Tape, edit, small_googlenet
from nas.experiment.presets import PRESETS
from nas.train.fusion import siblings
from nas.train.net import Dropout, Net, initialize, reseed_dropout, stream_seed
from tests.specimens import Residual, quick
from tests.strategies import candidates, wide_open

CPU = torch.device("cpu")
VARIANTS = [
    {"network.inception_*.conv5x5": None},
    {"network.aux_after": ()},
    {"network.aux_after": ("4a",)},
    {"network.inception_5a": None},
    {"network.normalization": "none"},
    {"network.inception_4a.conv1x1.width": 32},
]


def built(experiment, seed=0, scheme="he"):
    net = Net(experiment.layers())
    initialize(net, seed, scheme)
    return net


@settings(max_examples=15)
@given(candidates(wide_open))
def test_every_layer_has_the_shape_that_was_listed(candidate):
    layers = candidate.experiment.layers()
    net = Net(layers).eval()
    shapes = {}
    for path, module in net.named_modules():
        module.register_forward_hook(
            lambda _, __, y, path=path: shapes.__setitem__(path, tuple(y.shape[1:]))
        )
    with torch.no_grad():
        outputs = net.outputs(torch.zeros(1, *candidate.experiment.shape))
    for layer in layers:
        if layer.op not in ("concat", "add"):
            assert shapes[layer.name] == layer.shape
    aux = {f"aux_{place}.classifier" for place in candidate.experiment.network.aux_after}
    assert set(outputs) - {"head.classifier"} <= aux


@pytest.mark.parametrize("name", ["small_googlenet", "tiny_googlenet"])
def test_forward_gives_the_logits_and_outputs_the_aux_heads_beside_them(name):
    experiment = PRESETS[name]
    net = built(experiment).eval()
    images = torch.randn(2, *experiment.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits, outputs = net(images), net.outputs(images)
    assert logits.shape == (2, 10)
    assert torch.equal(outputs["head.classifier"], logits)
    heads = [f"aux_{place}.classifier" for place in experiment.network.aux_after]
    assert list(outputs) == ["head.classifier", *heads]


@pytest.mark.parametrize("scheme", ["he", "torch"])
@pytest.mark.parametrize("edits", VARIANTS, ids=str)
def test_layers_that_two_variants_share_start_alike_to_the_bit(edits, scheme):
    ours = built(quick, 3, scheme).state_dict()
    theirs = built(edit(quick, edits), 3, scheme).state_dict()
    alike = {n for n in ours if n in theirs and ours[n].shape == theirs[n].shape}
    # torch's own biases are drawn within a bound that follows from the weight's fan-in.
    shared = [name for name in alike if name.replace(".bias", ".weight") in alike]
    assert len(shared) > 10
    assert all(torch.equal(ours[name], theirs[name]) for name in shared)


@pytest.mark.parametrize("scheme", ["he", "torch"])
def test_another_seed_draws_other_weights(scheme):
    first, second = built(quick, 0, scheme), built(quick, 1, scheme)
    for name, weight in first.named_parameters():
        if weight.dim() > 1:
            assert not torch.equal(weight, second.get_parameter(name))


def test_initialization_takes_nothing_from_the_global_generator():
    net = Net(quick.layers())
    before = torch.get_rng_state()
    initialize(net, 0, "he")
    reseed_dropout(net, 0, 1, CPU)
    net.train().outputs(torch.zeros(4, *quick.shape))
    assert torch.equal(torch.get_rng_state(), before)


def test_he_initialization_has_variance_2_over_fan_in_and_zero_biases():
    net = built(small_googlenet)
    for path, module in net.named_modules():
        weight = getattr(module, "weight", None)
        if weight is None or weight.dim() < 2 or weight.numel() < 2000:
            continue
        gain = 1 if path.endswith("classifier") else 2
        expected = (gain / weight[0].numel()) ** 0.5
        assert weight.std().item() == pytest.approx(expected, rel=0.1)
    biases = [m.bias for m in net.modules() if isinstance(m, torch.nn.Linear)]
    assert all((bias == 0).all() for bias in biases)


def test_torch_initialization_stays_within_its_bound():
    net = built(edit(quick, {"network.normalization": "none"}), scheme="torch")
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            bound = module.weight[0].numel() ** -0.5
            assert module.weight.abs().max() <= bound
            assert 0 < module.bias.abs().max() <= bound


def dropped(net, seed, epoch=1):
    """What each dropout layer keeps, over two calls."""
    reseed_dropout(net, seed, epoch, CPU)
    ones = torch.ones(4, 64)
    return {
        path: torch.stack([module.train()(ones), module(ones)])
        for path, module in net.named_modules()
        if isinstance(module, Dropout)
    }


def test_a_dropout_layer_draws_the_same_when_another_is_removed():
    both, one = (dropped(built(x), 5) for x in (quick, edit(quick, {"network.aux_after": ()})))
    assert set(both) == {"head.dropout", "aux_3a.dropout", "aux_4a.dropout"}
    assert set(one) == {"head.dropout"}
    assert torch.equal(both["head.dropout"], one["head.dropout"])


def test_dropout_draws_anew_for_each_call_epoch_seed_and_layer():
    net = built(quick)
    first = dropped(net, 5)
    assert not torch.equal(first["head.dropout"][0], first["head.dropout"][1])
    assert torch.equal(first["head.dropout"], dropped(net, 5)["head.dropout"])
    assert not torch.equal(first["head.dropout"], dropped(net, 5, epoch=2)["head.dropout"])
    assert not torch.equal(first["head.dropout"], dropped(net, 6)["head.dropout"])
    assert not torch.equal(first["aux_3a.dropout"], first["aux_4a.dropout"])


def test_dropout_keeps_its_share_scaled_up_and_all_when_it_is_not_training():
    layer = Dropout(0.7)
    layer.generator = torch.Generator().manual_seed(0)
    ones = torch.ones(100, 100)
    kept = layer.train()(ones)
    assert (kept != 0).float().mean().item() == pytest.approx(0.3, abs=0.02)
    assert kept.max().item() == pytest.approx(1 / 0.3)
    assert torch.equal(layer.eval()(ones), ones)


def test_a_stream_is_named_by_its_seed_and_its_name():
    seeds = {stream_seed(seed, name) for seed in range(20) for name in ("a", "b")}
    assert len(seeds) == 40
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert stream_seed(1, "stem.conv7x7.weight") == 5992537914515771807


def test_a_users_block_that_adds_what_its_relu_read_is_computed_as_written():
    net = built(edit(quick, {"network": Residual()})).eval()
    images = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    parts = dict(net.named_modules())
    with torch.no_grad():
        x = parts["stem.conv"](images)
        y = parts["block.conv"](x.clone().relu())
        expected = parts["head.classifier"]((x + y).mean((2, 3)))
        assert torch.allclose(net(images), expected, atol=1e-6)


def test_a_network_leaves_its_images_as_they_were():
    layers = edit(quick, {"network": Residual()}).layers()
    first = layers[1]
    assert first.op == "relu"
    images = torch.randn(2, 8, 8, 8)
    before = images.clone()
    relu = {"name": "relu", "inputs": ("image",), "in_shape": (8, 8, 8), "shape": (8, 8, 8)}
    Net((type(first)(op="relu", **relu),))(images)
    assert torch.equal(images, before)


FUSED = [
    {},
    {"network.normalization": "none"},
    {"network.inception_*.conv5x5": None},
    {"network.inception_4a.conv3x3.activation": False},
    {"network.inception_3a.shortcut": True, "network.inception_4a.pool_proj.width": None},
    {"network": Residual()},
]


def trained_once(net, images):
    """The outputs, every gradient and every buffer after one pass forward and back."""
    reseed_dropout(net, 0, 1, CPU)
    made = net.train().outputs(images)
    sum(output.square().sum() for output in made.values()).backward()
    gradients = {name: weight.grad for name, weight in net.named_parameters()}
    return {**made, **gradients, **{f"{n} kept": b for n, b in net.named_buffers()}}


@pytest.mark.parametrize("edits", FUSED, ids=str)
@pytest.mark.parametrize(("precision", "apart"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_the_fused_network_is_the_plain_one(edits, precision, apart):
    experiment = edit(quick, edits)
    plain = built(experiment).to(precision)
    fused = Net(experiment.layers(), fused=True)
    initialize(fused, 0, "he")
    fused.to(precision)
    images = torch.randn(
        8, *experiment.shape, dtype=precision, generator=torch.Generator().manual_seed(0)
    )
    ours, theirs = trained_once(fused, images), trained_once(plain, images)
    assert list(ours) == list(theirs)
    for name, value in theirs.items():
        assert torch.allclose(ours[name], value, rtol=apart, atol=apart), name
    with torch.no_grad():
        near = 1e-6 if precision == torch.float32 else apart
        assert torch.allclose(fused.eval()(images), plain.eval()(images), rtol=near, atol=near)


def test_padded_1x1_convolutions_run_fused_as_they_do_plain():
    tape = Tape((3, 6, 6))
    padded = [tape.conv(f"{name}.conv", tape.image, 4, padding=1) for name in "ab"]
    tape.linear("classifier", tape.average_pool("pool", tape.concat("both", *padded)), 5)
    images = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    nets = [Net(tuple(tape.layers), fused=fused).eval() for fused in (False, True)]
    for net in nets:
        initialize(net, 0, "torch")
    with torch.no_grad():
        assert torch.allclose(nets[0](images), nets[1](images), rtol=0, atol=1e-6)


def test_a_relu_behind_a_relu_leaves_what_the_gradient_needs():
    tape = Tape((3, 6, 6))
    x = tape.simple("relu", "first", tape.conv("conv", tape.image, 4, 3))
    tape.linear("classifier", tape.average_pool("pool", tape.simple("relu", "second", x)), 5)
    net = Net(tuple(tape.layers))
    net(torch.ones(2, 3, 6, 6)).sum().backward()
    assert all(weight.grad is not None for weight in net.parameters())


def test_a_relu_behind_dropout_leaves_the_map_in_front_of_it():
    tape = Tape((3, 6, 6))
    x = tape.conv("conv", tape.image, 4, 3)
    y = tape.simple("relu", "relu", tape.simple("dropout", "dropout", x, 0.5))
    tape.linear("classifier", tape.average_pool("pool", tape.add("sum", x, y)), 5)
    net = Net(tuple(tape.layers)).eval()
    images = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        x = net.get_submodule("conv")(images)
        expected = net.get_submodule("classifier")((x + x.relu()).mean((2, 3)))
        assert torch.allclose(net(images), expected, atol=1e-6)


def test_the_fused_network_has_the_parameters_of_the_plain_one():
    plain, fused = built(small_googlenet), Net(small_googlenet.layers(), fused=True)
    initialize(fused, 0, "he")
    ours, theirs = fused.state_dict(), plain.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())


def test_a_copy_of_a_fused_network_has_weights_of_its_own():
    net = Net(quick.layers(), fused=True).eval()
    copied = copy.deepcopy(net)
    images = torch.zeros(1, *quick.shape)
    with torch.no_grad():
        before = net(images)
        for weight in net.parameters():
            weight.add_(1)
        assert torch.equal(copied(images), before)
        assert not torch.equal(net(images), before)


def test_the_1x1_convolutions_over_one_map_are_siblings_with_what_follows_each_alike():
    def groups(edits):
        return [[row[-1].name for row in rows] for rows in siblings(edit(quick, edits).layers())]

    first, *rest = groups({})
    parts = ("conv1x1.conv_relu", "conv3x3.reduce_relu", "conv5x5.reduce_relu")
    assert first == [f"inception_3a.{part}" for part in parts]
    assert len(rest) == 2
    assert groups({"network.inception_*.conv5x5": None})[0] == first[:2]
    assert groups({"network.inception_3a.conv3x3.activation": False})[0] == [first[0], first[2]]
    assert groups({"network": Residual()}) == []
