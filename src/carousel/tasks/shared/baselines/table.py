"""All methods that forecast a history by itself, by the names that results have."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from carousel.tasks.shared.baselines.naive import drift, last_value, seasonal_naive
from carousel.tasks.shared.baselines.theta import theta

Array = NDArray[np.float64]
Method = Callable[[Array, int, int], Array]

LOCAL: dict[str, Method] = {
    "last_value": last_value,
    "drift": drift,
    "seasonal_naive": seasonal_naive,
    "theta": theta,
}
"""(histories (..., T), horizon K, season) to forecasts (..., K)."""


def local_methods(steps: int, season: int) -> dict[str, Method]:
    """Methods that have something to say of histories of so many steps with such a season: without
    a season, or with less than one, the seasonal naive forecast has not.

    >>> list(local_methods(48, 1))
    ['last_value', 'drift', 'theta']
    """
    seasonal = 1 < season <= steps
    return {name: method for name, method in LOCAL.items() if seasonal or name != "seasonal_naive"}


@contextmanager
def seconds_of(found: dict[str, float], name: str) -> Iterator[None]:
    """Add the processor's seconds of what is done inside to those of `name`: what a method costs
    does not depend on what else the machine does."""
    begun = time.process_time()
    yield
    found[name] = found.get(name, 0.0) + time.process_time() - begun
