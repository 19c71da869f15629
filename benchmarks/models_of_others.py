"""Models that others trained, from their released wheels, in layers of Carousel; times a frame.

    pip install --no-deps silero-vad==6.2.3 Resemblyzer==0.1.4 g2p_en==2.1.0
    taskset -c 1 python benchmarks/models_of_others.py

Weights are read where the wheels put them; nothing of a package is imported, and nothing it needs
has to be installed. What is timed is a frame of silero-vad (512 samples and 64 before them, 32 ms),
in one process on one thread, everyone in turn: in each round a few frames that are not timed, then
some that are. Printed are the best and the median of the rounds in microseconds.

Licences: silero-vad MIT, Resemblyzer and g2p_en Apache-2.0.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import nn

import carousel
from carousel.bench.timed_c import TimedC, flags_for
from carousel.layers.frames import Frames, Magnitude, UnitLength
from carousel.layers.pooling import Pooling

FRAME, BEFORE = 512, 64  # samples at 16 kHz
Contestant = Callable[[int], float]


def folder_of(package: str) -> Path | None:
    """Folder of a package that is installed, which is not imported; None where there is none."""
    found = importlib.util.find_spec(package)
    places = None if found is None else found.submodule_search_locations
    return Path(places[0]) if places else None


def silero(folder: Path) -> nn.Sequential:
    """The 16 kHz network of silero-vad: frames (B, T, 576) to chances of speech (B, T, 1).

    Samples mirrored at the end, a short-time Fourier transform as a convolution, its magnitude,
    four convolutions, an LSTM, a dense layer. Weights: of the model that the package loads.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch tells those who save such files to stop
        saved = torch.jit.load(str(folder / "data" / "silero_vad.jit")).state_dict()
    own = {k.removeprefix("_model."): w for k, w in saved.items() if k.startswith("_model.")}
    transform = nn.Conv1d(1, 258, 256, stride=128, bias=False)
    shapes = ((129, 128, 1), (128, 64, 2), (64, 64, 2), (64, 128, 1))
    encoder = [nn.Conv1d(i, o, 3, stride=s, padding=1) for i, o, s in shapes]
    layers = [nn.ReflectionPad1d((0, BEFORE)), transform, Magnitude()]
    for convolution in encoder:
        layers += [convolution, nn.ReLU()]
    lstm, dense = carousel.LSTM(128, 128, batch_first=True), nn.Linear(128, 1)
    transform.load_state_dict({"weight": own["stft.forward_basis_buffer"]})
    for number, convolution in enumerate(encoder):
        names = ("weight", "bias")
        convolution.load_state_dict({n: own[f"encoder.{number}.reparam_conv.{n}"] for n in names})
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    lstm.load_state_dict({f"{kind}_l0": own[f"decoder.rnn.{kind}"] for kind in kinds})
    last = own["decoder.decoder.2.weight"][:, :, 0]  # a convolution of one tap
    dense.load_state_dict({"weight": last, "bias": own["decoder.decoder.2.bias"]})
    frames = Frames(BEFORE + FRAME, *layers)
    return nn.Sequential(frames, lstm, nn.ReLU(), dense, nn.Sigmoid()).eval()


def resemblyzer(folder: Path) -> nn.Sequential:
    """The voice encoder of Resemblyzer: mel spectra (B, T, 40) to embeddings of length one."""
    path = folder / "pretrained.pt"
    saved = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
    lstm = carousel.LSTM(40, 256, num_layers=3, batch_first=True)
    dense = nn.Linear(256, 256)
    for module, name in ((lstm, "lstm."), (dense, "linear.")):
        own = {k.removeprefix(name): w for k, w in saved.items() if k.startswith(name)}
        module.load_state_dict(own)
    return nn.Sequential(lstm, Pooling("last", 256), dense, nn.ReLU(), UnitLength()).eval()


def g2p(folder: Path) -> tuple[nn.Sequential, nn.Sequential]:
    """The encoder of g2p_en, letters (B, T) to states (B, T, 256), and its decoder, sounds (B, T)
    to logits (B, T, 74) of the next ones, which begins with the encoder's last state."""
    saved = np.load(folder / "checkpoint20.npz")

    def part(which: str) -> list[nn.Module]:
        table = torch.from_numpy(saved[f"{which}_emb"])
        gru = carousel.GRU(256, 256, batch_first=True)
        kinds = {"w_ih": "weight_ih", "w_hh": "weight_hh", "b_ih": "bias_ih", "b_hh": "bias_hh"}
        own = {f"{n}_l0": torch.from_numpy(saved[f"{which}_{kind}"]) for kind, n in kinds.items()}
        gru.load_state_dict(own)
        return [nn.Embedding.from_pretrained(table), gru]

    dense = nn.Linear(256, 74)
    dense.load_state_dict({n: torch.from_numpy(saved[f"fc_{n[0]}"]) for n in ("weight", "bias")})
    return nn.Sequential(*part("enc")).eval(), nn.Sequential(*part("dec"), dense).eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--frames", type=int, default=5, help="timed in a round")
    parser.add_argument("--cc", default="gcc")
    arguments = parser.parse_args()
    folder = folder_of("silero_vad")
    if folder is None:
        parser.error("silero-vad is not installed: pip install --no-deps silero-vad==6.2.3")
    torch.set_num_threads(1)
    said = subprocess.run([arguments.cc, "--version"], capture_output=True, text=True, check=True)
    print(f"{platform.processor() or platform.machine()}, {said.stdout.splitlines()[0]}")
    print(f"torch {torch.__version__}, onnxruntime {onnxruntime.__version__}")
    print(f"processors {sorted(os.sched_getaffinity(0))}\n")
    with tempfile.TemporaryDirectory() as aside:
        found = measured(folder, Path(aside), arguments)
    theirs = median(found["ONNX Runtime, silero_vad.onnx"])
    print("| a frame of silero-vad | best | median | of ONNX Runtime's |")
    print("| --- | ---: | ---: | ---: |")
    for name, times in found.items():
        best, middle = min(times), median(times)
        print(f"| {name} | {best:.1f} | {middle:.1f} | {middle / theirs:.2f} |")


def measured(folder: Path, aside: Path, given: argparse.Namespace) -> dict[str, list[float]]:
    """Microseconds of a frame in each round, by who computed it."""
    model = silero(folder)
    x = 0.1 * np.random.default_rng(0).standard_normal((1, BEFORE + FRAME), np.float32)
    carousel.export(model, aside / "vad.c")
    carousel.export(model, aside / "vad.onnx", stream=True)
    zeros = {name: np.zeros((1, 1, 128), np.float32) for name in ("h_in", "c_in")}
    contestants = {
        f"C, -march={march}": compiled(aside, x, given.cc, march)
        for march in ("native", "haswell", "x86-64")
    }
    stream, frame = carousel.Stream(model), torch.from_numpy(x)
    contestants["Carousel, Stream.step"] = timed(lambda: stream.step(frame))
    for name in ("silero_vad.onnx", "silero_vad_op18_ifless.onnx", "silero_vad_16k_sequence.onnx"):
        fed = {"state": np.zeros((2, 1, 128), np.float32), "sr": np.array(16000), "input": x}
        fed |= {name[0]: value for name, value in zeros.items()}
        contestants[f"ONNX Runtime, {name}"] = in_runtime(folder / "data" / name, fed)
    contestants["ONNX Runtime, Carousel's file"] = in_runtime(aside / "vad.onnx", {"x": x, **zeros})
    found: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(given.rounds):
        for name, run in contestants.items():
            found[name].append(run(given.frames))
    return found


def compiled(folder: Path, x: Any, cc: str, march: str) -> Contestant:
    """The C, compiled for a processor, called from C."""
    timed = TimedC(folder, "vad", x, 1, cc, flags_for(march))

    def run(frames: int) -> float:
        timed.run(3)
        return 1e6 * timed.run(frames) / frames

    return run


def in_runtime(path: Path, given: dict[str, Any]) -> Contestant:
    """A file in ONNX Runtime, one thread, frame by frame; states are given and taken."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options)
    fed = {one.name: given[one.name] for one in session.get_inputs()}
    return timed(lambda: session.run(None, fed))


def timed(step: Callable[[], Any]) -> Contestant:
    """Microseconds of a call, after some that are not timed."""

    def run(frames: int) -> float:
        for _ in range(3):
            step()
        start = time.perf_counter_ns()
        for _ in range(frames):
            step()
        return (time.perf_counter_ns() - start) / 1e3 / frames

    return run


if __name__ == "__main__":
    main()
