"""The IDX format of the MNIST files: a big-endian header, then the values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carousel.data.files.file_kind import kind_of
from carousel.errors import DataError


def parse_idx(content: bytes, source: str) -> NDArray[np.uint8]:
    """The array in the bytes of an IDX file of unsigned bytes, any number of dimensions.

    Header: two zero bytes, the type (8 = unsigned byte), the number of dimensions, then each
    dimension as a big-endian 32-bit integer. `source` names the file in errors. Raises `DataError`.

    >>> parse_idx(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]), "example").tolist()
    [7, 9]
    """
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        kind = kind_of(content)
        what = "is empty" if not content else f"is {kind.name}" if kind else ""
        told = f"{what}: it is not" if what else "is not"
        raise DataError(f"{source} {told} an IDX file of unsigned bytes, as MNIST's are")
    dimensions = content[3]
    offset = 4 + 4 * dimensions
    shape = np.frombuffer(content[4:offset], ">u4").astype(int)
    if len(shape) != dimensions or len(content) != offset + int(np.prod(shape)):
        raise DataError(
            f"{source} is cut short or too long: its header says {'x'.join(map(str, shape))} "
            f"bytes of data, it has {len(content) - offset}"
        )
    return np.frombuffer(content, np.uint8, offset=offset).reshape(shape)
