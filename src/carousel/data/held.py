"""Parts in files of one's own (`data.validation`, `data.test`): read as the training file was.

Columns, kinds of labels and vocabularies are those of the training file: what it lacks is refused
or counted, and said. So is what stands in two parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from carousel.config import Config
from carousel.data.table import Table
from carousel.errors import DataError

Tables = Mapping[str, Table]
"""Tables that are handed over in place of files, by part."""


@dataclass(frozen=True)
class Held:
    """Account of a part that has a file.

    source: the file. notes: what was recognised in it. unknown: how many examples, or labels, have
    a class that training does not know, by class: they are left out. doubles: examples that the
    training part has too; None where that is not known.
    """

    source: str
    notes: tuple[str, ...] = ()
    unknown: Mapping[str, int] = field(default_factory=dict)
    doubles: int | None = None

    def lines(self, part: str) -> list[str]:
        """All of it in words, a line each."""
        said = [f"the {part} part is {self.source}", *self.notes]
        if blank := self.unknown.get("", 0):
            said.append(f"{blank:,} examples have no class and are left out")
        classes = {name: count for name, count in self.unknown.items() if name}
        if classes:
            shown = ", ".join(f"'{name}' ({count:,})" for name, count in list(classes.items())[:5])
            more = f" and {len(classes) - 5:,} more" if len(classes) > 5 else ""
            said.append(f"classes that training does not have, in no metric: {shown}{more}")
        if self.doubles:
            said.append(f"{self.doubles:,} of its examples stand in the training part, too")
        return [said[0], *(f"{part}: {line}" for line in said[1:])]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON can hold it."""
        return {
            "source": self.source,
            "notes": [*self.notes],
            "unknown_classes": dict(self.unknown),
            "also_in_training": self.doubles,
        }


def completed(parts: Any, config: Config, tables: Tables | None = None) -> Any:
    """Parts as they were read from the training file, with those that have a file of their own.

    What was read is put on record as `held` of the parts. Raises `DataError` for a file that is
    not there, lacks a column, or has nothing to judge by.
    """
    given: Tables = tables or {}
    sources: dict[str, Path | Table] = {
        part: given.get(part) or Path(path) for part, path in config.data.files.items()
    }
    if not sources:
        return parts
    for source in sources.values():
        if isinstance(source, Path) and not source.exists():
            raise DataError(f"there is no file or folder {source}")
    from carousel.data.files.held import put

    return put(parts, config, sources)


def said_of(parts: Any) -> list[str]:
    """Lines on the parts that have files of their own."""
    held: Mapping[str, Held] = getattr(parts, "held", {})
    return [line for part, one in held.items() for line in one.lines(part)]


def facts_of(parts: Any) -> dict[str, Any]:
    """Facts on them for `result.json`; empty where no part has a file."""
    held: Mapping[str, Held] = getattr(parts, "held", {})
    return {part: one.to_dict() for part, one in held.items()}
