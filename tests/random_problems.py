"""Random layers on random batches, for the tests of cells that torch lacks."""

from dataclasses import dataclass, field
from typing import Any

import torch
from hypothesis import strategies as st
from oracle import randn

SIZES = [1, 3, 15, 16, 17, 37, 64, 100, 130]


@dataclass
class Problem:
    """A call of a layer. layers: what makes one of a kind and its states, such as own_layers."""

    layers: Any
    kind: str
    T: int
    B: int
    I: int  # noqa: E741
    H: int
    threads: int = 2
    given_state: bool = True
    packed: bool = False
    lengths: list[int] | None = None
    options: dict = field(default_factory=dict)

    def make(self):
        layer = self.layers.make(self.kind, self.I, self.H, **self.options)
        shape = (self.B, self.T) if layer.batch_first else (self.T, self.B)
        x = randn(*shape, self.I, seed=2, dtype=torch.float32)
        hx = self.layers.state_of(layer, self.B) if self.given_state else None
        return layer, x, hx, self.lengths, self.packed


@st.composite
def problems(draw, layers, kinds, most_steps):
    size = st.sampled_from(SIZES)
    T, B = draw(st.integers(1, most_steps)), draw(st.integers(1, 50))
    options = {
        "num_layers": draw(st.sampled_from([1, 1, 1, 2])),
        "bidirectional": draw(st.booleans()),
        "bias": draw(st.booleans()),
        "batch_first": draw(st.booleans()),
    }
    rows = draw(st.sampled_from(["full", "lengths", "packed"]))
    lengths = None
    if rows != "full":
        shortest = 1 if rows == "packed" else 0
        lengths = draw(st.lists(st.integers(shortest, T), min_size=B, max_size=B))
    return Problem(
        layers,
        draw(st.sampled_from(sorted(kinds))),
        T,
        B,
        draw(size),
        draw(size),
        draw(st.integers(1, 3)),
        draw(st.booleans()),
        rows == "packed",
        lengths,
        options,
    )
