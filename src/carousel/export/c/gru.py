"""C of one step of the GRU."""

from __future__ import annotations

from carousel.export.c.builder import room
from carousel.export.c.cell import Cell, zoned


def body(cell: Cell) -> str:
    """C statements of a step: x and h are pointers, h is written."""
    options, n = cell.stack.options, cell.hidden
    usual = (options["activation"], options["gate_activation"]) == ("tanh", "sigmoid")
    text = cell.sums("a", 3) + cell.sums("b", 3)
    if not options["reset_after"]:
        return text + _reset_before(cell)
    if "weight_ln_ih" in cell.weights:
        widths = (2 * n, n)
        for which, source, to in (("ih", "x", "a"), ("hh", "h", "b")):
            text += cell.of(which, source, to, bias=False)
            bias = cell.bias(f"bias_{which}")
            text += cell.normalised(to, f"weight_ln_{which}", bias, widths)
    else:
        text += cell.of("ih", "x", "a") + cell.of("hh", "h", "b")
    text += cell.clear("a", 3) + cell.clear("b", 3)
    return text + (_fused(cell) if usual else _general(cell))


def _fused(cell: Cell) -> str:
    """The usual functions, with two divisions in place of three.

    With E = e^-a_z and m = e^2n - 1: (1 - z) n + z h = [E m + h (m + 2)] / [(1 + E) (m + 2)].
    """
    cell.builder.use("clamp", "exp_minus", "expm1_twice")
    p, n = cell.builder.name, cell.hidden
    value = "(e * m + h[u] * (m + 2.0f)) / ((1.0f + e) * (m + 2.0f))"
    return f"""\
for (u = 0; u < {2 * n}; ++u) a[u] = {p}_clamp(a[u] + b[u], 27.0f);
{cell.units} b[u] = b[{2 * n} + u] / (1.0f + {p}_exp_minus(a[u]));
{cell.units} b[u] = {p}_clamp(a[{2 * n} + u] + b[u], 27.0f);
{cell.units} {{
    const float e = {p}_exp_minus(a[{n} + u]);
    const float m = {p}_expm1_twice(b[u]);
    {zoned(cell, "h", "h", value)}}}
"""


def _general(cell: Cell) -> str:
    n, activation = cell.hidden, cell.activation("activation")
    gate = cell.activation("gate_activation")
    return f"""\
{cell.units} {{
    const float r = {gate}(a[u] + b[u]);
    const float z = {gate}(a[{n} + u] + b[{n} + u]);
    const float n = {activation}(a[{2 * n} + u] + r * b[{2 * n} + u]);
    {zoned(cell, "h", "h", "(1.0f - z) * n + z * h[u]")}}}
"""


def _reset_before(cell: Cell) -> str:
    """The reset gate acts on h before its product: two products, one after the other."""
    n, activation = cell.hidden, cell.activation("activation")
    gate = cell.activation("gate_activation")
    return (
        f"float reset[{room(n)}];\n"
        + cell.of("ih", "x", "a")
        + cell.of("hh", "h", "b", slice(0, 2 * n))
        + cell.clear("a", 3)
        + cell.clear("b", 2)
        + f"{cell.units} reset[u] = {gate}(a[u] + b[u]) * h[u];\n"
        + cell.of("hh", "reset", f"b + {2 * n}", slice(2 * n, None))
        + cell.clear("b", 3)
        + f"""\
{cell.units} {{
    const float z = {gate}(a[{n} + u] + b[{n} + u]);
    const float n = {activation}(a[{2 * n} + u] + b[{2 * n} + u]);
    {zoned(cell, "h", "h", "(1.0f - z) * n + z * h[u]")}}}
"""
    )
