"""Report on what Carousel runs on here, and which path each kind of layer takes."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

import torch
from torch import Tensor, nn

from carousel import kernels, layers, places
from carousel.cells.table import SPECS
from carousel.data import mnist
from carousel.errors import CarouselError, DataError

_PACKAGES = ("carousel-rnn", "torch", "lightning-fabric", "numpy", "scikit-learn", "safetensors")


def examine() -> dict[str, dict[str, str]]:
    """Facts about this installation by section: {section: {name: fact}}."""
    return {
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in _PACKAGES},
        },
        "machine": _machine(),
        "paths of the recurrent layers": _paths(),
        "places": _places(),
    }


def _machine() -> dict[str, str]:
    try:
        isa = kernels.active_isa()
    except CarouselError as error:
        isa = str(error)
    return {
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        "instruction set": f"{isa} (this CPU can: {', '.join(kernels.supported_isas())})",
        "products": _products(),
        "threads": f"{torch.get_num_threads()} (torch.set_num_threads, or OMP_NUM_THREADS)",
        "CUDA": torch.cuda.get_device_name() if torch.cuda.is_available() else "not available",
    }


def _products() -> str:
    try:
        return f"with precision='bf16', {kernels.product_of('bf16').reason}"
    except CarouselError as error:
        return str(error)


def _paths() -> dict[str, str]:
    lengths = torch.tensor([2, 1])
    paths = {}
    for spec in SPECS:
        kind = getattr(layers, spec.layer)
        for dtype in (torch.float32, torch.float64):
            layer = kind(3, 4, dtype=dtype, **spec.arguments)
            x = torch.zeros(2, 2, 3, dtype=dtype)
            own = "".join(f", {key}={value}" for key, value in spec.arguments.items())
            name = f"{kind.__name__}{own} {str(dtype).removeprefix('torch.')}"
            paths[name] = _said(layer, x)
            paths[f"{name}, lengths="] = _said(layer, x, lengths)
    return paths


def _said(layer: nn.Module, x: Tensor, lengths: Tensor | None = None) -> str:
    try:
        return layers.explain(layer, x, lengths)
    except CarouselError as error:  # CAROUSEL_ISA names what this CPU lacks
        return str(error)


def _places() -> dict[str, str]:
    try:
        count = len(mnist.load_train()) + len(mnist.load_test())
        state = f"embedded in {mnist.FOLDER}, {count:,} images, checksums right"
    except DataError as error:
        state = str(error)
    written = places.config_file()
    return {
        "mnist": state,
        "CAROUSEL_DATA": places.setting("data") or "not set (mnist needs no download)",
        "cache": str(places.cache()),
        "settings": f"{written}{'' if written.exists() else ' (not there: it need not be)'}",
        "runs": str(Path("runs").absolute()),
    }
