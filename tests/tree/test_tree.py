from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas import Conv, Experiment, GoogLeNet, Inception, Plain, Recipe, edit, googlenet, scaled
from nas.experiment.experiment import CLASSES
from nas.tree.tree import (
    Node,
    differences,
    fingerprint,
    from_json,
    matches_path,
    require_leaf,
    rewrite,
    to_json,
    walk,
)
from tests.strategies import candidates, wide_open


@dataclass(frozen=True, kw_only=True)
class Leaf(Node):
    size: int = 1
    share: float = 0.5
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True, kw_only=True)
class Grown(Node):
    old: int = 1
    later: int = field(default=7, metadata={"before": 3})


@dataclass(frozen=True, kw_only=True)
class Documented(Node):
    size: int = field(default=1, metadata={"help": "a user's own note"})


@dataclass(frozen=True, kw_only=True)
class Checked(Node):
    leaf: Leaf | None = None

    def check(self) -> None:
        if self.leaf is not None and self.leaf.size > 9:
            raise ValueError("a leaf has a size of 9 at most")


def test_walk_yields_a_node_before_its_fields():
    paths = [path for path, _ in walk(Checked(leaf=Leaf()))]
    assert paths == ["", "leaf", "leaf.size", "leaf.share", "leaf.kind"]


def test_rewriting_with_nothing_gives_the_very_same_tree():
    assert rewrite(googlenet, lambda _, value: value) is googlenet


def test_edit_leaves_the_original_and_shares_what_it_did_not_touch():
    made = edit(googlenet, {"network.inception_3a.conv3x3.width": 96})
    assert made.network.inception_3a.conv3x3.width == 96
    assert googlenet.network.inception_3a.conv3x3.width == 128
    assert made.network.inception_3b is googlenet.network.inception_3b
    assert made.recipe is googlenet.recipe


def test_edit_calls_a_function_with_the_old_value():
    made = edit(googlenet, {"network.inception_4?.conv1x1.width": lambda width: width // 2})
    widths = [getattr(made.network, f"inception_4{x}").conv1x1.width for x in "abcde"]
    assert widths == [96, 80, 64, 56, 128]


@pytest.mark.parametrize(
    ("pattern", "path", "holds"),
    [
        ("network.inception_*.conv3x3", "network.inception_3a.conv3x3", True),
        ("network.inception_*", "network.inception_3a.conv3x3", False),
        ("network.*.width", "network.inception_3a.conv3x3.width", False),
        ("network.inception_[45]a", "network.inception_5a", True),
        ("network.inception_[45]a", "network.inception_3a", False),
        ("Network", "network", False),
    ],
)
def test_a_pattern_matches_segment_by_segment(pattern, path, holds):
    assert matches_path(pattern, path) is holds


def test_a_pattern_that_matches_nothing_names_the_near_paths():
    message = "'network.inception_3a.conv3x3.widht' matches nothing; near it: .*conv3x3.width"
    with pytest.raises(ValueError, match=message):
        edit(googlenet, {"network.inception_3a.conv3x3.widht": 64})


def test_two_patterns_on_one_path_are_refused():
    with pytest.raises(ValueError, match=r"both match \S+3a.conv1x1.width; give one"):
        edit(
            googlenet, {"network.inception_3a.*.width": 8, "network.inception_??.conv1x1.width": 8}
        )


def test_an_edit_inside_what_another_edit_replaces_is_refused():
    edits = {"network.inception_3a": None, "network.inception_3a.conv3x3.width": 64}
    with pytest.raises(ValueError, match=r"inception_3a"):
        edit(googlenet, edits)


def test_an_error_carries_the_path_where_it_happened():
    with pytest.raises(ValueError, match=r"^network.inception_3a.conv3x3: Bottleneck.width must"):
        edit(googlenet, {"network.inception_3a.conv3x3.width": 0})
    with pytest.raises(ValueError, match=r"^a leaf has a size of 9 at most$"):
        edit(Checked(leaf=Leaf()), {"leaf.size": 10})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Leaf(size=1.5), "Leaf.size must be int, not 1.5"),
        (lambda: Leaf(size=True), "Leaf.size must be int, not True"),
        (lambda: Leaf(share="0.5"), "Leaf.share must be float, not '0.5'"),
        (lambda: Leaf(kind="c"), "Leaf.kind must be 'a' or 'b', not 'c'"),
        (lambda: Checked(leaf=3), "Checked.leaf must be Leaf or None, not 3"),
        (lambda: Leaf(size=scaled(0.5, 1)), "Leaf.size holds a domain; domains are given to a"),
        (lambda: GoogLeNet(aux_after=["4a"]), "GoogLeNet.aux_after must be"),
        (lambda: Conv(width="64"), "Conv.width must be int or None, not '64'"),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_leaves_are_written_in_their_declared_type():
    numpy_made = Leaf(size=np.int64(3), share=np.float64(1.0))
    assert to_json(numpy_made) == {"is": f"{__name__}:Leaf", "size": 3, "share": 1.0, "kind": "a"}
    assert fingerprint(numpy_made) == fingerprint(Leaf(size=3, share=1))
    assert type(to_json(Leaf(share=1))["share"]) is float
    assert type(to_json(numpy_made)["size"]) is int


def test_sets_and_mappings_have_one_fingerprint_in_any_order():
    assert fingerprint({"a": {3, 1, 2}, "b": 1}) == fingerprint({"b": 1, "a": frozenset({2, 3, 1})})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})


def test_a_field_added_later_is_left_out_while_it_does_what_was_done_before():
    assert to_json(Grown(later=3)) == {"is": f"{__name__}:Grown", "old": 1}
    assert to_json(Grown()) == {"is": f"{__name__}:Grown", "old": 1, "later": 7}
    assert from_json({"is": "Grown", "old": 2}, {"Grown": Grown}) == Grown(old=2, later=3)


def test_metadata_of_a_users_own_does_not_disturb_the_json():
    assert to_json(Documented()) == {"is": f"{__name__}:Documented", "size": 1}
    assert from_json(to_json(Documented(size=2)), {"Documented": Documented}) == Documented(size=2)


def test_a_stored_class_that_is_unknown_is_named():
    with pytest.raises(ValueError, match=r"has a nowhere:Leaf, which is not loaded here"):
        from_json({"is": "nowhere:Leaf"}, {})


@pytest.mark.parametrize(
    "tag",
    ["dataclasses:Field", "nas.runs.record:Epoch", "sched:Event", "subprocess:Popen", "os:abort"],
)
def test_a_stored_class_that_is_no_spec_is_never_made(tag):
    with pytest.raises(ValueError, match=f"has a {tag}, which is not loaded here"):
        from_json({"is": tag}, {})


def test_what_is_no_plain_value_is_refused():
    with pytest.raises(TypeError, match=r"a tree holds plain values, not object"):
        to_json({"a": object()})


@given(candidates(wide_open))
def test_a_random_experiment_comes_back_from_its_json(candidate):
    data = to_json(candidate.experiment)
    again = from_json(data, CLASSES)
    assert again == candidate.experiment
    assert to_json(again) == data
    assert fingerprint(again) == fingerprint(candidate.experiment)


@given(candidates(wide_open))
def test_differences_name_the_edits_that_make_one_tree_of_another(candidate):
    base = wide_open.baseline.experiment
    parted = differences(base, candidate.experiment)
    rebuilt = edit(base, {path: new for path, (_, new) in parted.items()}) if parted else base
    assert rebuilt == candidate.experiment


@given(st.integers(1, 512), st.sampled_from(["conv1x1", "pool_proj"]))
def test_an_edit_is_the_only_difference(width, branch):
    path = f"network.inception_4c.{branch}.width"
    old = getattr(googlenet.network.inception_4c, branch).width
    expected = {} if width == old else {path: (old, width)}
    assert differences(googlenet, edit(googlenet, {path: width})) == expected


def test_differences_stop_where_the_classes_part():
    made = edit(googlenet, {"network.inception_3a": Plain(width=256)})
    ((path, (old, new)),) = differences(googlenet, made).items()
    assert path == "network.inception_3a"
    assert isinstance(old, Inception)
    assert new == Plain(width=256)


def test_an_experiment_holds_only_networks():
    with pytest.raises(ValueError, match=r"str is no network: it needs layers"):
        Experiment(network="googlenet", recipe=Recipe())


def test_a_value_that_a_node_could_not_have_is_refused_as_where_it_is_made():
    for node, name, value in (
        (Leaf(), "size", "2"), (Leaf(), "share", float("nan")), (Leaf(), "kind", "c"),
        (Leaf(), "size", scaled(1, 2)), (Checked(), "leaf", Leaf(size=10)),
    ):  # fmt: skip
        with pytest.raises(ValueError) as made:  # noqa: PT011
            replace(node, **{name: value})
        with pytest.raises(ValueError) as asked:  # noqa: PT011
            require_leaf(node, name, value)
        assert str(asked.value) == str(made.value)
    require_leaf(Checked(), "leaf", Leaf(size=9))


def test_a_node_without_rules_is_not_made_anew_for_each_value_of_its_fields(monkeypatch):
    leaf = Leaf()
    monkeypatch.setattr(Leaf, "__init__", None)
    require_leaf(leaf, "size", 3)
