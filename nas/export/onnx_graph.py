"""A network as ONNX, from the list of layers that its torch module is made from.

torch.onnx.export (2.14) needs onnxscript and loses to it: seconds for milliseconds, no opset below
18, six nodes and more an LRN, batch norms folded or 2.5 times the nodes, no layer called `lambda`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from nas.networks.layers import Layer, image_shape, inference, results
from nas.networks.operators import OPERATORS

OPSET, IR_VERSION = 17, 8
"""Those of 2022: what reads ONNX today reads them."""

LEARNED = ("weight", "bias", "running_mean", "running_var")
"""The tensors that a layer may have, in the order of the inputs of its operator."""


def onnx_model(
    layers: tuple[Layer, ...],
    tensors: Mapping[str, NDArray[np.float32]],
    title: str,
    *,
    mean: float = 0.0,
    std: float = 1.0,
    normalised: bool = False,
    class_names: tuple[str, ...] = (),
) -> onnx.ModelProto:
    """The network of these layers without aux heads: `images` (N, C, H, W) to `logits` (N, K), for
    any N. Pixels are from 0 to 1 and less their `mean`, by their `std`, in the graph; or before it,
    where `normalised` says so. The metadata has all of it, and the names of the classes. `tensors`
    are named as those of `nas.train.net.Net`."""
    held = {"image": "images"}  # a layer's output -> its name in the graph
    nodes: list[onnx.NodeProto] = []
    learned: list[onnx.TensorProto] = []
    if not normalised:
        held["image"] = "pixels.normalised"
        for op, name, value, read in (
            ("Sub", "pixels.centred", mean, "images"),
            ("Div", "pixels.normalised", std, "pixels.centred"),
        ):
            learned.append(numpy_helper.from_array(np.array(value, np.float32), f"{name}.by"))
            nodes.append(helper.make_node(op, [read, f"{name}.by"], [name], name=name))
    end = results(layers)[0]
    for layer in inference(layers):
        rule, inputs = OPERATORS[layer.op], [held[name] for name in layer.inputs]
        held[layer.name] = inputs[0] if rule.training else layer.name
        if rule.training:
            continue
        if rule.flat and len(layer.in_shape) > 1:
            flat = f"{layer.name}.flat"
            nodes.append(helper.make_node("Flatten", inputs, [flat], name=flat))
            inputs = [flat]
        for path in (f"{layer.name}.{name}" for name in LEARNED):
            if path in tensors:
                learned.append(numpy_helper.from_array(tensors[path], path))
                inputs.append(path)
        for number, rows in enumerate(rule.constants(layer), 1):
            learned.append(
                numpy_helper.from_array(np.array(rows, np.float32), f"{layer.name}.share{number}")
            )
            inputs.append(f"{layer.name}.share{number}")
        call = rule.onnx(layer)
        nodes.append(
            helper.make_node(call.name, inputs, [layer.name], name=layer.name, **call.options)
        )
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
    way = "(pixels from 0 to 1, less the mean) / std" if normalised else "pixels from 0 to 1"
    about = {"input": way, "mean": repr(mean), "std": repr(std)}
    if class_names:
        about["classes"] = json.dumps(class_names)
    helper.set_model_props(model, about)
    onnx.checker.check_model(model, full_check=True)
    return model
