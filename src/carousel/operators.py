"""Carousel's operators are there wherever torch is: registered with torch, not before.

`torch.export.load` and `torch.jit.load` read programs that call `torch.ops.carousel.layer`, in
processes that may have named no layer yet. `import carousel` itself loads no torch: where torch is
loaded already, the operators are registered at once; elsewhere at the end of `import torch`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


def register_with_torch() -> None:
    """Register the operators now if torch is loaded, or as soon as it is."""
    if "torch" in sys.modules:
        _register()
    elif not any(isinstance(finder, _AfterTorch) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterTorch())


def _register() -> None:
    importlib.import_module("carousel.kernels")


class _AfterTorch:
    """A finder of modules that finds torch as the others do, and is gone once torch is loaded."""

    def find_spec(
        self, name: str, path: Any = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "torch":
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec("torch")
        finally:
            sys.meta_path.insert(0, self)  # who asks where torch is may import it later, or never
        if spec is not None:
            spec.loader = _Loader(spec.loader, self)  # type: ignore[assignment]
        return spec


class _Loader:
    """torch's own loader; it registers when torch is complete."""

    def __init__(self, loader: Any, finder: _AfterTorch) -> None:
        self._loader, self._finder = loader, finder

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader  # what torch would say of itself
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)
        _register()
