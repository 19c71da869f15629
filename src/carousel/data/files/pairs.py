"""Files of sentence pairs: a .tsv, or two files that go together line by line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from carousel.config import Config
from carousel.data.files.text import read_text, suffix_of
from carousel.errors import ConfigError, DataError

if TYPE_CHECKING:
    from carousel.data.sentence_pairs import Pairs, Parallel

_PARTS = ("train", "validation", "test")
_COLUMN_NAMES = {
    *("source", "target", "src", "tgt", "trg", "input", "output", "translation"),
    *("english", "german", "french", "korean", "spanish", "italian", "chinese", "japanese"),
    *("en", "de", "fr", "ko", "es", "it", "zh", "ja"),
}


def read_parts(config: Config) -> Parallel:
    """The parts of `data.path`, see `read_pairs`; those without a file of their own are drawn."""
    from carousel.data.sentence_pairs import Parallel

    return Parallel.drawn(read_pairs(config), config)


def read_pairs(config: Config) -> dict[str, Pairs]:
    """Pairs of your own: `data.path` is a .tsv, or a folder of files that go together line by line.

    .tsv: source, tab, target, without quoting; what follows another tab is not read. Folder: one
    file whose name ends with .<translate.source> and one with .<translate.target>, or such pairs
    named train, validation and test, of which only train must be there. Files may be gzipped.
    Raises `ConfigError` or `DataError`.
    """
    from carousel.data.sentence_pairs import Pairs

    path = Path(config.data.path)
    if not config.data.path:
        raise ConfigError("data.name = 'pairs' needs data.path: a .tsv, or a folder of two files")
    if not path.is_dir():
        return {"train": Pairs.of(_read_tsv(path))}
    ends = (config.translate.source, config.translate.target)
    if not all(ends) or ends[0] == ends[1]:
        raise ConfigError(
            "a folder of two files needs translate.source and translate.target, such as de and "
            f"en: how the names of the files end; got '{ends[0]}' and '{ends[1]}'"
        )
    named = {part: [_file(path, f"{part}.{end}") for end in ends] for part in _PARTS}
    given = {part: files for part, files in named.items() if any(files)}
    if not given:
        given = {"train": [_only_file(path, end) for end in ends]}
    if "train" not in given:
        raise DataError(f"{path} has no train.{ends[0]} and train.{ends[1]}")
    parts = {}
    for part, files in given.items():
        for file, end in zip(files, ends, strict=True):
            if file is None:
                raise DataError(f"{path} has a {part} file, but no {part}.{end} to go with it")
        one, other = (read_text(file) for file in files if file is not None)
        parts[part] = Pairs.of(aligned(one, other, str(files[0]), str(files[1])))
    return parts


def aligned(one: str, other: str, name: str, other_name: str) -> list[tuple[str, str]]:
    """The lines of two texts side by side. Raises `DataError` if one has more.

    >>> aligned("ein Haus\\nja\\n", "a house\\nyes", "x.de", "x.en")
    [('ein Haus', 'a house'), ('ja', 'yes')]
    """
    lines, others = (text.removesuffix("\n").split("\n") for text in (one, other))
    if len(lines) != len(others):
        raise DataError(
            f"{name} has {len(lines):,} lines and {other_name} {len(others):,}: line n of one must "
            f"be the translation of line n of the other"
        )
    return list(zip(lines, others, strict=True))


def _read_tsv(path: Path) -> list[tuple[str, str]]:
    pairs = []
    lines = read_text(path).removesuffix("\n").split("\n")
    for number, line in enumerate(lines, 1):
        one, tab, rest = line.partition("\t")
        if not tab and line.strip():
            raise DataError(
                f"{path} line {number} must be a sentence, a tab and its translation; got "
                f"'{line[:40]}'"
            )
        pairs.append((one, rest.partition("\t")[0]))
    full = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    number, line = full[0]
    if is_header(line):
        raise DataError(
            f"{path} line {number} is a header ('{line[:40]}'), which would be learnt as a pair: "
            f"remove it; a .tsv of pairs has none"
        )
    cells = [line.split("\t") for _, line in full]
    if len(full) > 1 and all(len(row) > 2 and row[0].strip().isdigit() for row in cells):
        raise DataError(
            f"{path} has numbers alone before the first tab, as in line {number}: the source must "
            f"be the first column and its translation the second"
        )
    return pairs


def is_header(line: str) -> bool:
    """True if a line with tabs is plainly no pair: it names columns.

    >>> is_header("source\\ttarget"), is_header("id\\tde\\ten"), is_header("Hund\\tdog")
    (True, True, False)
    """
    names = [name.strip().casefold() for name in line.split("\t")]
    return len(names) > 1 and len(_COLUMN_NAMES.intersection(names)) > 1


def sources_in(text: str, path: Path) -> tuple[list[str], str]:
    """The sentences to translate in the text of a file: one a line, or the first column where every
    line has a tab, as one trains on; and what was read, in words ("" if all). Raises `DataError`.
    """
    lines = text.removesuffix("\n").split("\n")
    full = [line for line in lines if line.strip()]
    with_tab = sum("\t" in line for line in full)
    if with_tab < len(full):
        if suffix_of(path) == ".tsv" and with_tab:
            number, line = next(
                (n, line) for n, line in enumerate(lines, 1) if line.strip() and "\t" not in line
            )
            raise DataError(
                f"{path} line {number} has no tab and others have: a .tsv must be sentences alone, "
                f"or pairs in every line; got '{line[:40]}'"
            )
        return lines, ""
    note = "read as pairs: what stands before the first tab; the rest is not read"
    if is_header(full[0]):
        lines.remove(full[0])
        note += f"; the header is passed over ('{full[0][:40]}')"
    return [line.partition("\t")[0] for line in lines], note


def _file(folder: Path, name: str) -> Path | None:
    return next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)


def _only_file(folder: Path, end: str) -> Path:
    found = sorted(p for p in folder.iterdir() if p.name.removesuffix(".gz").endswith(f".{end}"))
    if len(found) != 1:
        have = ", ".join(p.name for p in found) or "none"
        raise DataError(f"{folder} must have one file whose name ends with .{end}; it has {have}")
    return found[0]


READERS = {"translate": {"pairs": read_parts}}
