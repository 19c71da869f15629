"""ONNX as a format: written, loaded by ONNX Runtime, compared; and how a file is used."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel.errors import ConfigError
from carousel.export import parity
from carousel.export.card import inputs_of, outputs_of
from carousel.export.description import Network
from carousel.export.formats import Asked, Comparison, Run
from carousel.export.onnx.graph import onnx_modules
from carousel.export.onnx.writer import model_of
from carousel.export.subject import Subject

TOLERANCE = 1e-5


def write(subject: Subject, asked: Asked, folder: Path) -> list[str]:
    """Write the model."""
    check_bits(asked)
    name = f"{asked.stem}.onnx"
    saved(model_of(subject.network, asked.stream), folder / name)
    return [name]


def check_bits(asked: Asked) -> None:
    """Raise `ConfigError` for weights in eight bits, and where ONNX is not installed."""
    if asked.int8:
        raise ConfigError(
            "int8 is not written to ONNX: ONNX Runtime's would make an answer depend on the others "
            "in its batch; leave int8 out, or stream the model with carousel.Stream(…, int8=True)",
            "int8",
        )
    onnx_modules()


def saved(model: Any, path: Path) -> None:
    """Check a model, and write it."""
    onnx = importlib.import_module("onnx")
    onnx.checker.check_model(model)
    onnx.save(model, path)


def compare(subject: Subject, asked: Asked, folder: Path) -> Comparison:
    """Load the file with ONNX Runtime, one thread, and compare."""
    run = runner(folder / f"{asked.stem}.onnx")
    return parity.compare(subject, run, stream=asked.stream, tolerance=TOLERANCE)


def runner(path: Path) -> Run:
    """A file in ONNX Runtime."""
    runtime = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    wanted = {one.name for one in session.get_inputs()}

    def run(given: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        fed = {name: np.ascontiguousarray(x) for name, x in given.items() if name in wanted}
        return dict(zip(names, session.run(names, fed), strict=True))

    return run


def example(network: Network, asked: Asked) -> str:
    """Python with NumPy and ONNX Runtime alone."""
    sizes = {"batch": 1, "time": 10}
    lines = ["import numpy as np", "import onnxruntime", ""]
    lines.append(f'session = onnxruntime.InferenceSession("{asked.stem}.onnx")')
    lines.append("given = {")
    for one in inputs_of(network, asked.stream):
        shape = tuple(sizes.get(str(size), size) for size in one.shape)
        made = f'np.zeros({shape}, "{one.dtype}")'
        if one.name == "lengths":
            made = 'np.array([10], "int64")'
        lines.append(f'    "{one.name}": {made},  # {one.words}')
    outputs = [one.name for one in outputs_of(network, asked.stream)]
    lines += ["}", f"names = {outputs}"]
    if asked.stream or network.has_states:
        lines.append("for _ in range(3):  # call by call, each from the states of the one before")
        lines.append("    found = dict(zip(names, session.run(names, given)))")
        for state in network.states:
            name = state.name
            lines.append(f'    given["{name}_in"] = found["{name}_out"]')
    else:
        lines.append("found = dict(zip(names, session.run(names, given)))")
    lines.append(f'print(found["{outputs[0]}"])')
    return "\n".join(lines)
