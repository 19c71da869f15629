"""Number series of any length, cut down to what a screen can show, extremes kept.

A bucket holds the points of `width` consecutive steps as their least, greatest and mean value. The
width is a power of two, so that a live series is only ever looked at from its last bucket on; it
doubles when the series has outgrown the screen.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from carousel.run.reading import Reading, reading

BUCKETS = 1000  # at most: about the pixels of a chart
_MOST_KNOWN = 400  # series; one of 1000 buckets takes about 0.2 MB


@dataclass(frozen=True)
class Bucket:
    """Points of neighbouring steps. count: of finite values; lost: of NaN (SQL keeps it as NULL).

    Infinities are extremes like others; who draws leaves them out.
    """

    first: int
    last: int
    low: float
    high: float
    mean: float
    count: int
    lost: int = 0


def width_for(steps: int, most: int = BUCKETS) -> int:
    """The least power of two with which so many steps make at most so many buckets.

    >>> width_for(1000), width_for(1001), width_for(1_000_000)
    (1, 2, 1024)
    """
    return 1 if steps <= most else 1 << math.ceil(math.log2(steps / most))


def buckets(store: Reading, signal: int, first: int, last: int, width: int) -> Iterator[Bucket]:
    """The buckets of steps first to last that have points; edges are multiples of the width."""
    for start in range(first // width * width, last + 1, width):
        found = store.stretch(signal, start, start + width)
        if found is not None:
            low, high, mean = (
                math.nan if value is None else value
                for value in (found.low, found.high, found.mean)
            )
            lost = found.rows - found.numbers
            yield Bucket(found.first, found.last, low, high, mean, found.numbers, lost)


def coarser(found: Sequence[Bucket], most: int) -> list[Bucket]:
    """Neighbours put together until there are at most so many, extremes kept.

    >>> two = [Bucket(1, 1, 5, 5, 5, 1), Bucket(2, 4, 0, 3, 1, 3)]
    >>> coarser(two, 1)
    [Bucket(first=1, last=4, low=0, high=5, mean=2.0, count=4, lost=0)]
    """
    each = -(-len(found) // most)
    if each <= 1:
        return list(found)
    return [_together(found[i : i + each]) for i in range(0, len(found), each)]


def _together(group: Sequence[Bucket]) -> Bucket:
    real = [bucket for bucket in group if bucket.count]
    count, lost = sum(b.count for b in group), sum(b.lost for b in group)
    first, last = group[0].first, group[-1].last
    if not real:
        return Bucket(first, last, math.nan, math.nan, math.nan, 0, lost)
    low, high = min(b.low for b in real), max(b.high for b in real)
    return Bucket(first, last, low, high, sum(b.mean * b.count for b in real) / count, count, lost)


class Reader:
    """Series of run folders, remembered, so that a live one costs only what is new in it."""

    def __init__(self) -> None:
        self._known: dict[tuple[Path, str], _Known] = {}
        self._lock = threading.Lock()

    def read(
        self, path: Path, wanted: Iterable[str], within: tuple[float, float] | None = None
    ) -> dict[str, list[Bucket]]:
        """The buckets of those of the wanted series that exist, by name.

        within: steps to look at more closely; the rest stays as it is in the whole series. Raises
        `RunError` if the event store cannot be read.
        """
        with reading(path) as store:
            store.hold()  # one state of the run for all of them
            ids, resumed = store.signals(), store.resumptions()
            found = {}
            for name in wanted:
                if name in ids and (span := store.extent(ids[name])) is not None:
                    whole = self._whole(store, ids[name], (path, name), span, resumed)
                    found[name] = (
                        _closer(store, ids[name], whole, within) if within else whole.buckets
                    )
            return found

    def _whole(
        self,
        store: Reading,
        signal: int,
        key: tuple[Path, str],
        span: tuple[int, int],
        resumed: _Resumed,
    ) -> _Known:
        first, last = span
        width = width_for(last - first + 1)
        known, keep = self._known.get(key), []
        if known and (known.width, known.first, known.resumed) == (width, first, resumed):
            if known.last == last:
                return known
            keep = known.buckets[:-1] if known.last < last else []
        start = (keep[-1].first // width + 1) * width if keep else first
        found = [*keep, *buckets(store, signal, start, last, width)]
        known = _Known(width, first, last, resumed, found)
        with self._lock:
            if key not in self._known and len(self._known) >= _MOST_KNOWN:
                self._known.pop(next(iter(self._known)))
            self._known[key] = known
        return known


_Resumed = tuple[int, float]


@dataclass(frozen=True)
class _Known:
    width: int
    first: int
    last: int
    resumed: _Resumed
    buckets: list[Bucket]


def _closer(
    store: Reading, signal: int, whole: _Known, within: tuple[float, float]
) -> list[Bucket]:
    """Series with smaller buckets between those two steps."""
    left = max(whole.first, int(max(within[0], 0)) // whole.width * whole.width)
    right = min(whole.last, (int(max(within[1], 0)) // whole.width + 1) * whole.width - 1)
    width = width_for(right - left + 1)
    if width >= whole.width or right < left:
        return whole.buckets
    return [
        *(bucket for bucket in whole.buckets if bucket.last < left),
        *buckets(store, signal, left, right, width),
        *(bucket for bucket in whole.buckets if bucket.first > right),
    ]
