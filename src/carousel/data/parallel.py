"""Pairs of sentences, one in each of two languages: published sets, and files of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from carousel.config import Config
from carousel.data import sources
from carousel.data.files.text import decode, read_text
from carousel.data.set_names import unknown_set
from carousel.data.text import PARTS
from carousel.errors import ConfigError, DataError

_MULTI30K = {"train": "train", "validation": "val", "test": "test_2016_flickr"}
_COLUMN_NAMES = {
    *("source", "target", "src", "tgt", "trg", "input", "output", "translation"),
    *("english", "german", "french", "korean", "spanish", "italian", "chinese", "japanese"),
    *("en", "de", "fr", "ko", "es", "it", "zh", "ja"),
}
_LANGUAGES = {"multi30k": ("de", "en", "fr"), "tatoeba-kor-eng": ("en", "ko")}


@dataclass(frozen=True)
class Pairs:
    """Sentences and their translations, line by line. empty: pairs left out, a side being blank.

    White space is made uniform: one blank between words, none at the ends.
    """

    sources: list[str]
    targets: list[str]
    empty: int = 0

    @classmethod
    def of(cls, pairs: Sequence[tuple[str, str]]) -> Pairs:
        """The pairs both of whose sides hold something."""
        clean = [(" ".join(one.split()), " ".join(other.split())) for one, other in pairs]
        full = [pair for pair in clean if all(pair)]
        empty = len(pairs) - len(full)
        return cls([one for one, _ in full], [other for _, other in full], empty)

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def counts(self) -> dict[str, int]:
        """How many of what there are."""
        return {"pairs": len(self)}

    def take(self, index: Tensor) -> Pairs:
        """Those of these numbers; `empty` stays."""
        numbers = index.tolist()
        return Pairs(
            [self.sources[i] for i in numbers], [self.targets[i] for i in numbers], self.empty
        )


@dataclass
class Parallel:
    """The parts of a set of sentence pairs.

    data.name: "multi30k" (its own three parts; the test part is read when it is asked for),
    "tatoeba-kor-eng", or "pairs": files of your own, `data.path`, see `read_pairs`. What has no
    split of its own is split at random so that no sentence, of either side, stands in two parts:
    sentences with several translations would tell the answer otherwise. Shares: `text.test`,
    `text.validation`. Raises `ConfigError` or `DataError`.
    """

    config: Config
    train: Pairs = field(init=False)
    validation: Pairs = field(init=False)

    def __post_init__(self) -> None:
        data, name = self.config.data, self.config.data.name
        self._published = name == "multi30k"
        if name in _LANGUAGES:
            _check_languages(name, self.config)
        elif name != "pairs":
            raise unknown_set(name, (*_LANGUAGES, "pairs"))
        if self._published:
            self.train, self.validation = self._multi30k("train"), self._multi30k("validation")
        else:
            self._take(self._whole())
        if data.train_limit:
            self.train = self.train.take(torch.arange(min(data.train_limit, len(self.train))))
        for part in PARTS:  # a published test part is not looked at
            if not (self._published and part == "test") and not len(self.part(part)):
                raise DataError(f"the {part} part has no pair with two sentences: add some")

    @cached_property
    def test(self) -> Pairs:
        """The part that judges."""
        return self._multi30k("test") if self._published else self._test

    def part(self, name: str) -> Pairs:
        """ "train", "validation" or "test"."""
        if name == "test":
            return self.test
        return self.train if name == "train" else self.validation

    def account(self) -> dict[str, Any]:
        """Sizes, pairs left out because a side is blank, and what the training part has as well.

        Looks at the test part.
        """
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        both = set(zip(self.train.sources, self.train.targets, strict=True))
        sources, targets = set(self.train.sources), set(self.train.targets)
        held = {name: parts[name] for name in ("validation", "test")}
        pairs = {n: zip(p.sources, p.targets, strict=True) for n, p in held.items()}
        return {
            "sizes": {name: len(part) for name, part in parts.items()},
            "empty": {name: part.empty for name, part in parts.items()},
            "also_in_training": {n: sum(p in both for p in some) for n, some in pairs.items()},
            "sources_in_training": {
                n: sum(s in sources for s in p.sources) for n, p in held.items()
            },
            "targets_in_training": {
                n: sum(t in targets for t in p.targets) for n, p in held.items()
            },
        }

    def _multi30k(self, part: str) -> Pairs:
        files = [
            f"{_MULTI30K[part]}.{language}"
            for language in (self.config.translate.source, self.config.translate.target)
        ]
        one, other = (decode(sources.read("multi30k", file), file) for file in files)
        return Pairs.of(aligned(one, other, *files))

    def _whole(self) -> dict[str, Pairs]:
        """The parts that are given, or "train" alone for all there is."""
        if self.config.data.name == "pairs":
            return read_pairs(self.config)
        text = decode(sources.read("tatoeba-kor-eng", "kor.txt"), "kor.txt")
        english_first = [tuple(line.split("\t")[:2]) for line in text.split("\n") if line]
        turned = self.config.translate.source == "ko"
        return {"train": Pairs.of([(b, a) if turned else (a, b) for a, b in english_first])}

    def _take(self, parts: dict[str, Pairs]) -> None:
        text, rest = self.config.text, parts["train"]
        missing = [
            (name, share)
            for name, share in (("test", text.test), ("validation", text.validation))
            if name not in parts
        ]
        held: dict[str, Pairs] = {}
        if missing:
            groups = _groups(rest)
            counts = [max(1, round(share * len(rest))) for _, share in missing]
            *drawn, left = _draw(groups, counts, self.config.data.split_seed)
            held = {name: rest.take(i) for (name, _), i in zip(missing, drawn, strict=True)}
            held = {name: Pairs(part.sources, part.targets) for name, part in held.items()}
            rest = rest.take(left)
        found = {**parts, **held}
        self.train, self.validation, self._test = rest, found["validation"], found["test"]


def read_pairs(config: Config) -> dict[str, Pairs]:
    """Pairs of your own: `data.path` is a .tsv, or a folder of files that go together line by line.

    .tsv: source, tab, target, without quoting; what follows another tab is not read. Folder: one
    file whose name ends with .<translate.source> and one with .<translate.target>, or such pairs
    named train, validation and test, of which only train must be there. Files may be gzipped.
    Raises `ConfigError` or `DataError`.
    """
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
    named = {part: [_file(path, f"{part}.{end}") for end in ends] for part in PARTS}
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
    """Whether a line with tabs is plainly no pair: it names columns.

    >>> is_header("source\\ttarget"), is_header("id\\tde\\ten"), is_header("Hund\\tdog")
    (True, True, False)
    """
    names = [name.strip().casefold() for name in line.split("\t")]
    return len(names) > 1 and len(_COLUMN_NAMES.intersection(names)) > 1


def read_sources(path: Path) -> tuple[list[str], str]:
    """The sentences to translate in a file: one a line, or the first column where every line has a
    tab, as one trains on; and what was read, in words ("" if all). Raises `DataError`."""
    lines = read_text(path).removesuffix("\n").split("\n")
    full = [line for line in lines if line.strip()]
    with_tab = sum("\t" in line for line in full)
    if with_tab < len(full):
        if path.suffix.lower() == ".tsv" and with_tab:
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


def _check_languages(name: str, config: Config) -> None:
    known, pair = _LANGUAGES[name], (config.translate.source, config.translate.target)
    if pair[0] == pair[1] or not set(pair) <= set(known):
        raise ConfigError(
            f"data.name = '{name}' needs translate.source and translate.target, two of "
            f"{', '.join(known)}; got '{pair[0]}' and '{pair[1]}'"
        )


def _groups(pairs: Pairs) -> list[list[int]]:
    """Numbers of pairs that share a sentence, directly or through others, in order of the first."""
    root = list(range(len(pairs)))

    def find(i: int) -> int:
        while root[i] != i:
            root[i] = root[root[i]]
            i = root[i]
        return i

    for side in (pairs.sources, pairs.targets):
        first: dict[str, int] = {}
        for i, sentence in enumerate(side):
            one, other = find(first.setdefault(sentence.casefold(), i)), find(i)
            root[max(one, other)] = min(one, other)
    groups: dict[int, list[int]] = {}
    for i in range(len(pairs)):
        groups.setdefault(find(i), []).append(i)
    return list(groups.values())


def _draw(groups: list[list[int]], counts: list[int], seed: int) -> list[Tensor]:
    """So many pairs each, at least, in whole groups drawn at random, and the rest; sorted."""
    generator = torch.Generator().manual_seed(seed)
    order = iter(torch.randperm(len(groups), generator=generator).tolist())
    parts: list[list[int]] = []
    for count in counts:
        part: list[int] = []
        while len(part) < count and (number := next(order, None)) is not None:
            part += groups[number]
        parts.append(sorted(part))
    parts.append(sorted(i for number in order for i in groups[number]))
    return [torch.tensor(part, dtype=torch.int64) for part in parts]
