"""Steps that may begin with something besides their columns: a time, or the name of a series."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import numpy as np

from carousel.serve.columns import Columns, Steps, bad, short


class Lead(Protocol):
    """First number of a step. names: the keys that it may have in an object."""

    names: tuple[str, ...]

    def number(self, at: int, given: Any) -> float:
        """The number of what a step says. Raises `Refused`."""

    def default(self, stream: str) -> float:
        """The number of a stream's first step that says nothing, by the stream's name."""

    def facts(self) -> dict[str, Any]:
        """Description for clients."""


class TimeLead:
    """Time of a step, in seconds since 1970; NaN: a step after the one before.

    >>> TimeLead().number(0, "2012-01-01T05:00"), TimeLead().number(0, "1970-01-02T09:00+09:00")
    (1325394000.0, 86400.0)
    """

    def __init__(self, own: str = "", needed: bool = False) -> None:
        """own: name of the column in training, besides "time"."""
        self.names: tuple[str, ...] = ("time", own) if own and own != "time" else ("time",)
        self.needed = needed

    def number(self, at: int, given: Any) -> float:
        if isinstance(given, int | float) and not isinstance(given, bool):
            if math.isfinite(given) and abs(given) < 2**40:
                return float(given)
        elif isinstance(given, str) and len(given) <= 40:
            text = f"{given}-01" if len(given) == 7 else given
            try:
                stamp = datetime.fromisoformat(text)
            except ValueError:
                pass
            else:
                return (stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)).timestamp()
        raise bad(
            f"the time of step {at} is {short(given)}: ISO 8601, such as 2024-01-31T13:00 (without "
            "an offset, as in training), or seconds since 1970"
        )

    def default(self, stream: str) -> float:
        return math.nan

    def facts(self) -> dict[str, Any]:
        return {"name": self.names[-1], "needed": self.needed}


class SeriesLead:
    """Number of the series of training that a stream is of, from 1; 0: of none. NaN: as before.

    Where the first step does not say it, a stream named SERIES or SERIES/anything is of that.
    """

    names: tuple[str, ...] = ("series",)

    def __init__(self, known: Sequence[str], needed: bool) -> None:
        self._known, self.needed = {name: code for code, name in enumerate(known, 1)}, needed

    def number(self, at: int, given: Any) -> float:
        if isinstance(given, str) and given in self._known:
            return float(self._known[given])
        raise bad(
            f"the series of step {at} is {short(given)}, which training had not: known are "
            f"{', '.join([*self._known][:30]) or 'none'}"
        )

    def default(self, stream: str) -> float:
        code = self._known.get(stream) or self._known.get(stream.partition("/")[0])
        return math.nan if code is None else -float(code)

    def facts(self) -> dict[str, Any]:
        return {"name": "series", "needed": self.needed, "known": [*self._known]}


class LedColumns(Columns):
    """Content of a step whose columns may be null, where nothing was measured, and stand behind a
    lead: an object may have its key, a list one more number before the others."""

    def __init__(
        self, lead: Lead, names: Sequence[str], levels: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self.lead, self._inner = lead, _Gaps(len(names), names, levels)
        super().__init__(1 + len(names), [lead.names[0], *names])

    @property
    def wanted(self) -> list[str]:
        return self._inner.wanted

    def facts(self) -> dict[str, Any]:
        return {"lead": self.lead.facts()}

    def read(self, steps: Any, stream: str = "") -> Steps:
        if not isinstance(steps, list) or not steps:
            raise bad("steps is a list of at least one step")
        leads, rest = np.full((len(steps), 1), np.nan), []
        for at, step in enumerate(steps):
            given, own = self._parted(step)
            if given is not None:
                leads[at, 0] = self.lead.number(at, given)
            rest.append(own)
        if np.isnan(leads).all():
            leads[0, 0] = self.lead.default(stream)
        return np.concatenate((leads, self._inner.read(rest)), 1)

    def checked(self, x: Steps) -> Steps:
        if x.ndim < 1 or x.shape[-1] != self.width:
            return super().checked(x)  # which refuses it
        if np.isinf(x[..., 0]).any():
            raise bad(
                f"{self.lead.names[0]} is infinite: a number is expected, or NaN for as before"
            )
        Columns.checked(self._inner, x[..., 1:])
        return x

    def _parted(self, step: Any) -> tuple[Any, Any]:
        """The lead of a step, None where it has none, and the rest."""
        if isinstance(step, dict):
            return next((step[name] for name in self.lead.names if name in step), None), step
        if isinstance(step, list) and len(step) == self.width:
            return step[0], step[1:]
        return None, step


class _Gaps(Columns):
    """Columns of which null says that nothing was measured: NaN."""

    def checked(self, x: Steps) -> Steps:
        return x  # cells are looked at one by one, or all at once where none is null

    def _plain(self, steps: list[list[Any]]) -> Steps:
        found = super()._plain(steps)
        if not any(cell is None for step in steps for cell in step):
            super().checked(found)
        return found

    def _cell(self, at: int, name: str, cell: Any) -> float:
        return math.nan if cell is None else super()._cell(at, name, cell)
