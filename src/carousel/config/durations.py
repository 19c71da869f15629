"""Durations and revised lengths of a training, as settings say them in text."""

from __future__ import annotations

import re

from carousel.errors import ConfigError

_UNITS = {"s": 1, "min": 60, "h": 3600}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|min|h)\s*")
_REVISION = re.compile(r"(\d+):(\d+)")


def seconds_of(text: str, name: str) -> float:
    """Seconds of a duration in s, min or h. Raises `ConfigError` with the setting's `name`.

    >>> seconds_of("10 min", "training.budget"), seconds_of("1.5h", "training.budget")
    (600.0, 5400.0)
    """
    found = _DURATION.fullmatch(text)
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if seconds <= 0:
        raise ConfigError(
            f"{name} must be a time above 0 in s, min or h, such as '10 min' or '1.5 h'; got "
            f"'{text}'"
        )
    return seconds


def revisions_of(text: str, name: str) -> list[tuple[int, int]]:
    """Steps at which the length of a training is revised, with the new lengths in steps, of
    "step:steps" with spaces between. Raises `ConfigError`.

    >>> revisions_of("120:900 400:880", "training.revised")
    [(120, 900), (400, 880)]
    """
    matches = [_REVISION.fullmatch(part) for part in text.split()]
    found = [(int(one[1]), int(one[2])) for one in matches if one]
    steps = [at for at, _ in found]
    in_order = steps == sorted({*steps}) and all(at <= total for at, total in found)
    if len(found) < len(matches) or not in_order:
        raise ConfigError(
            f"{name} must be 'step:steps step:steps …' with rising steps, none beyond the length "
            f"that it gives, such as '120:900 400:880'; got '{text}'"
        )
    return found
