"""Answers of trained models as tables or JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from carousel.tasks.shared.answers import (
    AnomalyAnswer,
    Answer,
    CaptionAnswer,
    ClassAnswer,
    ForecastAnswer,
    LabelsAnswer,
    NumbersAnswer,
    SentenceAnswer,
    SeriesForecastAnswer,
    TargetsAnswer,
    TranslationAnswer,
    WordsAnswer,
)
from carousel.tasks.shared.digits import digits, few_digits
from carousel.tasks.shared.label_answers import LabelSetAnswer
from carousel.tasks.shared.task import (
    Given,
    Notice,
    Shown,
    Table,
)

_SHOWN_WORDS = 3
_SHOWN_SERIES = 5


def render(given: Given, answers: Sequence[Answer]) -> Iterator[Shown]:
    """Answers to what was given, by their kind: tables and lines."""
    yield from _RENDERERS[type(answers[0])](given, answers)


def as_json(given: Given, answers: Sequence[Answer]) -> Any:
    """Answers to what was given, each with what is known of its input."""
    if given.alone and not given.filled:
        return answers[0].to_json()
    facts: Sequence[dict[str, Any]] = given.facts or [{}] * len(answers)
    found = [{**fact, **answer.to_json()} for fact, answer in zip(facts, answers, strict=True)]
    if given.filled:
        for row, filled in zip(found, given.filled, strict=True):
            row["filled"] = filled
    return found[0] if given.alone else found


def _classes(given: Given, answers: Sequence[ClassAnswer]) -> Iterator[Shown]:
    if len(answers) > 1:
        yield _class_table(given, answers)
        return
    (one,) = answers
    yield Table(
        ("class", "probability", ""),
        [(name, f"{p:.4f}", "█" * round(30 * p)) for name, p in one.ranked()],
    )
    if one.influences is not None:
        yield _influence_table(one)


def _influence_table(one: ClassAnswer) -> Table:
    influences = one.influences or ()
    longest = max(abs(influence.log_odds) for influence in influences) or 1.0
    table = Table(("word", f"log-odds for {one.label}", ""), [])
    for word, change in influences:
        bar = ("+" if change > 0 else "-") * round(20 * abs(change) / longest)
        table.rows.append((word, f"{change:+.2f}", bar))
    return table


def _class_table(given: Given, answers: Sequence[ClassAnswer]) -> Table:
    """Besides the class: the words that moved it; or the next best, where inputs have no names."""
    more: tuple[str, ...] = ()
    if answers[0].influences is not None:
        more = ("words that moved it most",)
    elif not given.names:
        more = ("next best",)
    table = Table((given.noun, "class", "probability", *more), [])
    names = given.names or [str(number) for number in range(len(answers))]
    for name, one in zip(names, answers, strict=True):
        row = [name, one.label, f"{one.probability:.4f}"]
        if one.influences is not None:
            ranked = sorted(one.influences, key=lambda i: -abs(i.log_odds))
            row.append(", ".join(f"{word} {change:+.1f}" for word, change in ranked[:_SHOWN_WORDS]))
        elif more:
            second, chance = one.ranked()[1]
            row.append(f"{second} {chance:.4f}")
        table.rows.append((*row,))
    return table


def _label_sets(given: Given, answers: Sequence[LabelSetAnswer]) -> Iterator[Shown]:
    """Labels of one input with their probabilities; of several, those that are said."""
    if len(answers) == 1:
        ranked = sorted(answers[0].probabilities.items(), key=lambda item: -item[1])
        rows = [
            (name, f"{p:.4f}", "█" * round(30 * p), "yes" if name in answers[0].labels else "no")
            for name, p in ranked
        ]
        yield Table(("label", "probability", "", "said"), [*rows])
        return
    names = given.names or [str(number) for number in range(len(answers))]
    said = [(name, one.text or "-") for name, one in zip(names, answers, strict=True)]
    yield Table((given.noun, "labels"), [*said])


def _words(given: Given, answers: Sequence[WordsAnswer]) -> Iterator[Shown]:
    if len(answers) == 1:
        rows = [(w.word, w.label, f"{w.probability:.4f}") for w in answers[0].words]
        yield Table(("word", "label", "probability"), [*rows])
        return
    rows_ = zip(given.names, map(_in_brackets, answers), strict=True)
    yield Table((given.noun, "labelled"), [*rows_])


def _in_brackets(one: WordsAnswer) -> str:
    if not one.marks:
        return " ".join(f"{word.word}/{word.label}" for word in one.words)
    pieces = [word.word for word in one.words]
    for span in one.spans:
        pieces[span.start] = f"[{span.kind}: {pieces[span.start]}"
        pieces[span.end - 1] += "]"
    return " ".join(pieces)


def _labels(given: Given, answers: Sequence[LabelsAnswer]) -> Iterator[Shown]:
    for one in answers:
        table = Table(("label", "first frame", "last frame", "frames", "probability"), [])
        for s in one.segments:
            places = map(str, (s.first, s.last, s.last - s.first + 1))
            table.rows.append((s.label, *places, f"{s.probability:.3f}"))
        yield table


def _numbers(given: Given, answers: Sequence[NumbersAnswer]) -> Iterator[Shown]:
    for one in answers:
        how, last = few_digits(one.numbers), len(one.numbers) - 1
        shown = sorted({*np.linspace(0, last, min(12, last + 1)).astype(int).tolist()})
        yield Table(("step", "number"), [(str(t), f"{one.numbers[t]:{how}}") for t in shown])


def _targets(given: Given, answers: Sequence[TargetsAnswer]) -> Iterator[Shown]:
    names = [*answers[0].targets]
    patterns = [few_digits([one.targets[name] for one in answers]) for name in names]
    labels = given.names or [str(number) for number in range(len(answers))]
    table = Table((given.noun, *names), [])
    for label, one in zip(labels, answers, strict=True):
        cells = (f"{x:{how}}" for x, how in zip(one.targets.values(), patterns, strict=True))
        table.rows.append((label, *cells))
    yield table


def _forecast(given: Given, answers: Sequence[ForecastAnswer]) -> Iterator[Shown]:
    for one in answers:
        rows, names = one.steps(), [*one.values]
        patterns = {name: digits(_all_of(rows, name)) for name in names}
        table = Table(("time", *names), [])
        for row in rows:
            cells = (_cell(row, name, patterns[name]) for name in names)
            table.rows.append((row["time"], *cells))
        yield table


def _many_forecasts(given: Given, answers: Sequence[SeriesForecastAnswer]) -> Iterator[Shown]:
    """The series that are shown, each under its name, and how many are not."""
    for one in answers[:_SHOWN_SERIES]:
        yield f"{one.series}\n"
        yield from _forecast(given, [one])
    if (more := len(answers) - _SHOWN_SERIES) > 0:
        yield Notice(f"{more:,} more series are not shown: write them all with --out")


def _all_of(rows: Sequence[dict[str, Any]], name: str) -> list[float]:
    """Every number in the forecasts of a target, the ends of intervals too."""
    intervals = [row["interval"] for row in rows if row.get("interval")]
    return [row[name] for row in rows] + [end for ends in intervals for end in ends[name]]


def _cell(row: dict[str, Any], name: str, pattern: str) -> str:
    cell = format(row[name], pattern)
    if not row.get("interval"):
        return cell
    low, high = (format(end, pattern) for end in row["interval"][name])
    return f"{cell} ({low} to {high})"


def _anomalies(given: Given, answers: Sequence[AnomalyAnswer]) -> Iterator[Shown]:
    several = len(answers) > 1
    table = Table((*["series"] * several, "start", "end", "steps", "score", "columns"), [])
    for name, one in zip(given.names, answers, strict=True):
        for w in one.windows:
            blamed = ", ".join(f"{column} {w.columns[column]:.0%}" for column in w.blamed)
            places = (w.start, w.end, f"{w.last - w.first + 1:,}", f"{w.score:.4g}", blamed)
            table.rows.append((*[name] * several, *places))
    if table.rows:
        yield table
    found, steps = len(table.rows), sum(one.steps for one in answers)
    unscored = sum(one.unscored for one in answers)
    yield (
        f"{found} window{'s' * (found != 1)} of anomalies in {steps:,} steps, of which "
        f"{unscored:,} have no score; a score of 1 is the threshold\n"
    )


def _translations(given: Given, answers: Sequence[TranslationAnswer]) -> Iterator[Shown]:
    if max(len(one.alternatives) for one in answers) == 1:
        yield "".join(f"{one.text}\n" for one in answers)
        return
    for fact, one in zip(given.facts, answers, strict=True):
        if len(answers) > 1:
            yield f"{fact['text']}\n"
        yield _alternatives(one)


def _captions(given: Given, answers: Sequence[CaptionAnswer]) -> Iterator[Shown]:
    if max(len(one.alternatives) for one in answers) == 1:
        if len(answers) == 1:
            yield f"{answers[0].text}\n"
            return
        rows = zip(given.names, (one.text for one in answers), strict=True)
        yield Table((given.noun, "caption"), [*rows])
        return
    for name, one in zip(given.names, answers, strict=True):
        if len(answers) > 1:
            yield f"{name}\n"
        yield _alternatives(one)


def _alternatives(one: SentenceAnswer) -> Table:
    rows = [(f"{a.score:.4f}", f"{a.log_probability:.2f}", a.text) for a in one.alternatives]
    return Table(("score", "log P", one.what), [*rows])


_RENDERERS: dict[type[Answer], Callable[[Given, Any], Iterator[Shown]]] = {
    ClassAnswer: _classes,
    LabelSetAnswer: _label_sets,
    WordsAnswer: _words,
    LabelsAnswer: _labels,
    NumbersAnswer: _numbers,
    TargetsAnswer: _targets,
    ForecastAnswer: _forecast,
    SeriesForecastAnswer: _many_forecasts,
    AnomalyAnswer: _anomalies,
    TranslationAnswer: _translations,
    CaptionAnswer: _captions,
}
