"""A decoder with attention: writes a sentence about a memory, of another sentence or a picture."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from carousel.cells.states import hx_of, states_of
from carousel.cells.table import spec_of
from carousel.config import Config
from carousel.layers.attention import step_mask
from carousel.layers.cross_entropy import smoothed_cross_entropy
from carousel.layers.memory_attention import make_attention
from carousel.tasks.shared.network import Bias, drop_words, make_dropout, make_recurrent, start

State = tuple[Tensor, ...]
NEVER = (0,)
"""Numbers of tokens that are never written: <unk>."""


class Memory(NamedTuple):
    """Memory that a decoder reads: B rows of S places.

    values (B, S, M); keys: what attention compares with (B, S, ...); mask (B, S), or None if every
    place counts; state: of the recurrent layers before the first token, each (layers, B, H).
    """

    values: Tensor
    keys: Tensor
    mask: Tensor | None
    state: State


class Scored(NamedTuple):  # not a dataclass: Fabric looks for tensors in tuples
    """Sums over the targets: `objective` to differentiate, with label smoothing, and `loss`."""

    objective: Tensor
    loss: Tensor


def shifted(tokens: Tensor, lengths: Tensor, end: int) -> tuple[Tensor, Tensor]:
    """Inputs and targets of the decoder, (B, T + 1), for sentences (B, T) with lengths (B,).

    Read: the end of the sentence before, then the tokens. Said: the tokens, then the end; -1 where
    there is nothing to say.

    >>> shifted(torch.tensor([[5, 6], [7, 0]]), torch.tensor([2, 1]), end=9)
    (tensor([[9, 5, 6],
            [9, 7, 9]]), tensor([[ 5,  6,  9],
            [ 7,  9, -1]]))
    """
    inside = step_mask(lengths, tokens.size(1))
    framed = F.pad(torch.where(inside, tokens, end), (1, 1), value=end)
    place = torch.arange(tokens.size(1) + 1, device=tokens.device)
    return framed[:, :-1], framed[:, 1:].masked_fill(place > lengths.unsqueeze(1), -1)


class Decoder(nn.Module):
    """P(token | the tokens before it, memory), from tokens (B, T), batch first.

    x_t = E[w_t];  h_t = recurrent(x_t, h_{t-1});  c_t = attention(h_t, memory)
    a_t = tanh(W [c_t, h_t] + b);  P(w_{t+1}) = softmax(V a_t + d);  h_0 = tanh(B s + b')

    s is a summary of the memory. Attention follows the recurrence, as in Luong et al. 2015
    (arXiv:1508.04025) without their input feeding: so the recurrence is one call for a whole
    sentence. a_t has the size of the embedding; with `tied`, V is E (Press and Wolf 2017,
    arXiv:1608.05859). Dropout acts on vertical connections only (Zaremba et al. 2014): on the
    embedding, between layers, on a_t; `input_dropout` drops whole words.

    vocabulary: of the tokens; one more, the number `end`, ends a sentence and begins the next.
    memory_size: M of a place; summary_size: of s (B, summary_size).
    """

    def __init__(
        self, vocabulary: int, memory_size: int, summary_size: int, config: Config
    ) -> None:
        super().__init__()
        model, self.regularization = config.model, config.regularization
        self.smoothing, self.end = config.loss.label_smoothing, vocabulary
        width = model.embedding_size or model.hidden_size
        self.embedding = nn.Embedding(vocabulary + 1, width)
        self.recurrent = make_recurrent(
            width, replace(model, bidirectional=False), self.regularization, batch_first=True
        )
        self.dropout = make_dropout(self.regularization.dropout)
        spec, memory = spec_of(self.recurrent.mode), getattr(self.recurrent, "order", 0)
        numbers = {part.name: part.start for part in spec.parts}
        self.starts = tuple(numbers[name] for name in spec.states)
        self._sizes = spec.state_sizes(model.hidden_size, model.hidden_size, memory)
        self.bridge = nn.Linear(summary_size, model.num_layers * sum(self._free()))
        self.attention = make_attention(config.decoder.attention, model.hidden_size, memory_size)
        self.combine = nn.Linear(memory_size + model.hidden_size, width)
        self.head: nn.Linear | Bias
        self.head = Bias(vocabulary + 1) if model.tied else nn.Linear(width, vocabulary + 1)
        if config.initialization.name == "torch":
            # torch's N(0, 1) embeddings are far too large for an output layer.
            nn.init.uniform_(self.embedding.weight, -(width**-0.5), width**-0.5)
        start(self, config)

    def remember(self, values: Tensor, lengths: Tensor | None, summary: Tensor) -> Memory:
        """The memory of B rows: values (B, S, M), lengths (B,) or None, summary (B, F)."""
        mask = None if lengths is None else step_mask(lengths, values.size(1))
        B, L = len(values), self.recurrent.num_layers
        sizes = [L * size for size in self._free()]
        parts = torch.split(torch.tanh(self.bridge(summary)), sizes, 1)
        free = iter(part.view(B, L, -1).transpose(0, 1).contiguous() for part in parts)
        state = tuple(
            next(free) if start is None else values.new_full((L, B, size), start)
            for size, start in zip(self._sizes, self.starts, strict=True)
        )
        return Memory(values, self.attention.keys(values), mask, state)

    def _free(self) -> list[int]:
        """Features of the states that follow from the summary."""
        pairs = zip(self._sizes, self.starts, strict=True)
        return [size for size, start in pairs if start is None]

    def forward(self, tokens: Tensor, memory: Memory) -> Tensor:
        """Logits (B, T, V + 1) of what follows each of the tokens (B, T)."""
        return self._logits(self.dropout(self._attend(tokens, memory)[0]))

    def score(
        self, tokens: Tensor, targets: Tensor, memory: Memory, own: Tensor | None = None
    ) -> Scored:
        """The loss of the targets (B, T), of which negative ones are passed over.

        own: a scalar; so large a share of the tokens is replaced by what the decoder itself finds
        likeliest there, having read the true ones: scheduled sampling in two passes (Mihaylova
        and Martins 2019, arXiv:1906.07651), so that the recurrence stays one call.
        """
        if own is not None and float(own) > 0:
            tokens = self._mixed(tokens, memory, own)
        states = self.dropout(self._attend(tokens, memory)[0])
        return Scored(*smoothed_cross_entropy(states, *self.readout(), targets, self.smoothing))

    @torch.no_grad()
    def _mixed(self, tokens: Tensor, memory: Memory, own: Tensor) -> Tensor:
        states = self.dropout(self._attend(tokens, memory)[0])
        likeliest = torch.stack([self._logits(row).argmax(-1) for row in states])  # V is large
        guessed = torch.cat((tokens[:, :1], likeliest[:, :-1]), 1)
        swapped = torch.rand(tokens.shape, device=tokens.device) < own
        return torch.where(swapped, guessed, tokens)

    @torch.no_grad()
    def weights(self, tokens: Tensor, memory: Memory) -> Tensor:
        """Attention weights of the decoder after reading tokens (B, T): (B, T, S)."""
        return self._attend(tokens, memory)[1]

    @torch.no_grad()
    def log_probabilities(self, tokens: Tensor, memory: Memory) -> Tensor:
        """log P (B, T, V + 1) of what follows each of the tokens (B, T)."""
        return torch.log_softmax(self(tokens, memory), -1)

    def step(self, tokens: Tensor, memory: Memory) -> tuple[Tensor, State]:
        """One step of K beams of each row: log P (B, K, V + 1) of what follows tokens (B, K).

        memory.state has B K columns, beams of a row side by side; so has the state returned.
        """
        x = self.dropout(self.embedding(tokens.flatten()).unsqueeze(1))
        outputs, last = self._recur(x, memory.state)
        attended, _ = self._combine(outputs.view(*tokens.shape, -1), memory)
        return torch.log_softmax(self._logits(self.dropout(attended)), -1), last

    def cursor(self, memory: Memory) -> DecoderCursor:
        """For `beam_search`; the decoder must be in evaluation mode."""
        return DecoderCursor(self, memory)

    def _attend(self, tokens: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """a_t (B, T, E), before dropout, and the attention weights (B, T, S)."""
        x = self.embedding(tokens)
        p = self.regularization.input_dropout
        if self.training and p:
            x = drop_words(x, tokens, p, self.embedding.num_embeddings)
        outputs, _ = self._recur(self.dropout(x), memory.state)
        return self._combine(outputs, memory)

    def _recur(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        outputs, last = self.recurrent(x, hx_of(state))
        return outputs, states_of(last)

    def _combine(self, queries: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        context, weights = self.attention(queries, memory.values, memory.mask, memory.keys)
        return torch.tanh(self.combine(torch.cat((context, queries), 2))), weights

    def readout(self) -> tuple[Tensor, Tensor]:
        """V (V + 1, E) and d (V + 1,)."""
        if isinstance(self.head, nn.Linear):
            return self.head.weight, self.head.bias
        return self.embedding.weight, self.head.bias

    def _logits(self, states: Tensor) -> Tensor:
        return F.linear(states, *self.readout())


class DecoderCursor:
    """A decoder among beams: the memory is kept once per sentence, states once per beam."""

    def __init__(self, decoder: Decoder, memory: Memory) -> None:
        self._decoder, self._memory = decoder, memory
        self._beams = 1

    def step(self, tokens: Tensor) -> Tensor:
        chances, state = self._decoder.step(tokens, self._memory)
        self._memory = self._memory._replace(state=state)
        self._beams = tokens.size(1)
        return chances

    def select(self, sentences: Tensor, beams: Tensor) -> None:
        values, keys, mask, state = self._memory
        columns = (sentences.unsqueeze(1) * self._beams + beams).flatten()
        state = tuple(part.index_select(1, columns) for part in state)
        if len(sentences) < len(values):
            values, keys = values[sentences], keys[sentences]
            mask = None if mask is None else mask[sentences]
        self._memory = Memory(values, keys, mask, state)
