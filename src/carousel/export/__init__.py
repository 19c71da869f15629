"""Models as files that run without Carousel: ONNX, C, torch.export. `carousel.export` writes one.

The module can be called, `carousel.export(model, "model.onnx")`: it is `exporting.export`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from carousel.export.exporting import Exported
    from carousel.tasks.shared.task import TrainedModel


class _Callable(ModuleType):
    """A module that is a function, too: its name is that of the verb, and of this folder."""

    def __call__(
        self,
        model: TrainedModel | nn.Module | str | Path,
        path: str | Path,
        *,
        stream: bool = False,
        int8: bool = False,
        calibration: Any = None,
        force: bool = False,
    ) -> Exported:
        from carousel.export.exporting import export

        return export(model, path, stream=stream, int8=int8, calibration=calibration, force=force)


sys.modules[__name__].__class__ = _Callable
