"""Check of small data as training reads them, so that `carousel init` can say what it refuses."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from carousel.config import Config
from carousel.errors import CarouselError

#: Rows of a table that is read as training reads it, to know whether that refuses it.
SMALL = 300
_BYTES, _FILES = 200_000, 50


def is_small(data: Path) -> bool:
    """True for a file or a folder that takes no time to read."""
    if data.is_file():
        return data.stat().st_size <= _BYTES
    return len([*islice(data.rglob("*"), _FILES + 1)]) <= _FILES


def refusal(config: Config) -> str:
    """Reason why training would refuse the data of a recipe, "" if it would not: that is tried, as
    reading small data takes no time."""
    from carousel import tasks

    try:
        tasks.find(config.task)(config, 0)
    except CarouselError as error:
        return str(error)
    return ""
