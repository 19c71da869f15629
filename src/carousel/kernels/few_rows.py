"""Operations on a few rows in one call of the compiled module: copies, products and the like."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel import _native

Array = NDArray[np.float32]
POINTWISE = {"relu": 3, "sigmoid": 4, "tanh": 5}
_FLOAT = 4  # bytes


class RowProgram:
    """Operations of a step of a few rows, one after the other; `run` does them all.

    Arrays are read and written where they lie, and are kept as long as the program. Each operation
    checks them when it is added: TypeError for numbers that are not float32, ValueError for shapes
    that do not fit, for arrays that are not contiguous where they have to be, and for a result that
    must not be written to.

    >>> x, weight = np.float32([[1, -2, 3]]), np.float32([[1, 1, 1], [-1, 0, 1]])
    >>> y, program = np.zeros((1, 2), np.float32), RowProgram()
    >>> program.product(x, weight, np.float32([0.5, -9]), y)
    >>> program.pointwise("relu", y, y)
    >>> program.run()
    >>> y.tolist()
    [[2.5, 0.0]]
    """

    def __init__(self) -> None:
        self._native = _native.RowProgram()
        self._kept: list[Any] = []

    def run(self) -> None:
        """Do all operations, on what the arrays hold now."""
        self._native.run()  # as a method: who has it has the arrays

    def copy(self, x: Array, y: Array) -> None:
        """y = x, of one shape and up to four axes, wherever their numbers lie."""
        whole = all(s % _FLOAT == 0 for a in (x, y) for s in a.strides)
        _fit(x.shape == y.shape and x.ndim <= 4 and whole, x, y)
        more = 4 - x.ndim
        sizes = (*(1,) * more, *x.shape)
        distances = [(*(0,) * more, *(s // _FLOAT for s in a.strides)) for a in (x, y)]
        self._add(0, (x, None, None, y), sizes, *distances)

    def product(self, x: Array, weight: Array, bias: Array | None, y: Array) -> None:
        """y = x Wᵀ + b: x (N, I), W (O, I), b (O,) or None, y (N, O)."""
        given = (x, weight, y) if bias is None else (x, weight, bias, y)
        fits = x.ndim == weight.ndim == 2 and x.shape[1] == weight.shape[1]
        fits = fits and y.shape == (len(x), len(weight))
        fits = fits and (bias is None or bias.shape == (len(weight),))
        _fit(fits and all(a.flags.c_contiguous for a in given), *given)
        self._add(1, (x, weight, bias, y), (*x.shape, len(weight), 1))

    def magnitude(self, x: Array, y: Array) -> None:
        """y = √(re² + im²): x (N, 2 C), real parts first, y (N, C)."""
        fits = x.ndim == y.ndim == 2 and x.shape == (len(y), 2 * y.shape[1])
        _fit(fits and x.flags.c_contiguous and y.flags.c_contiguous, x, y)
        self._add(2, (x, None, None, y), (*y.shape, 1, 1))

    def pointwise(self, kind: str, x: Array, y: Array) -> None:
        """y = f(x), of `POINTWISE`; y may be x."""
        _fit(x.shape == y.shape and x.flags.c_contiguous and y.flags.c_contiguous, x, y)
        self._add(POINTWISE[kind], (x, None, None, y), (x.size, 1, 1, 1))

    def _add(
        self,
        kind: int,
        arrays: tuple[Array | None, ...],
        sizes: tuple[int, ...],
        distances: tuple[int, ...] = (0, 0, 0, 0),
        to: tuple[int, ...] = (0, 0, 0, 0),
    ) -> None:
        self._kept.append(arrays)
        places = [0 if a is None else int(a.__array_interface__["data"][0]) for a in arrays]
        self._native.add(kind, places, sizes, distances, to)


def _fit(fits: bool, *arrays: Array) -> None:
    """Raise for arrays that cannot be read, or the last of them written, as they are."""
    for array in arrays:
        if array.dtype != np.float32:
            raise TypeError(f"operations on rows are of float32, got {array.dtype}")
    if not fits:
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise ValueError(f"arrays of the shapes {shapes} do not fit each other as they lie")
    if not arrays[-1].flags.writeable:
        raise ValueError("the array for the result is read-only")
