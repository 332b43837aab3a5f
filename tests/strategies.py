"""What the laws are tried on: random candidates, and a space that opens every kind of leaf."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from hypothesis import strategies as st

from nas import (
    AuxHead,
    Candidate,
    Plain,
    SearchSpace,
    between,
    choice,
    edit,
    scaled,
    small_googlenet,
    subsets,
    versus,
)
from nas.tree.domain import Choice, Domain, Label

wide_open = SearchSpace(
    edit(
        small_googlenet,
        {
            "recipe.image_size": 48,
            "network.aux_head": AuxHead(kernel=2, stride=2),
            "network.width": 0.2,
            "network.aux_after": ("4a",),
        },
    ),
    {
        "network.stem.kind": versus("dense", "separable"),
        "network.normalization": choice("lrn", "batch", "none"),
        "network.inception_3?": versus(Plain(width=64), off=None, name="early modules"),
        "network.inception_3?.conv5x5": versus(off=None),
        "network.inception_3?.conv5x5.ratio": versus(0.25, name="early ratio"),
        "network.inception_4?.conv3x3.width": scaled(0.5, 0.75, 1, 1.25, name="middle width"),
        "network.inception_4?.conv5x5.kernel": versus(3, "3+3", name="middle kernel"),
        "network.inception_4[bd].shortcut": versus(True),
        "network.inception_5?.conv3x3.ratio": versus(1.5, off=None),
        "network.inception_5?.pool_proj.width": versus(None, name="late projection"),
        "network.inception_5a.conv1x1.width": between(64, 320),
        "network.aux_after": subsets("3a", "4a", "4d", upto=2),
        "network.aux_head.grid": versus(2),
        "network.pool5": versus(2),
        "network.head.pooling": versus("flatten"),
        "network.dropout": between(0.0, 0.5),
        "recipe.lr": between(0.001, 1.0, log=True),
        "recipe.augmentation": choice("crops", "flip", None),
    },
)


def labels(domain: Domain) -> st.SearchStrategy[Any]:
    """The labels of a domain."""
    if isinstance(domain, Choice):
        return st.sampled_from(domain.labels)
    if domain.step is not None:
        return st.integers(int(domain.low), int(domain.high))
    return st.floats(domain.low, domain.high)


@st.composite
def candidates(draw: st.DrawFn, space: SearchSpace) -> Candidate:
    """A random point of the space, whose experiment describes a network or not."""
    return space.resolve(lambda domain: draw(labels(domain), label=domain.name))


def assignments(space: SearchSpace) -> Iterator[dict[str, Label]]:
    """Every way to decide, by asking again and again with the last answer changed."""
    path: list[int] = []
    while True:
        sizes: list[int] = []
        yield dict(space.resolve(partial(_follow, path, sizes)).decisions)
        path += [0] * (len(sizes) - len(path))
        while path and path[-1] + 1 == sizes[len(path) - 1]:
            path.pop()
        if not path:
            return
        path[-1] += 1


def _follow(path: list[int], sizes: list[int], domain: Domain) -> Label:
    assert isinstance(domain, Choice)
    at = path[len(sizes)] if len(sizes) < len(path) else 0
    sizes.append(len(domain.labels))
    return domain.labels[at]
