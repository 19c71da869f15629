"""A rule: when it speaks and what it advises. `rule` puts a function on the list, `declare` a rule
without one; their words are in texts/."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from carousel.coach.evidence import Evidence
from carousel.coach.finding import Advice, Finding, Number
from carousel.coach.suggest import fits, in_force, suggestions
from carousel.coach.words import Text, in_language, text_of
from carousel.config import Config, Thresholds
from carousel.particles import with_particles

Judge = Callable[[Evidence, Thresholds], Mapping[str, Any] | None]
WHEN = ("before", "during", "after")

#: What the keys in `Rule.source` stand for.
SOURCES = {
    "CS231": "Stanford CS231n, Neural Networks parts 2 and 3, cs231n.github.io",
    "KARP": "Karpathy 2019, A Recipe for Training Neural Networks",
    "CHAR": "Karpathy 2015, char-rnn, tips and tricks",
    "DL4J": "Deeplearning4j, guides on visualisation and troubleshooting",
    "TUNE": "Godbole et al. 2023, Deep Learning Tuning Playbook",
    "AUTO": "Zhang et al. 2021, AUTOTRAINER (ICSE)",
    "UML": "Schoop et al. 2021, UMLAUT (CHI)",
    "TM": "torchmortem, detectors",
    "SMD": "Amazon SageMaker Debugger, built-in rules",
    "SRNN": "See-RNN, introspection of recurrent networks",
    "SMITH": "Smith 2017, Cyclical Learning Rates (arXiv:1506.01186)",
    "GREFF": "Greff et al. 2015, LSTM: A Search Space Odyssey (arXiv:1503.04069)",
    "JOZ": "Jozefowicz et al. 2015, An Empirical Exploration of Recurrent Network Architectures",
    "KJL": "Karpathy, Johnson, Li 2015, Visualizing and Understanding RNNs (arXiv:1506.02078)",
    "PASC": "Pascanu et al. 2013, On the difficulty of training RNNs (arXiv:1211.5063)",
    "ZAR": "Zaremba et al. 2014, Recurrent Neural Network Regularization (arXiv:1409.2329)",
    "AWD": "Merity et al. 2017, Regularizing and Optimizing LSTM LMs (arXiv:1708.02182)",
    "HOWARD": "Howard and Ruder 2018, Universal Language Model Fine-tuning (arXiv:1801.06146)",
    "DANI": "Hafner, Tips for Training Recurrent Neural Networks",
    "LI": "PyTorch Lightning, LearningRateFinder and EarlyStopping",
    "K3": "Keras 3, callbacks",
    "OWN": "proposed here, and held against the seeded failures of docs/coach.md",
}


@dataclass(frozen=True)
class Rule:
    """One rule. judge: the numbers that make it speak, or None; no judge where an active check
    (`carousel check`) finds the numbers. do: a line to paste for each advice, or empty; braces in
    it are numbers of the finding or `suggestions`. steady: needs no second look to be believed.
    only: the tasks that an advice is for, by its place; one without is for all."""

    code: str
    when: str
    severity: str
    source: str
    do: tuple[str, ...] = ()
    steady: bool = False
    judge: Judge | None = field(default=None, compare=False)
    only: Mapping[int, tuple[str, ...]] = field(default_factory=dict, hash=False)

    def text(self, language: str) -> Text:
        """Its words in a language."""
        return text_of(self.code, language)

    def finding(
        self,
        numbers: Mapping[str, Any],
        language: str = "en",
        config: Config | None = None,
        step: int = 0,
        severity: str | None = None,
        *,
        run: str = "",
        recipe: str = "",
    ) -> Finding:
        """Finding of the rule for these numbers, some of which may be words by language. A number
        "severity" overrides the rule's own. run, recipe: as `suggestions` takes them.

        An advice whose line needs what is not known, as in a loop without a configuration, or does
        nothing in this task, is given without the line; one that is followed already, or is for
        other tasks alone, is left out.
        """
        text = self.text(language)
        numbers = in_language(numbers, language)
        known: dict[str, Number] = {**suggestions(config, run, recipe), **numbers}
        shown = {name: value for name, value in numbers.items() if name != "severity"}
        return Finding(
            code=self.code,
            severity=severity or str(numbers.get("severity", self.severity)),
            title=with_particles(text.title.format_map(known)),
            meaning=text.meaning,
            numbers=shown,
            advice=self._advice(text, known, config),
            false_alarm=text.false_alarm,
            source=self.source,
            step=step,
        )

    def _advice(
        self, text: Text, known: Mapping[str, Number], config: Config | None
    ) -> tuple[Advice, ...]:
        kept = []
        for place, (words, pattern) in enumerate(zip_longest(text.advice, self.do, fillvalue="")):
            if config is not None and config.task not in self.only.get(place, (config.task,)):
                continue
            line = _filled(pattern, known)
            line = line if fits(line, config) else ""
            if not in_force(line, config):
                kept.append(Advice(words, line))
        return tuple(kept)


RULES: dict[str, Rule] = {}


def rule(
    code: str,
    when: str,
    severity: str,
    source: str,
    *,
    do: tuple[str, ...] = (),
    steady: bool = False,
    only: Mapping[int, tuple[str, ...]] | None = None,
) -> Callable[[Judge], Judge]:
    """Put a rule on the list, with the function below it as its judge.

    code: also of its texts. do, only: see `Rule`.
    """

    def add(judge: Judge) -> Judge:
        declare(code, when, severity, source, do=do, steady=steady, judge=judge, only=only)
        return judge

    return add


def declare(
    code: str,
    when: str,
    severity: str,
    source: str,
    *,
    do: tuple[str, ...] = (),
    steady: bool = False,
    judge: Judge | None = None,
    only: Mapping[int, tuple[str, ...]] | None = None,
) -> None:
    """Put a rule on the list, whose numbers come from elsewhere if it has no judge."""
    if code in RULES:
        raise ValueError(f"there is a rule '{code}' already")
    steady = steady or when != "during"
    RULES[code] = Rule(code, when, severity, source, do, steady, judge, only or {})


def _filled(line: str, known: Mapping[str, Number]) -> str:
    wanted = {name for _, name, _, _ in string.Formatter().parse(line) if name}
    return line.format_map(known) if wanted <= known.keys() else ""
