"""Segments of frames with one label, and how well they are found: F1 at an overlap, edit score."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]
OVERLAPS = (10, 25, 50)


class Segment(NamedTuple):
    """Frames start, …, end - 1 have one label."""

    label: int
    start: int
    end: int


def segments_of(labels: Labels, inside: NDArray[np.bool_] | None = None) -> list[Segment]:
    """Runs of one label. inside: which frames count; no segment reaches across the others.

    >>> segments_of(np.array([3, 3, 1, 1]), np.array([True, True, False, True]))
    [Segment(label=3, start=0, end=2), Segment(label=1, start=3, end=4)]
    """
    kept = np.arange(len(labels)) if inside is None else inside.nonzero()[0]
    if not len(kept):
        return []
    breaks = (np.diff(kept) > 1) | (np.diff(labels[kept]) != 0)
    cuts = [0, *(breaks.nonzero()[0] + 1).tolist(), len(kept)]
    return [
        Segment(int(labels[kept[a]]), int(kept[a]), int(kept[b - 1]) + 1) for a, b in pairwise(cuts)
    ]


def segment_f1(
    truth: Sequence[Sequence[Segment]], guess: Sequence[Sequence[Segment]], overlap: float
) -> float:
    """F1 of segments over several recordings (Lea et al. 2017, arXiv:1611.05267).

    A guessed segment is right if the true segment of its label with which it has the greatest
    intersection over union reaches `overlap`, and no guess before it has taken that one. 0 if
    there is no segment at all.
    """
    right = guessed = wanted = 0
    for true_segments, found in zip(truth, guess, strict=True):
        taken: set[Segment] = set()
        for segment in found:
            same = [other for other in true_segments if other.label == segment.label]
            best = max(same, key=lambda other: _overlap(segment, other), default=None)
            if best is not None and best not in taken and _overlap(segment, best) >= overlap:
                taken.add(best)
        right += len(taken)
        guessed += len(found)
        wanted += len(true_segments)
    return 2 * right / (guessed + wanted) if guessed + wanted else 0.0


def edit_score(truth: Sequence[Segment], guess: Sequence[Segment]) -> float:
    """1 - d / max(m, n), d the Levenshtein distance between the labels of two rows of segments.

    It asks for the right order and no false segment, and not where they begin. Source: Lea et al.
    2016 (arXiv:1602.02995).
    """
    longest = max(len(truth), len(guess))
    if not longest:
        return 1.0
    row = np.arange(len(guess) + 1)
    labels = [segment.label for segment in guess]
    for i, segment in enumerate(truth, 1):
        before, row = row, np.full(len(labels) + 1, i)
        for j, label in enumerate(labels, 1):
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (label != segment.label))
    return 1.0 - float(row[-1]) / longest


def segment_scores(truth: Sequence[Labels], guess: Sequence[Labels]) -> dict[str, float]:
    """Segment F1 at 10, 25 and 50 % overlap over all recordings, and the mean edit score.

    truth: labels per frame, negative where there is none; those frames are in no segment, and no
    segment reaches across them, in the truth and in the guess alike.
    """
    true = [segments_of(labels, labels >= 0) for labels in truth]
    found = [segments_of(g, t >= 0) for g, t in zip(guess, truth, strict=True)]
    scores = {f"segment_f1_{k}": segment_f1(true, found, k / 100) for k in OVERLAPS}
    edits = [edit_score(t, g) for t, g in zip(true, found, strict=True)]
    return {**scores, "edit_score": float(np.mean(edits))}


def _overlap(one: Segment, other: Segment) -> float:
    shared = max(0, min(one.end, other.end) - max(one.start, other.start))
    return shared / (max(one.end, other.end) - min(one.start, other.start)) if shared else 0.0
