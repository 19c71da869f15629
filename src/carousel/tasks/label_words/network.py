"""A network that gives every word of a sentence a label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from carousel.config import Config
from carousel.data.labelled_words import TAG, WordFeatures
from carousel.data.ragged import Ragged, by_length
from carousel.layers.attention import step_mask
from carousel.tasks.label_words.spans import best_well_formed
from carousel.tasks.shared.network import (
    drop_words,
    evaluating,
    make_dropout,
    make_recurrent,
    start,
)
from carousel.tasks.shared.spelled import SpelledWords

_EVALUATION_BATCH = 128


class WordLabeller(nn.Module):
    """P(label of each word | sentence), from numbers (B, T, F) and lengths (B,).

    x_t = [E_1[f_1], …, E_F[f_F], s(letters)];  y = recurrent(x);  logits_t = W y_t + b

    F: features of a word, its own embedding each; s: of the word's letters, whose numbers stand
    behind those of the features, with `text.characters` (see `SpelledWords`). Dropout
    acts on vertical connections only: on the embeddings, between layers, before the head;
    `input_dropout` drops the embedding of whole words (see `drop_words`) and leaves their other
    features.
    """

    def __init__(self, features: WordFeatures, labels: int, config: Config) -> None:
        """features: what the words are read as; their vocabularies are embedded."""
        super().__init__()
        model, self.regularization = config.model, config.regularization
        widths = [model.embedding_size or model.hidden_size]
        sizes = [len(vocabulary) for vocabulary in features.vocabularies]
        widths += [model.tag_size if n == TAG else model.feature_size for n in features.names[1:]]
        self.embeddings = nn.ModuleList(map(nn.Embedding, sizes, widths))
        self.vocabulary = sizes[0]
        self.spelled: SpelledWords | None = None
        if features.spelling is not None:
            self.spelled = SpelledWords(len(features.spelling), model)
            widths.append(self.spelled.width)
        dropout = self.regularization.dropout
        self.recurrent = make_recurrent(sum(widths), model, self.regularization, batch_first=True)
        self.dropout = make_dropout(dropout)
        self.head = nn.Linear(model.hidden_size * (2 if model.bidirectional else 1), labels)
        if config.initialization.name == "torch":
            for embedding in self.embeddings.parameters():
                nn.init.uniform_(embedding, -0.1, 0.1)
        start(self, config)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Logits (N, L) of the words that there are: row by row, the padding left out."""
        outputs, _ = self.recurrent(self.embedded(features), lengths=lengths)
        real = outputs[step_mask(lengths, outputs.size(1))]
        logits: Tensor = self.head(self.dropout(real))
        return logits

    def embedded(self, features: Tensor) -> Tensor:
        """Inputs of the recurrent layers (B, T, I) of features, some of it dropped in training."""
        parts = [embed(features[..., i]) for i, embed in enumerate(self.embeddings)]
        p = self.regularization.input_dropout
        if self.training and p:
            parts[0] = drop_words(parts[0], features[..., 0], p, self.vocabulary)
        if self.spelled is not None:
            parts.append(self.spelled(features[..., len(self.embeddings) :]))
        dropped: Tensor = self.dropout(torch.cat(parts, -1))
        return dropped

    @property
    def word_embedding(self) -> nn.Embedding:
        return cast(nn.Embedding, self.embeddings[0])


def logits_of(model: nn.Module, sentences: Ragged) -> Tensor:
    """Logits (N, L) of all words, sentence by sentence, in evaluation mode, on the CPU."""
    pieces: dict[int, Tensor] = {}
    with evaluating(model) as device:
        for index in by_length(sentences.lengths, _EVALUATION_BATCH):
            features, lengths = sentences.pad(index)
            logits = model(features.to(device), lengths.to(device)).cpu()
            pieces.update(zip(index.tolist(), logits.split(lengths.tolist()), strict=True))
    return torch.cat([pieces[number] for number in range(len(sentences))])


def most_probable(
    logits: Tensor, lengths: Sequence[int], labels: tuple[str, ...], well_formed: bool
) -> Tensor:
    """Numbers (N,) of the labels that logits (N, L) make most probable: of each word by itself, or
    of each sentence of so many words, `well_formed` (see `best_well_formed`)."""
    return best_well_formed(logits, lengths, labels) if well_formed else logits.argmax(1)
