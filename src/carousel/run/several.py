"""Files in JSON about several runs: written whole or not at all, and version-checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from carousel.errors import RunError
from carousel.run.durable import replace_durably


def read_json(file: Path, newest: int, kinds: dict[str, type] | None = None) -> dict[str, Any]:
    """Contents of a file. newest: its latest format that is known; kinds: of values that it must
    have. Raises `RunError` if there is none, it is damaged, or a newer Carousel wrote it."""
    try:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if found["format"] > newest:
            raise RunError(
                f"{file.parent} was written by a newer Carousel (format {found['format']}, this "
                f"version reads up to {newest}): upgrade with pip install -U carousel-rnn"
            )
        for name, kind in (kinds or {}).items():
            if not isinstance(found[name], kind):
                raise TypeError(f"'{name}' is no {kind.__name__}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{file} cannot be read: {error}") from None
    return found


def write_json(file: Path, content: dict[str, Any]) -> None:
    """Put a file in place, whole or not at all."""
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    replace_durably(file, text.encode())
