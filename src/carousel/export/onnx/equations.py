"""The equations of a cell's step as ONNX nodes: torch's operators, traced, one by one.

The step of `carousel.cells` is the only place where a cell's equations stand. It is traced with
`make_fx` on numbers that are thrown away, and each operator of the trace becomes a node or a few. A
cell that comes later is written the same way as long as its operators are in the table.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx
from torch.fx.experimental.proxy_tensor import make_fx

from carousel.cells.table import named
from carousel.errors import ConfigError
from carousel.export.description import Recurrent, Weights
from carousel.export.onnx.graph import Graph

_ROWS = 1009
"""Rows of the numbers that the trace sees: where it stands in a shape, there go any number."""


def write_step(
    graph: Graph, stack: Recurrent, weights: Weights, x: str, states: Sequence[str]
) -> list[str]:
    """Write one step: x (B, I) and states (B, size) to the next states, zoneout included. Raises
    `ConfigError` for equations with an operator that has no node here."""
    traced = _trace(stack, weights)
    constants = {f"weight {name}": weight for name, weight in weights.items()}
    new = _Writer(graph, stack, constants).write(traced, [x, *states, *constants])
    return [
        _zoned(graph, p, before, after)
        for p, before, after in zip(stack.zoneout, states, new, strict=True)
    ]


def _zoned(graph: Graph, p: float, before: str, after: str) -> str:
    if not p:
        return after
    kept = graph.add("Mul", before, graph.constant(p))
    zoned: str = graph.add("Add", kept, graph.add("Mul", after, graph.constant(1 - p)))
    return zoned


def _trace(stack: Recurrent, weights: Weights) -> fx.Graph:
    step, count = named(stack.cell).step, len(stack.state_sizes)

    def flat(x: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        by_name = dict(zip(weights, rest[count:], strict=True))
        return step(x, rest[:count], **by_name, **stack.options)

    inputs = [torch.zeros(_ROWS, weights["weight_ih"].shape[1])]
    inputs += [torch.zeros(_ROWS, size) for size in stack.state_sizes]
    inputs += [torch.from_numpy(weight) for weight in weights.values()]
    with torch.no_grad():
        found: fx.Graph = make_fx(flat)(*inputs).graph
    return found


class _Writer:
    """Nodes of a trace. weights: by names that stand for them until they are read."""

    def __init__(self, graph: Graph, stack: Recurrent, weights: Weights) -> None:
        self.graph, self.stack, self.weights = graph, stack, weights
        self.found: dict[fx.Node, Any] = {}

    def write(self, traced: fx.Graph, inputs: Sequence[str]) -> list[str]:
        given = iter(inputs)
        for node in traced.nodes:
            if node.op == "placeholder":
                self.found[node] = next(given)
            elif node.op == "output":
                return [self.found[out] for out in node.args[0]]
            elif node.op == "get_attr":
                value = getattr(traced.owning_module, node.target)
                self.found[node] = self.graph.constant(value.numpy(), value.numpy().dtype)
            elif node.target is operator.getitem:
                self.found[node] = self.found[node.args[0]][node.args[1]]
            else:
                self.found[node] = self._call(node)
        raise AssertionError("a trace ends with its output")

    def _call(self, node: fx.Node) -> Any:
        name = str(getattr(node.target, "overloadpacket", node.target)).removeprefix("aten.")
        if name in _SAME:
            return self.graph.add(_SAME[name], *map(self.tensor, node.args))
        if name in _VIEWS:  # by the shape that came out: an argument may leave a size open
            sizes = node.meta["tensor_meta"].shape
            return self.graph.add("Reshape", self.tensor(node.args[0]), self.shape(sizes))
        if name in _OWN:
            return _OWN[name](self, *node.args, **node.kwargs)
        raise ConfigError(
            f"{self.stack} computes with {name}, which has no node in ONNX here: export the layer "
            "as .pt2, or train with another cell"
        )

    def tensor(self, value: Any) -> str:
        """The name of a value, or of a constant number."""
        if not isinstance(value, fx.Node):
            return self.graph.constant(value)
        name: str = self.found[value]
        return self.graph.constant(self.weights[name]) if name in self.weights else name

    def shape(self, sizes: Sequence[int]) -> str:
        """A shape, any number where the rows stood, alone or in a product."""
        return self.graph.integers(*(-1 if size and size % _ROWS == 0 else size for size in sizes))


_VIEWS = ("view", "reshape", "_unsafe_view")
_SAME = {
    "tanh": "Tanh", "sigmoid": "Sigmoid", "relu": "Relu", "exp": "Exp", "log": "Log", "abs": "Abs",
    "neg": "Neg", "sqrt": "Sqrt", "sin": "Sin", "cos": "Cos", "div": "Div", "mm": "MatMul",
    "bmm": "MatMul", "matmul": "MatMul", "mv": "MatMul", "softplus": "Softplus", "maximum": "Max",
    "minimum": "Min", "eq": "Equal", "ge": "GreaterOrEqual", "gt": "Greater", "le": "LessOrEqual",
    "lt": "Less", "where": "Where", "reciprocal": "Reciprocal", "pow": "Pow",
}  # fmt: skip


def _add(w: _Writer, a: Any, b: Any, *, alpha: float = 1) -> str:
    scaled = w.tensor(b) if alpha == 1 else w.graph.add("Mul", w.tensor(b), w.tensor(alpha))
    name: str = w.graph.add("Add", w.tensor(a), scaled)
    return name


def _mul(w: _Writer, a: Any, b: Any) -> str:
    """A product; True counts as one."""
    names = [w.graph.add("Cast", w.tensor(x), to=1) if _is_bool(x) else w.tensor(x) for x in (a, b)]
    name: str = w.graph.add("Mul", *names)
    return name


def _is_bool(x: Any) -> bool:
    return isinstance(x, fx.Node) and x.meta["tensor_meta"].dtype == torch.bool


def _sub(w: _Writer, a: Any, b: Any, *, alpha: float = 1) -> str:
    scaled = w.tensor(b) if alpha == 1 else w.graph.add("Mul", w.tensor(b), w.tensor(alpha))
    name: str = w.graph.add("Sub", w.tensor(a), scaled)
    return name


def _transposed(w: _Writer, x: Any) -> str:
    if (weight := w.found[x]) in w.weights:
        return w.graph.constant(w.weights[weight].T)
    name: str = w.graph.add("Transpose", w.tensor(x), perm=[1, 0])
    return name


def _addmm(w: _Writer, bias: Any, a: Any, b: Any) -> str:
    product = w.graph.add("MatMul", w.tensor(a), w.tensor(b))
    name: str = w.graph.add("Add", product, w.tensor(bias))
    return name


def _split(w: _Writer, x: Any, size: Any, dim: int = 0) -> list[str]:
    total = x.meta["tensor_meta"].shape[dim]
    sizes = list(size) if isinstance(size, list | tuple) else [size] * (total // size)
    if sum(sizes) < total:
        sizes.append(total - sum(sizes))
    x, parts = w.tensor(x), w.graph.integers(*sizes)
    found = w.graph.add("Split", x, parts, outputs=len(sizes), axis=dim)
    return found if len(sizes) > 1 else [found]


def _clip(w: _Writer, x: Any, low: Any = None, high: Any = None) -> str:
    ends = ["" if end is None else w.graph.constant(end) for end in (low, high)]
    name: str = w.graph.add("Clip", w.tensor(x), *ends)
    return name


def _hardtanh(w: _Writer, x: Any, low: float = -1.0, high: float = 1.0) -> str:
    return _clip(w, x, low, high)


def _log_sigmoid(w: _Writer, x: Any) -> list[str]:
    inside = w.graph.add("Neg", w.tensor(x))
    return [w.graph.add("Neg", w.graph.add("Softplus", inside)), ""]


def _expm1(w: _Writer, x: Any) -> str:
    """exp(x) - 1 = 2 t / (1 - t), t = tanh(x / 2): near zero no digit is lost."""
    g, given = w.graph, w.tensor(x)
    t = g.add("Tanh", g.add("Mul", given, w.tensor(0.5)))
    near = g.add("Div", g.add("Mul", t, w.tensor(2.0)), g.add("Sub", w.tensor(1.0), t))
    far = g.add("Sub", g.add("Exp", given), w.tensor(1.0))
    name: str = g.add("Where", g.add("Less", given, w.tensor(1.0)), near, far)
    return name


def _filled(w: _Writer, x: Any, value: float) -> str:
    one = w.graph.constant(value, bool if _is_bool(x) else np.float32)
    name: str = w.graph.add("Expand", one, w.graph.add("Shape", w.tensor(x)))
    return name


def _layer_norm(w: _Writer, x: Any, shape: Any, gain: Any, bias: Any, eps: float) -> list[str]:
    y = w.graph.normalised(w.tensor(x), eps)
    if gain is not None:
        y = w.graph.add("Mul", y, w.tensor(gain))
    if bias is not None:
        y = w.graph.add("Add", y, w.tensor(bias))
    return [y, "", ""]


def _cat(w: _Writer, parts: Any, dim: int = 0) -> str:
    name: str = w.graph.add("Concat", *map(w.tensor, parts), axis=dim)
    return name


def _stack(w: _Writer, parts: Any, dim: int = 0) -> str:
    axes = w.graph.integers(dim)
    names = [w.graph.add("Unsqueeze", w.tensor(part), axes) for part in parts]
    name: str = w.graph.add("Concat", *names, axis=dim)
    return name


def _expand(w: _Writer, x: Any, sizes: Any, *, implicit: bool = False) -> str:
    wanted = w.graph.integers(*(1 if size in (-1, _ROWS) else size for size in sizes))
    name: str = w.graph.add("Expand", w.tensor(x), wanted)
    return name


def _axes(op: str) -> Callable[..., str]:
    def write(w: _Writer, x: Any, dim: int) -> str:
        name: str = w.graph.add(op, w.tensor(x), w.graph.integers(dim))
        return name

    return write


def _select(w: _Writer, x: Any, dim: int, index: int) -> str:
    name: str = w.graph.add("Gather", w.tensor(x), w.graph.constant(index, np.int64), axis=dim)
    return name


def _sliced(
    w: _Writer, x: Any, dim: int = 0, start: Any = 0, end: Any = None, step: int = 1
) -> str:
    g = w.graph
    bounds = (g.integers(start or 0), g.integers(2**62 if end is None else end))
    name: str = g.add("Slice", w.tensor(x), *bounds, g.integers(dim), g.integers(step))
    return name


def _sum(w: _Writer, x: Any, dims: Any, keep: bool = False) -> str:
    name: str = w.graph.add("ReduceSum", w.tensor(x), w.graph.integers(*dims), keepdims=int(keep))
    return name


def _permute(w: _Writer, x: Any, dims: Any) -> str:
    name: str = w.graph.add("Transpose", w.tensor(x), perm=list(dims))
    return name


def _same(w: _Writer, x: Any, *rest: Any, **named: Any) -> str:
    return w.tensor(x)


_OWN: dict[str, Callable[..., Any]] = {
    "add": _add,
    "mul": _mul,
    "sub": _sub,
    "rsub": lambda w, a, b, alpha=1: _sub(w, b, a, alpha=alpha),
    "t": _transposed,
    "addmm": _addmm,
    "split": _split,
    "split_with_sizes": _split,
    "clamp": _clip,
    "hardtanh": _hardtanh,
    "log_sigmoid_forward": _log_sigmoid,
    "expm1": _expm1,
    "ones_like": lambda w, x, **_: _filled(w, x, 1.0),
    "zeros_like": lambda w, x, **_: _filled(w, x, 0.0),
    "native_layer_norm": _layer_norm,
    "cat": _cat,
    "stack": _stack,
    "expand": _expand,
    "unsqueeze": _axes("Unsqueeze"),
    "squeeze": _axes("Squeeze"),
    "select": _select,
    "slice": _sliced,
    "sum": _sum,
    "permute": _permute,
    "scalar_tensor": lambda w, value, **_: w.tensor(float(value)),
    "clone": _same,
    "detach": _same,
    "alias": _same,
    "contiguous": _same,
}
