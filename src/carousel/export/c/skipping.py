"""C of one step of the cells whose input may skip the weights: SRU, RG-LRU, S6."""

from __future__ import annotations

import numpy as np

from carousel.export.c.builder import room
from carousel.export.c.cell import Cell
from carousel.export.c.product import product
from carousel.export.description import Array

POWER = 8.0  # of the RG-LRU's decay


def sru(cell: Cell) -> str:
    """c' = f c + (1 - f) n, h' = r c' + (1 - r) s, with gates that see x and the own c."""
    n, sigmoid = cell.hidden, cell.builder.function_of("sigmoid")
    own = _halves(cell, "weight_c")
    return f"""\
{_sums(cell)}for (u = 0; u < {n}; ++u) {{
    const float f = {sigmoid}(a[u] + {own}[u] * c[u]);
    const float r = {sigmoid}(a[{n} + u] + {own}[{n} + u] * c[u]);
    const float s = {_skipped(cell, 3)};
    c[u] = f * c[u] + (1.0f - f) * a[{2 * n} + u];
    h[u] = r * c[u] + (1.0f - r) * s;
}}
"""


def rg_lru(cell: Cell) -> str:
    """h' = a h + sqrt(1 - a^2) i n, with a = exp(-8 r softplus(-Lambda)) and gates of x alone."""
    builder, n = cell.builder, cell.hidden
    sigmoid, exp = builder.function_of("sigmoid"), builder.function_of("exp")
    softplus, root = builder.function_of("softplus"), builder.function_of("inverse_root")
    builder.use("clamp", "expm1_twice")
    p, decay = builder.name, _halves(cell, "weight_lambda")
    return f"""\
{_sums(cell)}for (u = 0; u < {n}; ++u) {{
    const float r = {sigmoid}(a[u]), i = {sigmoid}(a[{n} + u]);
    const float kept = -{POWER}f * r * {softplus}(-{decay}[u]); /* ln a */
    const float rest = -{p}_expm1_twice({p}_clamp(kept, 40.0f)); /* 1 - a^2 */
    const float admitted = rest > 1e-37f ? rest * {root}(rest) : 0.0f;
    h[u] = {exp}(kept) * h[u] + admitted * i * {_skipped(cell, 2)};
}}
"""


def s6(cell: Cell) -> str:
    """c' = exp(step A) c + step n B, h' = C c' + D n, with step, B and C of x alone."""
    builder, weights, H = cell.builder, cell.weights, cell.hidden
    exp, softplus = builder.function_of("exp"), builder.function_of("softplus")
    order = weights["weight_bx"].shape[0]
    decay = -np.exp(weights["weight_log_a"].astype(np.float64)).T.ravel()
    table = builder.table("decay", decay.astype(np.float32), f"{cell.said}: A, unit by unit")
    given = [
        product(builder, [weights[name]], None, ("x",), to, f"{cell.said}: {name}")
        for name, to in (("weight_bx", "written"), ("weight_cx", "told"))
    ]
    bias, plus = cell.bias("bias_delta"), ""
    if bias is not None:
        plus = f" + {builder.table('b', bias, f'{cell.said}: biases of its steps')}[u]"
    return f"""\
float written[{room(order)}], told[{room(order)}];
{cell.sums("a", _blocks(cell))}{cell.of("ih", "x", "a", bias=False)}{"".join(given)}\
for (u = 0; u < {H}; ++u) {{
    const float step = {softplus}(a[u]{plus}), n = {_skipped(cell, 1)};
    float y = {_halves(cell, "weight_skip")}[u] * n;
    for (p = 0; p < {order}; ++p) {{
        const float kept = {exp}(step * {table}[p * {H} + u]) * c[p * {H} + u];
        c[p * {H} + u] = kept + step * n * written[p];
        y += told[p] * c[p * {H} + u];
    }}
    h[u] = y;
}}
"""


def _halves(cell: Cell, name: str) -> str:
    return cell.builder.table("own", cell.weights[name], f"{cell.said}: {name}")


def _blocks(cell: Cell) -> int:
    return len(cell.weights["weight_ih"]) // cell.hidden


def _sums(cell: Cell) -> str:
    """All blocks of W x, with the biases of the gates, which stand in the first two of them."""
    blocks = _blocks(cell)
    bias: Array | None = cell.bias("bias_ih")
    text = cell.sums("a", blocks) + cell.of("ih", "x", "a", bias=False)
    if bias is None:
        return text
    table = cell.builder.table("b", bias, f"{cell.said}: biases of its gates")
    return text + f"for (u = 0; u < {len(bias)}; ++u) a[u] += {table}[u];\n"


def _skipped(cell: Cell, block: int) -> str:
    """Code for what passes the cell by: a block of the sums, or x if that has as many features."""
    return f"a[{block * cell.hidden} + u]" if _blocks(cell) > block else "x[u]"
