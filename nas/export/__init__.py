"""A trained network as Python, ONNX and weights."""
