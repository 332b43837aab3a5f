"""A network as ONNX, from the list of layers that its torch module is made from.

torch.onnx.export would trace the module, half a minute on a busy core, and give it names of its
own; this takes milliseconds and keeps the layers' names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from nas.networks.layers import Layer, image_shape, inference, results

OPSET, IR_VERSION = 17, 8
"""Those of 2022: what reads ONNX today reads them."""

LEARNED = {
    "conv": ("weight", "bias"),
    "linear": ("weight", "bias"),
    "batch_norm": ("weight", "bias", "running_mean", "running_var"),
}
"""The tensors of a layer, in the order of the operator's inputs."""


def onnx_model(
    layers: tuple[Layer, ...], tensors: Mapping[str, NDArray[np.float32]], title: str
) -> onnx.ModelProto:
    """The network of these layers without aux heads: `images` (N, C, H, W), normalised, to `logits`
    (N, K), for any N. `tensors` are named as those of `nas.train.net.Net`."""
    held = {"image": "images"}  # a layer's output -> its name in the graph
    nodes: list[onnx.NodeProto] = []
    learned: list[onnx.TensorProto] = []
    end = results(layers)[0]
    for layer in inference(layers):
        given = [held[name] for name in layer.inputs]
        if layer.op == "dropout":
            held[layer.name] = given[0]
            continue
        if layer.op == "linear" and len(layer.in_shape) > 1:
            flat = f"{layer.name}.flat"
            nodes.append(helper.make_node("Flatten", given, [flat], name=flat))
            given = [flat]
        for name in LEARNED.get(layer.op, ()):
            path = f"{layer.name}.{name}"
            if path in tensors:
                learned.append(numpy_helper.from_array(tensors[path], path))
                given.append(path)
        operator, attributes = _operator(layer)
        nodes.append(helper.make_node(operator, given, [layer.name], name=layer.name, **attributes))
        held[layer.name] = layer.name
    # A result may be an averaged map (N, K, 1, 1), as that of Network in Network is.
    nodes.append(helper.make_node("Flatten", [held[end.name]], ["logits"], name="logits"))
    images, logits = ["N", *image_shape(layers)], ["N", end.shape[0]]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, images)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, logits)],
        learned,
    )
    model = helper.make_model(
        graph,
        producer_name="nas",
        doc_string=title,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _operator(layer: Layer) -> tuple[str, dict[str, Any]]:
    """The ONNX operator of a layer, with its attributes."""
    window = {"kernel_shape": [layer.kernel] * 2, "strides": [layer.stride] * 2}
    match layer.op:
        case "conv":
            return "Conv", window | {"pads": [layer.padding] * 4, "group": layer.groups}
        case "linear":
            return "Gemm", {"transB": 1}
        case "batch_norm":
            return "BatchNormalization", {"epsilon": 1e-5}
        case "lrn":
            return "LRN", {"size": 5, "alpha": 1e-4, "beta": 0.75, "bias": 1.0}
        case "relu":
            return "Relu", {}
        case "max_pool":
            return "MaxPool", window | {"pads": [layer.padding] * 2 + _ends(layer)}
        case "average_pool":
            return ("AveragePool", window) if layer.kernel else ("GlobalAveragePool", {})
        case "concat":
            return "Concat", {"axis": 1}
        case "add":
            return "Add", {}
        case "dropout":
            raise AssertionError(layer.name)


def _ends(layer: Layer) -> list[int]:
    """The padding after each side of a map, with which rounding down gives what torch rounds up to:
    the runtimes differ in how they round up."""
    sides = zip(layer.in_shape[1:], layer.shape[1:], strict=True)
    reached = ((count - 1) * layer.stride + layer.kernel - side for side, count in sides)
    return [max(layer.padding, end - layer.padding) for end in reached]
