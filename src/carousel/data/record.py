"""Record of a run's data, so that later nobody is judged on other parts unawares.

The parts of a set are drawn from what is there when it is read: a row that was added, or rows in
another order, give other parts, and what was trained on would be judged. So a run keeps a
fingerprint of each part (see `fingerprint`) and of its own files (see `origin`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from carousel.config import Config
from carousel.data.counting import unit_of
from carousel.data.fingerprint import fingerprint
from carousel.data.mapped import changed
from carousel.data.origin import Origin
from carousel.errors import DataError, RunError, command
from carousel.run import layout

FORMAT = 1
PARTS = ("train", "validation", "test")

UNVERIFIED = (
    "{run} has no record of its data, as those of earlier versions have none: whether the data are "
    "still what was trained on cannot be told"
)


class DataChangedError(DataError):
    """Data are not what was trained on."""


class Counted(Protocol):
    """A part: how many of what there are, that first which is drawn as a whole."""

    @property
    def counts(self) -> dict[str, int]: ...


class Parted(Protocol):
    """Data in parts: "train", "validation", "test". A test part may be read when asked for."""

    def part(self, name: str, /) -> Counted: ...


@dataclass(frozen=True)
class PartRecord:
    """Counts of a part and its fingerprint."""

    counts: dict[str, int]
    fingerprint: str


@dataclass(frozen=True)
class DataRecord:
    """The data of one run.

    name, path: as in its configuration. parts: those that were open; a published test part only
    joins them when it has judged. origin: the custom files; None of a published set, whose
    files are pinned by their SHA-256. numbers: whether fingerprints are of arrays too. Sounds and
    images become numbers in ways that differ in their last bits between machines: they are known
    by their files. run: the folder that it was read from. held: origins of the files of one's own
    for the validation and the test part, by their paths.
    """

    name: str
    path: str
    parts: dict[str, PartRecord]
    origin: Origin | None
    numbers: bool
    carousel: str
    run: Path | None = None
    held: dict[str, Origin] = field(default_factory=dict)

    @classmethod
    def of(cls, config: Config, data: Parted) -> DataRecord:
        """Make the record of data just read. A test part that is a thing of its own stays
        closed."""
        path = config.data.path
        read_whole = bool(path) and config.task not in ("caption", "classify")
        numbers = read_whole and not getattr(data, "sound", False)
        names = PARTS if read_whole else PARTS[:2]
        parts = {name: _record(data, name, numbers) for name in names}
        origin = Origin.of(Path(path)) if path else None
        held = {file: Origin.of(Path(file)) for file in config.data.files.values()}
        made = version("carousel-rnn")
        return cls(config.data.name, path, parts, origin, numbers, made, held=held)

    def with_test(self, data: Parted) -> DataRecord:
        """Record with the test part, once it has been opened."""
        parts = {name: self.parts.get(name) or _record(data, name, self.numbers) for name in PARTS}
        return replace(self, parts=parts)

    @cached_property
    def fingerprint(self) -> str:
        """One fingerprint of all parts that are recorded."""
        return fingerprint([[name, part.fingerprint] for name, part in self.parts.items()])

    # ---- files

    @classmethod
    def read(cls, folder: Path) -> DataRecord | None:
        """Read the record of a run or a bundle; None if it was written before there were records.
        Raises `RunError`."""
        file = folder / layout.DATA
        if not file.is_file():
            return None
        try:
            facts = json.loads(file.read_text(encoding="utf-8"))
            if facts["format"] > FORMAT:
                raise RunError(
                    f"{file} was written by a newer Carousel (format {facts['format']}, this "
                    f"version reads up to {FORMAT}): upgrade with pip install -U carousel-rnn"
                )
            origin = facts["origin"]
            return cls(
                facts["name"],
                facts["path"],
                {name: PartRecord(**part) for name, part in facts["parts"].items()},
                None if origin is None else Origin.restore(origin),
                facts["numbers"],
                facts["carousel"],
                folder,
                {file: Origin.restore(one) for file, one in facts.get("held", {}).items()},
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RunError(f"{file} cannot be read: {error}") from None

    def text(self) -> str:
        """Text that `read` reads."""
        facts = {
            "format": FORMAT,
            "carousel": self.carousel,
            "name": self.name,
            "path": self.path,
            "parts": {
                name: {"counts": part.counts, "fingerprint": part.fingerprint}
                for name, part in self.parts.items()
            },
            "numbers": self.numbers,
            "origin": None if self.origin is None else self.origin.facts(),
        }
        if self.held:
            facts["held"] = {file: origin.facts() for file, origin in self.held.items()}
        return json.dumps(facts, indent=2, ensure_ascii=False) + "\n"

    # ---- comparison

    def check(self, data: Parted, part: str) -> None:
        """Raise `DataChangedError`, saying what changed, unless the training and the validation
        part, and `part` where it is on record, are what they were. A test part that is not asked
        for is not looked at.
        """
        if said := self.differences(data, part):
            raise DataChangedError(said)

    def differences(self, data: Parted, part: str) -> str:
        """Message of the error that `check` raises; empty if nothing changed."""
        asked = [
            name for name in PARTS if name in self.parts and name in ("train", "validation", part)
        ]
        now = {name: _record(data, name, self.numbers) for name in asked}
        other = [name for name in asked if now[name] != self.parts[name]]
        if not other and (self.numbers or self.origin is None):
            return ""
        if not other:
            for path, origin in self._origins():
                if changed := origin.lost(path):
                    return f"{_not_as_it_was(path)}: {changed}. {self._advice()}"
            return ""
        parts = _told({name: (self.parts[name], now[name]) for name in other})
        for path, origin in self._origins():
            if changed := origin.changes(path):
                return f"{_not_as_it_was(path)}: {changed}; {parts}. {self._advice()}"
        return (
            f"{self.path or self.name} is as it was, but read otherwise by this Carousel "
            f"({version('carousel-rnn')}) than by the one that trained ({self.carousel}): {parts}. "
            f"Use that version, or {self._anew()}"
        )

    def changed(self) -> str:
        """Changes of custom files, in words; empty if there are none, or they cannot be read."""
        try:
            for path, origin in self._origins():
                if said := origin.changes(path):
                    return f"{_not_as_it_was(path)}: {said}"
        except (DataError, OSError):
            pass
        return ""

    def _origins(self) -> Iterator[tuple[Path, Origin]]:
        """Files of one's own with their origins, the training file first."""
        if self.origin is not None:
            yield Path(self.path), self.origin
        yield from ((Path(file), origin) for file, origin in self.held.items())

    def _advice(self) -> str:
        return (
            "The parts would be drawn anew, and what was trained on might be judged: put it back "
            f"as it was, or {self._anew()}"
        )

    def _anew(self) -> str:
        own = self.run / layout.CONFIG if self.run is not None else None
        known = own is not None and own.is_file()
        return f"train anew{': ' + command('train', own) if known and own is not None else ''}"


def _not_as_it_was(path: Path) -> str:
    return f"{path} is not what was trained on"


def _record(data: Parted, name: str, numbers: bool) -> PartRecord:
    part: Any = data.part(name)
    columns = getattr(data, "columns", ())
    # Columns are known by their names: their order says nothing. A part may be empty.
    if columns and numbers and part.values.values.ndim > 1:
        order = sorted(range(len(columns)), key=lambda i: columns[i])
        values = changed(part.values, lambda some: some.values[:, order])
        named = [sorted(columns), replace(part, values=values)]
        return PartRecord(part.counts, fingerprint(named, numbers=numbers))
    return PartRecord(part.counts, fingerprint(part, numbers=numbers))


def _told(other: dict[str, tuple[PartRecord, PartRecord]]) -> str:
    """Differences of the parts: each as it was and as it is in `other`."""
    told, alike = [], []
    for name, (then, now) in other.items():
        what = next(iter(then.counts), "rows")
        before, after = then.counts.get(what, 0), now.counts.get(what, 0)
        if before == after:
            alike.append(name)
        else:
            unit = unit_of(before, what)
            told.append(f"the {name} part had {before:,} {unit} and would have {after:,}")
    if alike:
        *first, last = alike
        named = f"parts {', '.join(first)} and {last}" if first else f"part {last}"
        told.append(f"others would stand in the {named}")
    return ", ".join(told)


def sizes(record: DataRecord) -> str:
    """The parts in one line, for the start of a run.

    >>> part = PartRecord({"sentences": 1200}, "")
    >>> sizes(DataRecord("sst2", "", {"train": part, "validation": part}, None, False, ""))
    'parts: train 1,200 sentences; validation 1,200 sentences; test: opened at the end'
    """
    told = []
    for name in PARTS:
        counts = record.parts[name].counts if name in record.parts else {}
        listed = ", ".join(f"{count:,} {unit_of(count, what)}" for what, count in counts.items())
        told.append(f"{name} {listed}" if listed else f"{name}: opened at the end")
    return f"parts: {'; '.join(told)}"
