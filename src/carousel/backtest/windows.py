"""Forecasts of windows beside what came, in memory and in a file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from carousel.errors import RunError
from carousel.run.durable import replace_durably
from carousel.tasks.shared.origins import Found, Scale, Truth

NETWORK = "network"
_ENDS = ("forecast", "low", "high")


@dataclass(frozen=True)
class Forecast:
    """Windows with the forecasts of the network and of the baselines, by name; the network's is
    the first, as `NETWORK`.

    scale: what errors are measured by; it is that of the first training in every window.
    """

    truth: Truth
    found: dict[str, Found]
    scale: Scale

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        arrays: dict[str, NDArray[np.generic]] = {
            "times": self.truth.times,
            "truth": self.truth.values,
            "std": self.scale.std,
            "naive": self.scale.naive,
            "names": np.array([*self.found]),
        }
        for number, found in enumerate(self.found.values()):
            for end in _ENDS:
                if (values := getattr(found, end)) is not None:
                    arrays[f"{number}-{end}"] = values
        file = io.BytesIO()
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # its stub knows one keyword
        replace_durably(path, file.getvalue())

    @classmethod
    def load(cls, path: Path) -> Forecast:
        """Read such a file. Raises `RunError` if it is damaged."""
        try:
            # Read first: of what is no archive, NumPy leaves the file open.
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
                arrays = dict(file)
            found = {
                str(name): Found(**{e: arrays[k] for e in _ENDS if (k := f"{n}-{e}") in arrays})
                for n, name in enumerate(arrays["names"])
            }
            scale = Scale(arrays["std"], arrays["naive"])
            return cls(Truth(arrays["times"], arrays["truth"]), found, scale)
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
            raise RunError(f"{path} cannot be read: {error}: remove it to make it anew") from None


def joined(parts: Sequence[Forecast]) -> Forecast:
    """The windows of all trainings in order; the scale is that of the first. A forecaster that one
    of them lacks (`partial`) is left out."""
    truth = Truth(
        np.concatenate([part.truth.times for part in parts]),
        np.concatenate([part.truth.values for part in parts]),
    )
    names = [name for name in parts[0].found if all(name in part.found for part in parts)]
    found = {name: _together([part.found[name] for part in parts]) for name in names}
    return Forecast(truth, found, parts[0].scale)


def partial(parts: Sequence[Forecast]) -> list[str]:
    """Names of forecasters that some trainings have, and others lack."""
    names = dict.fromkeys(name for part in parts for name in part.found)
    return [name for name in names if any(name not in part.found for part in parts)]


def _together(parts: Sequence[Found]) -> Found:
    ends = {end: [getattr(part, end) for part in parts] for end in _ENDS}
    whole = {e: v for e, v in ends.items() if all(some is not None for some in v)}
    return Found(**{end: np.concatenate(values) for end, values in whole.items()})
