import pytest

from nas import (
    PLACES,
    AuxHead,
    Bottleneck,
    Conv,
    GoogLeNet,
    Head,
    Inception,
    Plain,
    Stem,
    edit,
    googlenet,
    small_googlenet,
)
from nas.experiment.experiment import CLASSES
from nas.tree.tree import from_json, to_json
from tests.specimens import golden

canonical = {layer.name: layer for layer in googlenet.layers()}


def layers(edits, experiment=googlenet):
    return {layer.name: layer for layer in edit(experiment, edits).layers()}


def row(name):
    if name == "stem.conv7x7":
        return [canonical["stem.conv7x7"]]
    stem = name == "stem.conv3x3"
    module = "stem" if stem else name
    return [x for x in canonical.values() if x.module == module and x.name != "stem.conv7x7"]


@pytest.mark.parametrize("line", golden("table1"), ids=lambda line: line["row"])
def test_table_1_is_counted_row_by_row(line):
    found = row(line["row"])
    assert sum(layer.weights for layer in found) == line["weights"]
    assert sum(layer.mult_adds for layer in found) == line["mult_adds"]


def test_table_1_sums_to_the_whole_network():
    lines = golden("table1")
    assert sum(line["mult_adds"] for line in lines) == 1_582_671_872
    assert sum(line["weights"] for line in lines) == 6_990_272


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("stem.conv7x7", (64, 112, 112)),
        ("stem.pool1", (64, 56, 56)),
        ("stem.conv3x3", (192, 56, 56)),
        ("stem.pool2", (192, 28, 28)),
        ("inception_3a.concat", (256, 28, 28)),
        ("inception_3b.concat", (480, 28, 28)),
        ("pool4.pool", (480, 14, 14)),
        ("inception_4a.concat", (512, 14, 14)),
        ("inception_4b.concat", (512, 14, 14)),
        ("inception_4c.concat", (512, 14, 14)),
        ("inception_4d.concat", (528, 14, 14)),
        ("inception_4e.concat", (832, 14, 14)),
        ("pool5.pool", (832, 7, 7)),
        ("inception_5a.concat", (832, 7, 7)),
        ("inception_5b.concat", (1024, 7, 7)),
        ("head.pool", (1024, 1, 1)),
        ("head.classifier", (1000,)),
        ("aux_4a.pool", (512, 4, 4)),
        ("aux_4d.pool", (528, 4, 4)),
    ],
)
def test_the_output_sizes_are_those_of_table_1(name, shape):
    assert canonical[name].shape == shape


def test_the_ratios_give_the_papers_eighteen_reductions_back():
    found = {
        branch: [canonical[f"inception_{place}.{branch}.reduce"].shape[0] for place in PLACES]
        for branch in ("conv3x3", "conv5x5")
    }
    assert found["conv3x3"] == [96, 128, 96, 112, 128, 144, 160, 160, 192]
    assert found["conv5x5"] == [16, 32, 16, 24, 24, 32, 32, 32, 48]


def test_lrn_stands_where_the_paper_has_it():
    assert [name for name, x in canonical.items() if x.op == "lrn"] == ["stem.lrn1", "stem.lrn2"]
    order = list(canonical)
    assert order.index("stem.pool1") + 1 == order.index("stem.lrn1")
    assert order.index("stem.lrn2") + 1 == order.index("stem.pool2")


@pytest.mark.parametrize("kind", ["batch", "none"])
def test_without_lrn_there_is_none(kind):
    found = layers({"network.normalization": kind})
    ops = [layer.op for layer in found.values()]
    convolutions = [layer for layer in found.values() if layer.op == "conv"]
    assert "lrn" not in ops
    assert ops.count("batch_norm") == (len(convolutions) if kind == "batch" else 0)
    assert all(layer.bias == (kind == "none") for layer in convolutions)


def test_the_separable_stem_has_the_2_7k_weights_and_34m_operations_of_table_1():
    found = layers({"network.stem.kind": "separable"})
    stem = [found["stem.depthwise"], found["stem.conv7x7"]]
    assert sum(layer.weights for layer in stem) == 2_712
    assert sum(layer.mult_adds for layer in stem) == 34_019_328
    assert found["stem.pool2"].shape == (192, 28, 28)


def test_the_small_stem_halves_28_pixels_once():
    found = {layer.name: layer for layer in small_googlenet.layers()}
    assert found["stem.conv3x3"].shape == (48, 28, 28)
    assert found["stem.pool1"].shape == (48, 14, 14)
    assert [name for name in found if name.startswith("stem")][-1] == "stem.pool1"


def test_the_deep_stem_has_three_3x3_for_the_7x7():
    found = layers({"network.stem.kind": "deep"})
    made = [found[f"stem.deep{number}"] for number in (1, 2, 3)]
    assert [layer.shape for layer in made] == [(32, 112, 112), (32, 112, 112), (64, 112, 112)]
    assert [layer.kernel for layer in made] == [3, 3, 3]
    assert found["stem.pool2"].shape == (192, 28, 28)


def test_a_dropped_branch_takes_its_channels_with_it():
    found = layers({"network.inception_3a.conv5x5": None})
    assert found["inception_3a.concat"].shape[0] == 256 - 32
    assert not [name for name in found if name.startswith("inception_3a.conv5x5")]


def test_a_dropped_module_takes_its_aux_head_with_it():
    found = layers({"network.inception_4a": None})
    assert not [name for name in found if "4a" in name]
    assert found["inception_4b.conv1x1.conv"].in_shape == (480, 14, 14)
    assert "aux_4d.classifier" in found


def test_a_plain_convolution_stands_in_a_modules_place():
    found = layers({"network.inception_4a": Plain(width=512, kernel=3)})
    assert found["inception_4a.plain.conv"].shape == (512, 14, 14)
    assert "aux_4a.classifier" in found


def test_an_unprojected_pool_branch_passes_its_channels_through():
    found = layers({"network.inception_3a.pool_proj.width": None})
    assert found["inception_3a.concat"].shape[0] == 256 - 32 + 192


def test_two_3x3_convolutions_stand_for_one_5x5():
    found = layers({"network.inception_3a.conv5x5.kernel": "3+3"})
    first, second = found["inception_3a.conv5x5.conv"], found["inception_3a.conv5x5.conv2"]
    assert (first.kernel, first.in_shape[0], first.shape[0]) == (3, 16, 32)
    assert (second.kernel, second.in_shape[0], second.shape[0]) == (3, 32, 32)


def test_a_shortcut_is_projected_only_where_the_channels_differ():
    found = layers({"network.inception_4[bc].shortcut": True})
    assert "inception_4b.shortcut.conv" not in found
    assert found["inception_4b.shortcut.add"].shape == (512, 14, 14)
    assert "inception_3a.shortcut.conv" in layers({"network.inception_3a.shortcut": True})


def test_a_reduction_without_activation_has_no_relu():
    found = layers({"network.inception_3a.conv3x3.activation": False})
    assert "inception_3a.conv3x3.reduce_relu" not in found
    assert "inception_3a.conv3x3.conv_relu" in found


def test_a_module_repeats_on_its_own_output_and_its_aux_head_stands_after_the_last():
    found = layers({"network.inception_4a.repeat": 3})
    assert found["inception_4a.conv1x1.conv"].in_shape == (480, 14, 14)
    for name in ("inception_4a_2", "inception_4a_3"):
        assert found[f"{name}.conv1x1.conv"].in_shape == (512, 14, 14)
        assert found[f"{name}.concat"].shape == (512, 14, 14)
    assert found["aux_4a.pool"].inputs == ("inception_4a_3.concat",)
    assert found["inception_4b.conv1x1.conv"].inputs == ("inception_4a_3.concat",)


@pytest.mark.parametrize(
    ("places", "reads"),
    [
        ((), {}),
        (("head",), {"head.dropout": "head.pool"}),
        (("stage3", "stage5"), {"stage3.dropout": "inception_3b.concat",
                                "stage5.dropout": "inception_5b.concat"}),
    ],
)  # fmt: skip
def test_dropout_stands_at_the_end_of_a_stage_or_before_the_classifier(places, reads):
    found = layers({"network.dropout_at": places, "network.aux_after": ()})
    assert {x.name: x.inputs[0] for x in found.values() if x.op == "dropout"} == reads
    follows = "stage3.dropout" if "stage3" in places else "inception_3b.concat"
    assert found["pool4.pool"].inputs == (follows,)


def test_a_hidden_layer_stands_between_the_pool_and_the_dropout():
    found = layers({"network.head.hidden": 2048, "network.width": 0.5})
    assert found["head.hidden"].shape == (1024,)
    assert found["head.dropout"].inputs == ("head.hidden_relu",)
    assert found["head.classifier"].weights == 1024 * 1000


def test_leaves_that_came_later_are_left_out_of_the_json_while_they_change_nothing():
    for edits in ({"network.dropout_at": ("stage5",)}, {"network.head.hidden": 64},
                  {"network.inception_3a.repeat": 2}):  # fmt: skip
        changed = edit(googlenet, edits)
        assert from_json(to_json(changed), CLASSES) == changed
        assert to_json(changed) != to_json(googlenet)
    plain = str(to_json(googlenet))
    assert not any(f"'{name}':" in plain for name in ("dropout_at", "repeat"))
    assert "hidden" not in to_json(googlenet)["network"]["head"]


def test_a_flattened_head_reads_the_whole_map():
    found = layers({"network.head": Head(pooling="flatten")})
    assert found["head.classifier"].weights == 1000 * 1024 * 7 * 7


@pytest.mark.parametrize("width", [0.5, 0.1, 0.001])
def test_the_global_width_rounds_each_width_once_and_spares_the_classes(width):
    found = layers({"network.width": width})
    assert found["inception_3a.conv1x1.conv"].shape[0] == max(1, round(64 * width))
    assert found["aux_4a.hidden"].shape[0] == max(1, round(1024 * width))
    assert found["head.classifier"].shape == found["aux_4a.classifier"].shape == (1000,)
    rounded = max(1, round(128 * width))
    assert found["inception_3a.conv3x3.reduce"].shape[0] == max(1, round(rounded * 0.75))


def test_an_aux_head_that_does_not_fit_says_so():
    with pytest.raises(ValueError, match=r"aux_5a.pool: a 5x5 window does not fit a map of 3x3"):
        edit(googlenet, {"network.aux_after": ("5a",)}).layers(image_size=112)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv(width=0), "Conv.width must be 1 or more, not 0"),
        (lambda: Bottleneck(width=0), "Bottleneck.width must be 1 or more, not 0"),
        (lambda: Bottleneck(width=8, ratio=0), "Bottleneck.ratio must be above 0 or None, not 0"),
        (lambda: Bottleneck(width=8, kernel=4), "Bottleneck.kernel must be odd or '3.3', not 4"),
        (lambda: Plain(width=8, kernel=2), "Plain.kernel must be odd, not 2"),
        (lambda: Stem(conv3x3=0), "Stem.conv3x3 must be 1 or more, not 0"),
        (lambda: Head(hidden=0), "Head.hidden must be 1 or more, not 0"),
        (
            lambda: edit(googlenet, {"network.inception_3a.repeat": 0}),
            "Inception.repeat must be 1 or more, not 0",
        ),
        (
            lambda: GoogLeNet(dropout_at=("4a",)),
            "dropout_at knows stage3, stage4, stage5, head; there is no '4a'",
        ),
        (lambda: AuxHead(dropout=1.0), r"AuxHead.dropout must lie in \[0, 1\), not 1"),
        (lambda: AuxHead(stride=0), "AuxHead.stride must be 1 or more, not 0"),
        (lambda: GoogLeNet(width=0.0), "GoogLeNet.width must be above 0, not 0"),
        (lambda: GoogLeNet(dropout=-0.1), r"GoogLeNet.dropout must lie in \[0, 1\), not -0.1"),
        (lambda: GoogLeNet(aux_after=("6a",)), "aux_after knows 3a, .*5b; there is no '6a'"),
        (
            lambda: Inception(conv1x1=None, conv3x3=None, conv5x5=None, pool_proj=None),
            "an Inception module needs a branch; drop the whole module with None instead",
        ),
        (
            lambda: edit(googlenet, {"network.inception_3a.conv1x1.width": None}),
            "only a pool branch can be passed through: conv1x1 needs a width",
        ),
        (lambda: GoogLeNet(width=float("nan")), "GoogLeNet.width"),
        (lambda: GoogLeNet(width=float("inf")), "GoogLeNet.width"),
        (lambda: Bottleneck(width=8, ratio=float("nan")), "Bottleneck.ratio"),
    ],
)
def test_what_cannot_be_built_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
