"""Files of sentences with a class each, .tsv or .csv: to train on, and to predict from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from carousel.data.files.delimited import Row, check_width, csv_table, places
from carousel.data.files.text import read_text, suffix_of
from carousel.errors import ConfigError, DataError

if TYPE_CHECKING:
    from carousel.config import Config
    from carousel.data.labelled_text import LabelledText, Sentences

_LABEL_NAMES = ("label", "class", "category", "sentiment", "target")
_TEXT_NAMES = ("text", "sentence", "review", "comment", "message", "document", "content")


class Sentence(NamedTuple):
    """A sentence of a file, its class ("" where the file has none), and its line."""

    label: str
    text: str
    line: int


@dataclass(frozen=True)
class SentenceTable:
    """The sentences of a file. note: what of the file was read, in words; "" if all of it. header:
    whether its first line names columns."""

    rows: list[Sentence]
    note: str = ""
    header: bool = False

    def with_blanks(self, first: int, last: int) -> SentenceTable:
        """Copy with an empty sentence for each line after `first`, up to `last`, without one:
        a sentence's place is then its row."""
        by_line = {row.line: row for row in self.rows}
        lines = range(first + 1, last + 1)
        return replace(self, rows=[by_line.get(line, Sentence("", "", line)) for line in lines])


def read_labelled(path: str | Path) -> SentenceTable:
    """The labelled sentences of a file: .tsv with "label<TAB>sentence" lines and no quoting, or
    .csv with a header that has the columns `label` and `text`. A header of a .tsv is recognised.

    Raises `DataError` for another kind of file, a line that has not both, a quotation mark that is
    not closed, and a first line that seems to be a header of other names.
    """
    path = Path(path)
    if suffix_of(path) not in (".tsv", ".csv"):
        raise DataError(
            f"{path} must be a .tsv (label, tab, sentence) or a .csv (label, text), perhaps .gz"
        )
    text = read_text(path)
    table = _labelled_csv(text, path) if suffix_of(path) == ".csv" else _labelled_tsv(text, path)
    if not table.rows:
        raise DataError(f"{path} has a header and no sentence")
    alike = alike_notice(row.label for row in table.rows)
    return SentenceTable(table.rows, "; ".join(filter(None, (table.note, alike))))


def alike_notice(labels: Iterable[str]) -> str:
    """Notice about labels that differ in capitals alone; "" if none do.

    >>> alike_notice(["a", "B", "A", "a"])
    "the labels 'A' and 'a' differ in capitals alone, and are read as different ones"
    """
    known: dict[str, str] = {}
    for label in sorted(set(labels)):
        other = known.setdefault(label.casefold(), label)
        if other != label:
            return (
                f"the labels '{other}' and '{label}' differ in capitals alone, and are read as "
                f"different ones"
            )
    return ""


def read_given(path: Path, classes: Collection[str]) -> SentenceTable:
    """The sentences of a file to predict from: one a line, or a file as one trains on, of which
    only the text is read: the column `text` of a .csv or under a header, else what follows a class
    and a tab. Blank ones are kept. Raises `DataError`."""
    return given_in(read_text(path), path, classes)


def given_in(text: str, path: Path, classes: Collection[str]) -> SentenceTable:
    """Table of sentences in the text of a file, or in a piece of it that begins with its header."""
    if suffix_of(path) == ".csv":
        return _given_csv(text, path)
    rows = _tab_rows(text)
    last = text.removesuffix("\n").count("\n") + 1
    if (header := _header(rows[0].cells)) is not None:
        return _by_name(rows, header, path).with_blanks(rows[0].line, last)
    tabs = [row for row in rows if len(row.cells) > 1]
    if len(tabs) == len(rows):
        found = _by_place(rows, classes, must=suffix_of(path) == ".tsv")
        if found is not None:
            return found.with_blanks(0, last)
    elif tabs and suffix_of(path) == ".tsv":
        odd = next(row for row in rows if len(row.cells) == 1)
        raise DataError(
            f"{path} line {odd.line} has no tab and others have: a .tsv must be sentences alone, "
            f"or a label, a tab and a sentence in every line; got '{odd.cells[0][:40]}'"
        )
    lines = text.removesuffix("\n").split("\n")
    return SentenceTable([Sentence("", line, number) for number, line in enumerate(lines, 1)])


def _labelled_csv(text: str, path: Path) -> SentenceTable:
    header, body = csv_table(text, str(path))
    label, sentence = places(header, ("label", "text"), str(path))
    rows = [Sentence(row.cells[label].strip(), row.cells[sentence], row.line) for row in body]
    for row in rows:
        if not row.label:
            raise DataError(f"{path} line {row.line} has no label")
    _check_swallowed(rows, header, path)
    return SentenceTable(rows)


def _check_swallowed(rows: Sequence[Sentence], header: Sequence[str], path: Path) -> None:
    """Two quotation marks that are not closed may enclose the rows between them as one text."""
    if header[0] != "label":
        return
    starts = tuple({f"{row.label}," for row in rows} | {f'"{row.label}",' for row in rows})
    for row in rows:
        for offset, line in enumerate(row.text.split("\n")[1:], 1):
            if line.startswith(starts):
                raise DataError(
                    f"{path} line {row.line}: the text goes on over line {row.line + offset}, "
                    f"which looks like a row of its own ('{line[:40]}'): close the quotation mark"
                )


def _labelled_tsv(text: str, path: Path) -> SentenceTable:
    rows = _tab_rows(text)
    header = _header(rows[0].cells)
    if header is not None and header[0] is not None:
        return _by_name(rows, header, path)
    found = []
    for row in rows:
        label = row.cells[0].strip()
        if len(row.cells) < 2 or not label:
            line = "\t".join(row.cells)
            raise DataError(
                f"{path} line {row.line} must be a label, a tab and a sentence; got '{line[:40]}'"
            )
        found.append(Sentence(label, "\t".join(row.cells[1:]).strip(), row.line))
    _check_by_place(rows, found, path)
    return SentenceTable(found)


def _check_by_place(rows: Sequence[Row], found: Sequence[Sentence], path: Path) -> None:
    fewest = min(len(row.cells) for row in rows)
    if fewest > 2 and len(rows) > 1:
        raise DataError(
            f"{path} has {fewest} columns; a .tsv must have two, a label, a tab and a sentence, or "
            f"a header with the names label and text"
        )
    for what, cells in (("label", [s.label for s in found]), ("text", [s.text for s in found])):
        if all(len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in cells):
            raise DataError(
                f"{path} has every {what} in quotation marks, and a .tsv is read without quoting: "
                f"write it without them, or as a .csv"
            )
    counts = Counter(sentence.label for sentence in found)
    first = found[0]
    if counts[first.label] == 1 and len(counts) > 2 and min(_but(counts, first.label)) > 1:
        raise DataError(
            f"{path} line {first.line} seems to be a header: '{first.label}' is the label of no "
            f"other line; remove the line (of a header, label and text are recognised), or add "
            f"sentences of that class"
        )


def _but(counts: Counter[str], left_out: str) -> list[int]:
    return [count for label, count in counts.items() if label != left_out]


def _given_csv(text: str, path: Path) -> SentenceTable:
    header, body = csv_table(text, str(path), blank=True)
    try:
        (place,) = places(header, ("text",), str(path))
    except DataError as error:
        raise DataError(f"{error}; sentences alone, one a line, belong in a .txt") from None
    rows = [Sentence("", row.cells[place], row.line) for row in body]
    note = _read_by_name("text", [n for n in header if n != "text"])
    return SentenceTable(rows, note, header=True)


def _header(names: Sequence[str]) -> tuple[int | None, int] | None:
    """Positions of the label (or None) and the text, if this is the header of a table with tabs."""
    plain = [name.strip().casefold() for name in names]
    texts = [i for i, name in enumerate(plain) if name in _TEXT_NAMES]
    labels = [i for i, name in enumerate(plain) if name in _LABEL_NAMES]
    if len(texts) != 1 or len(labels) > 1 or (len(plain) > 1 and not labels):
        return None
    return (labels[0] if labels else None), texts[0]


def _by_name(rows: Sequence[Row], header: tuple[int | None, int], path: Path) -> SentenceTable:
    names, found = rows[0].cells, []
    label, text = header
    for row in rows[1:]:
        check_width(row, len(names), str(path), "a tab separates cells, so no text may have one")
        name = "" if label is None else row.cells[label].strip()
        if label is not None and not name:
            raise DataError(f"{path} line {row.line} has no label")
        found.append(Sentence(name, row.cells[text].strip(), row.line))
    others = [name for place, name in enumerate(names) if place != text]
    return SentenceTable(found, _read_by_name(names[text], others), header=True)


def _by_place(rows: Sequence[Row], classes: Collection[str], *, must: bool) -> SentenceTable | None:
    """Table of sentences beside a column of classes; must: the first column is one, known or
    not."""
    if all(row.cells[0].strip() in classes for row in rows):
        first = True
    elif all(row.cells[-1].strip() in classes for row in rows):
        first = False
    elif must:
        first = True
    else:
        return None
    found = [
        Sentence("", "\t".join(row.cells[1:] if first else row.cells[:-1]), row.line)
        for row in rows
    ]
    where = "follows the first tab" if first else "stands before the last tab"
    return SentenceTable(found, f"read as sentences: what {where}; the labels are not read")


def _read_by_name(name: str, others: Sequence[str]) -> str:
    rest = f"; not read: {', '.join(others)}" if others else ""
    return f"read by the header: the column {name}{rest}"


def _tab_rows(text: str) -> list[Row]:
    lines = enumerate(text.split("\n"), 1)
    return [Row(number, line.split("\t")) for number, line in lines if line.strip()]


def read_parts(config: Config) -> LabelledText:
    """The parts of `data.path`: `text.test` is drawn first, then `text.validation` of all."""
    from carousel.data.labelled_text import LabelledText, draw
    from carousel.data.shares import Fewest, of_rest, shares

    data = config.data
    if not data.path:
        raise ConfigError("data.name = 'sentences' needs data.path, a .tsv or .csv file")
    table = read_labelled(data.path)
    whole, classes = _numbered(table.rows, data.path)
    least = Fewest.of(config)
    if len(whole) < least.count:
        raise DataError(
            f"{data.path} must have at least {least} sentences, to train on, to validate and "
            f"to judge; it has {len(whole)}"
        )
    held = shares(config, config.text)
    rest, test = draw(whole, "test", held["test"], data.split_seed)
    train, validation = draw(rest, "validation", of_rest(held), data.split_seed)
    return LabelledText(train, validation, test, classes, table.note)


def _numbered(rows: Sequence[Sentence], path: str) -> tuple[Sentences, tuple[str, ...]]:
    from carousel.data.labelled_text import Sentences

    classes = tuple(sorted({row.label for row in rows}))
    if len(classes) < 2:
        raise DataError(f"{path} must have at least two classes; it has {len(classes)}")
    number = {name: i for i, name in enumerate(classes)}
    return Sentences.of([(number[row.label], row.text) for row in rows]), classes


READERS = {"classify_text": {"sentences": read_parts}}
