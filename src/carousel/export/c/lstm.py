"""C of one step of the LSTM."""

from __future__ import annotations

from carousel.cells.table import LSTM
from carousel.export.c.builder import room
from carousel.export.c.cell import Cell, zoned
from carousel.export.c.product import product


def body(cell: Cell) -> str:
    """C statements of a step: x, h and c are pointers, h and c are written."""
    options = cell.stack.options
    given = {"variant": options["variant"], "coupled": options["coupled"]}
    gates = LSTM.gates_with(given.get)
    blocks = len(gates)
    text = cell.sums("a", blocks)
    normal = "weight_ln_ih" in cell.weights
    if normal:
        text += cell.sums("b", blocks)
    text += f"float shown[{room(cell.hidden)}];\n"
    text += _sums(cell, blocks, normal)
    peepholes = _peepholes(cell, gates)
    usual = (options["activation"], options["gate_activation"]) == ("tanh", "sigmoid")
    if usual and gates == "ifgo" and not normal and not options["variant"]:
        text += _fused(cell, peepholes)
    else:
        text += _general(cell, gates, peepholes, normal)
    return text + _out(cell)


def _sums(cell: Cell, blocks: int, normal: bool) -> str:
    if not normal:
        return cell.joint("a") + cell.clear("a", blocks)
    widths = (blocks * cell.hidden,)
    bias = cell.bias("bias_ih", "bias_hh")
    return (
        cell.of("ih", "x", "a", bias=False)
        + cell.of("hh", "h", "b", bias=False)
        + cell.normalised("a", "weight_ln_ih", bias, widths)
        + cell.normalised("b", "weight_ln_hh", None, widths)
        + f"for (u = 0; u < {widths[0]}; ++u) a[u] += b[u];\n"
        + cell.clear("a", blocks)
    )


def _peepholes(cell: Cell, gates: str) -> dict[str, str]:
    """C expressions of the peepholes of gates, at a unit u."""
    if "weight_c" not in cell.weights:
        return {}
    names = gates.replace("g", "")
    parts = cell.weights["weight_c"].reshape(len(names), cell.hidden)
    return {
        name: f"{cell.builder.table('peephole', part, f'{cell.said}: of gate {name}', True)}[u]"
        for name, part in zip(names, parts, strict=True)
    }


def _at(gates: str, gate: str, hidden: int) -> str:
    place = gates.index(gate) * hidden
    return f"a[{place} + u]" if place else "a[u]"


def _fused(cell: Cell, peepholes: dict[str, str]) -> str:
    """The usual functions, with two divisions in place of five: all factors over one line.

    With E = 1 + e^-a and m = e^2g - 1: c' = [c E_i (m + 2) + m E_f] / [E_f E_i (m + 2)].
    """
    builder, hidden = cell.builder, cell.hidden
    builder.use("clamp", "exp_minus", "expm1_twice")
    p, n = builder.name, hidden
    i, f, g, o = (_at("ifgo", gate, n) for gate in "ifgo")
    text, shown = "", "c"
    if peepholes:
        text += f"{cell.units} {{\n    {i} += {peepholes['i']} * c[u];\n"
        text += f"    {f} += {peepholes['f']} * c[u];\n}}\n"
    kept = zoned(cell, "c", "c", "now")
    if kept != "c[u] = now;\n":  # h is made of the c before zoneout
        kept, shown = f"shown[u] = now;\n    {kept}", "shown"
    # A clamp in a loop of its own: compilers make a minimum and a maximum of it.
    text += f"""\
for (u = 0; u < {(3 if peepholes else 4) * n}; ++u) a[u] = {p}_clamp(a[u], 27.0f);
{cell.units} {{
    const float forget = 1.0f + {p}_exp_minus({f});
    const float m = {p}_expm1_twice({g});
    const float both = (1.0f + {p}_exp_minus({i})) * (m + 2.0f);
    const float now = (c[u] * both + m * forget) / (forget * both);
    {kept}}}
"""
    if peepholes:
        text += f"{cell.units} {o} = {p}_clamp({o} + {peepholes['o']} * {shown}[u], 27.0f);\n"
    return f"""\
{text}{cell.units} shown[u] = {p}_clamp({shown}[u], 27.0f);
{cell.units} {{
    const float m = {p}_expm1_twice(shown[u]);
    shown[u] = m / ((1.0f + {p}_exp_minus({o})) * (m + 2.0f));
}}
"""


def _general(cell: Cell, gates: str, peepholes: dict[str, str], normal: bool) -> str:
    """Any functions, any gates, normalisation: as the equations stand."""
    options, variant = cell.stack.options, cell.stack.options["variant"]
    activation, gate_activation = cell.activation("activation"), cell.activation("gate_activation")

    def gate(name: str, c: str) -> str:
        if name not in gates:
            return "1.0f"
        own = f" + {peepholes[name]} * {c}" if peepholes else ""
        return f"{gate_activation}({_at(gates, name, cell.hidden)}{own})"

    candidate = _at(gates, "g", cell.hidden)
    kept = zoned(cell, "c", "c", "next")
    output = gate("o", "shown[u]")
    text = keeps = ""
    if normal and peepholes and "o" in gates:  # the peephole sees c as it is before normalisation
        text, output, keeps = f"float now[{room(cell.hidden)}];\n", gate("o", "now[u]"), "now[u] = "
    text += f"""\
{cell.units} {{
    const float i = {gate("i", "c[u]")};
    const float f = {"1.0f - i" if options["coupled"] else gate("f", "c[u]")};
    const float g = {candidate if variant == "NIAF" else f"{activation}({candidate})"};
    const float next = f * c[u] + i * g;
    {keeps}shown[u] = next;
    {kept}}}
"""
    if normal:
        bias = cell.weights.get("bias_ln_c")
        text += cell.normalised("shown", "weight_ln_c", bias, (cell.hidden,))
    value = "shown[u]" if variant == "NOAF" else f"{activation}(shown[u])"
    return text + f"{cell.units} shown[u] = {output} * {value};\n"


def _out(cell: Cell) -> str:
    """h of what is shown: as it is, or projected."""
    if "weight_hr" in cell.weights:  # which excludes zoneout of h
        said = f"{cell.said}: weight_hr"
        return product(cell.builder, [cell.weights["weight_hr"]], None, ("shown",), "h", said)
    return f"{cell.units} {zoned(cell, 'h', 'h', 'shown[u]')}"
