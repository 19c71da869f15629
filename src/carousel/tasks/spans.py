"""Spans in a row of labels, and their F1 by the definition of conlleval, which seqeval follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple


class Span(NamedTuple):
    """Words start, …, end - 1 are one `kind`."""

    kind: str
    start: int
    end: int


def spans_of(labels: Sequence[str]) -> list[Span]:
    """The spans that the labels of one sentence mark: B-x, I-x, E-x, S-x or O.

    A span ends before O, B or S, after E or S, and where the kind changes; so an I that follows
    no span of its kind begins one, as conlleval (Tjong Kim Sang and Buchholz 2000) has it. Labels
    of any other form mark nothing.

    >>> spans_of(["B-city", "I-city", "O", "I-day"])
    [Span(kind='city', start=0, end=2), Span(kind='day', start=3, end=4)]
    """
    spans: list[Span] = []
    start, open_kind = 0, ""
    ends = False  # whether the word before closed its span
    for place, label in enumerate([*labels, "O"]):
        sign, _, kind = label.partition("-")
        inside = sign in ("B", "I", "E", "S") and bool(kind)
        begins = inside and (sign in ("B", "S") or kind != open_kind or ends)
        if open_kind and (not inside or begins):
            spans.append(Span(open_kind, start, place))
        if begins:
            start = place
        open_kind = kind if inside else ""
        ends = inside and sign in ("E", "S")
    return spans


def mark_spans(labels: Iterable[str]) -> bool:
    """Whether there are labels that mark spans at all."""
    return any(label[:2] in ("B-", "I-", "E-", "S-") for label in labels)


def span_scores(truth: Sequence[Sequence[str]], guess: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Precision, recall and F1 over all sentences; a span counts if kind, start and end agree.

    Returns "span_precision", "span_recall", "span_f1", and "per_kind": the same with "support"
    for each kind. A ratio of nothing to nothing is 0.
    """
    wanted: Counter[str] = Counter()
    found: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for true_labels, guessed_labels in zip(truth, guess, strict=True):
        true, guessed = set(spans_of(true_labels)), set(spans_of(guessed_labels))
        wanted.update(span.kind for span in true)
        found.update(span.kind for span in guessed)
        right.update(span.kind for span in true & guessed)
    precision, recall, f1 = _ratios(right.total(), found.total(), wanted.total())
    per_kind = {}
    for kind in sorted(wanted | found):
        values = _ratios(right[kind], found[kind], wanted[kind])
        per_kind[kind] = dict(zip(("precision", "recall", "f1"), values, strict=True))
        per_kind[kind]["support"] = wanted[kind]
    return {
        "span_f1": f1,
        "span_precision": precision,
        "span_recall": recall,
        "per_kind": per_kind,
    }


def _ratios(right: int, found: int, wanted: int) -> tuple[float, float, float]:
    precision = right / found if found else 0.0
    recall = right / wanted if wanted else 0.0
    f1 = 2 * right / (found + wanted) if found + wanted else 0.0
    return precision, recall, f1
