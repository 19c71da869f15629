"""One step of a stream from files and in eight bits: our C, our streams, and ONNX Runtime's."""

from __future__ import annotations

import importlib
import logging
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import torch

from carousel import layers
from carousel.bench.cases import Array, Case, Problem
from carousel.bench.peers.base import Contestant, Local, PeerError, missing_modules
from carousel.bench.peers.onnx_runtime import make_model, session_of, stream_of
from carousel.bench.peers.torch_layers import POOL, build
from carousel.bench.results import C_FILE, C_INT8, INT8, ONNX_INT8
from carousel.bench.timed_c import TimedC, flags_for
from carousel.export.c import building
from carousel.export.c import format as c_format
from carousel.export.describing import subject_of
from carousel.export.formats import Asked
from carousel.export.int8 import in_eight_bits, ranges_of
from carousel.export.subject import Subject


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
        return _Compiled(self.subject(problem), problem)

    def subject(self, problem: Problem) -> Subject:
        """The layer of a case as what the C is written of."""
        return subject_of(build(getattr(layers, problem.case.cell), problem).eval())

    def versions(self) -> dict[str, str]:
        """First line of what the compiler says of itself, and the flags."""
        cc = building.compiler()
        if cc is None:
            return {}
        said = subprocess.run([cc, "--version"], capture_output=True, text=True, check=False)
        first = (said.stdout.splitlines() or ["unknown"])[0]
        return {"C compiler": f"{first} {' '.join(flags_for())}"}


class CFileInt8(CFile):
    """C of the same layer in eight bits: `carousel.export(layer, "net.c", int8=True)`."""

    name = C_INT8

    def subject(self, problem: Problem) -> Subject:
        wide = super().subject(problem)
        return in_eight_bits(wide, ranges_of(wide, _inputs_like(problem).numpy()))


class _Compiled:
    """The C of a layer in a timed loop of its own."""

    def __init__(self, subject: Subject, problem: Problem) -> None:
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        try:
            c_format.write(subject, Asked("net"), folder)
            x, outputs, cc = problem.x[0, 0], problem.case.hidden, str(building.compiler())
            self._timed = TimedC(folder, "net", x, outputs, cc, flags_for())
        except BaseException:
            self.close()
            raise

    def run(self, calls: int, warm_up: bool = True) -> float:
        if warm_up:
            self._timed.run(1)
        return self._timed.run(calls)

    def results(self) -> dict[str, Array]:
        return {"y": self._timed.first()[None, None]}

    def close(self) -> None:
        self._folder.cleanup()


def _inputs_like(problem: Problem) -> torch.Tensor:
    """Inputs that a range is found by: those of the case and others like them, (B, 1, I)."""
    x = torch.from_numpy(problem.x).transpose(0, 1)
    like = torch.randn(64, 1, problem.case.inputs, generator=torch.Generator().manual_seed(0))
    return torch.cat((x, like))


class StreamInt8(_OfStreams):
    """`carousel.Stream(layer, int8=True)`."""

    name = INT8

    def prepare(self, problem: Problem, threads: int) -> Contestant:
        torch.set_num_threads(threads)
        layer = build(getattr(layers, problem.case.cell), problem)
        like = _inputs_like(problem).transpose(0, 1)
        stream = layers.Stream(layer, int8=True, calibration=like)
        first = torch.from_numpy(problem.x)[0]
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
