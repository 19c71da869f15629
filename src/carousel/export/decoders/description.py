"""Description of an encoder and a decoder that attends to what it left, as NumPy arrays.

B rows, S places of the memory, M features of a place, H units of the decoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from carousel.export.description import Array, Dense, Embedding, Network, Value

MEMORY, KEYS = "memory", "keys"


@dataclass(frozen=True, eq=False)
class Sight:
    """Images (B, C, side, side), 0 to 255, or features (B, h, w, F) as places (B, S, M).

    stages: weight (C', C, 3, 3) and bias of x ← maxpool₂(relu(conv₃ₓ₃(x))), of pixels x / 255;
    project: of features, in their place. places (S, M) is added: it says where a place is.
    """

    stages: tuple[tuple[Array, Array], ...]
    project: Dense | None
    places: Array


@dataclass(frozen=True, eq=False)
class Attention:
    """Weights of places: a = softmax(score(q, m_s)); the context is Σ_s a_s m_s.

    score = q · k_s, with k = key(m), or k = m where key is None. With `query`, score =
    v · tanh(query(q) + k_s), v (1, ·).
    """

    key: Dense | None
    query: Dense | None = None
    v: Array | None = None


@dataclass(frozen=True, eq=False)
class EncoderDecoder:
    """An encoder, whose outputs are a memory, and one step of a decoder that attends to it.

        m, s = encoder(x);  h_0 = tanh(bridge(s))
        h_t = recurrent(E[w_t], h_{t-1});  c_t = attention(h_t, m)
        log P(w_{t+1}) = log_softmax(readout(tanh(combine([c_t, h_t]))))

    encoder: layers that read tokens, pooled at last: the memory is what the recurrent one gave, s
    the pooled vector; or a `Sight`, of which s is all places side by side. starts: of each state of
    the decoder, the number it begins with, None where it follows from s. decoder: a token's
    embedding and the recurrent layers. vocabulary: of what is written, by numbers. facts: what a
    caller needs besides: the tokens that begin and end a sentence, those that are never written.
    """

    name: str
    input: Value
    encoder: Network | Sight
    bridge: Dense
    starts: tuple[float | None, ...]
    attention: Attention
    decoder: Network
    combine: Dense
    readout: Dense
    vocabulary: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_lengths(self) -> bool:
        """True if rows of a batch may have memories of unequal length."""
        return isinstance(self.encoder, Network)

    @property
    def tokens(self) -> int:
        """Numbers of tokens that the decoder reads: the vocabulary, and the one for the ends."""
        first = self.decoder.layers[0]
        assert isinstance(first, Embedding)
        return len(first.table)

    def encoder_inputs(self) -> list[Value]:
        """Inputs of the encoder's file."""
        lengths = Value("lengths", "int64", ("batch",), "tokens of each row")
        return [self.input, *([lengths] if self.has_lengths else [])]

    def encoder_outputs(self) -> list[Value]:
        """Outputs of the encoder's file, with the names that the decoder's reads them by."""
        return [*self._memory(), *self._states("in", "before the first step")]

    def step_inputs(self) -> list[Value]:
        """Inputs of the file of the decoder's step."""
        token = Value("token", "int64", ("batch",), "the one before; at first the start")
        lengths = self.encoder_inputs()[1:]
        return [token, *self._memory(), *lengths, *self._states("in", "before this step")]

    def step_outputs(self) -> list[Value]:
        """Outputs of the file of the decoder's step."""
        places = self._memory()[0].shape[1]
        return [
            Value("log_probabilities", "float32", ("batch", self.tokens), "of the token to come"),
            Value("attention", "float32", ("batch", places), "weights of the places"),
            *self._states("out", "after this step"),
        ]

    def _memory(self) -> list[Value]:
        places = len(self.encoder.places) if isinstance(self.encoder, Sight) else "time"
        width = len(self.combine.weight[0]) - self.decoder.recurrent[0].outputs
        found = [Value(MEMORY, "float32", ("batch", places, width), "what the encoder left")]
        if (key := self.attention.key) is not None:
            shape = ("batch", places, len(key.weight))
            found.append(Value(KEYS, "float32", shape, "what attention compares with"))
        return found

    def _states(self, which: str, words: str) -> list[Value]:
        return [
            Value(f"{s.name}_{which}", s.dtype, s.shape, f"{s.words}, {words}")
            for s in self.decoder.states
        ]
