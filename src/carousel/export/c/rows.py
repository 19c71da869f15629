"""Products of one matrix with several rows, each weight read once for up to four of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from carousel.export.c.builder import Builder
from carousel.export.c.product import biases, packed, panels
from carousel.export.c.text import plus
from carousel.export.description import Array

PANEL = 32  # columns: with four rows, 8 vectors of AVX-512 or 16 of AVX2 keep all sums
AT_ONCE = 4


@dataclass(frozen=True)
class Rows:
    """Rows x[0], x[stride], … of n numbers, from one pointer on, and where their sums go."""

    source: str
    count: int
    stride: int
    to: str


def rows_product(builder: Builder, weight: Array, bias: Array | None, rows: Rows, said: str) -> str:
    """C statements for to[r] = bias + W x[r] of all rows; W (N, K), and N numbers from row to row
    of the result. The loops count in p and t."""
    columns, inputs = weight.shape
    w = builder.table("w", packed([weight], PANEL), said)
    b = builder.table("b", *biases(columns, bias))
    text, start = "", 0
    for width, times, count in _runs(panels(columns, PANEL)):
        inner, first = "", 0
        for at_once, blocks in _blocks(rows.count):
            builder.rows[at_once, width, count] = None
            inner += _calls(builder.name, (at_once, blocks, first), (inputs, columns, count), rows)
            first += at_once * blocks
        text += f"""\
for (p = 0; p < {times}; ++p) {{
    const float *w = {plus(w, start * inputs)} + p * {width * inputs};
    const float *b = {plus(b, start)} + p * {width}, *from = {rows.source};
    float *to = {plus(rows.to, start)} + p * {width};
{inner}}}
"""
        start += times * width
    return text


def _calls(name: str, block: tuple[int, int, int], sizes: tuple[int, int, int], rows: Rows) -> str:
    (at_once, blocks, first), (inputs, columns, count) = block, sizes
    call = (
        f"{name}_rows{at_once}x{count}(w, b, from{{}}, {rows.stride}, {inputs}, to{{}}, {columns});"
    )
    if blocks == 1:
        x, y = (f" + {first * step}" if first else "" for step in (rows.stride, columns))
        return f"    {call.format(x, y)}\n"
    x, y = (f" + t * {at_once * step}" for step in (rows.stride, columns))
    return f"    for (t = 0; t < {blocks}; ++t)\n        {call.format(x, y)}\n"


def _blocks(rows: int) -> list[tuple[int, int]]:
    """Rows at once and how often, largest first.

    >>> _blocks(11), _blocks(2)
    ([(4, 2), (2, 1), (1, 1)], [(2, 1)])
    """
    rest = rows % AT_ONCE
    found = [(AT_ONCE, rows // AT_ONCE), (2, rest // 2), (1, rest % 2)]
    return [(at_once, blocks) for at_once, blocks in found if blocks]


def _runs(found: list[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """Panels by width, how many there are, and their columns that count."""
    return [(width, found.count((width, count)), count) for width, count in dict.fromkeys(found)]


def row_functions(name: str, shapes: Iterable[tuple[int, int, int]]) -> str:
    """The C functions of products of rows, in two forms as those of `product.functions`."""
    found = list(shapes)
    if not found:
        return ""
    vectors = "\n".join(_vectors(name, *shape) for shape in found)
    scalars = "\n".join(_scalars(name, *shape) for shape in found)
    return f"""\
/* The same of rows at once, as many as the name says: y[r] of x + r stride; N numbers from y[r] to
   y[r + 1]. */
#if {name.upper()}_VECTORS

{vectors}
#else

{scalars}
#endif
"""


def _row(start: str, row: int, step: str) -> str:
    return f"{start} + {f'{row} * ' * (row > 1)}{step}" if row else start


_ARGUMENTS = "const float *w, const float *b, const float *x, int stride, int n, float *y, int N"


def _vectors(name: str, rows: int, width: int, count: int) -> str:
    sums = [f"s{r}" for r in range(rows)]
    declared = ", ".join(f"{s}[{width}]" for s in sums)
    starts = "".join(f"    for (j = 0; j < {width}; ++j) {s}[j] = b[j];\n" for s in sums)
    values = ", ".join(f"v{r} = x[{_row('k', r, 'stride')}]" for r in range(rows))
    adds = "".join(
        f"        for (j = 0; j < {width}; ++j) {s}[j] += v{r} * w[j];\n"
        for r, s in enumerate(sums)
    )
    ends = "".join(
        f"    for (j = 0; j < {count}; ++j) y[{_row('j', r, 'N')}] = {s}[j];\n"
        for r, s in enumerate(sums)
    )
    unused = "    (void)stride, (void)N;\n" if rows == 1 else ""
    return f"""\
static void {name}_rows{rows}x{count}({_ARGUMENTS}) {{
    float {declared};
    int j, k;
{unused}{starts}    for (k = 0; k < n; ++k, w += {width}) {{
        const float {values};
{adds}    }}
{ends}}}
"""


def _scalars(name: str, rows: int, width: int, count: int) -> str:
    unused = "    (void)stride, (void)N;\n" if rows == 1 else ""
    calls = "".join(
        f"    {name}_columns({width}, {count}, w, b, {_row('x', r, 'stride')}, n, x, 0, "
        f"{_row('y', r, 'N')});\n"
        for r in range(rows)
    )
    return f"""\
static void {name}_rows{rows}x{count}({_ARGUMENTS}) {{
{unused}{calls}}}
"""
