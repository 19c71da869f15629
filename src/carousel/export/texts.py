"""Descriptions of trained models of tokens: classifiers, labellers of words, language models."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from carousel.data.tokens import Tokens
from carousel.errors import ConfigError
from carousel.export import modules
from carousel.export.description import (
    Dense,
    Embedding,
    GroupedSoftmax,
    Network,
    Softmax,
    Value,
)
from carousel.export.heads import answers_of
from carousel.export.subject import Subject, Tensors
from carousel.layers.attention import step_mask
from carousel.tasks.classify_text.network import TextClassifier
from carousel.tasks.classify_text.trained import TrainedTextClassifier
from carousel.tasks.generate.network import LanguageModel
from carousel.tasks.generate.trained import TrainedLanguageModel
from carousel.tasks.label_words.network import WordLabeller
from carousel.tasks.label_words.trained import TrainedWordLabeller

_TOKENS = Value("tokens", "int64", ("batch", "time"), "numbers of tokens")


def text_classifier(trained: TrainedTextClassifier) -> Subject:
    """Tokens of sentences to probabilities of classes."""
    model, head = trained.model, trained.head
    _refuse_letters(model)
    layers = (
        modules.embedding(model.embedding),
        modules.recurrent(model.recurrent),
        *modules.layers_of(model.pooling),
        *answers_of(model.head, head),
    )
    network = Network(
        "classifier of texts",
        layers,
        (_TOKENS,),
        (Value("probabilities", "float32", ("batch", len(trained.classes)), "of each class"),),
        classes=trained.classes,
        vocabulary=tuple(map(trained.tokens.name, range(len(trained.tokens)))),
        facts={"task": "classify_text", "several": trained.several, **_cut_as(trained.tokens)},
    )

    def compute(given: Tensors) -> tuple[Tensor, ...]:
        return (head.proba(model(given["tokens"], lengths_of(given, "tokens"))),)

    return Subject(network, compute, (model.recurrent,), model)


def word_labeller(trained: TrainedWordLabeller) -> Subject:
    """Numbers of the features of words to probabilities of their labels."""
    model, labels = trained.model, trained.labels
    _refuse_letters(model)
    tables = [cast(nn.Embedding, table) for table in model.embeddings]
    first, *further = [modules.array(table.weight) for table in tables]
    shape: tuple[int | str, ...] = ("batch", "time", 1 + len(further))
    given = Value("tokens", "int64", shape, "numbers of the features of words")
    network = Network(
        "labeller of words",
        (
            Embedding(first, tuple(further)),
            modules.recurrent(model.recurrent),
            modules.dense(model.head),
            Softmax(),
        ),
        (given if further else _TOKENS,),
        (Value("probabilities", "float32", ("batch", "time", len(labels)), "of each label"),),
        has_states=not model.recurrent.bidirectional,
        classes=labels,
        facts={
            "task": "label_words",
            "well_formed": trained.well_formed,
            "features": trained.features.facts(),
        },
    )

    def compute(given: Tensors) -> tuple[Tensor, ...]:
        tokens, lengths = given["tokens"], lengths_of(given, "tokens")
        logits = model(tokens if further else tokens.unsqueeze(2), lengths)
        every = torch.zeros(*tokens.shape[:2], len(labels))
        every[step_mask(lengths, tokens.size(1))] = logits.softmax(1)
        return (every,)

    return Subject(network, compute, (model.recurrent,), model)


def _refuse_letters(model: TextClassifier | WordLabeller) -> None:
    """Raise `ConfigError` for a network that reads the letters of words."""
    if model.spelled is not None:
        raise ConfigError(
            "a network that reads letters of words (text.characters) has no description: files in "
            "other formats are made of one that was trained with text.characters = 'none'; its "
            "recurrent layers can be described by themselves, such as "
            "carousel.load(run).model.recurrent"
        )


def language_model(trained: TrainedLanguageModel) -> Subject:
    """Tokens to probabilities of the next one, after each of them."""
    model = trained.model
    network = Network(
        "language model",
        (
            modules.embedding(model.embedding),
            modules.recurrent(model.recurrent),
            *_readout(model),
        ),
        (_TOKENS,),
        (
            Value(
                "probabilities",
                "float32",
                ("batch", "time", len(trained.vocabulary)),
                "of the token that follows each",
            ),
        ),
        has_lengths=False,
        has_states=True,
        vocabulary=trained.vocabulary.tokens,
        facts={"task": "generate", "kind": trained.kind},
    )

    def compute(given: Tensors) -> tuple[Tensor, ...]:
        return (model(given["tokens"].t())[0].transpose(0, 1).softmax(2),)

    return Subject(network, compute, (model.recurrent,), model)


def _readout(model: LanguageModel) -> tuple[Dense, Softmax | GroupedSoftmax]:
    """Dense layer and softmax over the vocabulary."""
    own = isinstance(model.head, nn.Linear)  # else the embedding's weight with a bias beside it
    weight = modules.array(cast(nn.Linear, model.head).weight if own else model.embedding.weight)
    bias = modules.array(cast(Tensor, model.head.bias))
    if model.softmax is None:
        return Dense(weight, bias), Softmax()
    (frequent, *_), groups = model.softmax.bounds, model.softmax.groups
    weight = np.insert(weight, frequent, modules.array(groups.weight), 0)
    bias = np.insert(bias, frequent, modules.array(groups.bias))
    sizes = np.diff((0, *model.softmax.bounds))
    return Dense(weight, bias), GroupedSoftmax(tuple(map(int, sizes)))


def lengths_of(given: Tensors, name: str) -> Tensor:
    """The lengths that were given, else those of whole rows."""
    if "lengths" in given:
        return given["lengths"]
    rows, steps = given[name].shape[:2]
    return torch.full((rows,), steps)


def _cut_as(tokens: Tokens) -> dict[str, Any]:
    """Facts of how a text is cut: the level, lower case or not, and the file of subwords."""
    return {name: fact for name, fact in tokens.facts().items() if name != "vocabulary"}
