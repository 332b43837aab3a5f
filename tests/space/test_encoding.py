import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nas import Plain, SearchSpace, between, googlenet, scaled, subsets, versus
from nas.tree.tree import walk
from tests.space.test_space import conditional
from tests.strategies import candidates, wide_open

AT = "network.inception_3a.conv5x5"


def test_every_open_leaf_has_its_number_and_what_is_dropped_is_0():
    space = SearchSpace(
        googlenet,
        {
            AT: versus(off=None),
            f"{AT}.width": scaled(0.5, 1),
            f"{AT}.kernel": versus(3, "3+3"),
            "network.inception_3b.conv3x3.ratio": versus(0.25, off=None),
            "network.aux_after": subsets("4a", "4d"),
            "network.normalization": versus("batch", off="none"),
            "recipe.augmentation": versus(off=None),
            "recipe.lr": between(0.01, 0.1, log=True),
        },
    )
    assert space.columns == (
        f"{AT}.width",
        f"{AT}.kernel=5",
        f"{AT}.kernel=3",
        f"{AT}.kernel=3+3",
        "network.inception_3b.conv3x3.ratio",
        "network.aux_after:4a",
        "network.aux_after:4d",
        "network.normalization=lrn",
        "network.normalization=batch",
        "network.normalization=none",
        "recipe.lr",
        "recipe.augmentation=crops",
    )
    row = space.encode(space.baseline)
    assert row.tolist() == [32, 1, 0, 0, 2 / 3, 1, 1, 1, 0, 0, 0.05, 1]
    changed = space.at({AT: "off", "network.aux_after": "4d", "recipe.augmentation": "off"})
    assert space.encode(changed).tolist() == [0, 0, 0, 0, 2 / 3, 0, 1, 1, 0, 0, 0.05, 0]


def test_a_structure_that_may_be_dropped_or_replaced_is_told_by_its_first_leaf():
    space = SearchSpace(googlenet, {"network.inception_4c": versus(Plain(width=64), off=None)})
    assert space.columns == (
        "network.inception_4c.conv1x1.width",
        "network.inception_4c.width",
    )
    rows = {tuple(space.encode(candidate)) for candidate in space.enumerate()}
    assert len(rows) == 3


@given(candidates(wide_open), candidates(wide_open))
def test_two_candidates_have_one_row_where_they_are_one_tree(first, second):
    rows = [wide_open.encode(one) for one in (first, second)]
    assert rows[0].shape == (len(wide_open.columns),)
    assert np.array_equal(*rows) == (first.experiment == second.experiment)


@given(st.integers(0, conditional.size - 1))
def test_a_width_is_encoded_as_it_stands_in_the_tree(index):
    candidate = conditional.candidate(index)
    row = dict(zip(conditional.columns, conditional.encode(candidate), strict=True))
    leaves = dict(walk(candidate.experiment))
    assert row[f"{AT}.width"] == leaves.get(f"{AT}.width", 0)


def test_what_may_be_dropped_inside_what_may_be_dropped_is_told_apart():
    module = "network.inception_3a"
    for edits in (
        {module: versus(off=None), f"{module}.conv1x1": versus(off=None)},
        {f"{module}.{leaf}": versus(off=None) for leaf in ("pool_proj", "pool_proj.width")},
    ):
        space = SearchSpace(googlenet, edits)
        rows = {tuple(space.encode(candidate)) for candidate in space.enumerate()}
        assert len(rows) == space.size
