"""Reading of tensors by the compiled module, without asking Python.

To ask Python where a tensor's numbers begin takes as long as half a small step. torch exports C
functions that say it of a tensor of its own, and such a one stands inside the Python object: where,
is looked up, and believed only if what the functions then say is what Python's methods say.
"""

from __future__ import annotations

import ctypes
import logging
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from carousel import _native
from carousel.kernels.watch import address_of

logger = logging.getLogger("carousel")

# In the order of TensorApi, native/watched.hpp.
_FUNCTIONS = (
    "torch_get_const_data_ptr",
    "aoti_torch_get_dim",
    "aoti_torch_get_sizes",
    "aoti_torch_get_strides",
    "aoti_torch_get_dtype",
    "aoti_torch_get_device_type",
    "aoti_torch_get_layout",
    "torch_get_mutable_data_ptr",
)
# torch's numbers of what the kernels read.
_KINDS = ("aoti_torch_dtype_float32", "aoti_torch_device_type_cpu", "aoti_torch_layout_strided")
_LIBRARIES = ("libtorch_cpu.so", "libtorch_cpu.dylib", "torch_cpu.dll")


def read_directly() -> bool:
    """Let the compiled module read tensors directly, and say if it does: it asks Python elsewhere,
    with the same result.

    Called once, before it reads any.
    """
    probes = [torch.zeros(2, 3, device="cpu"), nn.Parameter(torch.ones(5, 1, device="cpu"))]
    functions, kinds, offset = *_functions(), _offset(probes)
    direct = bool(functions) and offset is not None and _agree(functions, kinds, offset, probes)
    if direct:
        assert offset is not None
        _native.read_tensors_with(offset, [_address(function) for function in functions], kinds)
    logger.debug("tensors are read %s", "directly" if direct else "through Python")
    return direct


def _functions() -> tuple[list[ctypes._NamedFuncPointer], list[int]]:
    """The C functions, and the numbers; empty where torch has none, as before 2.10."""
    folder = Path(torch.__file__).parent / "lib"
    for path in map(folder.joinpath, _LIBRARIES):
        if path.exists():
            library = ctypes.CDLL(str(path))
            if all(hasattr(library, name) for name in _FUNCTIONS + _KINDS):
                functions = [getattr(library, name) for name in _FUNCTIONS]
                return functions, [getattr(library, name)() for name in _KINDS]
    return [], []


def _address(function: ctypes._NamedFuncPointer) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _offset(probes: list[Tensor]) -> int | None:
    """Bytes from the start of a Python tensor to torch's own; None if there is no such place."""
    if sys.implementation.name != "cpython":
        return None
    word = ctypes.sizeof(ctypes.c_void_p)
    places = []
    for probe in probes:
        content = ctypes.string_at(id(probe), Tensor.__basicsize__)
        wanted = probe._cdata.to_bytes(word, sys.byteorder)
        found = range(2 * word, len(content) - word + 1, word)
        places.append([place for place in found if content[place : place + word] == wanted])
    same = all(len(found) == 1 and found == places[0] for found in places)
    return places[0][0] if same else None


def _agree(
    functions: list[ctypes._NamedFuncPointer], kinds: list[int], offset: int, probes: list[Tensor]
) -> bool:
    """True if the functions say of each tensor what its methods say."""
    for probe in probes:
        said = []
        for function in functions:
            result = ctypes.c_int64()  # of which some functions write the first half
            if function(ctypes.c_void_p(id(probe) + offset), ctypes.byref(result)) != 0:
                return False
            said.append(result.value)
        place, dims, sizes, strides, *its_kinds, place_to_write = said
        if [place, dims, place_to_write] != [address_of(probe), probe.dim(), probe.data_ptr()]:
            return False
        numbers = (ctypes.c_int64 * probe.dim()).from_address
        if [*numbers(sizes)] != [*probe.shape] or [*numbers(strides)] != [*probe.stride()]:
            return False
        if its_kinds != kinds:
            return False
    return True
