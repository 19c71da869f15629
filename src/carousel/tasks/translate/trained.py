"""A trained translator: translates, offers alternatives, shows where it looked, is judged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from carousel import scores
from carousel.config import Config
from carousel.data.files import judged
from carousel.data.files.pairs import is_header, sources_in
from carousel.data.ragged import Ragged
from carousel.data.sentence_pairs import Pairs, Parallel
from carousel.data.tokens import Tokens
from carousel.errors import ConfigError, DataError
from carousel.tasks.shared.answers import Alternative, TranslationAnswer
from carousel.tasks.shared.beam_search import (
    Hypothesis,
    Search,
    alternatives_of,
)
from carousel.tasks.shared.given import Listed, SentenceModel, one_text, texts_of
from carousel.tasks.shared.task import Notice, Shown, Table
from carousel.tasks.translate.network import Translator, alignment, mean_loss, translate
from carousel.tasks.translate.plots import AttentionPanel, draw_attention
from carousel.tasks.translate.scores import TranslationScores

_BANDS = ((1, 9), (10, 14), (15, 19), (20, 29), (30, None))
_SHOWN = 3
_DRAWN = 4
_DRAWN_TOKENS = 22


class TrainedTranslator(SentenceModel):
    """A trained translator with the tokens of both languages.

    >>> model = carousel.load("runs/translate-multi30k-de-en-20261125-090000")  # doctest: +SKIP
    >>> model.translate(["Ein Mann schläft auf einem Sofa."])                  # doctest: +SKIP
    ['A man is sleeping on a couch.']
    """

    model: Translator

    def __init__(self, model: Translator, config: Config, sources: Tokens, targets: Tokens) -> None:
        super().__init__(model, config)
        self.sources, self.targets = sources, targets
        self.scores = TranslationScores.of(config)

    @classmethod
    def restore(cls, config: Config, facts: dict[str, Any]) -> TrainedTranslator:
        sources = Tokens.restore(facts["sources"])
        targets = Tokens.restore(facts["targets"]) if "targets" in facts else sources
        return cls(Translator(len(sources), len(targets), config), config, sources, targets)

    def facts(self) -> dict[str, Any]:
        if self.targets is self.sources:
            return {"sources": self.sources.facts()}
        return {"sources": self.sources.facts(), "targets": self.targets.facts()}

    # ---- answering

    def encode(self, inputs: Sequence[str] | str) -> tuple[Tensor, Tensor, Tensor]:
        """Sources (n, S), padded, their lengths (n,), and the token (n, 1) that begins a
        translation."""
        sources = self._encode(self._texts(inputs))
        first = torch.full((len(sources), 1), self.model.decoder.end)
        return (*sources.pad(torch.arange(len(sources))), first)

    def example_inputs(self) -> tuple[Tensor, Tensor, Tensor]:
        """A sentence of three tokens, and the token that begins its translation."""
        first = torch.tensor([[self.model.decoder.end]])
        return torch.zeros(1, 3, dtype=torch.int64), torch.tensor([3]), first

    def decode(self, found: Sequence[Sequence[Hypothesis]]) -> list[TranslationAnswer]:
        """Answers of what a search found with the network, for each sentence the best first."""
        return [TranslationAnswer(alternatives_of(some, self.targets)) for some in found]

    def predict(
        self, inputs: Sequence[str] | str, *, beam: int | None = None, best: int = 1
    ) -> list[TranslationAnswer]:
        """Translations of sentences; a single text is one sentence.

        beam: of the search; the configuration's if None. best: how many alternatives of each.
        Raises `DataError` for a sentence without any word.
        """
        search = Search.of(self.config.decoder, best, beam)
        return self.decode(self._search(self._encode(self._texts(inputs)), search))

    def translate(self, sentences: Sequence[str] | str, beam: int | None = None) -> list[str]:
        """The best translation of each sentence; input as for `predict`."""
        return [answer.text for answer in self.predict(sentences, beam=beam)]

    def alternatives(
        self, sentences: Sequence[str] | str, search: Search | None = None
    ) -> list[list[Alternative]]:
        """The best translations of each sentence, best first; as many as the search wants."""
        found = self._search(self._encode(self._texts(sentences)), search)
        return [[*answer.alternatives] for answer in self.decode(found)]

    def _texts(self, inputs: Sequence[str] | str) -> list[str]:
        texts = texts_of(inputs)
        for number, sentence in enumerate(texts, 1):
            if not sentence.strip():
                raise DataError(f"sentence {number} is empty: there is nothing to translate")
        return texts

    def listed(self, text: str, path: Path) -> Listed:
        texts, note = sources_in(text, path)
        return Listed(texts, note, bool(note) and is_header(text.lstrip("\n").partition("\n")[0]))

    def _unknown_in(self, text: str) -> Iterable[str]:
        return self.sources.unknown_in(text)

    def check_attention(self, count: int) -> None:
        """Raise `ConfigError` unless `draw_attention` can draw what so many inputs give."""
        if count > 1:
            raise ConfigError(f"attention draws one sentence, there are {count}", "attention")

    def draw_attention(self, sentence: str, answer: TranslationAnswer, path: Path) -> list[Notice]:
        """Draw where the decoder looked, as PNG; returns what there is to say of the picture."""
        missing = draw_attention([self.looks(sentence, answer.alternatives[0])], path)
        notes = [Notice(f"attention drawn to {path}")]
        if missing:
            notes.append(
                Notice(
                    f"no font here has {missing[:20]}: drawn as empty boxes; install one that has "
                    f"them, such as Noto Sans CJK or Nanum"
                )
            )
        return notes

    def looks(self, sentence: str, translation: Alternative) -> AttentionPanel:
        """Attention of the decoder for each token of a translation."""
        source = self._encode([one_text(sentence, "sentence")]).values
        weights = alignment(self.model, source, torch.tensor(translation.tokens, dtype=torch.int64))
        read = [self.sources.label(number) for number in source.tolist()]
        said = [self.targets.label(number) for number in translation.tokens]
        return AttentionPanel(read, [*said, "END"], weights.tolist())

    def _encode(self, sentences: Sequence[str]) -> Ragged:
        return self.sources.encode([" ".join(sentence.split()) for sentence in sentences])

    def _search(self, sources: Ragged, search: Search | None = None) -> list[list[Hypothesis]]:
        search = search or Search.of(self.config.decoder)
        return translate(self.model, sources, search, self.config.translate.length_factor)

    # ---- judging

    def _judge(self, part: str) -> dict[str, Any]:
        data = self.as_trained(self.data(Parallel), part)
        return self._report(data.part(part))

    def _judge_new(self, path: Path) -> dict[str, Any]:
        found = judged.pairs(path, self.config)
        return {**self._report(found.part), "empty": {"new": found.part.empty}}

    def _report(self, pairs: Pairs) -> dict[str, Any]:
        sources, targets = self._encode(pairs.sources), self.targets.encode(pairs.targets)
        texts = [answer.text for answer in self.decode(self._search(sources))]
        loss = mean_loss(self.model, sources, targets)
        return {
            **self.scores.measure(texts, pairs.targets),
            "perplexity": math.exp(min(loss, 700.0)),
            "loss": loss,
            "unknown": float((sources.values == 0).double().mean()),
            "search": {
                "beam": self.config.decoder.beam,
                "length_penalty": self.config.decoder.length_penalty,
            },
            "signatures": self.scores.signatures(),
            "by_length": self._by_length(sources, texts, pairs.targets),
            "translations": [
                {"source": s, "reference": r, "translation": t}
                for s, r, t in zip(pairs.sources, pairs.targets, texts, strict=True)
            ],
        }

    def _by_length(
        self, sources: Ragged, texts: list[str], wanted: list[str]
    ) -> dict[str, dict[str, float]]:
        """Scores by how many tokens the source has."""
        result = {}
        for low, high in _BANDS:
            inside = (sources.lengths >= low) & (sources.lengths <= (high or math.inf))
            numbers = inside.nonzero().squeeze(1).tolist()
            if numbers:
                name = f"{low}-{high}" if high else f"{low}+"
                measured = self.scores.measure(
                    [texts[i] for i in numbers], [wanted[i] for i in numbers]
                )
                result[name] = {"sentences": len(numbers), **measured}
        return result

    def present(self, report: dict[str, Any]) -> Iterator[Shown]:
        columns = ("source tokens", "sentences", "BLEU", "chrF")
        yield Table(
            columns,
            [
                (
                    band,
                    f"{row['sentences']:,}",
                    scores.show("bleu", row["bleu"]),
                    scores.show("chrf", row["chrf"]),
                )
                for band, row in report["by_length"].items()
            ],
        )
        for example in report["translations"][:_SHOWN]:
            yield "".join(f"{what:>11}: {text}\n" for what, text in example.items()) + "\n"
        search = report["search"]
        yield f"beam {search['beam']}, length penalty {search['length_penalty']:g}\n"
        for name, signature in report["signatures"].items():
            yield f"{scores.title(name)}: {signature}\n"
        yield "perplexity is per subword, ends included: it depends on the vocabulary\n"

    def draw(self, report: dict[str, Any], folder: Path, suffix: str) -> list[Path]:
        sources = [row["source"] for row in report["translations"]]
        lengths = self._encode(sources).lengths.tolist()
        some = [s for s, n in zip(sources, lengths, strict=True) if 0 < n <= _DRAWN_TOKENS][:_DRAWN]
        if not some:
            return []
        translations = [best[0] for best in self.alternatives(some)]
        panels = [self.looks(s, t) for s, t in zip(some, translations, strict=True)]
        picture = folder / f"attention{suffix}.png"
        draw_attention(panels, picture)
        return [picture]
