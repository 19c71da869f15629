"""Points of a curve from the buckets of a series: extremes, means, a smoothed curve."""

from __future__ import annotations

import math
from collections.abc import Sequence

from carousel.board.series import Bucket

Point = list[float | None]


def extremes(buckets: Sequence[Bucket]) -> list[Point]:
    """A curve through least and greatest value of every bucket: no peak is lost.

    >>> extremes([Bucket(1, 1, 5.0, 5.0, 5.0, 1), Bucket(2, 9, 1.0, 7.0, 2.0, 8)])
    [[1, 5.0], [2, 1.0], [9, 7.0]]
    """
    points: list[Point] = []
    for bucket in buckets:
        points.append([bucket.first, finite(bucket.low)])
        if bucket.last > bucket.first:
            points.append([bucket.last, finite(bucket.high)])
    return points


def means(buckets: Sequence[Bucket]) -> list[Point]:
    """A curve through the mean of every bucket, in its middle."""
    return [[(b.first + b.last) / 2, finite(b.mean)] for b in buckets]


def smoothed(buckets: Sequence[Bucket], weight: float) -> list[Point]:
    """An exponential mean over the buckets, corrected for its start (Kingma and Ba 2015).

    weight: of what came before, from 0 (the means as they are) to below 1. A bucket without a
    finite value is passed over.

    >>> smoothed([Bucket(1, 1, 4, 4, 4, 1), Bucket(2, 2, 0, 0, 0, 1)], 0.5)
    [[1.0, 4.0], [2.0, 1.3333333333333333]]
    """
    total, norm = 0.0, 0.0
    points: list[Point] = []
    for bucket in buckets:
        if not math.isfinite(bucket.mean):
            continue
        total = weight * total + (1 - weight) * bucket.mean
        norm = weight * norm + (1 - weight)
        points.append([(bucket.first + bucket.last) / 2, total / norm])
    return points


def finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
