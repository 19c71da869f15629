"""ONNX Runtime: the ONNX operators LSTM, GRU and RNN, in a graph built by hand."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from carousel.bench.cases import Array, Case, Problem
from carousel.bench.peers.base import Contestant, Local, missing_modules


class OnnxRuntime:
    """Inference and streams, through bound inputs and outputs."""

    name = "onnxruntime"
    pool = "onnxruntime"
    baseline = True

    def missing(self) -> str:
        return missing_modules("onnx", "onnxruntime")

    def why_not(self, case: Case) -> str:
        return "does not train" if case.mode == "training" else ""

    def prepare(self, problem: Problem, threads: int) -> Contestant:
        session = session_of(make_model(problem), threads)
        stream = problem.case.mode == "stream"
        return stream_of(session, problem) if stream else _infer(session, problem)

    def close(self) -> None:
        pass


def session_of(model: Any, threads: int) -> Any:
    """A model, loaded."""
    runtime = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Its threads may spin while it works, not while others do.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return runtime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _infer(session: Any, problem: Problem) -> Local:
    binding = session.io_binding()
    binding.bind_cpu_input("x", problem.x)
    if problem.case.lengths is not None:
        binding.bind_cpu_input("lengths", np.array(problem.case.lengths, np.int32))
    binding.bind_output("y")
    return _bound(session, binding)


def _bound(session: Any, binding: Any) -> Local:
    def call() -> None:
        session.run_with_iobinding(binding)

    return Local(call, lambda _: {"y": binding.copy_outputs_to_cpu()[0]})


def stream_of(session: Any, problem: Problem) -> Local:
    """The state goes to and fro between two sets of buffers, so nothing is copied or allocated."""
    runtime = importlib.import_module("onnxruntime")
    case = problem.case

    def buffer() -> Any:
        zeros = np.zeros((1, case.batch, case.hidden), np.float32)
        return runtime.OrtValue.ortvalue_from_numpy(zeros)  # shares the array's memory

    sets = [{name: buffer() for name in _states(case)} for _ in range(2)]
    bindings = []
    for before, after in (sets, sets[::-1]):
        binding = session.io_binding()
        binding.bind_cpu_input("x", problem.x)
        for name in _states(case):
            binding.bind_ortvalue_input(f"{name}0", before[name])
            binding.bind_ortvalue_output(f"{name}n", after[name])
        bindings.append(binding)

    def call() -> Any:
        session.run_with_iobinding(bindings[0])
        bindings.reverse()
        return bindings[1]

    return Local(call, lambda binding: {"y": binding.copy_outputs_to_cpu()[0]})


def _states(case: Case) -> tuple[str, ...]:
    return case.spec.states


def make_model(problem: Problem) -> Any:
    """The case as an ONNX model.

    x (T, B, I), and lengths (B,) if they differ, to y (T, B, D * H). A stream has the states as
    inputs h0, c0 and outputs hn, cn instead of y, which would be the same as hn.
    """
    helper = importlib.import_module("onnx.helper")
    numpy_helper = importlib.import_module("onnx.numpy_helper")
    case = problem.case
    constants: dict[str, Any] = {}
    if case.mode == "stream":
        nodes = [_layer(helper, problem, 0, "x", constants)]
    else:
        nodes = []
        for depth in range(case.layers):
            below = f"x{depth}" if depth else "x"
            above = f"x{depth + 1}" if depth < case.layers - 1 else "y"
            nodes += [
                _layer(helper, problem, depth, below, constants),
                *_without_directions(helper, case, f"Y{depth}", above, constants),
            ]
    graph = helper.make_graph(
        nodes,
        case.title,
        _infos(helper, case, inputs=True),
        _infos(helper, case, inputs=False),
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 17)])


def _layer(helper: Any, problem: Problem, depth: int, x: str, constants: dict[str, Any]) -> Any:
    case = problem.case
    names = [f"{kind}{depth}" for kind in ("W", "R", "B")]
    constants |= dict(zip(names, _tensors(problem, depth), strict=True))
    inputs = [x, *names, "" if case.lengths is None else "lengths"]
    outputs = [f"Y{depth}"]
    if case.mode == "stream":
        inputs += [f"{name}0" for name in _states(case)]
        outputs = ["", *(f"{name}n" for name in _states(case))]
    return helper.make_node(
        case.cell,
        inputs,
        outputs,
        hidden_size=case.hidden,
        direction="bidirectional" if case.bidirectional else "forward",
        **({"linear_before_reset": 1} if "reset_after" in case.spec.options else {}),
    )


def _without_directions(
    helper: Any, case: Case, y: str, result: str, constants: dict[str, Any]
) -> list[Any]:
    """(T, D, B, H) to (T, B, D * H)."""
    if not case.bidirectional:
        constants["direction"] = np.array([1])
        return [helper.make_node("Squeeze", [y, "direction"], [result])]
    constants["flat"] = np.array([0, 0, -1])
    return [
        helper.make_node("Transpose", [y], [f"{y}t"], perm=[0, 2, 1, 3]),
        helper.make_node("Reshape", [f"{y}t", "flat"], [result]),
    ]


def _infos(helper: Any, case: Case, inputs: bool) -> list[Any]:
    floats, integers = 1, 6  # ONNX's numbers for float32 and int32
    shapes: dict[str, tuple[int, ...]] = {}
    if inputs:
        shapes["x"] = (case.steps, case.batch, case.inputs)
    elif case.mode != "stream":
        shapes["y"] = (case.steps, case.batch, case.directions * case.hidden)
    if case.mode == "stream":
        end = "0" if inputs else "n"
        shapes |= {name + end: (1, case.batch, case.hidden) for name in _states(case)}
    infos = [helper.make_tensor_value_info(name, floats, shape) for name, shape in shapes.items()]
    if inputs and case.lengths is not None:
        infos.append(helper.make_tensor_value_info("lengths", integers, (case.batch,)))
    return infos


def _tensors(problem: Problem, depth: int) -> tuple[Array, Array, Array]:
    """W (D, G H, I), R (D, G H, H) and B (D, 2 G H) of one layer, gates in ONNX's order."""
    case = problem.case
    first = depth * case.directions
    weights = problem.weights[first : first + case.directions]

    def stacked(name: str) -> Array:
        return np.stack([_reordered(each[name], case) for each in weights])

    biases = np.concatenate([stacked("bias_ih"), stacked("bias_hh")], axis=1)
    return stacked("weight_ih"), stacked("weight_hh"), biases


def _reordered(weight: Array, case: Case) -> Array:
    order = [case.spec.gates.index(gate) for gate in case.spec.onnx or ""] or [0]
    gates = weight.reshape(-1, case.hidden, *weight.shape[1:])
    return gates[order].reshape(weight.shape)
