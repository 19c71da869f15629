"""C of one step of the LMU."""

from __future__ import annotations

from carousel.export.c.builder import room
from carousel.export.c.cell import Cell
from carousel.export.c.product import product


def body(cell: Cell) -> str:
    """C statements of a step: x, h and m are pointers, h and m are written."""
    weights, builder, order = cell.weights, cell.builder, len(cell.weights["memory_b"])
    activation = cell.activation("nonlinearity")

    def of(name: str, to: str) -> str:
        said = f"{cell.said}: {name}"
        return product(builder, [weights[name]], None, ("m",), to, said)

    written = "".join(
        f"for (u = 0; u < {len(weights[name])}; ++u) written += "
        f"{builder.table('own', weights[name], f'{cell.said}: {name}')}[u] * {source}[u];\n"
        for name, source in (("weight_iu", "x"), ("weight_hu", "h"), ("weight_mu", "m"))
    )
    step = builder.table("own", weights["memory_b"], f"{cell.said}: memory_b")
    return (
        f"float now[{room(order)}], written = 0.0f;\n"
        + cell.sums("a", 1)
        + cell.sums("b", 1)
        + cell.joint("a")
        + written
        + of("memory_a", "now")
        + f"for (u = 0; u < {order}; ++u) m[u] = now[u] + {step}[u] * written;\n"
        + of("weight_mh", "b")
        + cell.clear("a", 1)
        + cell.clear("b", 1)
        + f"{cell.units} h[u] = {activation}(a[u] + b[u]);\n"
    )
