"""Scores of labelled frames: frame by frame, and segment by segment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carousel.data.recordings import Recordings
from carousel.errors import DataError
from carousel.tasks.label_frames.segments import segment_scores
from carousel.tasks.shared import bootstrap, metrics


def judge(part: Recordings, logits: Tensor, classes: Sequence[str]) -> dict[str, Any]:
    """Metrics and details of logits (N, C) for all frames of a part; only labelled ones count."""
    inside = part.labels >= 0
    if not inside.any():
        raise DataError("no frame of this part has a label: there is nothing to judge")
    report = metrics.report(part.labels[inside], logits[inside].softmax(1), classes)
    sizes = part.values.lengths.tolist()
    truth = [row.numpy() for row in torch.split(part.labels, sizes)]
    guess = [row.numpy() for row in torch.split(logits.argmax(1), sizes)]
    report.pop("interval", None)  # frames next to each other are no independent examples
    return {**segment_scores(truth, guess), **report, **_interval(truth, guess, len(classes))}


def _interval(truth: Sequence[Any], guess: Sequence[Any], classes: int) -> dict[str, Any]:
    """Intervals of accuracy and macro F1 over recordings drawn anew."""
    sums = np.zeros((len(truth), classes, classes))
    for number, (one, other) in enumerate(zip(truth, guess, strict=True)):
        inside = one >= 0
        np.add.at(sums[number], (one[inside], other[inside]), 1)
    flat = sums.reshape(len(truth), -1)

    def confusion(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return rows.reshape(-1, classes, classes)

    def accuracy(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = confusion(rows).trace(axis1=1, axis2=2) / rows.sum(1)
        return found

    return bootstrap.known(
        {
            "accuracy": bootstrap.interval(flat, accuracy),
            "macro_f1": bootstrap.interval(flat, lambda rows: bootstrap.macro_f1(confusion(rows))),
        }
    )
