"""The instruction set the compiled core uses. This folder alone imports the compiled module."""

from __future__ import annotations

from carousel import _native
from carousel.errors import CarouselError


def active_isa() -> str:
    """Name of the instruction set in use, such as "avx512".

    The environment variable CAROUSEL_ISA chooses one of `supported_isas()`; a name that is unknown,
    or that this CPU cannot run, raises `CarouselError` listing the choices.
    """
    try:
        return _native.active_isa()
    except ValueError as error:
        raise CarouselError(str(error)) from None


def supported_isas() -> list[str]:
    """Instruction sets this CPU can run, the preferred one first."""
    return _native.supported_isas()


def int8_isa() -> str:
    """Name of the instructions that products of eight bits run on: "avx512vnni" where there are
    such, else `active_isa()`."""
    return _native.int8_isa()
