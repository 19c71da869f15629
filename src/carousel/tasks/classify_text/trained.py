"""A network that reads a sentence and names its class, and what a trained one can say."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carousel.config import Config
from carousel.data.class_targets import named
from carousel.data.files import judged
from carousel.data.files.sentences import given_in
from carousel.data.labelled_text import LabelledText, Sentences
from carousel.data.mapped_texts import encoded
from carousel.data.tokens import Tokens
from carousel.errors import DataError
from carousel.tasks.classify_text.network import TextClassifier, logits_of
from carousel.tasks.shared import metrics
from carousel.tasks.shared.answers import Influence
from carousel.tasks.shared.example import Example, check_number
from carousel.tasks.shared.given import Listed, SentenceModel, one_text, texts_of
from carousel.tasks.shared.heads import head_of
from carousel.tasks.shared.task import Given, Shown

_MOST_PIECES = 200
_KEPT_MISTAKES = 100


class TrainedTextClassifier(SentenceModel):
    """A trained classifier of sentences with its tokens and the names of its classes.

    >>> model = carousel.load("runs/sentiment-sst2-20261124-090000")  # doctest: +SKIP
    >>> answers = model.predict(["a joy from start to finish"])       # doctest: +SKIP
    >>> [answer.label for answer in answers]                          # doctest: +SKIP
    ['positive']
    """

    model: TextClassifier

    averages = True

    def __init__(
        self,
        model: TextClassifier,
        config: Config,
        classes: tuple[str, ...],
        tokens: Tokens,
        several: bool = False,
    ) -> None:
        super().__init__(model, config)
        self.head = head_of(classes, several=several, ordinal=config.columns.ordinal)
        self.several = several
        self.classes, self.tokens = classes, tokens

    @classmethod
    def restore(cls, config: Config, facts: dict[str, Any]) -> TrainedTextClassifier:
        tokens, classes = Tokens.restore(facts["tokens"]), tuple(facts["classes"])
        network = TextClassifier(tokens, len(classes), config)
        return cls(network, config, classes, tokens, facts.get("several", False))

    def averaged(self, outputs: Tensor) -> Tensor:
        return self.head.averaged(outputs)

    def facts(self) -> dict[str, Any]:
        several = {"several": True} if self.several else {}
        return {"classes": list(self.classes), **several, "tokens": self.tokens.facts()}

    # ---- answering

    def encode(self, inputs: Sequence[str] | str) -> tuple[Tensor, Tensor]:
        """Tokens (n, T), padded, and lengths (n,) of sentences."""
        encoded = self.tokens.encode(self._texts(inputs))
        return encoded.pad(torch.arange(len(encoded)))

    def example_inputs(self) -> tuple[Tensor, Tensor]:
        """A sentence of three tokens."""
        return torch.zeros(1, 3, dtype=torch.int64), torch.tensor([3])

    def decode(self, outputs: Tensor) -> list[Any]:
        """Answers of the network's logits (n, C): classes, or sets of labels."""
        return self.head.answers(outputs)

    def predict(self, inputs: Sequence[str] | str, *, influences: bool = False) -> list[Any]:
        """The class of each sentence; a single text is one sentence.

        influences: also which words moved the decision (see `influences`); it costs as much as a
        sentence for each word. Raises `DataError` for a sentence without any word.
        """
        texts = self._texts(inputs)
        answers = self.decode(self._logits(texts))
        if not influences:
            return answers
        if self.several:
            raise DataError(
                "what moved a decision is said of one class, and this model gives several labels: "
                "leave influences out",
                "influences",
            )
        return [
            replace(answer, influences=tuple(self.influences(text)))
            for answer, text in zip(answers, texts, strict=True)
        ]

    def predict_proba(self, inputs: Sequence[str] | str) -> NDArray[np.float32]:
        """Class probabilities (n, C) of sentences; input as for `predict`."""
        result: NDArray[np.float32] = self.head.proba(self._logits(self._texts(inputs))).numpy()
        return result

    def influences(self, sentence: str) -> list[Influence]:
        """Influence of each word on the decision: the log-odds of the predicted class, with the
        word minus without it. Positive: the word spoke for the class.

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

    def _texts(self, inputs: Sequence[str] | str) -> list[str]:
        texts = texts_of(inputs)
        for number, sentence in enumerate(texts, 1):
            if not sentence.strip():
                raise DataError(f"sentence {number} is empty: there is nothing to classify")
        return texts

    def _logits(self, texts: Sequence[str]) -> Tensor:
        return logits_of(self.model, self.tokens.encode(texts))

    def listed(self, text: str, path: Path) -> Listed:
        table = given_in(text, path, self.classes)
        return Listed([row.text for row in table.rows], table.note, table.header)

    def _unknown_in(self, text: str) -> Iterable[str]:
        return self.tokens.unknown_in(text)

    # ---- judging

    def _judge(self, part: str) -> dict[str, Any]:
        data = self.as_trained(self.data(LabelledText), part)
        return {**self._report(data.part(part)), **data.account()}

    def _judge_new(self, path: Path) -> dict[str, Any]:
        found = judged.sentences(path, self.config, self.classes)
        return {**self._report(found.part), **found.account()}

    def _report(self, sentences: Sentences) -> dict[str, Any]:
        read = encoded(self.tokens, sentences.texts)
        logits = logits_of(self.model, read)
        report = self.head.report(sentences.labels, logits)
        report["mistakes"] = self._mistakes(sentences, logits)
        words = read.values if self.tokens.spelling is None else read.values[:, 0]
        report["unknown"] = float((words == 0).double().mean())
        return report

    def _mistakes(self, sentences: Sentences, logits: Tensor) -> list[dict[str, Any]]:
        """The sentences whose class was missed with most confidence."""
        wrong = sorted(self.head.mistakes(sentences.labels, logits), key=lambda row: -row[3])
        return [
            {"sentence": sentences.texts[i], "class": truth, "guess": guess, "probability": chance}
            for i, truth, guess, chance in wrong[:_KEPT_MISTAKES]
        ]

    def present(self, report: dict[str, Any]) -> Iterator[Shown]:
        yield from self.head.show(report, "sentences")
        if "confusion" in report:
            yield metrics.worst_confusions(report["confusion"], list(report["per_class"])) + "\n"

    def draw(self, report: dict[str, Any], folder: Path, suffix: str) -> list[Path]:
        return self.head.draw(report, folder, suffix)

    def example(self, source: str | Given, number: int) -> Example:
        if isinstance(source, Given):
            texts, labels, origin = source.inputs, None, "your own"
        else:
            data = self.data(LabelledText)
            part = self.as_trained(data, source).part(source)
            texts, labels, origin = part.texts, part.labels, f"the {source} part"
        text = texts[check_number(number, len(texts), "sentences")]
        tokens, lengths = self.tokens.encode([text]).pad(torch.tensor([0]))
        if not int(lengths):
            raise DataError(f"sentence {number} of {origin} has no token: there is nothing to see")
        guess = int(self._logits([text]).argmax())
        truth = "" if labels is None else f"true class {named(labels[number], self.classes)}, "
        return Example(
            f"sentence {number} of {origin}: {truth}predicted {self.classes[guess]}",
            f"the logit of the predicted class {self.classes[guess]}",
            lambda: self.model(tokens, lengths)[0, guess],
            tuple(self.tokens.cut(text)),
        )


def _log_odds(logits: Tensor, index: int) -> Tensor:
    """log(p / (1 - p)) of one class, from logits, without the rounding of p near 1."""
    others = torch.cat((logits[:, :index], logits[:, index + 1 :]), 1)
    return logits[:, index] - others.logsumexp(1)
