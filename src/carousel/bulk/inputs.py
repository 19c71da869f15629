"""The inputs in a file, or in the files of a folder, batch by batch in their order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from carousel.data.files.pieces import Ends, pieces
from carousel.data.store import is_store
from carousel.errors import CarouselError, DataError
from carousel.tasks.shared.given import SentenceModel
from carousel.tasks.shared.task import Given, TrainedModel

AT_ONCE = 4096
_FILES_AT_ONCE = 1024


@dataclass(frozen=True)
class Batch:
    """Some of the inputs. keys: what each is known by, such as a file and a row; inputs: as the
    model takes them, of those without a problem; problems: by number of the key, why there is no
    input; done: the share of everything that has been read with it."""

    keys: list[dict[str, Any]]
    inputs: Any
    problems: dict[int, str] = field(default_factory=dict)
    done: float = 1.0


@dataclass
class Account:
    """Account of the inputs, gathered while they are read.

    notes: each once, and how often it was true. blank: sentences without a letter, passed over.
    filled: missing values that were taken from the step before. others: files of other kinds.
    unknown: sentences with tokens that the model does not know; named: some of those tokens.
    """

    notes: dict[str, int] = field(default_factory=dict)
    blank: int = 0
    filled: int = 0
    others: int = 0
    unknown: int = 0
    named: dict[str, None] = field(default_factory=dict)

    def note(self, text: str) -> None:
        """Something to be said once, however often it is true."""
        self.notes[text] = self.notes.get(text, 0) + 1


def batches(model: TrainedModel, source: Path, account: Account, **reading: Any) -> Iterator[Batch]:
    """The inputs of a file, an imported table or a folder for a model. reading: arguments of
    `model.read`.

    A file of a folder that cannot be read is one input with a problem. Raises `DataError` for a
    single file that cannot, and a folder without files.
    """
    if not source.is_dir() or is_store(source):
        yield from _of_file(model, source, account, {}, reading)
        return
    files = _files(model, source, account)
    if isinstance(model, SentenceModel):
        for number, file in enumerate(files):
            name = str(file.relative_to(source))
            try:
                for batch in _of_file(model, file, account, {"file": name}, reading):
                    yield Batch(batch.keys, batch.inputs, batch.problems, number / len(files))
            except CarouselError as error:
                done = (number + 1) / len(files)
                yield Batch([{"file": name}], [], {0: str(error)}, done)
        return
    yield from _of_files(model, source, files, account, reading)


def _files(model: TrainedModel, folder: Path, account: Account) -> list[Path]:
    everything = sorted(path for path in folder.rglob("*") if path.is_file())
    shown = [f for f in everything if not any(p[0] == "." for p in f.relative_to(folder).parts)]
    files = [file for file in shown if model.takes(file)]
    account.others = len(shown) - len(files)
    if not files:
        kinds = f" of the kind {', '.join(model.kinds)}" if model.kinds else ""
        raise DataError(f"{folder} has no file{kinds}")
    return files


def _of_files(
    model: TrainedModel,
    folder: Path,
    files: Sequence[Path],
    account: Account,
    reading: dict[str, Any],
) -> Iterator[Batch]:
    """Batches of files, of which most hold one input each."""
    waiting, number = iter(files), 0
    while some := list(islice(waiting, _FILES_AT_ONCE)):
        number += len(some)
        keys: list[dict[str, Any]] = []
        inputs: list[Any] = []
        problems: dict[int, str] = {}
        for file in some:
            name = str(file.relative_to(folder))
            try:
                given = model.read(file, **reading)
            except CarouselError as error:
                problems[len(keys)] = str(error)
                keys.append({"file": name})
                continue
            _take_notes(given, account)
            for place, one in enumerate(given.inputs):
                keys.append(_key(given, place, {"file": name}, file))
                inputs.append(one)
        yield Batch(keys, inputs, problems, number / len(files))


def _of_file(
    model: TrainedModel,
    file: Path,
    account: Account,
    key: dict[str, Any],
    reading: dict[str, Any],
) -> Iterator[Batch]:
    if isinstance(model, SentenceModel) and not is_store(file):
        yield from _of_sentences(model, file, account, key)
        return
    given = model.read(file, **reading)
    _take_notes(given, account)
    count = len(given.inputs)
    for start in range(0, count, AT_ONCE):
        stop = min(count, start + AT_ONCE)
        keys = [_key(given, place, key, file) for place in range(start, stop)]
        yield Batch(keys, given.inputs[start:stop], {}, stop / count)


def _key(given: Given, place: int, key: dict[str, Any], file: Path) -> dict[str, Any]:
    """Key of an input: what was read of it, else its file and its place in that."""
    facts = given.facts[place] if given.facts else {}
    if key:  # names the file
        facts = {name: value for name, value in facts.items() if value != str(file)}
    if facts:
        return {**key, **facts}
    if given.alone or (len(given.inputs) == 1 and key):
        return key
    return {**key, given.noun: place}


def _take_notes(given: Given, account: Account) -> None:
    for note in given.notes:
        account.note(note.text)
    account.filled += sum(given.filled)


def _of_sentences(
    model: SentenceModel, file: Path, account: Account, key: dict[str, Any]
) -> Iterator[Batch]:
    ends: Ends = "block" if model.in_blocks else "line"
    ends = "row" if file.name.lower().removesuffix(".gz").endswith(".csv") else ends
    if (table := model.listed_table(file)) is not None:
        account.note(table.note)
        for start in range(0, len(table.inputs), AT_ONCE):
            some = table.inputs[start : start + AT_ONCE]
            done = min(1.0, (start + len(some)) / len(table.inputs))
            yield _sentences(model, some, start, account, key, done)
        return
    header, row, noted = "", 0, ""
    for piece in pieces(file, ends):
        listed = model.listed(header + piece.text, file)
        if row == 0:
            noted = listed.note
            header = _first_line(piece.text) if listed.header else ""
            if noted:
                account.note(noted)
        elif listed.note != noted and listed.inputs:
            raise DataError(
                f"{file} is not alike throughout: {noted or 'read as sentences, one a line'}; but "
                f"from line {piece.line} on: {listed.note or 'sentences, one a line'}"
            )
        for start in range(0, len(listed.inputs), AT_ONCE):
            some = listed.inputs[start : start + AT_ONCE]
            yield _sentences(model, some, row + start, account, key, piece.done)
        row += len(listed.inputs)


def _first_line(text: str) -> str:
    return text.lstrip("\n").partition("\n")[0] + "\n"


def _sentences(
    model: SentenceModel,
    some: Sequence[Any],
    before: int,
    account: Account,
    key: dict[str, Any],
    done: float,
) -> Batch:
    keys, inputs = [], []
    for row, sentence in enumerate(some, before + 1):
        text = (sentence if isinstance(sentence, str) else " ".join(sentence)).strip()
        if not text:
            account.blank += 1
            continue
        if unknown := [*model.unknown_in(sentence)]:
            account.unknown += 1
            if len(account.named) <= 10:
                account.named.update(dict.fromkeys(unknown))
        words = {} if model.in_blocks else {"text": text}  # answers to words have them
        keys.append({**key, "row": row, **words})
        inputs.append(text if isinstance(sentence, str) else sentence)
    return Batch(keys, inputs, {}, done)
