"""A network that reads a sentence and names its class, and what a trained one can say."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carousel.config import Config
from carousel.data.labelled_text import LabelledText
from carousel.data.sentence_tables import read_given
from carousel.data.tokens import Tokens
from carousel.errors import DataError
from carousel.tasks.classify_text.network import TextClassifier, logits_of
from carousel.tasks.shared import metrics, plots
from carousel.tasks.shared.example import Example, check_number
from carousel.tasks.shared.given import one_text, sentences_of, texts_of, unknown_notice
from carousel.tasks.shared.task import Json, Notice, Request, Shown, Table, TrainedModel

_MOST_PIECES = 200


_SHOWN_WORDS = 3


class Influence(NamedTuple):
    """A word of a sentence and what it did: the log-odds of the class with it minus without it."""

    word: str
    log_odds: float


class TrainedTextClassifier(TrainedModel):
    """A trained classifier of sentences with its tokens and the names of its classes.

    >>> model = carousel.load("runs/sentiment-sst2-20261124-090000")  # doctest: +SKIP
    >>> model.predict(["a joy from start to finish"])                 # doctest: +SKIP
    ['positive']
    """

    model: TextClassifier

    def __init__(
        self, model: TextClassifier, config: Config, classes: tuple[str, ...], tokens: Tokens
    ) -> None:
        super().__init__(model, config)
        self.classes, self.tokens = classes, tokens

    @classmethod
    def restore(cls, config: Config, facts: dict[str, Any]) -> TrainedTextClassifier:
        tokens, classes = Tokens.restore(facts["tokens"]), tuple(facts["classes"])
        return cls(TextClassifier(len(tokens), len(classes), config), config, classes, tokens)

    def facts(self) -> dict[str, Any]:
        return {"classes": list(self.classes), "tokens": self.tokens.facts()}

    def predict_proba(self, sentences: Sequence[str] | str) -> NDArray[np.float32]:
        """Class probabilities (n, C) of sentences; a single text is one sentence.

        Raises `DataError` for a sentence without any word.
        """
        texts = texts_of(sentences)
        for number, sentence in enumerate(texts, 1):
            if not sentence.strip():
                raise DataError(f"sentence {number} is empty: there is nothing to classify")
        result: NDArray[np.float32] = self._chances(texts).numpy()
        return result

    def predict(self, sentences: Sequence[str] | str) -> list[str]:
        """The most probable class of each sentence; input as for `predict_proba`."""
        return [self.classes[i] for i in self.predict_proba(sentences).argmax(1)]

    def influences(self, sentence: str) -> list[Influence]:
        """Which words moved the decision: the log-odds of the predicted class, with each word
        minus without it. Positive: the word spoke for the class.

        Words are what stands between white space; of more than 200, so many at a time are left
        out that there are 200 pieces. Source: Li, Monroe, Jurafsky 2016 (arXiv:1612.08220).
        """
        words = one_text(sentence, "sentence").split()
        size = math.ceil(len(words) / _MOST_PIECES) or 1
        starts = range(0, len(words), size)
        without = [" ".join(words[:i] + words[i + size :]) for i in starts]
        logits = logits_of(self.model, self.tokens.encode([" ".join(words), *without])).double()
        odds = _log_odds(logits, int(logits[0].argmax()))
        pieces = (" ".join(words[i : i + size]) for i in starts)
        changes = (odds[0] - odds[1:]).tolist()
        return [Influence(piece, change) for piece, change in zip(pieces, changes, strict=True)]

    def _chances(self, sentences: Sequence[str]) -> Tensor:
        return logits_of(self.model, self.tokens.encode(sentences)).softmax(1)

    # ---- judging

    def _judge(self, part: str) -> dict[str, Any]:
        data = self.as_trained(LabelledText(self.config.data, self.config.text), part)
        sentences = data.part(part)
        report = metrics.report(sentences.labels, self._chances(sentences.texts), self.classes)
        encoded = self.tokens.encode(sentences.texts)
        report["unknown"] = float((encoded.values == 0).double().mean())
        return {**report, **data.account()}

    def present(self, report: dict[str, Any]) -> Iterator[Shown]:
        yield from metrics.show_classes(report, "sentences")
        yield metrics.worst_confusions(report["confusion"], list(report["per_class"])) + "\n"

    def draw(self, report: dict[str, Any], folder: Path, suffix: str) -> list[Path]:
        picture = folder / f"confusion{suffix}.png"
        plots.draw_confusion(report["confusion"], self.classes, picture)
        return [picture]

    def example(self, source: str | Request, number: int) -> Example:
        if isinstance(source, Request):
            texts, labels, origin = self._given(source)[0], None, "your own"
        else:
            data = LabelledText(self.config.data, self.config.text)
            part = self.as_trained(data, source).part(source)
            texts, labels, origin = list(part.texts), part.labels, f"the {source} part"
        text = texts[check_number(number, len(texts), "sentences")]
        tokens, lengths = self.tokens.encode([text]).pad(torch.tensor([0]))
        if not int(lengths):
            raise DataError(f"sentence {number} of {origin} has no token: there is nothing to see")
        guess = int(self._chances([text]).argmax())
        truth = "" if labels is None else f"true class {self.classes[int(labels[number])]}, "
        return Example(
            f"sentence {number} of {origin}: {truth}predicted {self.classes[guess]}",
            f"the logit of the predicted class {self.classes[guess]}",
            lambda: self.model(tokens, lengths)[0, guess],
            tuple(self.tokens.cut(text)),
        )

    # ---- the command line

    def _given(self, request: Request) -> tuple[list[str], list[Notice]]:
        def read(path: Path) -> tuple[list[str], str]:
            table = read_given(path, self.classes)
            return [row.text for row in table.rows], table.note

        return sentences_of(request, "classify_text", read)

    def answer(self, request: Request) -> Iterator[Shown]:
        sentences, notices = self._given(request)
        yield from notices
        yield from unknown_notice(t for s in sentences for t in self.tokens.unknown_in(s))
        chances = self.predict_proba(sentences)
        if request.as_json:
            yield Json([self._as_json(s, c) for s, c in zip(sentences, chances, strict=True)])
        elif len(sentences) == 1:
            yield from self._one(sentences[0], chances[0])
        else:
            yield self._many(sentences, chances)

    def _as_json(self, sentence: str, chances: NDArray[np.float32]) -> dict[str, Any]:
        return {
            "text": sentence,
            "class": self.classes[chances.argmax()],
            "probabilities": dict(zip(self.classes, map(float, chances), strict=True)),
            "influences": [influence._asdict() for influence in self.influences(sentence)],
        }

    def _one(self, sentence: str, chances: NDArray[np.float32]) -> Iterator[Shown]:
        best_first = chances.argsort()[::-1]
        table = Table(("class", "probability", ""), [])
        for i in best_first:
            bar = "█" * round(30 * float(chances[i]))
            table.rows.append((self.classes[i], f"{chances[i]:.4f}", bar))
        yield table
        influences = self.influences(sentence)
        longest = max(abs(influence.log_odds) for influence in influences) or 1.0
        table = Table(("word", f"log-odds for {self.classes[best_first[0]]}", ""), [])
        for word, change in influences:
            bar = ("+" if change > 0 else "-") * round(20 * abs(change) / longest)
            table.rows.append((word, f"{change:+.2f}", bar))
        yield table

    def _many(self, sentences: list[str], chances: NDArray[np.float32]) -> Table:
        table = Table(("sentence", "class", "probability", "words that moved it most"), [])
        for number, (sentence, row) in enumerate(zip(sentences, chances, strict=True), 1):
            ranked = sorted(self.influences(sentence), key=lambda i: -abs(i.log_odds))
            words = ", ".join(f"{word} {change:+.1f}" for word, change in ranked[:_SHOWN_WORDS])
            first = row.argmax()
            table.rows.append((str(number), self.classes[first], f"{row[first]:.4f}", words))
        return table


def _log_odds(logits: Tensor, index: int) -> Tensor:
    """log(p / (1 - p)) of one class, from logits, without the rounding of p near 1."""
    others = torch.cat((logits[:, :index], logits[:, index + 1 :]), 1)
    return logits[:, index] - others.logsumexp(1)
