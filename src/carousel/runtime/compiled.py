"""The compiled kernels, where nothing but they and NumPy need be installed."""

from __future__ import annotations

_MENDS = {
    "libgomp.so.1": "the compiled kernels share the threads of libgomp.so.1, which torch brings "
    "along; without torch it comes from the system: apt install libgomp1, dnf install libgomp, or "
    "apk add libgomp",
    "nanobind_backend": "the compiled kernels are bound by nanobind-backend: pip install "
    "nanobind-backend",
}


def mended(error: ImportError) -> ImportError:
    """An error of loading the kernels, with what to do about it if that is known.

    >>> print(mended(ImportError("libgomp.so.1: cannot open shared object file")))
    ... # doctest: +ELLIPSIS
    libgomp.so.1: cannot open shared object file: the compiled kernels share the threads of ...
    """
    for name, words in _MENDS.items():
        if name in str(error):
            return ImportError(f"{error}: {words}")
    return error


try:
    from carousel import _native as _native
except ImportError as error:
    raise mended(error) from error
