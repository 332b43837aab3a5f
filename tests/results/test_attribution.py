from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas import Layer, Node, Tape, edit, googlenet, small_googlenet
from nas.results.attribution import attribute
from search_spaces.googlenet import by_module


def split(old, new):
    rows = attribute(old.layers(), new.layers())
    return {row.module: (row.direct, row.propagated) for row in rows if row.change}


def test_a_network_against_itself_differs_nowhere():
    assert split(googlenet, googlenet) == {}


def test_a_dropped_branch_is_direct_in_its_module_and_propagated_in_the_next_alone():
    variant = edit(googlenet, {"network.inception_3b.conv5x5": None})
    # 3b: a 1x1 from 256 to 32 channels and a 5x5 to 96, on 28 x 28. 4a reads 96 channels less on
    # 14 x 14: by its 1x1 branch, its two reductions and its pool projection.
    assert split(googlenet, variant) == {
        "inception_3b": (-28 * 28 * (256 * 32 + 25 * 32 * 96), 0),
        "inception_4a": (0, -14 * 14 * 96 * (192 + 96 + 16 + 64)),
    }


def test_parameters_are_split_as_the_mult_adds_are():
    variant = edit(googlenet, {"network.inception_3b.conv5x5": None})
    rows = {row.module: row for row in attribute(googlenet.layers(), variant.layers())}
    own, next_one = rows["inception_3b"], rows["inception_4a"]
    assert (own.direct_params, own.propagated_params) == (-(256 * 32 + 25 * 32 * 96 + 128), 0)
    reads = 96 * (192 + 96 + 16 + 64)
    assert (next_one.direct_params, next_one.propagated_params) == (0, -reads)


def test_a_module_that_is_gone_is_direct_and_the_next_reads_another_map():
    rows = split(googlenet, edit(googlenet, {"network.inception_4c": None}))
    assert set(rows) == {"inception_4c"}  # 4b and 4c both give 512 channels
    assert rows["inception_4c"] == (-99_850_240, 0)


def test_another_stem_is_direct_and_what_it_shrinks_is_propagated():
    rows = split(small_googlenet, edit(small_googlenet, {"network.stem.conv3x3": 96}))
    assert rows["stem"][1] == 0
    assert rows["inception_3a"][0] == 0
    assert set(rows) == {"stem", "inception_3a"}


@given(st.integers(0, 2**32 - 1))
def test_the_parts_add_up_to_the_change_exactly(seed):
    rng = np.random.default_rng(seed)
    old, new = (by_module.sample(rng).experiment for _ in range(2))
    rows = attribute(old.layers(), new.layers())
    for row in rows:
        assert row.direct + row.propagated == row.variant_mult_adds - row.canonical_mult_adds
        assert (
            row.direct_params + row.propagated_params == row.variant_params - row.canonical_params
        )
    total = sum(layer.mult_adds for layer in new.layers() if not layer.aux)
    assert sum(row.variant_mult_adds for row in rows) == total


@pytest.mark.parametrize("leaf", ["width", "stem.kind"])
def test_a_change_of_the_whole_network_still_adds_up(leaf):
    value = {"width": 0.5, "stem.kind": "separable"}[leaf]
    variant = edit(googlenet, {f"network.{leaf}": value})
    rows = attribute(googlenet.layers(), variant.layers())
    known = sum(layer.mult_adds for layer in googlenet.layers() if not layer.aux)
    spent = sum(layer.mult_adds for layer in variant.layers() if not layer.aux)
    assert sum(row.direct + row.propagated for row in rows) == spent - known


@dataclass(frozen=True, kw_only=True)
class Forked(Node):
    """A module that reads two maps of different widths."""

    first: int = 16
    second: int = 32

    def layers(self, shape: tuple[int, ...], classes: int) -> tuple[Layer, ...]:
        tape = Tape(shape)
        a = tape.conv("a.conv", tape.image, self.first, 3)
        b = tape.conv("b.conv", tape.image, self.second, 3)
        x = tape.conv("m.conv", tape.concat("m.concat", a, b), 24, 3)
        y = tape.concat("m.both", x, tape.conv("m.again", a, 8), tape.conv("m.last", b, 8))
        tape.linear("head.classifier", tape.average_pool("head.pool", y), classes)
        return tuple(tape.layers)


def test_a_module_with_two_inputs_is_split_by_input():
    old, new = (Forked(second=second).layers((1, 8, 8), 4) for second in (32, 40))
    assert all(row.direct == row.propagated == 0 for row in attribute(old, old))
    rows = {row.module: (row.direct, row.propagated) for row in attribute(old, new)}
    # 8 channels more: into the 3x3 convolution of 24, and into the 1x1 of 8.
    assert rows["m"] == (0, 64 * 8 * (9 * 24 + 8))
    assert rows["b"] == (64 * 9 * 8, 0)
    assert rows["a"] == rows["head"] == (0, 0)
