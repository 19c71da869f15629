"""The network of language models: embedding, recurrent layers, softmax over the vocabulary."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from carousel.cells.states import hx_of, states_of
from carousel.config import Config
from carousel.layers.adaptive_softmax import AdaptiveSoftmax
from carousel.layers.cross_entropy import linear_cross_entropy, token_losses
from carousel.tasks.shared.network import (
    Bias,
    activation_penalty,
    drop_words,
    make_dropout,
    make_recurrent,
    start,
)

State = tuple[Tensor, ...]


class Scored(NamedTuple):  # not a dataclass: Fabric looks for tensors in tuples
    """loss: summed over the targets; penalty: of the activations, or None; state: the last one."""

    loss: Tensor
    penalty: Tensor | None
    state: State


class LanguageModel(nn.Module):
    """P(token | the tokens before it), from tokens (T, B), time first.

    x_t = E[w_t];  y_t, s_t = recurrent(x_t, s_{t-1});  P(w_{t+1}) = softmax(W y_t + b)

    Dropout acts on vertical connections only, a mask of its own per step (Zaremba et al. 2014,
    arXiv:1409.2329): on the embedding, between layers, on the top output. `input_dropout` drops
    whole words, each wherever it stands in the batch, the others scaled up (Gal and Ghahramani
    2016, arXiv:1512.05287). With `tied`, W is E (Press and Wolf 2017, arXiv:1608.05859);
    with `adaptive_softmax`, the rare words' part of the softmax is a step of its own (Grave et al.
    2017, arXiv:1609.04309).
    """

    def __init__(self, size: int, config: Config) -> None:
        super().__init__()
        model, self.regularization = config.model, config.regularization
        width = model.embedding_size or model.hidden_size
        dropout = self.regularization.dropout
        self.embedding = nn.Embedding(size, width)
        self.recurrent = make_recurrent(width, model, self.regularization, batch_first=False)
        self.dropout = make_dropout(dropout)
        self.head: nn.Linear | Bias
        self.head = Bias(size) if model.tied else nn.Linear(model.hidden_size, size)
        self.softmax: AdaptiveSoftmax | None = None
        if model.adaptive_softmax:
            self.softmax = AdaptiveSoftmax(model.hidden_size, size, model.adaptive_softmax)
        if model.tied and config.initialization.name == "torch":
            # torch's N(0, 1) embeddings are far too large for an output layer.
            nn.init.uniform_(self.embedding.weight, -(width**-0.5), width**-0.5)
        start(self, config)

    def forward(self, tokens: Tensor, *state: Tensor) -> State:
        """Logits (T, B, V) of the token after each of tokens (T, B), and the last state, tensor
        by tensor. state: that of the window before; none for zeros. For few rows: logits of a
        large vocabulary take much memory."""
        outputs, last = self._recur(tokens, state)
        return (self._logits(outputs), *last)

    def score(self, tokens: Tensor, targets: Tensor, state: State = ()) -> Scored:
        """Summed loss of the targets (T, B), of which negative ones are passed over.

        state: that of the window before, or () for zeros.
        """
        outputs, last = self._recur(tokens, state)
        dropped = self.dropout(outputs)
        summed = self.softmax or linear_cross_entropy
        loss = summed(dropped, *self._readout(), targets)
        penalty = activation_penalty(outputs, dropped, self.regularization, time_dim=0)
        return Scored(loss, penalty, last)

    @torch.no_grad()
    def losses(self, tokens: Tensor, targets: Tensor, state: State = ()) -> tuple[Tensor, State]:
        """The loss of each target that is not negative, in order of time, and the last state."""
        outputs, last = self._recur(tokens, state)
        each = self.softmax.token_losses if self.softmax else token_losses
        return each(self.dropout(outputs), *self._readout(), targets), last

    def logits(self, tokens: Tensor, state: State = ()) -> Tensor:
        """Logits (T, B, V) of the token after each of tokens (T, B)."""
        logits: Tensor = self(tokens, *state)[0]
        return logits

    @torch.no_grad()
    def next_logits(self, tokens: Tensor, state: State = ()) -> tuple[Tensor, State]:
        """Logits (B, V) of the token after tokens (T, B), and the state to go on from."""
        outputs, last = self._recur(tokens, state)
        return self._logits(outputs[-1]), last

    def _logits(self, outputs: Tensor) -> Tensor:
        """Logits of outputs; an adaptive softmax has log-probabilities, which are logits too."""
        make = self.softmax.log_probabilities if self.softmax else F.linear
        return make(self.dropout(outputs), *self._readout())

    def _recur(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        x = self.embedding(tokens)
        p = self.regularization.input_dropout
        if self.training and p:
            x = drop_words(x, tokens, p, self.embedding.num_embeddings)
        outputs, last = self.recurrent(self.dropout(x), hx_of(state) if state else None)
        return outputs, states_of(last)

    def _readout(self) -> tuple[Tensor, Tensor]:
        if isinstance(self.head, nn.Linear):
            return self.head.weight, self.head.bias
        return self.embedding.weight, self.head.bias
