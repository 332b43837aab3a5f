"""The weights that a finished run kept, read back: nothing in such a file is believed unseen."""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple, cast

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from nas.base.errors import OutOfReach
from nas.networks.layers import Layer, inference
from nas.train.net import Net

KINDS = {torch.float32: "F32", torch.int64: "I64"}
"""What the tensors of a network are, and what a file calls that."""


class Kept(NamedTuple):
    """The tensors by the names of `nas.train.net.Net`, and what the images that they were trained
    on were normalised by: `mean` and `std` of the pixels, from 0 to 1."""

    tensors: dict[str, Tensor]
    mean: float
    std: float


def read(content: bytes, layers: tuple[Layer, ...]) -> Kept:
    """What `nas.train.worker.weights` packed of a network of these layers, without its aux heads.

    Raises OutOfReach where the file is no safetensors, where it has other tensors than the network,
    or of other shapes or kinds, and where its mean and std are no numbers.
    """
    header = _header(content)
    with torch.device("meta"):
        wanted = Net(inference(layers)).state_dict()
    pixels = _pixels(header.pop("__metadata__", None))
    told = {name: (row.get("dtype"), row.get("shape")) for name, row in header.items()}
    if told != {name: (KINDS[t.dtype], [*t.shape]) for name, t in wanted.items()}:
        odd = sorted(told.keys() ^ wanted.keys())
        why = f"the one has no {odd[0]!r:.60}" if odd else "their shapes differ"
        raise OutOfReach(f"the weights are not those of this network: {why}")
    try:
        return Kept(safetensors.torch.load(content), **pixels)
    except SafetensorError as error:
        raise _damaged(str(error)) from error


def _header(content: bytes) -> dict[str, Any]:
    """The header: eight bytes that say its length, then JSON."""
    length = int.from_bytes(content[:8], "little")
    try:
        header = json.loads(content[8 : 8 + length]) if length <= len(content) - 8 else None
    except (ValueError, RecursionError):
        header = None
    rows = cast("dict[str, Any]", header) if isinstance(header, dict) else {}
    if not rows or not all(isinstance(row, dict) for row in rows.values()):
        raise _damaged("it has no header")
    return rows


def _pixels(about: Any) -> dict[str, float]:
    try:
        pixels = json.loads(about["pixels"])
        made = {name: pixels[name] for name in ("mean", "std")}
    except (TypeError, KeyError, ValueError, RecursionError):
        made = {}
    numbers = [*made.values()]
    whole = all(type(number) in (int, float) and math.isfinite(number) for number in numbers)
    if not made or not whole or made["std"] <= 0:
        raise _damaged("it does not say mean and std of the pixels as numbers")
    return made


def _damaged(why: str) -> OutOfReach:
    return OutOfReach(f"the weights are no safetensors file that a run wrote: {why}")
