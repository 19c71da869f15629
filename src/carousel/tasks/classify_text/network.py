"""A network that reads a sentence and tells its class."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from carousel.config import Config
from carousel.data.ragged import Ragged, by_length
from carousel.data.tokens import Tokens
from carousel.layers.pooling import Pooling
from carousel.tasks.shared.average import one_of
from carousel.tasks.shared.network import (
    drop_words,
    evaluating,
    make_dropout,
    make_head,
    make_recurrent,
    start,
)
from carousel.tasks.shared.spelled import SpelledWords

_EVALUATION_BATCH = 256


class TextClassifier(nn.Module):
    """P(class | sentence), from tokens (B, T) and lengths (B,): logits (B, C).

    x_t = E[w_t];  y = recurrent(x);  logits = W pool(y) + b

    With `text.characters` x_t = [E[w_t], s(letters of w_t)] (see `SpelledWords`), and tokens are
    (B, T, 1 + L): the numbers of the letters stand behind that of the word.

    Dropout acts on vertical connections only (Zaremba et al. 2014): on the embedding, between
    layers, before the head; `input_dropout` drops whole words (see `drop_words`). What stands in
    the padding never matters; a sentence without tokens is judged by b alone.
    """

    def __init__(self, tokens: Tokens, classes: int, config: Config) -> None:
        super().__init__()
        model, self.regularization = config.model, config.regularization
        width = model.embedding_size or model.hidden_size
        features = model.hidden_size * (2 if model.bidirectional else 1)
        self.embedding = nn.Embedding(len(tokens), width)
        self.spelled: SpelledWords | None = None
        if tokens.spelling is not None:
            self.spelled = SpelledWords(len(tokens.spelling), model)
            width += self.spelled.width
        self.recurrent = make_recurrent(width, model, self.regularization, batch_first=True)
        self.pooling = Pooling(model.pooling, features)
        self.dropout = make_dropout(self.regularization.dropout)
        self.head = make_head(features, classes, config)
        if config.initialization.name == "torch":
            # torch's N(0, 1) embeddings are so large that the network overfits small corpora.
            nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        start(self, config)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """tokens (B, T) or (B, T, 1 + L), lengths (B,). Returns logits (B, C)."""
        outputs, state = self.recurrent(self.embedded(tokens), lengths=lengths)
        logits: Tensor = self.head(self.dropout(self.pooling(outputs, state, lengths)))
        return logits

    def embedded(self, tokens: Tensor) -> Tensor:
        """Inputs of the recurrent layers (B, T, I) of tokens, some of it dropped in training."""
        words = tokens if self.spelled is None else tokens[..., 0]
        x = self.embedding(words)
        p = self.regularization.input_dropout
        if self.training and p:
            x = drop_words(x, words, p, self.embedding.num_embeddings)
        if self.spelled is not None:
            x = torch.cat((x, self.spelled(tokens[..., 1:])), -1)
        dropped: Tensor = self.dropout(x)
        return dropped

    @property
    def word_embedding(self) -> nn.Embedding:
        return self.embedding


def logits_of(model: TextClassifier, sentences: Ragged) -> Tensor:
    """Logits (n, C) in the order of the sentences, in evaluation mode, on the CPU."""
    result = torch.empty(len(sentences), one_of(model).head.out_features)
    with evaluating(model) as device:
        for index in by_length(sentences.lengths, _EVALUATION_BATCH):
            tokens, lengths = sentences.pad(index)
            result[index] = model(tokens.to(device), lengths.to(device)).cpu()
    return result
