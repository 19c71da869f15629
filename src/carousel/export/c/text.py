"""C text of names, numbers and tables."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

ON_A_LINE, WORDS_ON_A_LINE = 6, 4
ORDER = """\
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "large tables in this file have the bytes of little-endian processors"
#endif

#if defined(__GNUC__)
#define NET_ALIGNED __attribute__((aligned(64)))
#elif defined(_MSC_VER)
#define NET_ALIGNED __declspec(align(64))
#else
#define NET_ALIGNED
#endif
"""
"""What a file with `words` begins with, with the name of the network for NET."""


def identifier(stem: str) -> str:
    """Prefix of every name in a file: the stem with what C allows in a name.

    >>> identifier("my-net.v2"), identifier("3 layers"), identifier("_Net")
    ('my_net_v2', 'n3_layers', 'Net')
    """
    name = re.sub(r"[^0-9A-Za-z_]", "_", stem).lstrip("_") or "net"
    return f"n{name}" if name[0].isdigit() else name


def number(value: float) -> str:
    """The shortest float literal that reads back as the same float32.

    >>> number(0.1), number(-3.0), number(1e-30)
    ('0.1f', '-3.0f', '1e-30f')
    """
    return f"{np.float32(value)!s}f"


def table(name: str, values: NDArray[np.float32], comment: str = "") -> str:
    """A constant array, with a line on what is in it, its numbers as one reads them."""
    literals = [f"{value!s}f" for value in np.asarray(values, np.float32).ravel()]
    return _array("float", name, literals, comment, ON_A_LINE)


def integers(name: str, values: NDArray[Any], comment: str = "") -> str:
    """A constant array of int8 or int, its numbers as one reads them."""
    kind = "signed char" if values.dtype == np.int8 else "int"
    return _array(kind, name, list(map(str, values.ravel().tolist())), comment, 2 * ON_A_LINE)


def _array(kind: str, name: str, literals: list[str], comment: str, on_a_line: int) -> str:
    head = f"static const {kind} {name}[{len(literals)}] = {{\n"
    return f"{_said(comment)}{head}{_lines(literals, on_a_line)}\n}};\n"


def _said(comment: str) -> str:
    return f"/* {comment} */\n" if comment else ""


def _lines(literals: list[str], on_a_line: int) -> str:
    return ",\n".join(
        "    " + ", ".join(literals[start : start + on_a_line])
        for start in range(0, len(literals), on_a_line)
    )


def words(name: str, values: NDArray[Any], comment: str = "", aligned: str = "") -> str:
    """A large constant array of float32 or int8, by its bytes in memory, eight to a literal.

    Compilers take a half (gcc) to a quarter (clang) of the time for it that as many decimal numbers
    take, and bits are kept as they are. The bytes are those of a little-endian processor; see
    `ORDER`. aligned: a word of C that puts it at the beginning of a line of the cache.

    >>> print(words("net_w", np.array([1.0, -2.0, 0.5], np.float32)))
    static const union { uint64_t bits[2]; float numbers[4]; } net_w_bits = {{
        0xc00000003f800000, 0x3f000000
    }};
    #define net_w net_w_bits.numbers
    <BLANKLINE>
    """
    values = np.ascontiguousarray(values)
    kind = {"float32": "float", "int8": "signed char"}[values.dtype.name]
    each = 8 // values.itemsize
    whole = np.pad(values.ravel(), (0, -values.size % each))
    little = whole.astype(whole.dtype.newbyteorder("<")).view("<u8").tolist()
    literals = [f"0x{word:x}" for word in little]
    both = f"{{ uint64_t bits[{len(little)}]; {kind} numbers[{len(whole)}]; }}"
    head = f"{_said(comment)}static const {aligned}union {both} {name}_bits = {{{{\n"
    text = _lines(literals, WORDS_ON_A_LINE)
    return f"{head}{text}\n}}}};\n#define {name} {name}_bits.numbers\n"


def indented(text: str, spaces: int = 4) -> str:
    """Text with every line that is not empty moved to the right."""
    return re.sub(r"^(?=[^\n#])", " " * spaces, text, flags=re.MULTILINE)


def plus(name: str, offset: int) -> str:
    """A pointer so many numbers on.

    >>> plus("x", 3), plus("x", 0)
    ('x + 3', 'x')
    """
    return f"{name} + {offset}" if offset else name


def block(text: str) -> str:
    """Statements in a block of their own, with the counters that they use."""
    counters = [name for name in ("i", "p") if f"for ({name} = " in text]
    declared = f"int {', '.join(counters)};\n" if counters else ""
    return f"{{\n{indented(declared + text)}}}"


@cache
def helpers() -> dict[str, tuple[tuple[str, ...], str]]:
    """Sections of helpers.c and eight.c: what each needs, and its text."""
    files = resources.files(__package__)
    whole = "".join(
        files.joinpath(name).read_text(encoding="utf-8") for name in ("helpers.c", "eight.c")
    )
    found = {}
    for section in re.split(r"^== ", whole, flags=re.MULTILINE)[1:]:
        head, body = section.split("\n", 1)
        name, needs = head.split(":")
        found[name] = (tuple(needs.split()), body.strip() + "\n")
    return found
