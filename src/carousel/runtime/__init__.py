"""Saved models without torch: NumPy and the compiled kernels predict and stream them.

`carousel.runtime` imports neither torch nor anything that does, so it starts in a tenth of a
second, and runs where torch is not installed. It reads the same folders as `carousel.load`, and
gives the same numbers to 1e-6. docs/runtime.md says which models it has, and how to install
it alone.
"""

from carousel.runtime.forecast import Forecaster
from carousel.runtime.loading import load
from carousel.runtime.model import Model
from carousel.runtime.streams import Streams

__all__ = ["Forecaster", "Model", "Streams", "load"]
