"""C of one step of a recurrent layer, of one direction."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from carousel.cells.table import named
from carousel.errors import ConfigError
from carousel.export.c import gru, lmu, lru, lstm, simple, skipping, slstm
from carousel.export.c.builder import Builder, Step
from carousel.export.c.cell import Cell
from carousel.export.c.text import indented
from carousel.export.description import Recurrent
from carousel.quantization import EightBits

_MAKERS: Mapping[str, Callable[[Cell], str]] = {
    "lstm": lstm.body,
    "gru": gru.body,
    "rnn": simple.rnn,
    "mingru": simple.min_gru,
    "minlstm": simple.min_lstm,
    "indrnn": simple.ind_rnn,
    "slstm": slstm.body,
    "sru": skipping.sru,
    "rglru": skipping.rg_lru,
    "qrnn": simple.qrnn,
    "qrnn2": simple.qrnn,
    "lru": lru.body,
    "lmu": lmu.body,
    "s6": skipping.s6,
}


def step_of(
    builder: Builder,
    stack: Recurrent,
    layer: int,
    direction: int,
    end: str = "",
    eight: EightBits | None = None,
) -> Step:
    """Add the function of one step, its tables and its states; end: of the states' names in the
    description; eight: its weights in eight bits. Raises `ConfigError` for a cell that has no C."""
    if stack.cell not in _MAKERS:
        raise ConfigError(
            f"{stack} has no C yet: export it as .onnx, or train one of {', '.join(_MAKERS)}"
        )
    where = f"layer {layer}" + (" backward" if direction else "")
    said = f"{named(stack.cell).layer}, {where}"
    counts = eight is not None and layer == 0
    cell = Cell(builder, stack, stack.layers[layer][direction], said, eight, counts)
    row = layer * stack.directions + direction
    states = [
        builder.member(name, size, f"{said}: {name}", (name + end, row))
        for name, size in zip(stack.state_names, stack.state_sizes, strict=True)
    ]
    name = builder.fresh("step")
    inputs = cell.weights["weight_ih"].shape[1]
    parameters = ", ".join(f"float *{state}" for state in stack.state_names)
    if counts:
        builder.counts = True
        parameters += ", unsigned long *saturated"
        states = [*states, "&s->saturated"]
    body = _MAKERS[stack.cell](cell)
    declared = "int u;\n" + ("int p;\n" if "(p = 0" in body else "")
    builder.functions.append(
        f"/* One step of {said}: {inputs} inputs, {cell.hidden} units. */\n"
        f"static void {name}(const float *x, {parameters}) {{\n"
        f"{indented(declared + body)}}}\n"
    )
    return Step(stack.outputs, f"{name}($x, {', '.join(states)});", states[0])
