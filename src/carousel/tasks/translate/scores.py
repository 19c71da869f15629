"""BLEU and chrF by sacreBLEU, with the signatures that say what exactly was computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from carousel.config import Config


@dataclass(frozen=True)
class TranslationScores:
    """Scores of whole test sets, from 0 to 100, in lower case.

    bleu: geometric mean of the precisions of runs of 1 to 4 words, times a penalty for shortness
        (Papineni et al. 2002), by sacreBLEU (Post 2018): it cuts both texts itself, as `tokenize`
        says, so that numbers can be compared. bleu_cased: the same with capitals as they are, where
        translations have any.
    chrf: F2 of runs of 1 to 6 characters (Popović 2015).

    What is compared are the sentences as a person reads them, not their tokens.

    >>> scores = TranslationScores()
    >>> found = scores.measure(["a dog runs in the snow ."], ["A dog runs in the snow."])
    >>> {name: round(value, 1) for name, value in found.items()}
    {'bleu': 100.0, 'chrf': 100.0, 'bleu_cased': 80.9}
    """

    tokenize: str = "13a"
    cased: bool = True

    @classmethod
    def of(cls, config: Config) -> TranslationScores:
        """Scores that a configuration asks for."""
        return cls(config.translate.tokenize, not config.text.lowercase)

    def measure(self, found: Sequence[str], wanted: Sequence[str]) -> dict[str, float]:
        """Scores of translations, each with the one reference that it should have been."""
        return {n: float(self._score(m, found, wanted)) for n, m in self._metrics().items()}

    def bleu(self, found: Sequence[str], wanted: Sequence[str]) -> float:
        """bleu alone."""
        return float(self._score(self._metrics()["bleu"], found, wanted))

    def signatures(self) -> dict[str, str]:
        """Signature of each score, in sacreBLEU's own words."""
        metrics = self._metrics()
        for metric in metrics.values():
            metric.corpus_score(["a"], [["a"]])  # it knows the number of references only then
        return {name: str(metric.get_signature()) for name, metric in metrics.items()}

    def _metrics(self) -> dict[str, Any]:
        from sacrebleu import BLEU, CHRF  # slow to import

        metrics = {
            "bleu": BLEU(lowercase=True, tokenize=self.tokenize, force=True),
            "chrf": CHRF(lowercase=True),
        }
        if self.cased:
            metrics["bleu_cased"] = BLEU(tokenize=self.tokenize, force=True)
        return metrics

    @staticmethod
    def _score(metric: Any, found: Sequence[str], wanted: Sequence[str]) -> float:
        return float(metric.corpus_score(list(found), [list(wanted)]).score)
