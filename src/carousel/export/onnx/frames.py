"""Layers inside each step as ONNX nodes."""

from __future__ import annotations

from carousel.export.convolutions import Activation, Convolution, Frames, Magnitude, Reflection
from carousel.export.onnx.graph import Graph
from carousel.export.onnx.layers import activation, over_places


def frames(graph: Graph, layer: Frames, x: str, stream: bool) -> str:
    """Frames (B, T, n C), of one step (B, n C), as rows of a batch of signals (N, C, n)."""
    around = graph.shape(x, 0, 1 if stream else 2)
    split = graph.integers(-1, layer.places, layer.channels)
    y = graph.add("Transpose", graph.add("Reshape", x, split), perm=[0, 2, 1])
    for inner in layer.layers:
        match inner:
            case Convolution():
                y = over_places(graph, inner, y)
            case Reflection():
                pads = graph.integers(0, 0, inner.before, 0, 0, inner.after)
                y = graph.add("Pad", y, pads, mode="reflect")
            case Magnitude():
                parts = graph.add("Split", y, outputs=2, axis=1)
                squares = [graph.add("Mul", part, part) for part in parts]
                y = graph.add("Sqrt", graph.add("Add", *squares))
            case Activation():
                y = activation(graph, inner, y)
    y = graph.add("Transpose", y, perm=[0, 2, 1])
    shape = graph.add("Concat", around, graph.integers(layer.outputs), axis=0)
    return str(graph.add("Reshape", y, shape))
