"""Description of what a network computes: layers in a row, weights as NumPy arrays, without torch.

Every format is written from this and from nothing else. A `Network` is a row of layers, each of
which reads what the one before it gave: a sequence (B, T, F), or a vector (B, F) once `Pooling` or
`Horizon` has made one of it. Rows of a batch may have lengths of their own; what stands behind
them counts nowhere. Weights have torch's names and layouts. Dropout and what else acts in training
alone is left out.

B rows, T steps, F features, H units, P outputs of a recurrent layer (H without a projection).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel.export.convolutions import Activation as Activation
from carousel.export.convolutions import Array as Array
from carousel.export.convolutions import Convolution as Convolution
from carousel.export.convolutions import Frames as Frames
from carousel.export.convolutions import Magnitude as Magnitude
from carousel.export.convolutions import Pictures as Pictures
from carousel.export.convolutions import Reflection as Reflection
from carousel.export.series import Backwards as Backwards
from carousel.export.series import Horizon as Horizon
from carousel.export.series import Known as Known
from carousel.export.series import Level as Level
from carousel.export.series import Onward as Onward
from carousel.export.series import Repeat as Repeat

Wide = NDArray[np.float64]
Weights = Mapping[str, Array]
"""Parameters of one direction by their names without the layer's number, as the cell's step in
`carousel.cells` takes them: weight_ih (G H, I), weight_hh (G H, P), bias_ih, bias_hh (G H,),
weight_hr (P, H), weight_c, weight_ln_ih, …; those that are not there are left out."""


@dataclass(frozen=True, eq=False)
class Standardise:
    """(x - mean) / std of each feature; mean and std (F,), or (1,) for all features alike.

    The model computes it in float64. In float32, ((x - a) - b) / std with a the mean in float32 and
    b what is left of it gives the same to a few units in the last place.
    """

    mean: Wide
    std: Wide


@dataclass(frozen=True, eq=False)
class Differences:
    """Beside each x_t also x_t - x_{t-1}, zero in the first step: (B, T, F) to (B, T, 2 F).

    codes: places of columns whose differences are zero.
    """

    codes: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Embedding:
    """Tokens (B, T) to rows of the table (V, E): (B, T, E).

    further: tables of further numbers of each step. With any, tokens are (B, T, 1 + their number),
    and the rows stand side by side.
    """

    table: Array
    further: tuple[Array, ...] = ()


@dataclass(frozen=True, eq=False)
class Categories:
    """Columns of codes become rows of a table: (B, T, F) to (B, T, numbers and widths).

    numbers: places of the features that stay as they are; they come first, in this order. tables:
    by the place of a column of codes, (levels + 1, width); row k of the table stands for code k =
    1 … levels, row 0 for every other number. They follow in this order.
    """

    numbers: tuple[int, ...]
    tables: tuple[tuple[int, Array], ...]


@dataclass(frozen=True, eq=False)
class Recurrent:
    """A stack of recurrent layers: (B, T, I) to (B, T, D P).

    The equations are `carousel.cells.table.named(cell).step(x, states, **weights, **options)`.

    cell: "lstm", "gru", "rnn", "mingru", …: a name of `carousel.cells.table`.
    hidden: H. options: every setting of the step, also those at their defaults: of the LSTM
    activation, gate_activation, coupled and variant; of the GRU activation, gate_activation and
    reset_after; of the others nonlinearity. zoneout: for each state p of
    s' ← p s + (1 - p) s', made after the step (h from the new c); zeros without it.
    layers: for each layer, for each direction (forward, then backward), its weights. The outputs
    of both directions stand side by side. Layers above the first read those of the one below.
    """

    cell: str
    hidden: int
    options: Mapping[str, Any]
    zoneout: tuple[float, ...]
    layers: tuple[tuple[Weights, ...], ...]
    state_names: tuple[str, ...]
    state_sizes: tuple[int, ...]

    @property
    def directions(self) -> int:
        """D: 1, or 2 where a second set of weights reads from the end."""
        return len(self.layers[0])

    @property
    def outputs(self) -> int:
        """P: features of one direction's output."""
        return self.state_sizes[0]

    @property
    def inputs(self) -> int:
        """I: features that the first layer reads."""
        return int(self.layers[0][0]["weight_ih"].shape[1])

    def __str__(self) -> str:
        reads = ", in both directions" if self.directions == 2 else ""
        return f"{self.cell}({self.inputs}, {self.hidden}) of {len(self.layers)} layers{reads}"


@dataclass(frozen=True, eq=False)
class Pooling:
    """A sequence as one vector: (B, T, F) to (B, F), over the real steps of each row.

    how: "last" (what the recurrent layer before it gave at the end of each direction: of two, the
    forward one at the last real step, the backward one at the first), "mean", "max", or
    "attention": u_t = tanh(W y_t + b), weights softmax_t(v · u_t), with W = hidden, b =
    hidden_bias and v = score (F,). A row without steps gives zeros; with "last", the initial state.
    """

    how: str
    hidden: Array | None = None
    hidden_bias: Array | None = None
    score: Array | None = None


@dataclass(frozen=True, eq=False)
class Dense:
    """W x + b over the last dimension: weight (C, F), bias (C,) or None."""

    weight: Array
    bias: Array | None = None


@dataclass(frozen=True, eq=False)
class Normalisation:
    """LN(x) = γ (x - mean) / √(variance + eps) + β over the last dimension, γ = gain, β = bias."""

    gain: Array | None
    bias: Array | None
    eps: float


@dataclass(frozen=True, eq=False)
class UnitLength:
    """x / max(‖x‖₂, eps) over the last dimension."""

    eps: float


@dataclass(frozen=True, eq=False)
class Softmax:
    """Probabilities over the last dimension; log: their logarithms."""

    log: bool = False


@dataclass(frozen=True, eq=False)
class GroupedSoftmax:
    """Probabilities (…, V) of words in two steps, from K more logits (…, V + K) in a row.

    sizes: how many frequent words there are, then of the words of each of K groups, together V.
    Logits are those of the frequent words, of the groups, and of the words of each group; a word of
    a group is as likely as its group times softmax of it within that.
    """

    sizes: tuple[int, ...]

    def parts(self) -> Iterator[tuple[int, int, int]]:
        """Each group: its number in the first step, its first logit, and how many words it has."""
        frequent, *groups = self.sizes
        start = frequent + len(groups)
        for number, size in enumerate(groups):
            yield frequent + number, start, size
            start += size


@dataclass(frozen=True, eq=False)
class Ranks:
    """Probabilities (…, C) of ranks: P(rank ≤ k) = σ(s (t_k - w · x)).

    weight w (F,), thresholds t (C - 1,) in rising order, sharpness s; differences of neighbours
    are the probabilities, see `carousel.layers.ordinal.CumulativeLogits`.
    """

    weight: Array
    thresholds: Array
    sharpness: float


@dataclass(frozen=True, eq=False)
class Unscale:
    """x std + mean of each output: back on the scale of the data. mean, std (C,)."""

    mean: Wide
    std: Wide


@dataclass(frozen=True, eq=False)
class Squash:
    """σ(x) of the outputs at these places, the others left as they are."""

    places: tuple[int, ...]


Layer = (
    Standardise
    | Differences
    | Embedding
    | Categories
    | Convolution
    | Frames
    | Pictures
    | Recurrent
    | Pooling
    | Dense
    | Activation
    | Normalisation
    | UnitLength
    | Softmax
    | GroupedSoftmax
    | Ranks
    | Unscale
    | Squash
    | Known
    | Level
    | Horizon
    | Onward
    | Repeat
    | Backwards
)


@dataclass(frozen=True)
class Value:
    """An input or an output: its name, NumPy's name of its dtype, its shape and what it is.

    shape: sizes, or the words "batch" and "time" where any number goes.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    words: str = ""


@dataclass(frozen=True, eq=False)
class Network:
    """Layers in a row, with the names of what goes in and comes out.

    name: in words. inputs, outputs: one of each. has_lengths: whether rows may end before the batch
    does. has_states: whether a file for whole batches takes and gives states. classes: of the
    outputs. vocabulary: tokens by their numbers. facts: what a caller needs besides, as JSON can
    hold it: task, view, columns, how a text is cut.
    """

    name: str
    layers: tuple[Layer, ...]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    has_lengths: bool = True
    has_states: bool = False
    classes: tuple[str, ...] = ()
    vocabulary: tuple[str, ...] = ()
    sample_rate: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def of_kind(self, kind: type) -> Iterator[Any]:
        """Layers of one class, in their order."""
        return (layer for layer in self.layers if isinstance(layer, kind))

    @property
    def recurrent(self) -> tuple[Recurrent, ...]:
        """Recurrent stacks, in their order."""
        return tuple(self.of_kind(Recurrent))

    @property
    def states(self) -> tuple[Value, ...]:
        """States that go from call to call, (L D, B, size) each: "h" and "c" of the first
        recurrent stack, "h_2" and "c_2" of the second, and so on."""
        found = []
        for number, stack in enumerate(self.recurrent, 1):
            suffix = f"_{number}" if number > 1 else ""
            depth = len(stack.layers) * stack.directions
            for name, size in zip(stack.state_names, stack.state_sizes, strict=True):
                shape = (depth, "batch", size)
                found.append(Value(name + suffix, "float32", shape, f"state {name} of {stack}"))
        return tuple(found)

    @property
    def is_summary(self) -> bool:
        """True if it gives one answer for a whole sequence, not one for each step."""
        return any(isinstance(layer, Pooling | Horizon) for layer in self.layers)
