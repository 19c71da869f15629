"""Nodes and constants of an ONNX graph, written one after the other."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel.errors import require_extra
from carousel.export.description import Value

OPSET = 17
_IR = 8  # of that opset: runtimes of 2022 and later read it


def onnx_modules() -> tuple[Any, Any]:
    """`onnx.helper` and `onnx.numpy_helper`. Raises `ConfigError` where ONNX is not installed."""
    require_extra("writing ONNX", "export", "onnx", "onnxruntime")
    return importlib.import_module("onnx.helper"), importlib.import_module("onnx.numpy_helper")


class Graph:
    """A graph that is being written; names of values are strings, "" stands for a missing one.

    prefix: of names, so that those of a body differ from those around it.
    """

    def __init__(self, prefix: str = "") -> None:
        self.helper, self._numpy = onnx_modules()
        self._prefix = prefix
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._count = 0
        self._known: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def name(self, stem: str) -> str:
        """A name that no other value has."""
        self._count += 1
        return f"{self._prefix}{stem.lower()}_{self._count}"

    def add(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """Write a node. Returns the name of its output, or a list of their names."""
        names = [self.name(op) for _ in range(outputs)]
        self.nodes.append(self.helper.make_node(op, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        """The name of a constant; one for all that are alike."""
        array: NDArray[Any] = np.ascontiguousarray(np.asarray(value, dtype=dtype))
        array = array.reshape(np.shape(value))  # a number stays one
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._known:
            self._known[key] = self.name("constant")
            self.constants.append(self._numpy.from_array(array, self._known[key]))
        return self._known[key]

    def integers(self, *values: int) -> str:
        """The name of a constant list of integers, such as axes."""
        return self.constant(values, np.int64)

    def rename(self, name: str, wanted: str) -> None:
        """Give a value the name of an output."""
        self.nodes.append(self.helper.make_node("Identity", [name], [wanted]))

    def shape(self, x: str, first: int, last: int) -> str:
        """Sizes `first` to `last` of a value, as a list."""
        return self.slice(self.add("Shape", x), first, last, 0)

    def slice(self, x: str, first: int, last: int, axis: int) -> str:
        """A part of a value along an axis."""
        name: str = self.add(
            "Slice", x, self.integers(first), self.integers(last), self.integers(axis)
        )
        return name

    def inside(self, lengths: str, steps: str) -> str:
        """Mask (B, T, 1) of the steps of rows with lengths (B,); steps: T as a number."""
        zero, one = self.constant(0, np.int64), self.constant(1, np.int64)
        place = self.add("Range", zero, steps, one)
        column = self.add("Unsqueeze", lengths, self.integers(1))
        name: str = self.add("Unsqueeze", self.add("Less", place, column), self.integers(2))
        return name

    def dense(self, x: str, weight: NDArray[Any], bias: NDArray[Any] | None) -> str:
        """W x + b over the last dimension."""
        y: str = self.add("MatMul", x, self.constant(weight.T))
        if bias is not None:
            y = self.add("Add", y, self.constant(bias))
        return y

    def normalised(self, x: str, eps: float) -> str:
        """(x - mean) / √(variance + eps) over the last dimension.

        Node by node: the operator LayerNormalization takes a difference of two large sums in
        some runtimes, and loses digits.
        """
        centred = self.add("Sub", x, self.add("ReduceMean", x, axes=[-1]))
        variance = self.add("ReduceMean", self.add("Mul", centred, centred), axes=[-1])
        deviation = self.add("Sqrt", self.add("Add", variance, self.constant(eps)))
        y: str = self.add("Div", centred, deviation)
        return y

    def body(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> Any:
        """The graph as an attribute of a node; inputs and outputs: `value` of each."""
        return self.helper.make_graph(
            self.nodes, f"{self._prefix}body", list(inputs), list(outputs), self.constants
        )

    def value(self, value: Value) -> Any:
        """An input or an output with its dtype and shape."""
        dtype = self.helper.np_dtype_to_tensor_dtype(np.dtype(value.dtype))
        return self.helper.make_tensor_value_info(value.name, dtype, list(value.shape))

    def model(self, name: str, inputs: Sequence[Value], outputs: Sequence[Value]) -> Any:
        """The whole model."""
        graph = self.helper.make_graph(
            self.nodes,
            name,
            [self.value(one) for one in inputs],
            [self.value(one) for one in outputs],
            self.constants,
        )
        opset = self.helper.make_opsetid("", OPSET)
        return self.helper.make_model(
            graph, opset_imports=[opset], ir_version=_IR, producer_name="carousel"
        )
