"""C of one step of cells of one product: RNN, minGRU, minLSTM, IndRNN, QRNN."""

from __future__ import annotations

from carousel.export.c.cell import Cell, zoned


def rnn(cell: Cell) -> str:
    """h' = phi(W_ih x + W_hh h + biases), the sums normalised where there is a gain."""
    text = cell.sums("a", 1)
    if "weight_ln" in cell.weights:
        weights = {"weight_ih": cell.weights["weight_ih"], "weight_hh": cell.weights["weight_hh"]}
        bare = Cell(cell.builder, cell.stack, weights, cell.said)
        bias = cell.bias("bias_ih", "bias_hh")
        text += bare.joint("a") + cell.normalised("a", "weight_ln", bias, (cell.hidden,))
    else:
        text += cell.joint("a")
    value = f"{cell.activation('nonlinearity')}(a[u])"
    return text + cell.clear("a", 1) + f"{cell.units} {zoned(cell, 'h', 'h', value)}"


def ind_rnn(cell: Cell) -> str:
    """h' = phi(W x + b + v h), each unit with its own past alone."""
    own = cell.builder.table("own", cell.weights["weight_hh"], f"{cell.said}: weight_hh", True)
    value = f"{cell.activation('nonlinearity')}(a[u] + {own}[u] * h[u])"
    text = cell.sums("a", 1) + cell.of("ih", "x", "a") + cell.clear("a", 1)
    return text + f"{cell.units} {zoned(cell, 'h', 'h', value)}"


def min_gru(cell: Cell) -> str:
    """h' = (1 - z) h + z n, with z and n of x alone."""
    n, sigmoid = cell.hidden, cell.builder.function_of("sigmoid")
    text = cell.sums("a", 2) + cell.of("ih", "x", "a") + cell.clear("a", 2)
    return (
        text
        + f"""\
{cell.units} {{
    const float z = {sigmoid}(a[u]);
    const float n = {_candidate(cell, f"a[{n} + u]")};
    {zoned(cell, "h", "h", "(1.0f - z) * h[u] + z * n")}}}
"""
    )


def min_lstm(cell: Cell) -> str:
    """h' = f h + i n, with f = sigma(a_f) / (sigma(a_f) + sigma(a_i)), i = 1 - f and n of x alone.

    Both gates times e^-m, m = max(0, -a_f, -a_i): neither is lost where both are tiny.
    """
    n, exp = cell.hidden, cell.builder.function_of("exp")
    text = cell.sums("a", 3) + cell.of("ih", "x", "a") + cell.clear("a", 3)
    return (
        text
        + f"""\
{cell.units} {{
    const float f = -a[u], i = -a[{n} + u];
    const float larger = f > i ? f : i;
    const float m = larger > 0.0f ? larger : 0.0f;
    const float of_f = {exp}(-m) + {exp}(f - m);
    const float of_i = {exp}(-m) + {exp}(i - m);
    const float n = {_candidate(cell, f"a[{2 * n} + u]")};
    {zoned(cell, "h", "h", "(of_i * h[u] + of_f * n) / (of_i + of_f)")}}}
"""
    )


def qrnn(cell: Cell) -> str:
    """c' = f c + (1 - f) g, h' = o c', with g, f, o of x, and of the one before, through n."""
    units, sigmoid = cell.hidden, cell.builder.function_of("sigmoid")
    tanh = cell.builder.function_of("tanh")
    text = cell.sums("a", 3) + cell.of("ih", "x", "a")
    if "weight_ph" in cell.weights:
        text = cell.sums("next", 3) + text + cell.of("ph", "x", "next")
        text += (
            f"for (u = 0; u < {3 * units}; ++u) {{\n    a[u] += n[u];\n    n[u] = next[u];\n}}\n"
        )
    return (
        text
        + cell.clear("a", 3)
        + f"""\
{cell.units} {{
    const float f = {sigmoid}(a[{units} + u]);
    c[u] = f * c[u] + (1.0f - f) * {tanh}(a[u]);
    h[u] = {sigmoid}(a[{2 * units} + u]) * c[u];
}}
"""
    )


def _candidate(cell: Cell, value: str) -> str:
    if cell.stack.options["nonlinearity"] == "linear":
        return value
    return f"{cell.builder.function_of('candidate')}({value})"
