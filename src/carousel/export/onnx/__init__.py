"""Networks as ONNX files: nodes written one by one, any batch and length, states in and out."""
