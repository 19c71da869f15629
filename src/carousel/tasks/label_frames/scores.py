"""Scores of labelled frames: frame by frame, and segment by segment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from carousel.data.recordings import Recordings
from carousel.errors import DataError
from carousel.tasks.label_frames.segments import segment_scores
from carousel.tasks.shared import metrics


def judge(part: Recordings, logits: Tensor, classes: Sequence[str]) -> dict[str, Any]:
    """Metrics and details of logits (N, C) for all frames of a part; only labelled ones count."""
    inside = part.labels >= 0
    if not inside.any():
        raise DataError("no frame of this part has a label: there is nothing to judge")
    report = metrics.report(part.labels[inside], logits[inside].softmax(1), classes)
    sizes = part.values.lengths.tolist()
    truth = [row.numpy() for row in torch.split(part.labels, sizes)]
    guess = [row.numpy() for row in torch.split(logits.argmax(1), sizes)]
    return {**segment_scores(truth, guess), **report}
