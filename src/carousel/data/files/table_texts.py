"""Tables with columns of texts (`config.columns`): sentences, pairs of them, labelled words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from carousel.config import Config
from carousel.config.columns import ColumnsConfig, names_in
from carousel.data.class_targets import targets_of
from carousel.data.counting import unit_of
from carousel.data.dealing import PARTS, text_parts
from carousel.data.files.columns import Labelled
from carousel.data.files.sentences import alike_notice
from carousel.data.files.table_labels import in_order, target_of
from carousel.data.files.table_steps import table_of
from carousel.data.files.text import read_text, suffix_of
from carousel.data.sequences import sequences_of
from carousel.data.several import is_several, label_sets
from carousel.data.store.texts import MappedTexts
from carousel.data.table import Table, is_table, read_table
from carousel.data.token_lists import in_words
from carousel.errors import ConfigError, DataError

if TYPE_CHECKING:
    from carousel.data.files.columns import Labelled
    from carousel.data.labelled_text import LabelledText
    from carousel.data.labelled_words import LabelledWords
    from carousel.data.sentence_pairs import Pairs, Parallel


def read_sentences(config: Config, table: Table | None = None) -> LabelledText:
    """Sentences with a class each."""
    import torch

    from carousel.data.labelled_text import LabelledText, Sentences

    table = table_of(config, table)
    if is_several(config):
        return _label_sets(config, table)
    target = target_of(config)
    texts, labels = _texts_of(table, config), table[target].texts()
    known = np.flatnonzero([bool(label) for label in labels])
    classes = in_order({*labels} - {""}, config, table, target)
    if len(classes) < 2:
        raise DataError(f"{table.source} must have at least two classes; it has {len(classes)}")
    place = {label: number for number, label in enumerate(classes)}
    parts = text_parts(config, table, known, known[:, None])
    numbers = torch.tensor([place[labels[i]] for i in known.tolist()])
    said = [*table.notes, alike_notice(labels)]
    if len(known) < len(texts):
        said.append(f"{len(texts) - len(known):,} rows have no class and are left out")
    train, validation, test = (
        Sentences(_taken(table, texts, known[parts[name]]), numbers[parts[name]]) for name in PARTS
    )
    return LabelledText(train, validation, test, classes, "; ".join(filter(None, said)))


def _texts_of(table: Table, config: Config) -> Sequence[str]:
    """The texts of a table; those of an imported one stay on the disk."""
    from carousel.data.store.opened import MappedColumn

    column = table[_text(config)]
    if isinstance(column, MappedColumn) and column.kind in ("text", "boolean"):
        return column.on_disk
    return column.texts()


def _taken(table: Table, texts: Sequence[str], rows: NDArray[np.int64]) -> Sequence[str]:
    """The texts of these rows."""
    from carousel.data.mapped_texts import PartTexts
    from carousel.data.store.opened import MappedTable

    if isinstance(texts, MappedTexts) and isinstance(table, MappedTable):
        return PartTexts(texts, rows, table.folder)
    return [texts[i] for i in rows.tolist()]


def _label_sets(config: Config, table: Table) -> LabelledText:
    """Sentences with any number of labels each."""
    from carousel.data.labelled_text import LabelledText, Sentences

    texts = _texts_of(table, config)
    names, found, said = label_sets(table, config, range(len(texts)))
    known = np.flatnonzero([labels is not None for labels in found])
    flags = targets_of([found[i] or () for i in known.tolist()], names)
    parts = text_parts(config, table, known, known[:, None])
    if len(known) < len(texts):
        said.append(f"{len(texts) - len(known):,} rows lack a label and are left out")
    train, validation, test = (
        Sentences(_taken(table, texts, known[parts[name]]), flags[parts[name]]) for name in PARTS
    )
    return LabelledText(train, validation, test, names, "; ".join((*table.notes, *said)))


def read_pairs(config: Config, table: Table | None = None) -> Parallel:
    """Sentences and their translations."""
    from carousel.data.sentence_pairs import Parallel

    return Parallel.drawn({"train": paired(table_of(config, table), config)}, config)


def paired(table: Table, config: Config) -> Pairs:
    """All sentences of a table with their translations."""
    from carousel.data.sentence_pairs import Pairs

    pairs = zip(table[_text(config)].texts(), table[target_of(config)].texts(), strict=True)
    return Pairs.of(list(pairs))


def read_words(config: Config, table: Table | None = None) -> LabelledWords:
    """Sentences of labelled words, a word a row, or a list of words and one of labels a row."""
    from carousel.data.labelled_words import LabelledWords

    table, config = in_words(table_of(config, table), config)
    whole, rows = labelled_words(table, config)
    parts = text_parts(config, table, range(len(rows)), rows)
    labels = table[target_of(config)].texts()
    said = "; ".join(filter(None, [*table.notes, alike_notice(labels)]))
    train, validation, test = (whole.take(_tensor(parts[name])) for name in PARTS)
    return LabelledWords(train, validation, test, said)


def labelled_words(table: Table, config: Config) -> tuple[Labelled, list[list[int]]]:
    """All sentences of labelled words, and the rows of each. Raises `DataError`."""
    target = target_of(config)
    sentences = sequences_of(table, ColumnsConfig(id=_named(config.columns.id, "id"))).found
    words, labels = table[_text(config)].texts(), table[target].texts()
    blank = sum(not (word and label) for word, label in zip(words, labels, strict=True))
    if blank:
        raise DataError(
            f"{table.source}: {blank:,} {unit_of(blank, 'rows')} without a word or a label"
        )
    whole = Labelled(
        [[words[i] for i in one.rows.tolist()] for one in sentences],
        [[labels[i] for i in one.rows.tolist()] for one in sentences],
    )
    return whole, [one.rows.tolist() for one in sentences]


def _sentences(table: Table, config: Config) -> tuple[Table, Config, list[list[int]]]:
    """The rows of each sentence of a table with a word a row, which it is made where it has lists,
    and the configuration that reads it so."""
    table, config = in_words(table, config)
    id = _named(config.columns.id, "id")
    found = sequences_of(table, ColumnsConfig(id=id)).found
    return table, config, [one.rows.tolist() for one in found]


def _text(config: Config) -> str:
    return _named(config.columns.text, "text")


def _named(setting: str, role: str) -> str:
    names = names_in(setting)
    if len(names) != 1:
        raise ConfigError(f"columns.{role} must name one column; got '{setting}'")
    return names[0]


def _tensor(numbers: Sequence[int]) -> Any:
    import torch

    return torch.tensor(numbers, dtype=torch.int64)


def has_columns(path: Path) -> bool:
    """Tell from a file's name that its columns have names: words and labels in a .txt or a .tsv
    have none."""
    return is_table(path) and suffix_of(path) not in (".txt", ".tsv")


def words_in(path: Path, config: Config) -> tuple[list[list[str]], str]:
    """The words of each sentence of a table to predict from, by the column of training and the id,
    and what was read, in words. Raises `DataError`."""
    table, _, rows = _sentences(read_table(path, fewest=1), config)
    name = _text(config)
    words = table[name].texts()
    by = f", the sentences by {config.columns.id}" if config.columns.id else ""
    said = f"read by the header: the words in {name}{by}"
    return [[words[i] for i in one] for one in rows], "; ".join((said, *table.notes))


def texts_in(path: Path, config: Config) -> tuple[list[str], str]:
    """The texts of a file to predict from: of a table the column of training, of another text file
    its lines; and what was read, in words. Raises `DataError`."""
    if not is_table(path) or suffix_of(path) == ".txt":
        return read_text(path).removesuffix("\n").split("\n"), ""
    table, name = read_table(path, fewest=1, blank=True), _text(config)
    others = [other for other in table.names if other != name]
    rest = f"; not read: {', '.join(others[:10])}" if others else ""
    said = (f"read by the header: the column {name}{rest}", *table.notes)
    return table[name].texts(), "; ".join(said)


READERS = {
    "classify_text": {"table": read_sentences},
    "translate": {"table": read_pairs},
    "label_words": {"table": read_words},
}
