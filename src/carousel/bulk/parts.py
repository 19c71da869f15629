"""Answers to many files, a file for each: what is done is not done again, and rows are counted.

Each file is answered by `answer_file`, in the memory that it takes by itself. Beside the answers,
in `.done`, stands what was asked of which content: a second call answers only what is new.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from carousel.bulk.answer import answer_file
from carousel.bulk.sinks import SUFFIXES
from carousel.data.store import is_store
from carousel.errors import CarouselError, DataError
from carousel.run.durable import replace_durably
from carousel.tasks.shared.task import TrainedModel

DONE = ".done"
_AT_ONCE = 1 << 22

Load = Callable[[Path], TrainedModel]


@dataclass(frozen=True)
class Part:
    """A file, and the one that gets its answers."""

    source: Path
    out: Path


@dataclass(frozen=True)
class Work:
    """Orders for those who answer files: a run, how to read and ask; key: a digest of these."""

    run: Path
    load: Load
    reading: dict[str, Any]
    options: dict[str, Any]
    key: str
    threads: int


@dataclass(frozen=True)
class PartOutcome:
    """Result of a file: its answers, inputs without one, and rows; or, in `error`, why it has none.

    skipped: it was done before.
    """

    source: str
    out: str
    answered: int = 0
    failed: int = 0
    rows: int = 0
    problems: tuple[str, ...] = ()
    notes: dict[str, int] = field(default_factory=dict)
    error: str = ""
    skipped: bool = False


def parts_of(pattern: Path, out: Path) -> list[Part]:
    """The files of a pattern, or of a folder, each with a place for its answers in a folder.

    Answers keep the name of their file, and its suffix where answers can have it; else they are
    Parquet. Raises `DataError` for two files of one name, and where there is none.
    """
    if is_store(pattern):
        raise DataError(
            f"{pattern} is an imported table, and no folder of files: have its answers in one "
            f"file, such as answers.parquet"
        )
    if pattern.is_dir():
        found = sorted(file for file in pattern.iterdir() if file.is_file())
    elif pattern.is_file():
        found = [pattern]
    else:
        root = Path(pattern.anchor)
        named = root.glob(str(pattern.relative_to(root)))
        found = sorted(file for file in named if file.is_file())
    found = [file for file in found if file.name[0] != "." and file.parent != out]
    if not found:
        raise DataError(f"no file is named by {pattern}")
    parts: dict[Path, Part] = {}
    for file in found:
        suffix = file.suffix.lower()
        name = file.name if suffix in SUFFIXES else f"{file.name.removesuffix('.gz')}.parquet"
        place = out / name
        if place in parts:
            raise DataError(
                f"{file} and {parts[place].source} have one name, and their answers would be one "
                f"file: name the files of one folder"
            )
        parts[place] = Part(file, place)
    return [*parts.values()]


def key_of(run: Path, reading: dict[str, Any], options: dict[str, Any]) -> str:
    """A digest of the weights and facts of a run's model, and of how it is asked."""
    state = hashlib.blake2b(digest_size=16)
    folder = run / "model" if (run / "model").is_dir() else run
    for file in sorted(folder.glob("*")):
        if file.suffix in (".safetensors", ".json", ".toml"):
            state.update(file.name.encode() + file.read_bytes())
    state.update(json.dumps([reading, options], sort_keys=True, default=str).encode())
    return state.hexdigest()


def waiting(parts: Sequence[Part], key: str) -> tuple[list[Part], list[PartOutcome]]:
    """Files that are to be answered, and outcomes of those that are done."""
    todo, done = [], []
    for part in parts:
        outcome = _done(part, key)
        if outcome is None:
            todo.append(part)
        else:
            done.append(outcome)
    return todo, done


def _record(part: Part) -> Path:
    return part.out.parent / DONE / f"{part.out.name}.json"


def _done(part: Part, key: str) -> PartOutcome | None:
    try:
        facts = json.loads(_record(part).read_bytes())
    except (OSError, ValueError):
        return None
    if facts["key"] != key or not part.out.is_file():
        return None
    if facts["size"] != part.source.stat().st_size or facts["digest"] != _digest(part.source):
        return None
    if facts["written"] != part.out.stat().st_size:
        return None
    outcome = {**facts["outcome"], "skipped": True}
    return PartOutcome(**{**outcome, "problems": tuple(outcome["problems"])})


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def answer_part(model: TrainedModel, part: Part, work: Work) -> PartOutcome:
    """Answer one file, count what was written, and note that it is done."""
    names = (str(part.source), str(part.out))
    try:
        digest, size = _digest(part.source), part.source.stat().st_size
        outcome = answer_file(model, part.source, part.out, reading=work.reading, **work.options)
        written = rows_in(part.out)
        if written != outcome.rows:
            raise DataError(f"{part.out} has {written:,} rows, and {outcome.rows:,} were written")
    except CarouselError as error:
        return PartOutcome(*names, error=str(error))
    except OSError as error:
        return PartOutcome(*names, error=f"{part.source}: {error}")
    found = PartOutcome(
        *names,
        outcome.answered,
        outcome.failed,
        outcome.rows,
        outcome.problems,
        outcome.account.notes,
    )
    record = _record(part)
    record.parent.mkdir(exist_ok=True)
    facts = {
        "key": work.key,
        "size": size,
        "digest": digest,
        "written": part.out.stat().st_size,
        "outcome": asdict(found),
    }
    replace_durably(record, json.dumps(facts, ensure_ascii=False).encode())
    return found


def rows_in(path: Path) -> int:
    """Rows of a file of answers, counted in it."""
    import polars

    suffix = path.suffix.lower()
    if suffix == ".ndjson":
        with path.open("rb") as file:
            return sum(some.count(b"\n") for some in iter(lambda: file.read(_AT_ONCE), b""))
    scan = polars.scan_parquet if suffix == ".parquet" else polars.scan_csv
    return int(scan(path).select(polars.len()).collect().item())
