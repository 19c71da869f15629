"""A trained translator: translates, offers alternatives, shows where it looked, is judged."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from carousel import scores
from carousel.config import Config
from carousel.data.parallel import Parallel, read_sources
from carousel.data.ragged import Ragged
from carousel.data.tokens import Tokens
from carousel.errors import ConfigError, DataError
from carousel.tasks.shared.beam_search import Search
from carousel.tasks.shared.given import one_text, sentences_of, texts_of, unknown_notice
from carousel.tasks.shared.task import Json, Notice, Request, Shown, Table, TrainedModel
from carousel.tasks.translate.network import Translator, alignment, mean_loss, translate
from carousel.tasks.translate.plots import AttentionPanel, draw_attention
from carousel.tasks.translate.scores import TranslationScores

_BANDS = ((1, 9), (10, 14), (15, 19), (20, 29), (30, None))
_SHOWN = 3
_DRAWN = 4
_DRAWN_TOKENS = 22


@dataclass(frozen=True)
class Translation:
    """A translation; log_probability of its tokens and its end; score: what the search ranks by."""

    text: str
    log_probability: float
    score: float
    tokens: tuple[int, ...]


class TrainedTranslator(TrainedModel):
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

    def translate(self, sentences: Sequence[str] | str, beam: int | None = None) -> list[str]:
        """The best translation of each sentence; a single text is one sentence. beam: of the
        search; the configuration's if None.

        Raises `DataError` for a sentence without any word.
        """
        search = self._search(beam or self.config.decoder.beam, 1)
        return [some[0].text for some in self.alternatives(sentences, search)]

    def alternatives(
        self, sentences: Sequence[str] | str, search: Search | None = None
    ) -> list[list[Translation]]:
        """The best translations of each sentence, best first; as many as the search wants.

        Raises `DataError` for a sentence without any word.
        """
        texts = texts_of(sentences)
        for number, sentence in enumerate(texts, 1):
            if not sentence.strip():
                raise DataError(f"sentence {number} is empty: there is nothing to translate")
        return self._translate(self._encode(texts), search or self._search())

    def looks(self, sentence: str, translation: Translation) -> AttentionPanel:
        """Where the decoder looked for each token of a translation."""
        source = self._encode([one_text(sentence, "sentence")]).values
        weights = alignment(self.model, source, torch.tensor(translation.tokens, dtype=torch.int64))
        read = [self.sources.label(number) for number in source.tolist()]
        said = [self.targets.label(number) for number in translation.tokens]
        return AttentionPanel(read, [*said, "END"], weights.tolist())

    def _encode(self, sentences: Sequence[str]) -> Ragged:
        return self.sources.encode([" ".join(sentence.split()) for sentence in sentences])

    def _translate(self, sources: Ragged, search: Search) -> list[list[Translation]]:
        factor = self.config.translate.length_factor
        return [
            [
                Translation(self.targets.decode(h.tokens), h.log_probability, h.score, (*h.tokens,))
                for h in hypotheses
            ]
            for hypotheses in translate(self.model, sources, search, factor)
        ]

    def _search(self, beam: int = 0, best: int = 1) -> Search:
        return Search(beam or self.config.decoder.beam, self.config.decoder.length_penalty, best)

    # ---- judging

    def _judge(self, part: str) -> dict[str, Any]:
        data = self.as_trained(Parallel(self.config), part)
        pairs = data.part(part)
        sources, targets = self._encode(pairs.sources), self.targets.encode(pairs.targets)
        found = [some[0] for some in self._translate(sources, self._search())]
        texts = [translation.text for translation in found]
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

    # ---- the command line

    def answer(self, request: Request) -> Iterator[Shown]:
        options = request.only("translate", "text", "beam", "best", "attention")
        given = {name: options[name] for name in ("text",) if name in options}
        sentences, notices = sentences_of(
            Request(request.input, given, request.as_json), "translate", read_sources
        )
        best = options.get("best", 1)
        beam = options.get("beam", max(self.config.decoder.beam, best))
        if best > beam:
            raise ConfigError(f"--best must be at most --beam, got {best} and {beam}")
        picture = options.get("attention")
        if picture is not None and len(sentences) > 1:
            raise ConfigError(f"--attention draws one sentence, there are {len(sentences)}")
        yield from notices
        yield from unknown_notice(t for s in sentences for t in self.sources.unknown_in(s))
        found = self.alternatives(sentences, self._search(beam, best))
        if request.as_json:
            yield Json([_as_json(s, some) for s, some in zip(sentences, found, strict=True)])
        elif best == 1:
            yield "".join(f"{some[0].text}\n" for some in found)
        else:
            for sentence, some in zip(sentences, found, strict=True):
                if len(sentences) > 1:
                    yield f"{sentence}\n"
                rows = [(f"{t.score:.4f}", f"{t.log_probability:.2f}", t.text) for t in some]
                yield Table(("score", "log P", "translation"), [(*row,) for row in rows])
        if picture is not None:
            missing = draw_attention([self.looks(sentences[0], found[0][0])], picture)
            yield Notice(f"attention drawn to {picture}")
            if missing:
                yield Notice(
                    f"no font here has {missing[:20]}: drawn as empty boxes; install one that has "
                    f"them, such as Noto Sans CJK or Nanum"
                )


def _as_json(sentence: str, some: list[Translation]) -> dict[str, Any]:
    return {
        "text": sentence,
        "translation": some[0].text,
        "alternatives": [
            {"text": t.text, "score": t.score, "log_probability": t.log_probability} for t in some
        ],
    }
