"""`CellSpec`: a cell beside its equations: parts, states, weights, options, who else has it.

Nothing here loads torch: the configuration reads it, too.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Step = Callable[..., tuple[Any, ...]]


@dataclass(frozen=True)
class Part:
    """One thing inside a cell at a step, as a trace of `carousel.coach.traces` shows it.

    name: its letter in the equations. kind: a "gate" lies between 0 and 1; a "candidate" is what
    may become memory; a "state" goes from step to step. Gates and candidates have a block of rows
    each in the weights. equation: how a state is made, where a picture has room to say so. axis:
    features of a state, as rows of a `Weight`, or "coefficients", d of each unit. start: what a
    state is where a network makes the first ones from something else; None where that may be any
    number.
    """

    name: str
    words: str
    kind: Literal["gate", "candidate", "state"]
    equation: str = ""
    axis: str = "hidden"
    start: float | None = None


@dataclass(frozen=True)
class Weight:
    """A parameter of one direction of a layer, and the argument of the step with its name.

    rows, columns: "gates" (a block of H for each gate and candidate), "peepholes" (the same
    without candidates), "hidden" (H), "outputs" (P; H without a projection), "inputs" (I),
    "pairs" (2 H), "head" (H / heads, where a unit reads the units of its head alone), "memory" (d
    coefficients); no columns for a vector. fixed: nothing is learnt, the layer has it as a buffer.
    needs: the argument of the layer that calls for it. native: its name in the compiled module,
    where it does not follow from this one. own_start: it starts as the layer draws it, whatever
    scheme of initialisation is chosen.
    """

    name: str
    rows: str
    columns: str = ""
    needs: str = ""
    native: str = ""
    own_start: bool = False
    fixed: bool = False

    @property
    def in_native(self) -> str:
        """Its name in the compiled module.

        >>> Weight("weight_ih", "gates", "inputs").in_native
        'w_ih'
        """
        return self.native or self.name.replace("weight_", "w_").replace("bias_", "b_")

    @property
    def is_gain(self) -> bool:
        """True if it belongs to layer normalisation: it starts at one, or as a bias at zero."""
        return self.needs == "layer_norm"


@dataclass(frozen=True)
class Mode:
    """A cell with one of its nonlinearities: what layers and operators are told it is.

    name: torch's, where torch has the cell. nonlinearity: "" where there is no choice. native: its
    number in native/kernels.hpp; None where it has equations only.
    """

    name: str
    nonlinearity: str = ""
    native: int | None = None


@dataclass(frozen=True)
class CellSpec:
    """A cell, described once; every table of gates, states, weights and options is read off this.

    Args:
        name: in a configuration (`model.cell`).
        layer: its class in `carousel.layers`, and in `torch.nn` if `in_torch`.
        equations: module and function of its step in `carousel.cells`.
        parts: gates and candidates in the order of their rows in the weights, then the states in
            the order in which they are shown: what a layer gives out, h, comes last.
        states: names of the parts that go from step to step; the first is the output.
        weights: parameters of one direction, in the order of a layer's flat list.
        modes: one for each nonlinearity, the default first.
        options: arguments of the layer that act inside the cell, or on its weights.
        settings: those that the step takes as keywords.
        absent: which value of which option takes a gate out of the weights.
        skip: the last block of rows, of what skips the gates; where there are as many inputs as
            hidden units, the input itself stands in its place, and the weights lack the block.
        keeps, admits: the share of its memory that a step keeps, and that it lets in: a gate, or
            "1-" and a gate; "" where no gate says so.
        lasting: gates whose biases make memory last, and in which direction. The first takes
            `forget_bias`.
        bounded: whether states stay within one with the activations that are the default.
        in_torch: whether torch has the cell without options.
        onnx: the order of the gates in ONNX's operator; None where ONNX has none.
        memory: coefficients d of its memory, where a layer is not told another number; 0: none.
        joined: beside its equations, the function that makes of its weights those of the cell that
            the kernels have in its place (carousel.kernels.joined); "" where they have it itself.
        arguments: of the layer, which make it have this cell and not another.
    """

    name: str
    layer: str
    equations: str
    parts: tuple[Part, ...]
    states: tuple[str, ...]
    weights: tuple[Weight, ...]
    modes: tuple[Mode, ...]
    options: tuple[str, ...]
    settings: tuple[str, ...]
    absent: tuple[tuple[str, str | bool, str], ...] = ()
    skip: str = ""
    keeps: str = ""
    admits: str = ""
    lasting: Mapping[str, int] = field(default_factory=dict, hash=False)
    bounded: bool = True
    in_torch: bool = False
    onnx: str | None = None
    memory: int = 0
    joined: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def gates(self) -> str:
        """Letters of the blocks of rows, gates and candidates, with every option at its default."""
        return "".join(part.name for part in self.parts if part.kind != "state")

    @property
    def words(self) -> dict[str, str]:
        """Every part in words."""
        return {part.name: part.words for part in self.parts}

    @property
    def nonlinearities(self) -> tuple[str, ...]:
        """The functions that can be chosen by `nonlinearity`, the default first."""
        return tuple(mode.nonlinearity for mode in self.modes if mode.nonlinearity)

    @functools.cached_property
    def step(self) -> Step:
        """The equations: the function of one step. Loads torch."""
        step: Step = self.function(self.equations.split(".")[1])
        return step

    def function(self, name: str) -> Any:
        """Function that stands beside the equations. Loads torch."""
        module, _, _ = self.equations.partition(".")
        return getattr(importlib.import_module(f"carousel.cells.{module}"), name)

    def of_kind(self, kind: str) -> str:
        """Letters of the parts of a kind.

        >>> from carousel.cells.table import named
        >>> named("lstm").of_kind("gate")
        'ifo'
        """
        return "".join(part.name for part in self.parts if part.kind == kind)

    def gates_with(self, given: Callable[[str], Any]) -> str:
        """Letters of the blocks of rows there are. given: the value of an option by its name.

        >>> from carousel.cells.table import named
        >>> named("lstm").gates_with({"coupled": True}.get)
        'igo'
        """
        out = "".join(gate for option, value, gate in self.absent if given(option) == value)
        return "".join(gate for gate in self.gates if gate not in out) if out else self.gates

    def forget_gate(self, given: Callable[[str], Any]) -> tuple[str, int] | None:
        """The gate that takes `forget_bias`, and the direction in which memory lasts; or None.

        A forget gate that is coupled to another one is biased through that.

        >>> from carousel.cells.table import named
        >>> named("lstm").forget_gate({}.get), named("lstm").forget_gate({"coupled": True}.get)
        (('f', 1), ('i', -1))
        """
        there = self.gates_with(given)
        candidates = [gate for gate in self.lasting if gate in there]
        first = next(iter(self.lasting), "")
        if not candidates or (candidates[0] != first and not given("coupled")):
            return None
        return candidates[0], self.lasting[candidates[0]]

    def blocks_with(self, given: Callable[[str], Any]) -> int:
        """Number of blocks of H rows in the weights: one for each gate, one where there is none.

        >>> from carousel.cells.table import named
        >>> named("rnn").blocks_with({}.get)
        1
        """
        return len(self.gates_with(given)) or 1

    def weights_with(self, given: Callable[[str], Any]) -> tuple[Weight, ...]:
        """The parameters of one direction that there are, in order.

        >>> from carousel.cells.table import named
        >>> [weight.name for weight in named("gru").weights_with({"bias": False}.get)]
        ['weight_ih', 'weight_hh']
        """
        return tuple(w for w in self.weights if not w.needs or given(w.needs))

    def shape_of(
        self,
        weight: Weight,
        inputs: int,
        hidden: int,
        outputs: int,
        blocks: int,
        heads: int = 1,
        memory: int = 0,
    ) -> tuple[int, ...]:
        """Rows and columns of a weight. blocks: `blocks_with` the layer's options, which are one
        fewer in a layer whose inputs skip its gates as they are.

        >>> from carousel.cells.table import named
        >>> [named("gru").shape_of(w, 3, 5, 5, 3) for w in named("gru").weights[:3]]
        [(15, 3), (15, 5), (15,)]
        """
        sizes = {
            "gates": (blocks - self.is_direct(inputs, hidden)) * hidden,
            "peepholes": (blocks - len(self.of_kind("candidate"))) * hidden,
            "hidden": hidden,
            "outputs": outputs,
            "head": hidden // heads,
            "memory": memory or self.memory,
            "pairs": 2 * hidden,
            "inputs": inputs,
        }
        return tuple(sizes[axis] for axis in (weight.rows, weight.columns) if axis)

    def state_sizes(self, hidden: int, outputs: int, memory: int = 0) -> tuple[int, ...]:
        """Features of each state: the first one is the output, and is projected as it is.

        >>> from carousel.cells.table import named
        >>> named("lstm").state_sizes(5, 2)
        (2, 5)
        """
        axes = {part.name: part.axis for part in self.parts}
        sizes = {
            "hidden": hidden,
            "gates": len(self.gates) * hidden,
            "memory": memory or self.memory,
            "coefficients": (memory or self.memory) * hidden,
        }
        return (outputs, *(sizes[axes[name]] for name in self.states[1:]))

    def is_direct(self, inputs: int, hidden: int) -> bool:
        """True if inputs skip the gates of a layer as they are.

        >>> from carousel.cells.table import named
        >>> named("sru").is_direct(5, 5), named("sru").is_direct(3, 5), named("gru").is_direct(5, 5)
        (True, False, False)
        """
        return bool(self.skip) and inputs == hidden

    def hidden_of(self, shapes: Sequence[Sequence[int]], given: Callable[[str], Any]) -> int:
        """Hidden units of a layer whose weights have these shapes.

        >>> from carousel.cells.table import named
        >>> named("gru").hidden_of([(15, 3)], {}.get)
        5
        >>> named("sru").hidden_of([(12, 4), (6,)], {}.get)
        3
        """
        if not self.skip:
            return shapes[0][0] // self.blocks_with(given)
        # Whether the first has a block more is not seen by itself: a vector of so many units tells.
        own = self.weights[1]
        return shapes[1][0] // (len(self.of_kind("gate")) if own.rows == "peepholes" else 1)

    @property
    def projects(self) -> bool:
        """True if the output is a product of the states of all units, which are parallel.

        >>> from carousel.cells.table import named
        >>> named("lru").projects, named("lmu").projects
        (True, False)
        """
        return any(w.columns == "pairs" for w in self.weights)

    @property
    def previous(self) -> Weight | None:
        """Weight that multiplies the input before, or None.

        >>> from carousel.cells.table import named
        >>> named("qrnn2").previous.name, named("qrnn").previous
        ('weight_ph', None)
        """
        found = (self.weights[place] for place in self.further_inputs)
        return next((w for w in found if w.rows == "gates"), None)

    @property
    def further_inputs(self) -> tuple[int, ...]:
        """Places among the weights, behind the first, of the matrices that multiply inputs too.

        >>> from carousel.cells.table import named
        >>> named("qrnn2").further_inputs, named("s6").further_inputs, named("lru").further_inputs
        ((1,), (2, 3), ())
        """
        every = enumerate(self.weights)
        return tuple(place for place, w in every if place > 0 and w.columns == "inputs")

    @property
    def recurrent(self) -> Weight | None:
        """Weight that multiplies the state: a matrix, a vector, or None."""
        return next((w for w in self.weights if w.name == "weight_hh"), None)

    @property
    def has_heads(self) -> bool:
        """True if a unit may read the units of its head alone."""
        return self.recurrent is not None and self.recurrent.columns == "head"

    @property
    def is_parallel(self) -> bool:
        """True if no matrix multiplies the state, so that products of all steps come first."""
        return self.recurrent is None or not self.recurrent.columns

    def share(self, gate: str, parts: Mapping[str, Any]) -> Any:
        """`keeps` or `admits` as numbers, from the parts of a trace; None for "".

        >>> from carousel.cells.table import named
        >>> gru = named("gru")
        >>> gru.share(gru.admits, {"z": 0.75})
        0.25
        """
        if not gate:
            return None
        return 1 - parts[gate[2:]] if gate.startswith("1-") else parts[gate]
