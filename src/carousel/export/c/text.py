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
"""
"""What a file with `words` begins with."""


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
    lines = [
        "    " + ", ".join(literals[start : start + ON_A_LINE])
        for start in range(0, len(literals), ON_A_LINE)
    ]
    said = f"/* {comment} */\n" if comment else ""
    return f"{said}static const float {name}[{len(literals)}] = {{\n" + ",\n".join(lines) + "\n};\n"


def words(name: str, values: NDArray[Any], comment: str = "") -> str:
    """A large constant array of float32 or int8, by its bytes in memory, eight to a literal.

    Compilers take a half to a sixth of the time for it that as many decimal numbers take, and bits
    are kept as they are. The bytes are those of a little-endian processor; see `ORDER`.

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
    lines = [
        "    " + ", ".join(literals[start : start + WORDS_ON_A_LINE])
        for start in range(0, len(literals), WORDS_ON_A_LINE)
    ]
    said = f"/* {comment} */\n" if comment else ""
    both = f"{{ uint64_t bits[{len(little)}]; {kind} numbers[{len(whole)}]; }}"
    head = f"{said}static const union {both} {name}_bits = {{{{\n"
    return head + ",\n".join(lines) + f"\n}}}};\n#define {name} {name}_bits.numbers\n"


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
    """Sections of helpers.c: what each needs, and its text."""
    whole = resources.files(__package__).joinpath("helpers.c").read_text(encoding="utf-8")
    found = {}
    for section in re.split(r"^== ", whole, flags=re.MULTILINE)[1:]:
        head, body = section.split("\n", 1)
        name, needs = head.split(":")
        found[name] = (tuple(needs.split()), body.strip() + "\n")
    return found
