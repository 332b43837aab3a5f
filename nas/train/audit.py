"""The second count: fvcore's, of the torch module, held against the closed form."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass

import torch

from nas.experiment.cost import total
from nas.networks.layers import Layer
from nas.train.net import Net

with warnings.catch_warnings():
    # fvcore traces with torch.jit, which this torch calls deprecated.
    warnings.simplefilter("ignore", FutureWarning)
    warnings.simplefilter("ignore", DeprecationWarning)
    from fvcore.nn import FlopCountAnalysis


@dataclass(frozen=True, kw_only=True)
class Audit:
    """fvcore's multiply-adds for one image, and torch's number of parameters (aux heads apart)."""

    mult_adds: int
    params: int
    params_aux: int


def audit(layers: tuple[Layer, ...]) -> Audit:
    """Counts the network built of these layers; RuntimeError when the closed form says otherwise.

    fvcore counts a multiply-add as one flop, and batch norm and pooling too: only its convolutions
    and linear layers are summed.
    """
    net = Net(layers).eval()
    image = torch.zeros(1, *layers[0].in_shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        analysis = FlopCountAnalysis(net, (image,))
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        log = logging.getLogger("fvcore")
        level = log.level
        log.setLevel(logging.ERROR)
        try:
            counted = analysis.by_operator()
        finally:
            log.setLevel(level)
    aux = {layer.name for layer in layers if layer.aux}
    sizes = {path: weight.numel() for path, weight in net.named_parameters()}
    extra = sum(size for path, size in sizes.items() if path.rpartition(".")[0] in aux)
    second = Audit(
        mult_adds=round(sum(counted[op] for op in ("conv", "linear", "addmm"))),
        params=sum(sizes.values()) - extra,
        params_aux=extra,
    )
    known = total(layers)
    expected = Audit(mult_adds=known.mult_adds, params=known.params, params_aux=known.params_aux)
    if second != expected:
        raise RuntimeError(
            f"the counts disagree: fvcore and torch {second}, closed form {expected}"
        )
    return second
