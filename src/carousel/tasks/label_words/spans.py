"""Spans in a row of labels, and their F1 by the definition of conlleval, which seqeval follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

_AT_ONCE = 64  # sentences whose labels are searched together


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
    """True if there are labels that mark spans at all."""
    return any(label[:2] in ("B-", "I-", "E-", "S-") for label in labels)


def may_follow(label: str, before: str) -> bool:
    """True if `label` may stand behind `before`: I-x and E-x only behind B-x or I-x.

    >>> may_follow("I-city", "B-city"), may_follow("I-city", "O")
    (True, False)
    """
    sign, _, kind = label.partition("-")
    return sign not in ("I", "E") or before in (f"B-{kind}", f"I-{kind}")


def well_formed(sentences: Iterable[Sequence[str]]) -> bool:
    """True if no label of the sentences stands where it may not. In the older form of the signs,
    where B only parts two spans that touch, that is not so."""
    return all(
        may_follow(label, before)
        for labels in sentences
        for before, label in pairwise(["O", *labels])
    )


def best_well_formed(logits: Tensor, lengths: Sequence[int], labels: Sequence[str]) -> Tensor:
    """The most probable labels, as numbers (N,), of which none stands where it may not.

    The row y of a sentence that is greatest in sum over t of log softmax(logits_t)[y_t] among
    the rows where each y_t may follow y_(t-1), by dynamic programming (Viterbi 1967).

    logits: (N, L) of all words, sentence by sentence; lengths: of the sentences, their sum N.
    """
    allowed = torch.tensor([[may_follow(label, before) for label in labels] for before in labels])
    never = torch.zeros(allowed.shape).masked_fill(~allowed, -torch.inf)
    first = torch.tensor([may_follow(label, "O") for label in labels])
    start = torch.zeros(first.shape).masked_fill(~first, -torch.inf)
    rows = torch.split(logits.log_softmax(1), list(lengths))
    found: dict[int, Tensor] = {}
    order = sorted((i for i, n in enumerate(lengths) if n), key=lambda i: lengths[i])
    for begin in range(0, len(order), _AT_ONCE):
        chosen = order[begin : begin + _AT_ONCE]
        chances = pad_sequence([rows[i] for i in chosen])  # what is behind the end adds zero
        best = chances[0] + start
        origins: list[Tensor] = []
        for t in range(1, len(chances)):
            ended = torch.tensor([lengths[i] <= t for i in chosen]).unsqueeze(1)
            value, origin = (best.unsqueeze(2) + never).max(1)
            best = torch.where(ended, best, value + chances[t])
            origins.append(torch.where(ended, torch.arange(len(labels)), origin))
        steps = [best.argmax(1)]
        for origin in reversed(origins):
            steps.append(origin.gather(1, steps[-1].unsqueeze(1)).squeeze(1))
        path = torch.stack(steps[::-1], 1)
        found.update((i, path[k, : lengths[i]]) for k, i in enumerate(chosen))
    return torch.cat([found[i] for i in sorted(found)]) if found else torch.zeros(0).long()


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
