"""Paths that compute a recurrent layer, and the choice among them."""

from carousel.kernels.few_rows import RowProgram
from carousel.kernels.forks import mend_children
from carousel.kernels.int8 import Int8Stack, Int8Stepper
from carousel.kernels.int8 import check as check_int8
from carousel.kernels.isa import active_isa, int8_isa, supported_isas
from carousel.kernels.kept import Keeper, Kept
from carousel.kernels.native_path import make_stepper
from carousel.kernels.native_path import run as run_native
from carousel.kernels.ops import run_packed, runner
from carousel.kernels.options import Options
from carousel.kernels.paths import Path, StackSpec, choose, is_plain, is_quiet, log_native, use
from carousel.kernels.products import lowers, product_of
from carousel.kernels.reading import read_directly
from carousel.kernels.recording import is_exporting, is_tracing
from carousel.kernels.stepper import Stepper
from carousel.kernels.watch import Watch

__all__ = [
    "Int8Stack",
    "Int8Stepper",
    "Keeper",
    "Kept",
    "Options",
    "Path",
    "RowProgram",
    "StackSpec",
    "Stepper",
    "Watch",
    "active_isa",
    "check_int8",
    "choose",
    "int8_isa",
    "is_exporting",
    "is_plain",
    "is_quiet",
    "is_tracing",
    "log_native",
    "lowers",
    "make_stepper",
    "product_of",
    "run_native",
    "run_packed",
    "runner",
    "supported_isas",
    "use",
]

mend_children()  # here, because whoever computes with Carousel imports this
read_directly()
