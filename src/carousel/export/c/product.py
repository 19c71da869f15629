"""Products of weights and vectors: columns in panels, whose sums stay in registers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from carousel.export.c.builder import Builder
from carousel.export.c.text import plus
from carousel.export.description import Array

PANEL = 64  # columns: 4 vectors of AVX-512, 8 of AVX2; with two sums each, no more fit


def panels(columns: int, panel: int = PANEL) -> list[tuple[int, int]]:
    """Widths of the panels of so many columns, in memory and of those that count; panel: of a
    whole one.

    >>> panels(64), panels(138), panels(10)
    ([(64, 64)], [(64, 64), (64, 64), (12, 10)], [(12, 10)])
    """
    whole, rest = divmod(columns, panel)
    return [(panel, panel)] * whole + ([(-(-rest // 4) * 4, rest)] if rest else [])


def packed(weights: Sequence[Array], panel: int = PANEL) -> Array:
    """Matrices (N, K) side by side, in the order in which a product reads them: panel by panel,
    in each the columns of one input after the other."""
    wide = np.concatenate([np.asarray(w, np.float32) for w in weights], axis=1).T  # (K, N)
    parts, start = [], 0
    for width, count in panels(wide.shape[1], panel):
        part = np.zeros((len(wide), width), np.float32)
        part[:, :count] = wide[:, start : start + count]
        parts.append(part.ravel())
        start += count
    return np.concatenate(parts)


def biases(columns: int, bias: Array | None) -> tuple[Array, str]:
    """Biases of so many columns up to a whole four, zeros for None, and what is said of them."""
    found = np.zeros(-(-columns // 4) * 4, np.float32)
    if bias is not None:
        found[:columns] = bias
    return found, f"their biases{'' if bias is not None else ' (it has none)'}"


def product(
    builder: Builder,
    weights: Sequence[Array],
    bias: Array | None,
    inputs: Sequence[str],
    to: str,
    comment: str,
) -> str:
    """C statements for to = bias + W x, or bias + W x + V h of two weights (N, K) and inputs.

    Reads and writes no memory behind the N sums.
    """
    columns, rows = len(weights[0]), [w.shape[1] for w in weights]
    w = builder.table("w", packed(weights), comment)
    b = builder.table("b", *biases(columns, bias))
    x, n = inputs[0], rows[0]
    h, m = (inputs[1], rows[1]) if len(rows) == 2 else (x, 0)
    lines, start, done = [], 0, 0
    found = panels(columns)
    for panel in dict.fromkeys(found):
        builder.widths[panel] = None
        times = found.count(panel)
        width, count = panel
        name = f"{builder.name}_product{count}"
        at = (plus(w, done), plus(b, start), plus(to, start))
        if times == 1:
            lines.append(f"{name}({at[0]}, {at[1]}, {x}, {n}, {h}, {m}, {at[2]});")
        else:
            lines.append(
                f"for (p = 0; p < {times}; ++p)\n"
                f"    {name}({w} + p * {sum(rows) * width}, {b} + p * {width}, {x}, {n}, {h}, {m}, "
                f"{to} + p * {width});"
            )
        start += times * count
        done += times * sum(rows) * width
    return "\n".join(lines) + "\n"


def functions(name: str, widths: Iterable[tuple[int, int]], with_columns: bool = False) -> str:
    """The C functions of products with panels of these widths, in two forms. with_columns: also
    where there are none, that which the second form goes by.

    Where there are vectors: all columns of a panel at once, each in two sums, so that a processor
    can add to one while it waits for the other. Else: four columns after four, by one function.
    """
    found = list(widths)
    if not found and not with_columns:
        return ""
    vectors = "\n".join(_vectors(name, width, count) for width, count in found)
    scalars = "\n".join(_scalars(name, width, count) for width, count in found)
    return f"""\
/* Products: y[j] = b[j] + sum of x[k] w[k][j] + sum of h[k] w[n + k][j], of the columns j of a
   panel, whose number is in the name. */
#if {name.upper()}_VECTORS

{vectors}
#else

{_columns(name)}
{scalars}
#endif
"""


_ARGUMENTS = (
    "const float *w, const float *b, const float *x, int n, const float *h, int m, float *y"
)


def _vectors(name: str, width: int, count: int) -> str:
    w = width
    return f"""\
static void {name}_product{count}({_ARGUMENTS}) {{
    float even[{w}], odd[{w}];
    int j, k;
    for (j = 0; j < {w}; ++j) even[j] = x[0] * w[j];
    for (j = 0; j < {w}; ++j) odd[j] = b[j];
    w += {w};
    for (k = 1; k + 1 < n; k += 2) {{
        const float first = x[k], second = x[k + 1];
        for (j = 0; j < {w}; ++j) odd[j] += first * w[j];
        for (j = 0; j < {w}; ++j) even[j] += second * w[{w} + j];
        w += {2 * w};
    }}
    if (k < n) {{
        const float last = x[k];
        for (j = 0; j < {w}; ++j) odd[j] += last * w[j];
        w += {w};
    }}
    for (k = 0; k + 1 < m; k += 2) {{
        const float first = h[k], second = h[k + 1];
        for (j = 0; j < {w}; ++j) even[j] += first * w[j];
        for (j = 0; j < {w}; ++j) odd[j] += second * w[{w} + j];
        w += {2 * w};
    }}
    if (k < m) {{
        const float last = h[k];
        for (j = 0; j < {w}; ++j) even[j] += last * w[j];
    }}
    for (j = 0; j < {count}; ++j) y[j] = even[j] + odd[j];
}}
"""


def _columns(name: str) -> str:
    return f"""\
static void {name}_columns(int width, int count, const float *w, const float *b,
                 const float *x, int n, const float *h, int m, float *y) {{
    int j, k;
    for (j = 0; j < width; j += 4) {{
        const float *column = w + j;
        float s0 = b[j], s1 = b[j + 1], s2 = b[j + 2], s3 = b[j + 3];
        for (k = 0; k < n; ++k, column += width) {{
            const float v = x[k];
            s0 += v * column[0], s1 += v * column[1], s2 += v * column[2], s3 += v * column[3];
        }}
        for (k = 0; k < m; ++k, column += width) {{
            const float v = h[k];
            s0 += v * column[0], s1 += v * column[1], s2 += v * column[2], s3 += v * column[3];
        }}
        y[j] = s0;
        if (j + 1 < count) y[j + 1] = s1;
        if (j + 2 < count) y[j + 2] = s2;
        if (j + 3 < count) y[j + 3] = s3;
    }}
}}
"""


def _scalars(name: str, width: int, count: int) -> str:
    return f"""\
static void {name}_product{count}({_ARGUMENTS}) {{
    {name}_columns({width}, {count}, w, b, x, n, h, m, y);
}}
"""
