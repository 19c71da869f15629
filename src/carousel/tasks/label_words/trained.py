"""A network that labels every word of a sentence, and what a trained one can say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from carousel.config import Config
from carousel.data.files.columns import read_given
from carousel.data.files.text import read_text
from carousel.data.labelled_words import LabelledWords, WordFeatures
from carousel.tasks.label_words.network import WordLabeller, logits_of, most_probable
from carousel.tasks.label_words.scores import judge
from carousel.tasks.label_words.spans import mark_spans, spans_of
from carousel.tasks.shared.example import Example, check_number, shown
from carousel.tasks.shared.given import sentences_of, several, texts_of, unknown_notice
from carousel.tasks.shared.task import Json, Notice, Request, Shown, Table, TrainedModel

_SHOWN_KINDS = 25


class WordLabel(NamedTuple):
    """A word, its label in the most probable row of labels, and how probable that label is."""

    word: str
    label: str
    probability: float


class TrainedWordLabeller(TrainedModel):
    """A trained labeller of words with its features and labels.

    well_formed: the labels of a sentence are chosen together, so that no span is continued that
    has not begun; where those of the training part are so.

    >>> model = carousel.load("runs/slots-atis-20261124-090000")      # doctest: +SKIP
    >>> [w.label for w in model.label([["flights", "to", "boston"]])[0]]  # doctest: +SKIP
    ['O', 'O', 'B-toloc.city_name']
    """

    model: WordLabeller

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
        sizes = [len(vocabulary) for vocabulary in features.vocabularies]
        model = WordLabeller(sizes, len(labels), config)
        return cls(model, config, labels, features, facts.get("well_formed", False))

    def facts(self) -> dict[str, Any]:
        return {
            "labels": list(self.labels),
            "features": self.features.facts(),
            "well_formed": self.well_formed,
        }

    def label(self, sentences: Sequence[Sequence[str]] | str) -> list[list[WordLabel]]:
        """The most probable labels of the words of sentences that are cut into words; one that is
        a text is cut (see `WordFeatures.cut`), and a single text is one sentence.

        Raises `DataError` for what is neither.
        """
        sentences = self._cut(sentences)
        if not any(map(len, sentences)):
            return [[] for _ in sentences]
        logits = logits_of(self.model, self.features.encode(sentences))
        number = most_probable(logits, [*map(len, sentences)], self.labels, self.well_formed)
        chances = logits.softmax(1).gather(1, number.unsqueeze(1)).squeeze(1)
        rows = iter(zip(number.tolist(), chances.tolist(), strict=True))
        return [
            [
                WordLabel(word, self.labels[i], p)
                for word, (i, p) in zip(sentence, rows, strict=False)
            ]
            for sentence in sentences
        ]

    def _cut(self, sentences: Sequence[Sequence[str]] | str) -> list[list[str]]:
        return [
            self.features.cut(sentence)
            if isinstance(sentence, str)
            else texts_of(sentence, f"words of sentence {number}")
            for number, sentence in enumerate(several(sentences), 1)
        ]

    def _judge(self, part: str) -> dict[str, Any]:
        data = self.as_trained(LabelledWords(self.config.data, self.config.text), part)
        held = data.part(part)
        encoded = self.features.encode(held.words)
        values, details = judge(held, logits_of(self.model, encoded), self.labels, self.well_formed)
        values["unknown"] = float((encoded.values[:, 0] == 0).double().mean())
        return {**values, **details, **data.account()}

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

    def example(self, source: str | Request, number: int) -> Example:
        if isinstance(source, Request):
            rows: Sequence[Sequence[str]] = self._given(source)[0]
            origin = "your own"
        else:
            data = LabelledWords(self.config.data, self.config.text)
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

    def _given(self, request: Request) -> tuple[list[list[str]], list[str], list[Notice]]:
        """The words of the sentences, the sentences themselves, and what there is to say."""
        found: list[list[str]] = []

        def read(path: Path) -> tuple[list[str], str]:
            text = read_text(path)
            given = read_given(text, path, self.labels)
            if given is None:
                return text.removesuffix("\n").split("\n"), ""
            found.extend(given.words)
            return [" ".join(words) for words in given.words], given.note

        sentences, notices = sentences_of(request, "label_words", read)
        return found or [self.features.cut(s) for s in sentences], sentences, notices

    def answer(self, request: Request) -> Iterator[Shown]:
        words, sentences, notices = self._given(request)
        yield from notices
        yield from unknown_notice(w for row in words for w in row if not self.features.knows(w))
        labelled = self.label(words)
        if request.as_json:
            yield Json([self._as_json(s, row) for s, row in zip(sentences, labelled, strict=True)])
        elif len(sentences) == 1:
            rows = [(w.word, w.label, f"{w.probability:.4f}") for w in labelled[0]]
            yield Table(("word", "label", "probability"), [*rows])
        else:
            table = Table(("sentence", "labelled"), [])
            for number, row in enumerate(labelled, 1):
                table.rows.append((str(number), self._in_brackets(row)))
            yield table

    def _as_json(self, sentence: str, row: list[WordLabel]) -> dict[str, Any]:
        return {
            "text": sentence,
            "words": [word._asdict() for word in row],
            "spans": [
                {"kind": s.kind, "text": " ".join(w.word for w in row[s.start : s.end])}
                for s in spans_of([word.label for word in row])
            ],
        }

    def _in_brackets(self, row: list[WordLabel]) -> str:
        if not mark_spans(self.labels):
            return " ".join(f"{word.word}/{word.label}" for word in row)
        pieces = [word.word for word in row]
        for span in spans_of([word.label for word in row]):
            pieces[span.start] = f"[{span.kind}: {pieces[span.start]}"
            pieces[span.end - 1] += "]"
        return " ".join(pieces)
