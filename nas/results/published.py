"""What papers say of their networks, beside what is counted: table 1 row by row, then others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from nas.experiment.cost import cost
from nas.experiment.experiment import Experiment
from nas.experiment.presets import (
    alexnet,
    googlenet,
    lenet5,
    network_in_network,
    torchvision_googlenet,
    vgg16,
    zfnet,
)
from nas.networks.layers import Layer
from nas.results.rows import ComparedRow
from nas.tree.tree import edit

K = 1024
"""Table 1's unit of parameters: its second and last rows are exact with it."""

TABLE_1: dict[str, tuple[float, int]] = {
    "conv 7x7/2": (2.7, 34),
    "conv 1x1, 3x3": (112, 360),
    "inception_3a": (159, 128),
    "inception_3b": (380, 304),
    "inception_4a": (364, 73),
    "inception_4b": (437, 88),
    "inception_4c": (463, 100),
    "inception_4d": (580, 119),
    "inception_4e": (840, 170),
    "inception_5a": (1072, 54),
    "inception_5b": (1388, 71),
    "linear": (1000, 1),
}
"""The parameters (K) and operations (M) that table 1 prints (Szegedy et al. 2015)."""

separable = edit(googlenet, {"network.stem.kind": "separable"})
wider_5a = edit(googlenet, {"network.inception_5a.conv5x5.ratio": 48 / 128})


class Peer(NamedTuple):
    """A network, and the parameters and mult-adds that were published for it."""

    experiment: Experiment
    params: float | None
    mult_adds: float | None
    reason: str


def compare(others: Mapping[str, Experiment]) -> tuple[ComparedRow, ...]:
    """Table 1's rows, and the networks that GoogLeNet is held against, with `others` after them."""
    return (*_table_1(), *_networks(others))


def _table_1() -> list[ComparedRow]:
    counted = _weights(googlenet)
    rows = [
        _row("table 1", name, googlenet, *counted[name], K * params, 1e6 * operations,
             _why(name, *counted[name]))
        for name, (params, operations) in TABLE_1.items()
    ]  # fmt: skip
    params, operations = map(sum, zip(*TABLE_1.values(), strict=True))
    weights, mult_adds = map(sum, zip(*counted.values(), strict=True))
    reason = f"{mult_adds / 1.5e9 - 1:.1%} over 1.5 G: the dense 7x7"
    total = _row("table 1", "total", googlenet, weights, mult_adds, K * params, 1e6 * operations,
                 reason)  # fmt: skip
    return [*rows, total]


def _weights(experiment: Experiment) -> dict[str, tuple[int, int]]:
    """For each row of table 1 the weights, without biases, and the mult-adds."""
    made: dict[str, tuple[int, int]] = dict.fromkeys(TABLE_1, (0, 0))
    for layer in experiment.layers():
        if layer.mult_adds and not layer.aux:
            weights, mult_adds = made[_place(layer)]
            made[_place(layer)] = (weights + layer.weights, mult_adds + layer.mult_adds)
    return made


def _place(layer: Layer) -> str:
    """The row of table 1 that a layer is in."""
    if layer.module == "stem":
        return "conv 7x7/2" if layer.branch in ("depthwise", "conv7x7") else "conv 1x1, 3x3"
    return "linear" if layer.module == "head" else layer.module


def _why(name: str, weights: int, mult_adds: int) -> str:
    params, operations = TABLE_1[name]
    if name == "conv 7x7/2":
        small, cheap = _weights(separable)[name]
        return f"a separable 7x7 has {small:,} and {cheap / 1e6:.1f} M"
    if name == "inception_5a":
        more, dear = _weights(wider_5a)[name]
        return f"48 before its 5x5, not 32: {more / K:,.0f} K, {dear / 1e6:.1f} M"
    if abs(weights / K - params) <= 1 and abs(mult_adds / 1e6 - operations) < 1:
        return "within 1 K and 1 M"
    # A weight costs one mult-add at each place of the map: a row's K and M check each other.
    implied = params * K * (mult_adds // weights) / 1e6
    if abs(implied - operations) > 1:
        return f"{params:,} K would be {implied:.1f} M"
    return "not explained"


def _networks(others: Mapping[str, Experiment]) -> list[ComparedRow]:
    canonical, large = cost(googlenet), cost(alexnet)
    peers = {
        "googlenet": Peer(googlenet, None, 1.5e9, "table 1 as everybody builds it"),
        "googlenet, separable stem": Peer(separable, None, 1.5e9, "with table 1's first row"),
        "torchvision_googlenet": Peer(
            torchvision_googlenet, 6_624_904, 1.498e9, "batch norm; 3x3 in the 5x5 branch"
        ),
        "lenet5": Peer(lenet5, 60_000, None, "every map connected"),
        "alexnet": Peer(
            alexnet, 60e6, None, f"said to be 12x GoogLeNet: {large.params / canonical.params:.1f}x"
        ),
        "zfnet": Peer(zfnet, None, None, "AlexNet in one tower, 7x7 first"),
        "network_in_network": Peer(network_in_network, None, None, "no hidden linear layer"),
        "vgg16": Peer(vgg16, 138e6, None, "second to GoogLeNet in 2014"),
    }
    peers |= {name: Peer(experiment, None, None, "") for name, experiment in others.items()}
    rows: list[ComparedRow] = []
    for name, peer in peers.items():
        spent = cost(peer.experiment)
        rows.append(
            _row("networks", name, peer.experiment, spent.params, spent.mult_adds, peer.params,
                 peer.mult_adds, peer.reason)
        )  # fmt: skip
    return rows


def _row(
    table: str, name: str, experiment: Experiment, params: int, mult_adds: int,
    published_params: float | None, published_mult_adds: float | None, reason: str,
) -> ComparedRow:  # fmt: skip
    canonical = cost(googlenet)
    return ComparedRow(
        table=table,
        name=name,
        image_size=experiment.recipe.image_size,
        published_params=published_params,
        published_mult_adds=published_mult_adds,
        params=params,
        mult_adds=mult_adds,
        of_published_params=params / published_params if published_params else None,
        of_published_mult_adds=mult_adds / published_mult_adds if published_mult_adds else None,
        of_canonical_params=params / canonical.params,
        of_canonical_mult_adds=mult_adds / canonical.mult_adds,
        reason=reason,
    )
