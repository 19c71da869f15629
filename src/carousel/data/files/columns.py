"""Files of labelled words in columns: a word a line, or CoNLL-U."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

from carousel.data.counting import unit_of
from carousel.data.files.column_choice import (
    CONLLU,
    comments_in_words,
    global_names,
    place_of,
    split_comments,
)
from carousel.data.files.sentences import alike_notice
from carousel.data.files.text import read_text
from carousel.data.tagged import with_tags
from carousel.errors import ConfigError, DataError

if TYPE_CHECKING:
    from carousel.config import Config
    from carousel.data.labelled_words import LabelledWords

_BLANKS = re.compile(r"[ \t]+")
_NUMBER = re.compile(r"\d+([-.]\d+)?")
_CONLLU_COLUMNS, _FORM, _UPOS = 10, 1, 3
_BEGINNING = "-DOCSTART-"
_MOST = 0.9
_WORD_NAMES = ("word", "words", "token", "tokens", "form", "text")
_LABEL_NAMES = ("label", "labels", "tag", "tags", "slot", "slots", "ner", "pos", "upos", "chunk")


@dataclass(frozen=True)
class Labelled:
    """Sentences as words, and the label of each word. note: how a file was read, in words, if not
    plainly."""

    words: list[list[str]]
    labels: list[list[str]]
    note: str = field(default="", compare=False)

    def __len__(self) -> int:
        return len(self.words)

    @property
    def counts(self) -> dict[str, int]:
        """Counts of the part's contents."""
        return {"sentences": len(self), "words": self.total}

    @property
    def total(self) -> int:
        """Number of words."""
        return sum(map(len, self.words))

    def contents(self) -> Iterator[tuple[str, ...]]:
        """The words of each sentence: a double is one whatever its labels."""
        return map(tuple, self.words)

    def take(self, index: Tensor) -> Labelled:
        """The sentences of these numbers."""
        numbers = index.tolist()
        return Labelled([self.words[i] for i in numbers], [self.labels[i] for i in numbers])


class Line(NamedTuple):
    """A line of a file that is not blank, cut into columns; its number, counted from 1."""

    number: int
    columns: list[str]


Blocks = list[list[Line]]
"""Lines by sentence."""


def read_columns(
    text: str, source: str | Path, word: str = "", label: str = "", tag: str = ""
) -> Labelled:
    """Sentences in columns: a word a line, its label last, blank lines between sentences; or a
    file in CoNLL-U, of which FORM and UPOS are read.

    word, label: other columns, by their numbers from 1, or, of CoNLL-U and where a comment
    `# global.columns = …` has them, their names. tag: one whose texts stand beside the words
    (`Tagged`); "" for none. Columns are cut at tabs if every line has one,
    else at blanks and tabs. Other columns are passed over, and so are lines that begin with
    -DOCSTART-, and comments, which begin with # and have other columns; those are counted. Raises
    `DataError` that names the line, for one that has other columns than the first, or whose word
    holds another white space than those.
    """
    lines, comments = split_comments(_lines(text))
    if is_conllu(lines):
        return _read_conllu(lines, source, comments, (word, label, tag))
    blocks = cut_columns(lines, source)
    _check_beginning(blocks, source)
    if not blocks:
        return Labelled([], [])
    width = len(blocks[0][0].columns)
    names = global_names(comments)
    first, last = place_of(word, width, names, 0), place_of(label, width, names, width - 1)
    beside = place_of(tag, width, names, -1)
    if word or label or tag:
        _check_chosen(blocks, (first, last, *([beside] if tag else [])), source)
    note = f"read as columns: words in {first + 1}, labels in {last + 1} of {width}"
    note += f", tags in {beside + 1}" if tag else ""
    told = [note if word or label or tag else "", comments_in_words(comments)]
    words = _words_in(blocks, first, beside)
    labels = [[line.columns[last] for line in block] for block in blocks]
    return Labelled(words, labels, "; ".join(filter(None, told)))


def _words_in(blocks: Blocks, first: int, beside: int) -> list[list[str]]:
    """The words of each sentence; with their tags where those have a column (`beside`), not -1."""
    words = [[line.columns[first] for line in block] for block in blocks]
    if beside < 0:
        return words
    tags = ([line.columns[beside] for line in block] for block in blocks)
    return [with_tags(*pair) for pair in zip(words, tags, strict=True)]


def _check_chosen(blocks: Blocks, places: Sequence[int], source: str | Path) -> None:
    for number, columns in chain.from_iterable(blocks):
        if not all(columns[place] for place in places):
            raise DataError(
                f"{source} line {number} has no word, label or tag where one is to be; got "
                f"'{columns}'"
            )


def _check_beginning(blocks: Blocks, source: str | Path) -> None:
    """Raises `DataError` if the first line is a header or a comment, not a word and its label."""
    lines = [line for block in blocks for line in block]
    if not lines:
        return
    number, columns = lines[0]
    word, label = columns[0].casefold(), columns[-1].casefold()
    named = word in _WORD_NAMES and label in _LABEL_NAMES
    if named or (word == "#" and not any(columns[-1] == line.columns[-1] for line in lines[1:])):
        raise DataError(
            f"{source} line {number} is a header or a comment, which would be learnt as a word and "
            f"its label: remove it; got '{' '.join(columns)[:60]}'"
        )


def cut_columns(lines: Sequence[tuple[int, str]], source: str | Path) -> Blocks:
    """Lines in columns, by sentence. Raises `DataError` as `read_columns`."""
    full = [line for _, line in lines if line.strip(" \t") and not line.startswith(_BEGINNING)]
    tabs = bool(full) and all("\t" in line for line in full)
    blocks: Blocks = [[]]
    first: Line | None = None
    for number, line in lines:
        if not line.strip(" \t") or line.startswith(_BEGINNING):
            if blocks[-1]:
                blocks.append([])
            continue
        found = Line(number, _cut(line, tabs))
        _check(found, line, first, tabs, source)
        first = first or found
        blocks[-1].append(found)
    return [block for block in blocks if block]


def _cut(line: str, tabs: bool) -> list[str]:
    if tabs:
        return [cell.strip(" ") for cell in line.rstrip("\t ").split("\t")]
    return _BLANKS.split(line.strip(" \t"))


def _check(found: Line, line: str, first: Line | None, tabs: bool, source: str | Path) -> None:
    number, columns = found
    if len(columns) < 2:
        raise DataError(f"{source} line {number} must be a word and its label; got '{line[:60]}'")
    if first is not None and len(columns) != len(first.columns):
        raise DataError(
            f"{source} line {number} has {len(columns)} columns and line {first.number} "
            f"{len(first.columns)}: every line must have as many, a word first and its label "
            f"last; got '{line[:60]}'"
        )
    if not columns[0] or not columns[-1]:
        raise DataError(f"{source} line {number} has no word or no label; got '{line[:60]}'")
    if not tabs and any(len(column.split()) != 1 for column in columns):
        odd = next(c for c in line if c.isspace() and c not in " \t")
        raise DataError(
            f"{source} line {number} holds a white space that is neither a blank nor a tab "
            f"(U+{ord(odd):04X}, such as a no-break space): put tabs between the columns if it "
            f"belongs to the word, else make it a blank; got '{line[:60]}'"
        )


def is_conllu(lines: Sequence[tuple[int, str]]) -> bool:
    """True if lines are CoNLL-U: ten columns with tabs between them, the first a word's number."""
    full = [line for _, line in lines if line.strip() and not line.startswith("#")]
    columns = [line.split("\t") for line in full]
    return bool(columns) and all(
        len(row) == _CONLLU_COLUMNS and _NUMBER.fullmatch(row[0]) for row in columns
    )


def _read_conllu(
    lines: Sequence[tuple[int, str]],
    source: str | Path,
    comments: Sequence[str],
    chosen: tuple[str, str, str],
) -> Labelled:
    """The words and tags; multiword tokens (1-2), whose words have lines of their own, and empty
    nodes (1.1), which are not in the sentence, are passed over and counted. "_", for no value, is
    a label in other columns than UPOS."""
    blocks = _conllu_words(lines)
    word, label, tag = chosen
    first = place_of(word, _CONLLU_COLUMNS, CONLLU, _FORM)
    beside = place_of(tag, _CONLLU_COLUMNS, CONLLU, -1)
    last = place_of(label, _CONLLU_COLUMNS, CONLLU, _UPOS)
    nothing = ("", "_") if last == _UPOS else ("",)
    for number, columns in chain.from_iterable(blocks):
        if not columns[first] or columns[last] in nothing:
            raise DataError(
                f"{source} line {number} has no {CONLLU[last]} tag, or no {CONLLU[first]}: these "
                f"columns of CoNLL-U are read; text.label names another one to learn"
            )
    names = [line.split("\t")[0] for _, line in lines]
    counts = {
        "multiword tokens": sum("-" in name for name in names),
        "empty nodes": sum("." in name for name in names),
    }
    passed = " and ".join(f"{n:,} {unit_of(n, what)}" for what, n in counts.items() if n)
    note = f"read as CoNLL-U: the columns {CONLLU[first]} and {CONLLU[last]}"
    note += f", {CONLLU[beside]} beside the words" if tag else ""
    told = [note, f"passed over: {passed}" if passed else "", comments_in_words(comments)]
    words = _words_in(blocks, first, beside)
    labels = [[line.columns[last] for line in block] for block in blocks]
    return Labelled(words, labels, "; ".join(filter(None, told)))


def _conllu_words(lines: Sequence[tuple[int, str]]) -> Blocks:
    blocks: Blocks = [[]]
    for number, line in lines:
        if not line.strip():
            blocks.append([])
        elif not line.startswith("#") and (columns := line.split("\t"))[0].isdigit():
            blocks[-1].append(Line(number, columns))
    return [block for block in blocks if block]


def read_given(
    text: str,
    source: str | Path,
    labels: Collection[str],
    word: str = "",
    label: str = "",
    tag: str = "",
) -> Labelled | None:
    """The words of a text in a format that one trains on, to predict from; None if it is in none.

    It is if it is CoNLL-U, if the column of labels has one of the labels in nine of ten lines, or
    if tabs stand between single words in every line. word, label, tag: as for `read_columns`, which
    says what is raised.
    """
    lines, comments = split_comments(_lines(text))
    if is_conllu(lines):
        place = place_of(word, _CONLLU_COLUMNS, CONLLU, _FORM)
        beside = place_of(tag, _CONLLU_COLUMNS, CONLLU, -1)
        forms = _words_in(_conllu_words(lines), place, beside)
        others = f", with {CONLLU[beside]} beside it" if tag else "; the tags are not read"
        return Labelled(forms, [], f"read as CoNLL-U: the column {CONLLU[place]}{others}")
    full = [line for _, line in lines if line.strip() and not line.startswith(_BEGINNING)]
    rows = [line.split() for line in full]
    names = global_names(comments)
    last = place_of(label, max(map(len, rows), default=1), names, -1)
    known = sum(len(row) > max(1, last) and row[last] in labels for row in rows)
    single = all("\t" in line and " " not in line for line in full)
    if not full or not (single or known >= _MOST * len(rows)):
        return None
    blocks = cut_columns(lines, source)
    first = place_of(word, len(blocks[0][0].columns), names, 0)
    beside = place_of(tag, len(blocks[0][0].columns), names, -1)
    words = _words_in(blocks, first, beside)
    what = f"number {first + 1}" if word else "the first"
    what += f", their tags of number {beside + 1}" if tag else ""
    where = f"in number {last + 1}" if label else "in the last"
    return Labelled(words, [], f"read as columns: the words of {what}; the labels {where} are not "
                    f"read")  # fmt: skip


def _lines(text: str) -> list[tuple[int, str]]:
    return list(enumerate(text.split("\n"), 1))


def read_parts(config: Config) -> LabelledWords:
    """The parts of `data.path`: `text.test` is drawn first, then `text.validation` of all."""
    from carousel.data.labelled_words import LabelledWords, draw
    from carousel.data.shares import Fewest, of_rest, shares

    data = config.data
    if not data.path:
        raise ConfigError("data.name = 'columns' needs data.path, a file of columns")
    text = config.text
    everything = read_columns(read_text(data.path), data.path, text.word, text.label, text.tag)
    alike = alike_notice(chain.from_iterable(everything.labels))
    least = Fewest.of(config)
    if len(everything) < least.count:
        raise DataError(
            f"{data.path} must have at least {least} sentences, with blank lines between "
            f"them, to train on, to validate and to judge; it has {len(everything)} of "
            f"{everything.total:,} words"
        )
    held = shares(config, config.text)
    rest, test = draw(everything, "test", held["test"], data.split_seed)
    train, validation = draw(rest, "validation", of_rest(held), data.split_seed)
    read_as = "; ".join(filter(None, (everything.note, alike)))
    return LabelledWords(train, validation, test, read_as)


READERS = {"label_words": {"columns": read_parts}}
