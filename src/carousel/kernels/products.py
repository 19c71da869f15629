"""Choice of how the products of a layer multiply: in float32, or in bfloat16 if asked for.

bfloat16 (Wang and Kanwar 2019) is float32 with 8 bits of mantissa. Inputs, states, weights and gate
gradients are rounded to it for the products alone; sums, gates, states and gradients are float32.
"""

from __future__ import annotations

import functools
import logging
import os
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch

from carousel import _native
from carousel.errors import CarouselError
from carousel.kernels.isa import active_isa

PRECISIONS = ("float32", "bf16")
SETTING = "CAROUSEL_BF16"
_CHOICES = ("", "instruction", "twin", "off")
_FLOATS, _INSTRUCTION, _TWIN = 0, 1, 2  # `Product` of native/kernels.hpp
_PAYS = 1.2  # times float32's sums: below, rounding takes what the product gains

_NOTHING = nullcontext()

logger = logging.getLogger("carousel")


class Product(NamedTuple):
    """Way in which products multiply: its number in native/kernels.hpp, and why in words."""

    number: int
    reason: str


def in_float32() -> AbstractContextManager[None]:
    """Context without autocast, where somebody has switched it on: torch's products inside are of
    the types that come in."""
    if torch.is_autocast_enabled("cpu"):
        return torch.autocast("cpu", enabled=False)
    return _NOTHING


def lowers() -> bool:
    """True under autocast to bfloat16 on the CPU, which asks for it as `precision` does."""
    low = torch.bfloat16
    return torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") is low


def product_of(precision: str) -> Product:
    """Way in which the products of native kernels multiply in this process.

    precision: "" or "float32"; or "bf16": by the CPU's instruction where a tile of it is at least
    1.2 × as fast as float32's, timed once; elsewhere in float32, which is said once (logger
    `carousel`, level WARNING). The environment variable CAROUSEL_BF16 decides in place of time:
    "instruction" takes the CPU's; "twin" computes the same bits without it, slowly; "off" takes
    float32. Raises `CarouselError` for another value, and for an instruction that is not there.

    >>> product_of("float32").reason
    'products in float32'
    """
    if precision in ("", "float32"):
        return Product(_FLOATS, "products in float32")
    setting, isa = os.environ.get(SETTING, ""), active_isa()
    return _chosen(setting, isa)


@functools.lru_cache(32)
def _chosen(setting: str, isa: str) -> Product:
    if setting not in _CHOICES:
        raise CarouselError(
            f"{SETTING} is {setting!r}, but must be 'instruction', 'twin' or 'off', or not set"
        )
    if setting == "off":
        return Product(_FLOATS, f"products in float32: {SETTING} is 'off'")
    if setting == "twin":
        return Product(_TWIN, f"products in bfloat16 without an instruction: {SETTING} is 'twin'")
    lacking = f"this CPU, with {isa}, has no instruction for bfloat16"
    if not _native.has_product(_INSTRUCTION):
        if setting == "instruction":
            raise CarouselError(f"{SETTING} is 'instruction', but {lacking}: unset it, or 'twin'")
        return _in_floats(lacking)
    speed = _native.tile_speed(_INSTRUCTION)
    timed = f"vdpbf16ps does {speed:.1f} × float32's sums a second here"
    if setting == "instruction" or speed >= _PAYS:
        return Product(_INSTRUCTION, f"products in bfloat16: {timed}")
    return _in_floats(timed)


def _in_floats(why: str) -> Product:
    product = Product(_FLOATS, f"products in float32: {why}")
    logger.warning("precision='bf16': %s", product.reason)
    return product
