"""A recurrent layer that ONNX has no operator for: its equations as the body of a Scan.

The number of steps stays open, as with the operators.
"""

from __future__ import annotations

from collections.abc import Sequence

from carousel.export.description import Recurrent, Value, Weights
from carousel.export.onnx.equations import write_step
from carousel.export.onnx.graph import Graph


def write(
    graph: Graph,
    stack: Recurrent,
    layer: Sequence[Weights],
    x: str,
    active: str,
    states: Sequence[str],
) -> tuple[str, list[str]]:
    """Write one layer: x (T, B, I) to (T, B, D P) and its states (D, B, size).

    active: (T, B, 1), True in the steps that a row has, or "". states: as the result's.
    """
    outputs, finals = [], []
    for side, weights in enumerate(layer):
        start = [graph.slice(state, side, side + 1, 0) for state in states]
        start = [graph.add("Squeeze", state, graph.integers(0)) for state in start]
        y, final = _direction(graph, stack, weights, x, active, start, side == 1)
        outputs.append(y)
        finals.append([graph.add("Unsqueeze", state, graph.integers(0)) for state in final])
    if len(layer) == 1:
        return outputs[0], finals[0]
    both = [graph.add("Concat", *pair, axis=0) for pair in zip(*finals, strict=True)]
    return graph.add("Concat", *outputs, axis=2), both


def _direction(
    graph: Graph,
    stack: Recurrent,
    weights: Weights,
    x: str,
    active: str,
    states: Sequence[str],
    reverse: bool,
) -> tuple[str, list[str]]:
    inside = Graph(graph.name("step") + "_")
    before = [f"before_{name}" for name in stack.state_names]
    after = write_step(inside, stack, weights, "x_t", before)
    sizes = stack.state_sizes
    given = [Value(name, "float32", ("batch", n)) for name, n in zip(before, sizes, strict=True)]
    given.append(Value("x_t", "float32", ("batch", weights["weight_ih"].shape[1])))
    y = after[0]
    if active:
        given.append(Value("active_t", "bool", ("batch", 1)))
        pairs = zip(after, before, strict=True)
        after = [inside.add("Where", "active_t", new, old) for new, old in pairs]
        y = inside.add("Where", "active_t", after[0], inside.constant(0.0))
    ends = [f"after_{name}" for name in stack.state_names]
    for name, end in zip([*after, y], [*ends, "y_t"], strict=True):
        inside.rename(name, end)
    shown = [Value(name, "float32", ("batch", n)) for name, n in zip(ends, sizes, strict=True)]
    shown.append(Value("y_t", "float32", ("batch", sizes[0])))
    sequences = [x, active] if active else [x]
    directions = {"scan_input_directions": [1] * len(sequences), "scan_output_directions": [1]}
    found = graph.add(
        "Scan",
        *states,
        *sequences,
        outputs=len(ends) + 1,
        num_scan_inputs=len(sequences),
        body=inside.body([*map(inside.value, given)], [*map(inside.value, shown)]),
        **(directions if reverse else {}),
    )
    return found[-1], found[:-1]
