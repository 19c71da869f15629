"""Fingerprints of data as they were read: equal where contents and their order are.

Whole numbers count by their value, and so do others, however many bits they are kept in; texts by
their characters. How a file wrote them (line breaks, quotation marks, columns that are not read)
changes nothing.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from torch import Tensor

from carousel.data.store.texts import MappedTexts
from carousel.data.tagged import Tagged, tag_of

_BYTES = 16
_AT_ONCE = 1 << 20


def fingerprint(content: Any, *, numbers: bool = True) -> str:
    """The fingerprint of texts, whole numbers, arrays, tensors, sequences and dataclasses of them.

    numbers: also of arrays of numbers; without, of them only how many there are in each place
    (shape), and whole numbers that stand in one row (labels, lengths).

    >>> fingerprint(["a", "b"]) == fingerprint(["ab", ""])
    False
    >>> fingerprint(Tensor([1.0])) == fingerprint(np.array([1.0]))
    True
    """
    state = hashlib.blake2b(digest_size=_BYTES)
    for piece in _pieces(content, numbers):
        state.update(piece)
    return state.hexdigest()


def _pieces(content: Any, numbers: bool) -> Iterator[bytes]:
    if isinstance(content, str):
        yield b"s" + _head(len(content))
        yield content.encode("utf-8", "surrogatepass")
    elif isinstance(content, Tensor):
        yield from _of_array(content.detach().cpu().numpy(), numbers)
    elif isinstance(content, np.ndarray):
        yield from _of_array(content, numbers)
    elif content is None or isinstance(content, bool | int | float):
        yield f"v{content!r};".encode()
    elif dataclasses.is_dataclass(content):
        yield b"d"
        for field in dataclasses.fields(content):
            yield from _pieces(field.name, numbers)
            yield from _pieces(getattr(content, field.name), numbers)
    elif isinstance(content, MappedTexts):
        yield from _of_texts(content)
    elif isinstance(content, Iterable):
        yield from _of_sequence(list(content), numbers)
    else:
        raise TypeError(f"no fingerprint of a {type(content).__name__}")


def _of_sequence(items: list[Any], numbers: bool) -> Iterator[bytes]:
    yield b"l" + _head(len(items))
    if items and all(isinstance(item, str) for item in items):  # at once: there may be millions
        yield np.array(list(map(len, items)), "<i8").tobytes()
        yield "".join(items).encode("utf-8", "surrogatepass")
        if isinstance(items[0], Tagged):  # all of a file have tags, or none
            yield b"t"
            yield from _of_sequence([*map(tag_of, items)], numbers)
        return
    for item in items:
        yield from _pieces(item, numbers)


def _of_texts(texts: MappedTexts) -> Iterator[bytes]:
    """Pieces as of a list of the texts."""
    yield b"l" + _head(len(texts))
    for some in texts.blocks():
        yield np.array(list(map(len, some)), "<i8").tobytes()
    for some in texts.blocks():
        yield "".join(some).encode("utf-8", "surrogatepass")


def _of_array(array: np.ndarray[Any, Any], numbers: bool) -> Iterator[bytes]:
    yield f"a{array.shape};".encode()
    if array.dtype.kind not in "biuf":
        yield array.dtype.str.encode()
        yield np.ascontiguousarray(array).tobytes()
    elif numbers or (array.ndim == 1 and array.dtype.kind in "biu"):
        flat = array.reshape(-1)
        kind = "<f8" if array.dtype.kind == "f" else "<i8"
        for start in range(0, len(flat), _AT_ONCE):
            piece = flat[start : start + _AT_ONCE].astype(kind)
            if kind == "<f8":
                piece = piece + 0.0  # there is one zero
                piece[np.isnan(piece)] = np.nan  # and one NaN
            yield piece.tobytes()


def _head(count: int) -> bytes:
    return f"{count};".encode()
