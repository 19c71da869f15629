"""C of one step of the LRU."""

from __future__ import annotations

import numpy as np

from carousel.export.c.cell import Cell
from carousel.export.description import Array


def body(cell: Cell) -> str:
    """s' = lambda s + gamma (p + i q), s = c + i n, h' = W (c', n') + g."""
    units, builder = cell.hidden, cell.builder
    along, across, admitted = (
        builder.table(name, values, f"{cell.said}: {said}")
        for (name, said), values in zip(_SAID.items(), _constants(cell), strict=True)
    )
    bias, plus = cell.bias("bias_ih"), ""
    if bias is not None:
        plus = f" + {builder.table('b', bias, f'{cell.said}: biases of its outputs')}[u]"
    return f"""\
{cell.sums("a", 3)}{cell.sums("s", 2)}{cell.sums("y", 1)}{cell.of("ih", "x", "a", bias=False)}\
{cell.clear("s", 2)}for (u = 0; u < {units}; ++u) {{
    const float real = c[u], imaginary = n[u];
    c[u] = {along}[u] * real - {across}[u] * imaginary + {admitted}[u] * a[{units} + u];
    n[u] = {along}[u] * imaginary + {across}[u] * real + {admitted}[u] * a[{2 * units} + u];
    s[u] = c[u];
    s[{units} + u] = n[u];
}}
{cell.of("sh", "s", "y")}for (u = 0; u < {units}; ++u) h[u] = y[u] + a[u]{plus};
"""


_SAID = {"along": "Re lambda", "across": "Im lambda", "admitted": "exp(gamma)"}


def _constants(cell: Cell) -> tuple[Array, Array, Array]:
    nu, theta, gamma = (
        cell.weights[name].astype(np.float64)
        for name in ("weight_nu", "weight_theta", "weight_gamma")
    )
    size, angle = np.exp(-np.exp(nu)), np.exp(theta)
    found = size * np.cos(angle), size * np.sin(angle), np.exp(gamma)
    along, across, admitted = (part.astype(np.float32) for part in found)
    return along, across, admitted
