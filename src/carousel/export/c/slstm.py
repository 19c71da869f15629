"""C of one step of the sLSTM."""

from __future__ import annotations

from carousel.export.c.cell import Cell
from carousel.export.c.product import product
from carousel.export.c.text import indented


def body(cell: Cell) -> str:
    """C statements of a step: x, h, c, n and m are pointers, all but x are written."""
    units, builder = cell.hidden, cell.builder
    exp, tanh, sigmoid = (builder.function_of(name) for name in ("exp", "tanh", "sigmoid"))
    forget = f"a[{units} + u]"
    if cell.stack.options["nonlinearity"] == "sigmoid":
        forget = f"-{builder.function_of('softplus')}(-{forget})"
    return f"""\
{cell.sums("a", 4)}{_sums(cell)}{cell.clear("a", 4)}{cell.units} {{
    const int fresh = n[u] == 0.0f;
    const float held = {forget} + m[u];
    const float top = fresh || a[u] > held ? a[u] : held;
    const float i = {exp}(a[u] - top);
    const float f = fresh ? 0.0f : {exp}(held - top);
    c[u] = f * c[u] + i * {tanh}(a[{2 * units} + u]);
    n[u] = f * n[u] + i;
    m[u] = top;
    h[u] = {sigmoid}(a[{3 * units} + u]) * (c[u] / n[u]);
}}
"""


def _sums(cell: Cell) -> str:
    """Sums a of all four blocks: W x + b, and of each head R h of its own units."""
    units, size = cell.hidden, cell.weights["weight_hh"].shape[1]
    if size == units:
        return cell.joint("a")
    blocks = cell.weights["weight_hh"].reshape(4, units // size, size, size)
    text = cell.of("ih", "x", "a")
    for head in range(units // size):
        weight, start = blocks[:, head].reshape(4 * size, size), head * size
        said = f"{cell.said}: weight_hh of head {head}"
        made = product(cell.builder, [weight], None, (f"h + {start}",), "own", said)
        added = f"a[u / {size} * {units} + {start} + u % {size}] += own[u];"
        inside = f"float own[{4 * size}];\n{made}for (u = 0; u < {4 * size}; ++u) {added}\n"
        text += f"{{\n{indented(inside)}}}\n"
    return text
