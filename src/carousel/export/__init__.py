"""Models as files that run without Carousel: ONNX, C, torch.export. `carousel.export` writes one.

The module can be called, `carousel.export(model, "model.onnx")`: it is `exporting.export`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from carousel.export.exporting import Exported


class _Callable(ModuleType):
    """A module that is a function, too: its name is that of the verb, and of this folder."""

    def __call__(self, *arguments: Any, **named: Any) -> Exported:
        from carousel.export.exporting import export

        return export(*arguments, **named)


sys.modules[__name__].__class__ = _Callable
