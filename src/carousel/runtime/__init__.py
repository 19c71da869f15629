"""Saved models without torch: NumPy and the compiled kernels predict and stream them.

`carousel.runtime` imports neither torch nor anything that does, so it starts in a tenth of a
second, and runs where torch is not installed. It reads the same folders as `carousel.load`, and
gives the same numbers to 1e-6. docs/runtime.md says which models it has, and how to install
it alone.
"""

from carousel.runtime.detect import Detector
from carousel.runtime.forecast import Forecaster
from carousel.runtime.loading import load
from carousel.runtime.model import Model
from carousel.runtime.rolling import ForecasterStreams
from carousel.runtime.streams import Streams
from carousel.runtime.watching import DetectorStreams

__all__ = [
    "Detector",
    "DetectorStreams",
    "Forecaster",
    "ForecasterStreams",
    "Model",
    "Streams",
    "load",
]
