"""One step of a stream from files and in eight bits: our C and int8 stream, ONNX Runtime's int8."""

from __future__ import annotations

import ctypes
import importlib
import logging
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from carousel import layers
from carousel.bench.cases import Array, Case, Problem
from carousel.bench.peers.base import Contestant, Local, PeerError, missing_modules
from carousel.bench.peers.onnx_runtime import make_model, session_of, stream_of
from carousel.bench.peers.torch_layers import POOL, build
from carousel.bench.results import C_FILE, INT8, ONNX_INT8
from carousel.export.c import building
from carousel.export.c import format as c_format
from carousel.export.describing import subject_of
from carousel.export.formats import Asked

FLAGS = ("-std=gnu99", "-O3", "-march=native")
_TIMER = """
#define _POSIX_C_SOURCE 199309L
#include <time.h>
#include "net.h"
static net_state state;
void net_begin(void) { net_init(&state); }
double net_time(const float *x, float *y, int steps) {
    struct timespec from, to;
    int i;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (i = 0; i < steps; ++i) net_step(&state, x, y);
    clock_gettime(CLOCK_MONOTONIC, &to);
    return (to.tv_sec - from.tv_sec) + (to.tv_nsec - from.tv_nsec) * 1e-9;
}
"""


class _OfStreams:
    """A contestant of the suite `export`, in this process and on its thread."""

    name = ""
    pool = POOL
    baseline = True

    def missing(self) -> str:
        return ""

    def why_not(self, case: Case) -> str:
        return "" if case.suite == "export" else "only in the suite export"

    def close(self) -> None:
        pass


class CFile(_OfStreams):
    """C that `carousel.export` writes, compiled for this machine and called from C."""

    name = C_FILE

    def missing(self) -> str:
        return "" if building.compiler() else "needs a C compiler: install gcc or clang, or set CC"

    def prepare(self, problem: Problem, threads: int) -> Contestant:
        layer = build(getattr(layers, problem.case.cell), problem).eval()
        return _Compiled(layer, problem)

    def versions(self) -> dict[str, str]:
        """First line of what the compiler says of itself, and the flags."""
        cc = building.compiler()
        if cc is None:
            return {}
        said = subprocess.run([cc, "--version"], capture_output=True, text=True, check=False)
        first = (said.stdout.splitlines() or ["unknown"])[0]
        return {"C compiler": f"{first} {' '.join(FLAGS)}"}


class _Compiled:
    """The C of a layer as a shared library, with a timed loop of its own."""

    def __init__(self, layer: torch.nn.Module, problem: Problem) -> None:
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        c_format.write(subject_of(layer), Asked("net"), folder)
        (folder / "timer.c").write_text(_TIMER)
        command = [str(building.compiler()), *FLAGS, "-shared", "-fPIC", "net.c", "timer.c"]
        done = subprocess.run(
            [*command, "-o", "net.so"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=building.LONGEST,
            check=False,
        )
        if done.returncode:
            self.close()
            raise PeerError(f"the compiler refuses it: {' '.join(done.stderr.split())[:200]}")
        self._library = ctypes.CDLL(str(folder / "net.so"))
        self._library.net_time.restype = ctypes.c_double
        self._x = np.ascontiguousarray(problem.x[0, 0])
        self._y = np.zeros(problem.case.hidden, np.float32)

    def run(self, calls: int, warm_up: bool = True) -> float:
        if warm_up:
            self._step(1)
        return self._step(calls)

    def results(self) -> dict[str, Array]:
        self._library.net_begin()
        self._step(1)
        return {"y": self._y[None, None].copy()}

    def close(self) -> None:
        self._folder.cleanup()

    def _step(self, steps: int) -> float:
        floats = ctypes.POINTER(ctypes.c_float)
        x, y = (array.ctypes.data_as(floats) for array in (self._x, self._y))
        return float(self._library.net_time(x, y, steps))


class StreamInt8(_OfStreams):
    """`carousel.Stream(layer, int8=True)`."""

    name = INT8

    def prepare(self, problem: Problem, threads: int) -> Contestant:
        torch.set_num_threads(threads)
        layer = build(getattr(layers, problem.case.cell), problem)
        x = torch.from_numpy(problem.x)
        like = torch.randn(64, 1, problem.case.inputs, generator=torch.Generator().manual_seed(0))
        stream = layers.Stream(layer, int8=True, calibration=torch.cat((x, like)))
        first = x[0]
        out = stream.step(first)
        stream.reset()
        return Local(lambda: stream.step(first, out), lambda y: {"y": y[None].numpy()})


class OnnxInt8(_OfStreams):
    """ONNX Runtime's dynamic quantisation, which has the LSTM and no GRU."""

    name = ONNX_INT8
    pool = "onnxruntime"

    def missing(self) -> str:
        return missing_modules("onnx", "onnxruntime")

    def why_not(self, case: Case) -> str:
        return super().why_not(case) or ("" if case.cell == "LSTM" else "has no such cell in int8")

    def prepare(self, problem: Problem, threads: int) -> Contestant:
        quantization = importlib.import_module("onnxruntime.quantization")
        onnx = importlib.import_module("onnx")
        with tempfile.TemporaryDirectory() as folder:
            before, after = (f"{folder}/{name}.onnx" for name in ("float32", "int8"))
            onnx.save(make_model(problem), before)
            level = logging.root.manager.disable
            logging.disable(logging.WARNING)  # advice to simplify the graph first
            try:
                quantization.quantize_dynamic(
                    before, after, per_channel=True, weight_type=quantization.QuantType.QInt8
                )
            finally:
                logging.disable(level)
            model: Any = onnx.load(after)
        operators = {node.op_type for node in model.graph.node}
        if "DynamicQuantizeLSTM" not in operators:
            raise PeerError("this onnxruntime does not write the LSTM in eight bits")
        return stream_of(session_of(model, threads), problem)
