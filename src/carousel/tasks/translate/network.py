"""The network of translation: a recurrent encoder and a decoder that attends to its outputs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from carousel.config import Config
from carousel.data.ragged import Ragged, by_length
from carousel.layers.pooling import Pooling
from carousel.tasks.shared.beam_search import Hypothesis, Search, beam_search
from carousel.tasks.shared.decoder import NEVER, Decoder, Memory, Scored, shifted
from carousel.tasks.shared.network import (
    drop_words,
    evaluating,
    make_dropout,
    make_recurrent,
    start,
)

_JUDGED_TOGETHER = 256
_SEARCHED_TOGETHER = 100
LENGTH_MARGIN = 10


class Translator(nn.Module):
    """P(target | source), from sources (B, S) with lengths (B,), batch first.

    x_s = E'[w_s];  m = recurrent(x), in both directions with `bidirectional`;  s = pool(m)

    m is the memory and s the summary of the `Decoder` (see `carousel.tasks.decoder`). With
    `translate.joint`, E' is the decoder's E. Dropout acts on vertical connections only: on the
    embedding, between layers, on m. What stands in the padding never matters.
    """

    def __init__(self, sources: int, targets: int, config: Config) -> None:
        super().__init__()
        model, self.regularization = config.model, config.regularization
        width = model.embedding_size or model.hidden_size
        features = model.hidden_size * (2 if model.bidirectional else 1)
        self.recurrent = make_recurrent(width, model, self.regularization, batch_first=True)
        self.pooling = Pooling(model.pooling, features)
        self.dropout = make_dropout(self.regularization.dropout)
        start(self, config)
        self.decoder = Decoder(targets, features, features, config)
        self.own_embedding = None  # a module under two names would be saved twice
        if not config.translate.joint:
            self.own_embedding = nn.Embedding(sources, width)
            nn.init.uniform_(self.own_embedding.weight, -(width**-0.5), width**-0.5)

    @property
    def embedding(self) -> nn.Embedding:
        """E', of the source tokens."""
        return self.own_embedding or self.decoder.embedding

    def forward(self, sources: Tensor, lengths: Tensor, tokens: Tensor) -> Tensor:
        """Logits (B, T, V + 1) of what follows tokens (B, T), sources (B, S) having been read."""
        logits: Tensor = self.decoder(tokens, self.remember(sources, lengths))
        return logits

    def score(
        self,
        sources: Tensor,
        lengths: Tensor,
        tokens: Tensor,
        targets: Tensor,
        own: Tensor | None = None,
    ) -> Scored:
        """The loss of targets (B, T) after tokens (B, T) were read, and sources (B, S)."""
        return self.decoder.score(tokens, targets, self.remember(sources, lengths), own)

    def remember(self, sources: Tensor, lengths: Tensor) -> Memory:
        """Encode sources (B, S) with lengths (B,) for the decoder."""
        x = self.embedding(sources)
        p = self.regularization.input_dropout
        if self.training and p:
            x = drop_words(x, sources, p, self.embedding.num_embeddings)
        outputs, state = self.recurrent(self.dropout(x), lengths=lengths)
        summary = self.pooling(outputs, state, lengths)
        return self.decoder.remember(self.dropout(outputs), lengths, self.dropout(summary))


def batch_of(
    sources: Ragged, targets: Ragged, index: Tensor, end: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The pairs of these numbers as `Translator.score` takes them. end: `Decoder.end`."""
    return (*sources.pad(index), *shifted(*targets.pad(index), end))


def mean_loss(model: Translator, sources: Ragged, targets: Ragged) -> float:
    """Cross-entropy per target token, ends included, in nats; in evaluation mode."""
    loss, count = 0.0, 0
    with evaluating(model) as device:
        for index in by_length(targets.lengths, _JUDGED_TOGETHER):
            batch = batch_of(sources, targets, index, model.decoder.end)
            loss += float(model.score(*(part.to(device) for part in batch)).loss)
            count += int((batch[3] >= 0).sum())
    return loss / count


def translate(
    model: Translator, sources: Ragged, search: Search, length_factor: float
) -> list[list[Hypothesis]]:
    """The best translations of each sentence, best first, in the order of the sentences.

    A translation has at most `length_factor` times the tokens of its source, and 10; <unk> is never
    written. Which sentences are searched together changes nothing.
    """
    found: list[Sequence[Hypothesis]] = [()] * len(sources)
    with evaluating(model) as device:
        for index in by_length(sources.lengths, _SEARCHED_TOGETHER):
            tokens, lengths = sources.pad(index)
            limits = most_tokens(lengths, length_factor)
            cursor = model.decoder.cursor(model.remember(tokens.to(device), lengths.to(device)))
            end = model.decoder.end
            some = beam_search(cursor, limits.to(device), end, NEVER, search)
            for number, hypotheses in zip(index.tolist(), some, strict=True):
                found[number] = hypotheses
    return [list(hypotheses) for hypotheses in found]


def most_tokens(lengths: Tensor, length_factor: float) -> Tensor:
    """The most tokens of translations of sources with lengths (B,), their ends included.

    >>> most_tokens(torch.tensor([2, 5]), 1.5).tolist()
    [13, 17]
    """
    return (lengths * length_factor).long() + LENGTH_MARGIN


@torch.no_grad()
def alignment(model: Translator, source: Tensor, target: Tensor) -> Tensor:
    """Attention of the decoder for each token of a translation, its end included: (T + 1, S).

    source (S,), target (T,).
    """
    with evaluating(model) as device:
        memory = model.remember(source[None].to(device), torch.tensor([len(source)], device=device))
        read = torch.cat((target.new_tensor([model.decoder.end]), target))
        return model.decoder.weights(read[None].to(device), memory)[0].cpu()
