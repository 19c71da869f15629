"""What computes a recurrent layer, and which path a call takes."""

from carousel.kernels.isa import active_isa, supported_isas
from carousel.kernels.ops import Path, Stack, choose, run, run_packed, use

__all__ = [
    "Path",
    "Stack",
    "active_isa",
    "choose",
    "run",
    "run_packed",
    "supported_isas",
    "use",
]
