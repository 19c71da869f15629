"""Guess of tables whose rows are whole examples: names of files, or sequences in columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from carousel.config.columns import FILES, WIDE
from carousel.data.guessing import LABELS, Finder, named_as, names_files, words_of
from carousel.data.profiles import Profile
from carousel.data.token_lists import holds_lists
from carousel.data.wide import Block, found_in
from carousel.errors import DataError

JUDGES = (*LABELS, "anomaly", "anomalous", "is_anomaly", "outlier", "fault", "abnormal", "이상")
PEOPLE = ("person", "subject", "patient", "speaker", "user", "participant", "group", "사람")
_WORDS = ("tokens", "words", "token", "word", "text", "forms")
_TAGS = ("tags", "labels", "slots", "ner", "pos", "chunks", "iob", "bio")


class RowFinder(Finder):
    """A guess of what rows are, before they are taken for steps."""

    def _files(self) -> bool:
        """True if a column names files beside the table, each with a class: recordings, images."""
        if self.task not in ("", *FILES) or self.id or self.time or not self._has_suffixes():
            return False
        from carousel.data.files.image_fit import SUFFIXES as PICTURES  # imports torch
        from carousel.data.files.recordings import TABLES as COLUMNS
        from carousel.data.files.sounds import SUFFIXES

        kinds = {"classify_recordings": (*SUFFIXES, *COLUMNS), "classify": PICTURES}
        for task, suffixes in kinds.items():
            if self.task in ("", task) and self._named_files(task, suffixes):
                return True
        if self.task == "classify":
            raise DataError(
                f"{self.table.source} has no column with names of pictures beside it, each with a "
                f"class in another column, which is what the task 'classify' reads of a table"
            )
        return False

    def _has_suffixes(self) -> bool:
        """True if a column of texts begins with what may be the name of a file, or a picture is
        what is asked for."""
        texts = [p.column.raw for p in self._free() if p.kind == "text"]
        first = [str(cells[0]) for cells in texts]
        return self.task == "classify" or any(Path(name.strip()).suffix for name in first)

    def _named_files(self, task: str, suffixes: Sequence[str]) -> bool:
        folder = Path(self.table.source).parent
        free = [p for p in self._free() if p.kind == "text" and p.name != self.target]
        least = 0.5 if task == "classify" else 1.0  # a picture that is missing is counted
        file = next((p for p in free if names_files(p, folder, suffixes, least)), None)
        target = self.target or self._class_beside([file.name] if file else [])
        if file is None or not target or not self.known[target].is_class():
            return False
        found, self.target = self.found, target
        found.task = task
        found.why = f"'{file.name}' names a file in each row, and '{target}' its class"
        found.sequences = len(self.table)
        self._give(file.name, "file", f"{file.distinct:,} files beside the table", "columns.file")
        self._give(target, "target", words_of(self.known[target]), "target")
        groups = [p for p in self._free() if named_as(p.name, PEOPLE) and p.distinct >= 3]
        if not found.split_column and groups:
            found.split, found.split_column = "group", groups[0].name
            found.split_why = f"the same '{groups[0].name}' never stands in two parts"
            self._give(groups[0].name, "split", "a group of files", "split.by")
        for p in self._free():
            self._give(p.name, "ignore", "neither the file nor its class", "columns.file")
        if not found.split_column:
            found.split_why = "files at random, of each class by itself"
        return True

    def _lists(self) -> bool:
        """True if a row is a sentence: a list of words, and one of labels as long."""
        import polars as pl

        lists = [c for c in self.table.columns if holds_lists(c)]
        if self.task not in ("", "label_words") or len(lists) < 2 or self.id or self.time:
            return False
        sizes = {c.name: c.values.list.len() for c in lists}
        texts = [c.name for c in lists if c.values.dtype == pl.List(pl.String)]
        pairs = [
            (one, other.name)
            for one in sorted(texts, key=lambda name: name.casefold() not in _WORDS)
            for other in sorted(lists, key=lambda c: not c.name.casefold().endswith(_TAGS))
            if one != self.target and other.name != one and (sizes[one] == sizes[other.name]).all()
        ]
        pairs = [pair for pair in pairs if self.target in ("", pair[1])]
        if not pairs:
            return False
        (word, self.target), found = pairs[0], self.found
        found.task, found.sequences = "label_words", len(self.table)
        found.why = f"a list of words a row in '{word}', and a label of each in '{self.target}'"
        self._give(word, "text", "lists of words", "columns.text")
        self._give(self.target, "target", "lists as long as those of words", "target")
        for p in self._free():
            self._give(p.name, "ignore", "neither words nor their labels", "columns.text")
        found.split_why = "sentences at random"
        return True

    def _wide(self) -> bool:
        """True if each row is a sequence, whose steps stand in columns."""
        if self.time or self.task not in ("", "forecast", *WIDE):
            return False
        free = [p for p in self._free() if p.name not in (self.target, *self.ids)]
        blocks = found_in(self.table, [*(p.name for p in free), *self._empty()])
        steps = {name for block in blocks for name in block.columns}
        rest = [p for p in free if p.name not in steps]
        if not blocks or any(p.keeps_to_runs and 2 * p.distinct <= p.rows for p in rest[1:]):
            return False  # rows with an id and a class are steps
        if not self.target:
            self.target = next((p.name for p in reversed(rest) if p.is_class()), "")
        found, self.found.wide = self.found, blocks
        found.sequences = len(self.table)
        if self.task == "forecast" or not self.target:
            self._refuse_wide(blocks)
        self._roles_of_wide(blocks, [p for p in rest if p.name != self.target])
        p = self.known[self.target]
        found.task = self.task or ("classify_recordings" if p.is_class() else "regress")
        length = len(blocks[0].columns)
        found.why = f"each row is a sequence of {length:,} steps in columns, and '{p.name}' its "
        found.why += "class" if found.task == "classify_recordings" else "number"
        if found.task == "regress" and not p.column.is_number:
            raise DataError(f"the target '{p.name}' of {self.table.source} holds no numbers")
        self._give(p.name, "target", words_of(p), "target")
        found.constant = frozenset({p.name})
        if not found.split_column:
            whole = ", of each class by itself" if found.task == "classify_recordings" else ""
            found.split_why = f"rows at random{whole}"
        return True

    def _empty(self) -> list[str]:
        """Columns without a value, or with one: they may be steps all the same."""
        return [
            name
            for name, role in self.found.roles.items()
            if role.role == "ignore" and self.known[name].kind in ("empty", "number", "whole")
        ]

    def _roles_of_wide(self, blocks: Sequence[Block], rest: Sequence[Profile]) -> None:
        for block in blocks:
            for number, name in enumerate(block.columns, 1):
                self._give(name, "step", f"step {number:,} of '{block.name}'", "columns.wide")
        if self.ids:
            self._ask_ids()
            return
        unique = [p for p in rest if p.distinct == p.rows and p.kind in ("text", "whole")]
        if unique:
            self.ids = [unique[0].name]
            self._give(unique[0].name, "id", "a name for each row", "id")
        groups = [p for p in rest if named_as(p.name, PEOPLE) and 3 <= p.distinct < p.rows]
        if groups and not self.found.split_column:
            self.found.split, self.found.split_column = "group", groups[0].name
            self.found.split_why = f"the same '{groups[0].name}' never stands in two parts"
            self._give(groups[0].name, "split", "a group of sequences", "split.by")

    def _refuse_wide(self, blocks: Sequence[Block]) -> NoReturn:
        count, source = len(self.table), self.table.source
        what = f"{source} has a series in each of its {count:,} rows, whose times are columns "
        what += f"({', '.join(block.setting for block in blocks[:3])})"
        raise DataError(
            f"{what}: a forecast reads one series, written down a row for each time: write one of "
            f"them so, with a column of times; or name what is to be learnt of each row as target",
            "target",
        )

    def _class_beside(self, sentences: Sequence[str]) -> str:
        classes = [p for p in self._free() if p.name not in sentences and p.is_class(50)]
        named = [p for p in classes if named_as(p.name, LABELS)]
        pick = named or classes
        return pick[-1].name if pick else ""
