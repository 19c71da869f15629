"""Programs of torch.export as a format: written, loaded, compared; and how a file is used."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.export import Dim

from carousel.errors import ConfigError
from carousel.export import parity
from carousel.export.card import inputs_of, outputs_of
from carousel.export.description import Network, Value
from carousel.export.formats import Asked, Comparison, Run
from carousel.export.pt2.operators import kept_whole
from carousel.export.pt2.twin import Twin
from carousel.export.subject import Subject

_TOLERANCE = 1e-5
_ROWS, _STEPS = 13, 7  # no number of gates or units: torch would take one for the other


def held(network: Network) -> Network:
    """The network as this format takes it: lengths only where no states are given, for torch's
    operators say what states are at the end of the batch alone."""
    return dataclasses.replace(network, has_lengths=network.has_lengths and not network.has_states)


def write(subject: Subject, asked: Asked, folder: Path) -> list[str]:
    """Trace the network with any number of rows and steps, and write the program."""
    if asked.int8:
        raise ConfigError("a .pt2 has weights in float32 alone: leave int8 out", "int8")
    network = subject.network
    given = inputs_of(network, asked.stream)
    batch, time = Dim("batch", min=1), Dim("time", min=1)
    sizes = {"batch": batch, "time": time}
    shapes = tuple(
        {i: sizes[s] for i, s in enumerate(v.shape) if isinstance(s, str)} for v in given
    )
    twin = Twin(network, asked.stream).eval()
    with torch.no_grad(), kept_whole(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own code
        program = torch.export.export(
            twin, tuple(map(_example_of, given)), dynamic_shapes=_shaped(shapes)
        )
    name = f"{asked.stem}.pt2"
    torch.export.save(program, folder / name)
    return [name]


def _shaped(shapes: tuple[Any, ...]) -> Any:
    """Shapes as `Twin.forward` takes its arguments: the first, then the rest."""
    return (shapes[0], shapes[1:]) if len(shapes) > 1 else shapes


def _example_of(value: Value) -> Tensor:
    sizes = {"batch": _ROWS, "time": _STEPS}
    shape = [sizes[size] if isinstance(size, str) else size for size in value.shape]
    if value.name == "lengths":
        return torch.full(shape, _STEPS)
    dtype = torch.int64 if value.dtype == "int64" else torch.float32
    return torch.zeros(shape, dtype=dtype)


def compare(subject: Subject, asked: Asked, folder: Path) -> Comparison:
    """Load the file with torch, and compare."""
    run = runner(folder / f"{asked.stem}.pt2", subject.network, asked.stream)
    return parity.compare(subject, run, stream=asked.stream, tolerance=_TOLERANCE)


def runner(path: Path, network: Network, stream: bool) -> Run:
    """A program that was loaded."""
    program = torch.export.load(path).module()
    inputs = [one.name for one in inputs_of(network, stream)]
    outputs = [one.name for one in outputs_of(network, stream)]

    def run(given: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        with torch.no_grad():
            found = program(*(torch.from_numpy(np.array(given[name])) for name in inputs))
        return {name: tensor.numpy() for name, tensor in zip(outputs, found, strict=True)}

    return run


def example(network: Network, asked: Asked) -> str:
    """Python with torch alone."""
    sizes = {"batch": 1, "time": 10}
    lines = ["import torch", "", f'program = torch.export.load("{asked.stem}.pt2").module()']
    names = []
    for one in inputs_of(network, asked.stream):
        shape = [sizes[size] if isinstance(size, str) else size for size in one.shape]
        made = "torch.tensor([10])"
        if one.name != "lengths":
            made = f"torch.zeros({shape}, dtype=torch.{one.dtype})"
        lines.append(f"{one.name} = {made}  # {one.words}")
        names.append(one.name)
    found = [one.name for one in outputs_of(network, asked.stream)]
    lines.append(
        f"{', '.join(found)}{',' if len(found) == 1 else ''} = program({', '.join(names)})"
    )
    lines.append(f"print({found[0]})")
    return "\n".join(lines)
