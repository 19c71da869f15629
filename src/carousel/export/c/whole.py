"""C of a network that reads a whole sequence: `run` alone, with memory for so many steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from carousel.export.c.builder import Builder, Step
from carousel.export.c.convolution import convolution
from carousel.export.c.horizon import horizon
from carousel.export.c.pooling import Pool
from carousel.export.c.stages import Ahead, Both, Kept, Stage
from carousel.export.c.stream import copy
from carousel.export.c.text import indented
from carousel.export.description import Convolution, Known

_SEQUENCE = "s->sequence"


@dataclass
class Walk:
    """Place of the C between two stages.

    x: pointer to what the next stage reads, of C type `kind`; width: features of its steps.
    repeats: how many of these there are, None in a sequence, where n says it. arrays: features of
    the arrays for sequences; free: those in nobody's use; more: steps that convolutions add.
    window: what went into the last recurrent layer, with its features. levels: columns whose level
    was taken. known: what tells windows and the steps to come apart, which stand behind them.
    """

    builder: Builder
    x: str
    width: int
    kind: str
    to: str = ""
    skips: bool = False
    repeats: int | None = None
    arrays: list[int] = field(default_factory=list)
    free: list[int] = field(default_factory=list)
    vectors: list[int] = field(default_factory=list)
    more: int = 0
    window: tuple[str, int] = ("", 0)
    keeps_window: bool = False
    is_inside: bool = False
    levels: int = 0
    known: Known | None = None
    lines: list[str] = field(default_factory=list)

    def sequence(self, width: int) -> str:
        """An array for a sequence that nobody uses; y in the last stage."""
        if self.to:
            return self.to
        if not self.free:
            self.free.append(len(self.arrays))
            self.arrays.append(0)
        number = self.free.pop()
        self.arrays[number] = max(self.arrays[number], width)
        return f"{_SEQUENCE}{number}"

    def vector(self, size: int) -> str:
        """An array of one row; y in the last stage."""
        if self.to:
            return self.to
        self.vectors.append(size)
        return f"v{len(self.vectors) - 1}"

    def move(self, to: str, width: int) -> None:
        """Go on with another array; the one before is free, but for a window that is kept."""
        kept = self.keeps_window and self.x == self.window[0]
        if self.x.startswith(_SEQUENCE) and to != self.x and not kept:
            self.free.append(int(self.x.removeprefix(_SEQUENCE)))
        self.x, self.width, self.kind = to, width, "float"


def whole(
    builder: Builder, stages: Sequence[Stage], kind: str, inputs: int
) -> tuple[str, list[str]]:
    """C function `run` of stages, and the members of the state for sequences."""
    p = builder.name
    walk = Walk(builder, "x", inputs, kind)
    walk.keeps_window = any(isinstance(stage, Ahead) for stage in stages)
    for place, stage in enumerate(stages):
        after = stages[place + 1] if place + 1 < len(stages) else None
        walk.to = "" if after else "y"
        walk.skips = isinstance(after, Pool) and not after.take
        _enter(walk, stage)
        _STAGES[type(stage)](walk, stage)
    counted = "1" if walk.repeats else "n"
    body = "\n".join([*walk.lines, f"return {counted};"])
    declared = [f"float level[{walk.levels}];"] if walk.levels else []
    declared += [f"float v{i}[{size}];" for i, size in enumerate(walk.vectors)]
    declared += ["int n = steps;", *(["int t;"] if "(t = " in body else [])]
    text = "\n".join([*declared, _refusal(builder, stages), body]) + "\n"
    run = (
        f"int {p}_run({p}_state *s, const {kind} *x, int steps, float *y) {{\n{indented(text)}}}\n"
    )
    limit = f"({p.upper()}_MAX_STEPS + {walk.more})" if walk.more else f"{p.upper()}_MAX_STEPS"
    between = "/* between layers */"
    arrays = enumerate(walk.arrays)
    return run, [f"float sequence{i}[{limit} * {w}]; {between}" for i, w in arrays]


def _refusal(builder: Builder, stages: Sequence[Stage]) -> str:
    """Answer to sequences that do not fit."""
    for stage in stages:
        if isinstance(stage, Kept) and isinstance(stage.layer, Known):
            return f"if (steps != {stage.layer.context + stage.layer.steps}) return -1;"
    lines = [stage.layer.line for stage in stages if isinstance(stage, Ahead)]
    if lines and lines[0] is not None:
        return f"if (steps != {lines[0].shape[1]}) return -1;"
    least = 1 if any(isinstance(stage, Ahead) for stage in stages) else 0
    return f"if (steps < {least} || steps > {builder.name.upper()}_MAX_STEPS) return -1;"


def _enter(walk: Walk, stage: Stage) -> None:
    """Note what goes into a recurrent stack, where one begins."""
    is_inside = isinstance(stage, Both) or (isinstance(stage, Step) and stage.where != "")
    if is_inside and not walk.is_inside:
        walk.window = (walk.x, walk.width)
    walk.is_inside = is_inside


def _each(walk: Walk, step: Step) -> None:
    """One step for each row of a sequence, or for each row that is left."""
    if walk.repeats is not None:
        to = walk.vector(walk.repeats * step.outputs)
        _loop(walk, str(walk.repeats), step, to, step.outputs)
    elif walk.skips:  # nothing but its state is read
        _loop(walk, "n", step, "", 0)
        return
    else:
        to = walk.sequence(step.outputs)
        _loop(walk, "n", step, to, step.outputs)
    walk.move(to, step.outputs)


def _both(walk: Walk, stage: Both) -> None:
    to = "" if walk.skips else walk.sequence(stage.outputs)
    _loop(walk, "n", stage.forward, to, stage.outputs)
    _loop(walk, "n", stage.backward, to, stage.outputs, stage.forward.outputs, back=True)
    if to:
        walk.move(to, stage.outputs)


def _loop(
    walk: Walk, times: str, step: Step, to: str, width: int, start: int = 0, back: bool = False
) -> None:
    """A step at each row of x; its outputs go to rows of `to`, from a place on."""
    head = f"for (t = {times} - 1; t >= 0; --t) {{" if back else f"for (t = 0; t < {times}; ++t) {{"
    lines = [f"const {walk.kind} *from = {walk.x} + (size_t)t * {walk.width};"]
    if to:
        more = f" + {start}" if start else ""
        lines.append(f"float *to = {to} + (size_t)t * {width}{more};")
    lines.append(step.call.replace("$x", "from").replace("$y", "to"))
    if to and step.where:
        lines.append(copy(step.where, "to", step.outputs))
    walk.lines.append(head + "\n" + indented("\n".join(lines) + "\n") + "}")


def _kept(walk: Walk, stage: Kept) -> None:
    layer = stage.layer
    if isinstance(layer, Convolution):
        name = convolution(walk.builder, layer)
        reach = layer.dilation * (layer.weight.shape[2] - 1) + 1
        walk.more += max(0, 2 * layer.padding - reach + 1)
        to = walk.sequence(stage.outputs)
        walk.lines.append(f"n = {name}({walk.x}, n, {to});")
        walk.move(to, stage.outputs)
        return
    if isinstance(layer, Known):
        _tell_apart(walk, layer, stage.outputs)
        return
    walk.levels, w = len(layer.columns), walk.width
    to = walk.x if walk.x.startswith(_SEQUENCE) else walk.sequence(w)
    if to != walk.x:
        walk.lines.append(f"memcpy({to}, {walk.x}, sizeof(float) * {w} * (size_t)n);")
    for place, column in enumerate(layer.columns):
        walk.lines.append(
            f"level[{place}] = {to}[(size_t)(n - 1) * {w} + {column}];\n"
            f"for (t = 0; t < n; ++t) {to}[(size_t)t * {w} + {column}] -= level[{place}];"
        )
    walk.move(to, w)


def _tell_apart(walk: Walk, layer: Known, width: int) -> None:
    """Put what is known behind the columns of each step; the steps to come stay behind the window,
    which n ends before."""
    walk.known, to = layer, walk.sequence(width)
    lines = [f"const float *from = {walk.x} + (size_t)t * {walk.width};"]
    lines += [f"float *to = {to} + (size_t)t * {width};"]
    lines += [f"memcpy(to, from, {layer.features} * sizeof(float));"]
    lines += [f"to[{layer.features + i}] = from[{c}];" for i, c in enumerate(layer.columns)]
    body = indented("\n".join(lines) + "\n")
    walk.lines.append(f"for (t = 0; t < n; ++t) {{\n{body}}}\nn -= {layer.steps};")
    walk.move(to, width)


def _pool(walk: Walk, stage: Pool) -> None:
    if stage.take:
        _loop(walk, "n", Step(0, stage.take), "", 0)
    to = walk.vector(stage.outputs)
    walk.lines.append(stage.give.replace("$y", to))
    walk.move(to, stage.outputs)
    walk.repeats = 1


def _ahead(walk: Walk, stage: Ahead) -> None:
    window, features = walk.window
    name = horizon(walk.builder, stage.layer, features, walk.levels > 0, walk.known)
    to = walk.vector(stage.outputs * stage.repeats)
    level = "level" if walk.levels else "NULL"
    walk.lines.append(f"{name}({walk.x}, {window}, {level}, {to});")
    walk.move(to, stage.outputs)
    walk.repeats = stage.repeats


_STAGES: dict[type, Callable[[Walk, Any], None]] = {
    Step: _each,
    Both: _both,
    Kept: _kept,
    Pool: _pool,
    Ahead: _ahead,
}
