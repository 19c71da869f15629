"""A network that labels every word of a sentence, and what a trained one can say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carousel.config import Config
from carousel.data.files import judged
from carousel.data.files.columns import Labelled, read_given
from carousel.data.files.table_texts import has_columns, words_in
from carousel.data.files.text import read_text
from carousel.data.labelled_words import TAG, LabelledWords, WordFeatures
from carousel.data.tagged import Tagged, from_pairs
from carousel.tasks.label_words.network import WordLabeller, logits_of, most_probable
from carousel.tasks.label_words.scores import judge
from carousel.tasks.label_words.spans import mark_spans, spans_of
from carousel.tasks.shared.answers import WordLabel, WordsAnswer, WordSpan
from carousel.tasks.shared.average import mean_of_classes
from carousel.tasks.shared.example import Example, check_number, shown
from carousel.tasks.shared.given import Listed, SentenceModel, several, texts_of
from carousel.tasks.shared.task import Given, Shown, Table

_SHOWN_KINDS = 25

Sentences = Sequence[Sequence[str | tuple[str, str]]] | str


class TrainedWordLabeller(SentenceModel):
    """A trained labeller of words with its features and labels.

    well_formed: the labels of a sentence are chosen together, so that no span is continued that
    has not begun; where those of the training part are so.

    >>> model = carousel.load("runs/slots-atis-20261124-090000")      # doctest: +SKIP
    >>> [w.label for w in model.label([["flights", "to", "boston"]])[0]]  # doctest: +SKIP
    ['O', 'O', 'B-toloc.city_name']
    """

    model: WordLabeller
    in_blocks = True

    averages = True

    def __init__(
        self,
        model: WordLabeller,
        config: Config,
        labels: tuple[str, ...],
        features: WordFeatures,
        well_formed: bool,
    ) -> None:
        super().__init__(model, config)
        self.labels, self.features, self.well_formed = labels, features, well_formed

    @classmethod
    def restore(cls, config: Config, facts: dict[str, Any]) -> TrainedWordLabeller:
        labels, features = tuple(facts["labels"]), WordFeatures.restore(facts["features"])
        model = WordLabeller(features, len(labels), config)
        return cls(model, config, labels, features, facts.get("well_formed", False))

    def averaged(self, outputs: Tensor) -> Tensor:
        return mean_of_classes(outputs)

    def facts(self) -> dict[str, Any]:
        return {
            "labels": list(self.labels),
            "features": self.features.facts(),
            "well_formed": self.well_formed,
        }

    # ---- answering

    def encode(self, inputs: Sentences) -> tuple[Tensor, Tensor]:
        """Numbers (n, T, F) of the words' features, padded, and lengths (n,) of sentences."""
        encoded = self.features.encode(self._cut(inputs))
        return encoded.pad(torch.arange(len(encoded)))

    def example_inputs(self) -> tuple[Tensor, Tensor]:
        """A sentence of three unknown words."""
        words = ["a", "b", "c"]
        tagged = TAG in self.features.names
        return self.encode([[Tagged(word, "?") for word in words] if tagged else words])

    def decode(self, outputs: Tensor, sentences: Sequence[Sequence[str]]) -> list[WordsAnswer]:
        """Answers of the network's logits (N, L) of all words of sentences."""
        sizes = [*map(len, sentences)]
        number = most_probable(outputs, sizes, self.labels, self.well_formed)
        chances = outputs.softmax(1).gather(1, number.unsqueeze(1)).squeeze(1)
        rows = zip(torch.split(number, sizes), torch.split(chances, sizes), sentences, strict=True)
        return [self._answer(words, n.tolist(), p.tolist()) for n, p, words in rows]

    def predict(self, inputs: Sentences) -> list[WordsAnswer]:
        """The most probable labels of the words of sentences that are cut into words; one that is
        a text is cut (see `WordFeatures.cut`), and a single text is one sentence. Words of a model
        that reads tags are pairs (word, tag).

        Raises `DataError` for what is neither.
        """
        sentences = self._cut(inputs)
        if not any(map(len, sentences)):
            return [self._answer((), (), ()) for _ in sentences]
        return self.decode(logits_of(self.model, self.features.encode(sentences)), sentences)

    def predict_proba(self, inputs: Sentences) -> list[NDArray[np.float32]]:
        """Label probabilities (words, L) of each sentence; input as for `predict`."""
        sentences = self._cut(inputs)
        if not any(map(len, sentences)):
            return [np.empty((0, len(self.labels)), np.float32) for _ in sentences]
        chances = logits_of(self.model, self.features.encode(sentences)).softmax(1)
        return [rows.numpy() for rows in torch.split(chances, [*map(len, sentences)])]

    def label(self, sentences: Sentences) -> list[list[WordLabel]]:
        """The labelled words of each sentence alone; input as for `predict`."""
        return [[*answer.words] for answer in self.predict(sentences)]

    def _answer(
        self, words: Sequence[str], numbers: Sequence[int], chances: Sequence[float]
    ) -> WordsAnswer:
        labels = [self.labels[number] for number in numbers]
        spans = tuple(WordSpan(*span) for span in spans_of(labels))
        labelled = tuple(map(WordLabel, words, labels, chances))
        return WordsAnswer(labelled, spans, mark_spans(self.labels))

    def read(self, path: Path) -> Given:
        """The sentences of a file: its lines, the words in the first of its columns, or those of a
        table by the names of training."""
        if (table := self.listed_table(path)) is not None:
            unknown = (w for row in table.inputs for w in row if not self.features.knows(w))
            texts = [" ".join(words) for words in table.inputs]
            return replace(self._given(texts, table.note, unknown), inputs=table.inputs)
        given = self._in_columns(read_text(path), path)
        if given is None:
            return super().read(path)
        unknown = (w for row in given.words for w in row if not self.features.knows(w))
        texts = [" ".join(words) for words in given.words]
        return replace(self._given(texts, given.note, unknown), inputs=given.words)

    def _in_columns(self, text: str, path: Path) -> Labelled | None:
        chosen = self.config.text
        return read_given(text, path, self.labels, chosen.word, chosen.label, chosen.tag)

    def listed(self, text: str, path: Path) -> Listed:
        given = self._in_columns(text, path)
        return super().listed(text, path) if given is None else Listed(given.words, given.note)

    def listed_table(self, path: Path) -> Listed | None:
        if not self.config.columns.text or not has_columns(path):
            return None
        return Listed(*words_in(path, self.config))

    def unknown_in(self, sentence: Sequence[str] | str) -> list[str]:
        words = self.features.cut(sentence) if isinstance(sentence, str) else sentence
        return [word for word in words if not self.features.knows(word)]

    def _unknown_in(self, text: str) -> list[str]:
        return self.unknown_in(text)

    def _cut(self, sentences: Sentences) -> list[list[str]]:
        return [
            self.features.cut(sentence)
            if isinstance(sentence, str)
            else texts_of(from_pairs(sentence), f"words of sentence {number}")
            for number, sentence in enumerate(several(sentences), 1)
        ]

    def _judge(self, part: str) -> dict[str, Any]:
        data = self.as_trained(self.data(LabelledWords), part)
        return {**self._report(data.part(part)), **data.account()}

    def _judge_new(self, path: Path) -> dict[str, Any]:
        found = judged.words(path, self.config)
        return {**self._report(found.part), **found.account()}

    def _report(self, held: Labelled) -> dict[str, Any]:
        encoded = self.features.encode(held.words)
        values, details = judge(held, logits_of(self.model, encoded), self.labels, self.well_formed)
        values["unknown"] = float((encoded.values[:, 0] == 0).double().mean())
        return {**values, **details}

    def present(self, report: dict[str, Any]) -> Iterator[Shown]:
        kinds = report.get("per_kind")
        if not kinds:
            return
        table = Table(("span", "precision", "recall", "F1", "spans"), [])
        by_support = sorted(kinds.items(), key=lambda item: -item[1]["support"])
        for kind, row in by_support[:_SHOWN_KINDS]:
            values = (f"{row[key]:.4f}" for key in ("precision", "recall", "f1"))
            table.rows.append((kind, *values, f"{row['support']:,}"))
        yield table
        if len(kinds) > _SHOWN_KINDS:
            yield f"and {len(kinds) - _SHOWN_KINDS} rarer kinds (evaluation.json)\n"

    def example(self, source: str | Given, number: int) -> Example:
        if isinstance(source, Given):
            rows: Sequence[Sequence[str]] = self._cut(source.inputs)
            origin = "your own"
        else:
            data = self.data(LabelledWords)
            part = self.as_trained(data, source).part(source)
            rows, origin = part.words, f"the {source} part"
        words = rows[check_number(number, len(rows), "sentences")]
        features, lengths = self.features.encode([words]).pad(torch.tensor([0]))
        guess = torch.tensor([self.labels.index(word.label) for word in self.label([words])[0]])
        return Example(
            f"sentence {number} of {origin}: labelled {shown(self.labels, guess.tolist())}",
            "the sum of the logits of the predicted labels",
            lambda: self.model(features, lengths).gather(1, guess.unsqueeze(1)).sum(),
            tuple(words),
        )
