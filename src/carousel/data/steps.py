"""Steps of time: seconds, days, or months, which have no length in days."""

from __future__ import annotations

import numpy as np

from carousel.data.stamps import Stamps, unit_of

_NANOSECONDS = {"day": 86_400 * 10**9, "hour": 3_600 * 10**9, "minute": 60 * 10**9}
_SECOND = 10**9
_SHORTEST_MONTH = np.timedelta64(28, "D")


def as_months(stamps: Stamps) -> Stamps | None:
    """The months of stamps that all lie on the same day of their month, or on its last, at the
    same time of day; None if they do not, or if they come more than once a month.

    >>> as_months(np.array(["2000-01-31", "2000-02-29"], "datetime64[D]"))
    array(['2000-01', '2000-02'], dtype='datetime64[M]')
    """
    if unit_of(stamps) in ("Y", "M"):
        return stamps.astype("datetime64[M]")
    days, months = stamps.astype("datetime64[D]"), stamps.astype("datetime64[M]")
    if not (np.diff(days) >= _SHORTEST_MONTH).all():
        return None
    times, in_month = stamps - days, days - months.astype("datetime64[D]")
    left = (months + 1).astype("datetime64[D]") - days
    same_day = (in_month == in_month[0]).all() or (left == np.timedelta64(1, "D")).all()
    return months if same_day and (times == times[0]).all() else None


def step_of(stamps: Stamps) -> tuple[int, str]:
    """The step between regular stamps: a count, and "M" for months or "ns" for all else."""
    step = stamps[1] - stamps[0]
    if unit_of(stamps) in ("Y", "M"):
        return int(step.astype("timedelta64[M]").astype(int)), "M"
    return int(step.astype("timedelta64[ns]").astype(int)), "ns"


def step_name(step: tuple[int, str]) -> str:
    """A step in words.

    >>> step_name((900 * 10**9, "ns")), step_name((3, "M")), step_name((12, "M"))
    ('15 minutes', '3 months', '1 year')
    """
    count, unit = step
    if unit == "M":
        name, one = ("year", 12) if count % 12 == 0 else ("month", 1)
    else:
        whole = (item for item in _NANOSECONDS.items() if count % item[1] == 0)
        name, one = next(whole, ("second", _SECOND))
    return f"{count / one:g} {name}{'s' * (count != one)}"
