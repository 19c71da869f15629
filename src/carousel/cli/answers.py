"""What a trained model answers, as tables or JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from carousel.cli.given import given_of, keywords, refuse_others
from carousel.tasks.shared.answers import (
    Answer,
    ClassAnswer,
    LabelsAnswer,
    NumbersAnswer,
    WordsAnswer,
)
from carousel.tasks.shared.digits import few_digits
from carousel.tasks.shared.task import (
    Given,
    Json,
    Notice,
    Request,
    Shown,
    Table,
    TrainedModel,
)

_SHOWN_WORDS = 3


def respond(model: TrainedModel, request: Request) -> Iterator[Shown]:
    """What a command shows of a model's answers to the input that it was given."""
    if type(model).answer is not TrainedModel.answer:
        yield from model.answer(request)
        return
    understood = keywords(model.predict)
    refuse_others(model, request, understood)
    given = given_of(model, request)
    yield from given.notes
    options = {name: value for name, value in request.options.items() if name in understood}
    if "influences" in understood:
        options["influences"] = True
    answers = model.predict(given.inputs, **options)
    if request.as_json:
        yield Json(_as_json(given, answers))
        return
    if filled := sum(given.filled):
        yield Notice(f"{filled} missing values, each taken from the {given.step} before")
    if not answers:
        yield Notice(f"there is no {given.noun} in it")
        return
    yield from _RENDERERS[type(answers[0])](given, answers)


def _as_json(given: Given, answers: Sequence[Answer]) -> Any:
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


_RENDERERS: dict[type[Answer], Callable[[Given, Any], Iterator[Shown]]] = {
    ClassAnswer: _classes,
    WordsAnswer: _words,
    LabelsAnswer: _labels,
    NumbersAnswer: _numbers,
}
