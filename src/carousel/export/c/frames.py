"""C of layers inside each step: a frame in, its features out."""

from __future__ import annotations

from carousel.export.c.builder import Builder, Step
from carousel.export.c.convolution import convolution
from carousel.export.c.product import product
from carousel.export.c.rows import Rows, rows_product
from carousel.export.c.text import indented, number, plus
from carousel.export.convolutions import Activation, Convolution, Frames, Magnitude, Reflection


def frames(builder: Builder, layer: Frames, inputs: int) -> Step:
    """The step of frames: one function, whose arrays are on the stack."""
    walk = _Walk(builder, layer)
    name = builder.fresh("frame")
    arrays = "".join(f"float {a}[{size}];\n" for a, size in walk.sizes.items() if size)
    counters = [c for c in "tip" if f"for ({c} = " in walk.text]
    declared = f"int {', '.join(counters)};\n" if counters else ""
    body = indented(arrays + declared + walk.text)
    builder.functions.append(f"""\
/* A frame of {inputs} numbers to {layer.outputs} features. */
static void {name}(const float *x, float *y) {{
{body}}}
""")
    return Step(layer.outputs, f"{name}($x, $y);")


class _Walk:
    """C statements of a frame, layer after layer.

    Values lie place after place, their channels together, in one of two arrays: at, to and fro.
    """

    def __init__(self, builder: Builder, layer: Frames) -> None:
        self.builder, self.at, self.text = builder, "x", ""
        self.sizes = {"one": 0, "two": 0}
        for inner, shape in zip(layer.layers, layer.shapes(), strict=False):
            match inner:
                case Convolution():
                    self._convolution(inner, *shape)
                case Reflection():
                    self._reflection(inner, *shape)
                case Magnitude():
                    self._magnitude(*shape)
                case Activation():
                    self._activation(inner, *shape)
        self.text += f"memcpy(y, {self.at}, {layer.outputs} * sizeof(float));\n"

    def _other(self, size: int) -> str:
        """The array that nobody reads now, with room for so many numbers."""
        name = "two" if self.at == "one" else "one"
        self.sizes[name] = max(self.sizes[name], size)
        return name

    def _reflection(self, layer: Reflection, places: int, channels: int) -> None:
        c, size, before = channels, places * channels, layer.before * channels
        to = self._other(size + before + layer.after * c)
        self.text += f"memcpy({plus(to, before)}, {self.at}, {size} * sizeof(float));\n"
        last = places - 1
        if layer.before:
            self._mirror(layer.before, c, (to, f"{layer.before} - t"), "t")
        if layer.after:
            self._mirror(layer.after, c, (to, f"{layer.before + last} + t"), f"{last} - t")
        self.at = to

    def _mirror(self, count: int, channels: int, to: tuple[str, str], source: str) -> None:
        """Copies of places t = 1 … count, where they are in another array."""
        array, place = to
        head = f"for (t = 1; t <= {count}; ++t) "
        if channels == 1:
            self.text += f"{head}{array}[{place}] = {self.at}[{source}];\n"
            return
        c = channels
        value = f"{array}[({place}) * {c} + i] = {self.at}[({source}) * {c} + i];"
        self.text += f"{head}{{\n    for (i = 0; i < {c}; ++i) {value}\n}}\n"

    def _magnitude(self, places: int, channels: int) -> None:
        root, half = self.builder.function_of("root"), channels // 2
        to = self._other(places * half)
        self.text += f"""\
for (t = 0; t < {places}; ++t)
    for (i = 0; i < {half}; ++i) {{
        const float re = {self.at}[t * {channels} + i], im = {self.at}[t * {channels} + {half} + i];
        {to}[t * {half} + i] = {root}(re * re + im * im);
    }}
"""
        self.at = to

    def _activation(self, layer: Activation, places: int, channels: int) -> None:
        function, size = self.builder.function_of(layer.name), places * channels
        more = f", {number(layer.slope)}" if layer.name in ("leaky_relu", "elu") else ""
        to = self._other(size) if self.at == "x" else self.at
        value = f"{function}({self.at}[i]{more})"
        self.text += f"for (i = 0; i < {size}; ++i) {to}[i] = {value};\n"
        self.at = to

    def _convolution(self, layer: Convolution, places: int, channels: int) -> None:
        outputs, count = len(layer.weight), layer.length(places)
        if layer.groups > 1 or layer.dilation > 1:
            name = convolution(self.builder, layer)
            to = self._other(count * outputs)
            self.text += f"{name}({self.at}, {places}, {to});\n"
            self.at = to
            return
        first, taps = _seen(layer, places)
        start = first - layer.padding
        before = max(0, -start)
        end = start + (count - 1) * layer.stride + taps
        source = self._padded(before, max(0, end - places), places, channels)
        at = plus(source, max(0, start) * channels)
        weight = layer.weight[:, :, first : first + taps].transpose(0, 2, 1).reshape(outputs, -1)
        to = self._other(count * outputs)
        said = f"convolution over {layer.weight.shape[2]} places"
        if count == 1:
            self.text += product(self.builder, [weight], layer.bias, (at,), to, said)
        else:
            rows = Rows(at, count, layer.stride * channels, to)
            self.text += rows_product(self.builder, weight, layer.bias, rows, said)
        self.at = to

    def _padded(self, before: int, after: int, places: int, channels: int) -> str:
        """The values with zeros around them."""
        if not before and not after:
            return self.at
        size, front, behind = (n * channels for n in (places, before, after))
        to = self._other(front + size + behind)
        for start, zeros in ((0, front), (front + size, behind)):
            if zeros:
                self.text += f"memset({plus(to, start)}, 0, {zeros} * sizeof(float));\n"
        self.text += f"memcpy({plus(to, front)}, {self.at}, {size} * sizeof(float));\n"
        self.at = to
        return to


def _seen(layer: Convolution, places: int) -> tuple[int, int]:
    """First tap of a kernel that sees anything but zeros, and how many there are up to the last."""
    starts = [t * layer.stride - layer.padding for t in range(layer.length(places))]
    taps = range(layer.weight.shape[2])
    found = [k for k in taps if any(0 <= start + k < places for start in starts)] or [0]
    return found[0], found[-1] + 1 - found[0]
