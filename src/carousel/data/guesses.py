"""Roles of a table's columns, the task and the split, guessed from the data, with the reasons."""

from __future__ import annotations

from collections.abc import Sequence

from carousel.config.columns import SERIES, STEPS, TABLES, names_in
from carousel.data.guessing import (
    LABELS,
    TIMES,
    Guess,
    Role,
    is_copy,
    is_flag,
    named_as,
    words_of,
)
from carousel.data.guessing_rows import JUDGES, PEOPLE
from carousel.data.guessing_series import SeriesFinder
from carousel.data.profiles import profiles
from carousel.data.several import separator_of
from carousel.data.table import Table
from carousel.errors import ConfigError, DataError

_PART_WORDS = {"train", "training", "validation", "valid", "val", "dev", "test"}
_MOST_LEVELS, _OFTEN = 200, 20
"""Values up to which a text is a category; more of them, if each has so many rows on average."""
_FEW = 6


def guess(table: Table, *, target: str = "", id: str = "", time: str = "", task: str = "") -> Guess:
    """Guess what a table is for. Whatever is given is taken; the rest follows from the data.

    Raises `DataError` for a column that is not there, or where there is nothing to learn, and
    `ConfigError` for a task that reads no tables.
    """
    known = profiles(table)
    targets = (target,) if target in table else names_in(target)
    ids = (id,) if id in table else names_in(id)
    for name in (*targets, *ids, *filter(None, (time,))):
        table[name]  # raises, and says what there is
    if task and task not in TABLES:
        raise ConfigError(f"a table can train the tasks {', '.join(TABLES)}; got '{task}'", "task")
    found = _Guesser(table, known, targets, ids, time, task).guess()
    found.roles = {name: found.roles[name] for name in table.names}
    return found


class _Guesser(SeriesFinder):
    """The steps of the guess, in order: each column is given a role once."""

    def guess(self) -> Guess:
        if self._lists():
            return self.found
        for name in self.more_targets:
            self._give(name, "target", words_of(self.known[name]), "target")
        self._set_useless()
        self._set_parts()
        if self._files():  # whose names are as long as sentences
            self._set_rest()
            return self.found
        sentences = [
            p.name for p in self._free() if p.is_sentence and p.name not in (*self.ids, self.time)
        ]
        others = [p for p in self._free() if p.kind in ("number", "time")]
        if self.task in ("classify_text", "translate") or (
            sentences and not self.task and not (others and self.time)
        ):
            self._texts(sentences)
        else:
            self._steps()
        self._set_rest()
        return self.found

    # ---- roles

    def _set_useless(self) -> None:
        for p in self.known.values():
            if p.name in (self.target, *self.ids, self.time, *self.more_targets):
                continue
            if p.kind == "empty":
                self._give(p.name, "ignore", "every cell is empty", "columns.ignore")
            elif p.kind == "nested":
                self._give(p.name, "ignore", "its cells are lists or objects", "columns.ignore")
            elif p.distinct <= 1 and not p.column.missing:
                self._give(p.name, "ignore", "one value in all rows", "columns.ignore")
            elif p.is_number_of_row and not named_as(p.name, TIMES):
                self._give(p.name, "ignore", "only counts the rows", "columns.ignore")

    def _set_parts(self) -> None:
        for p in self._free():
            if p.kind == "text" and 2 <= p.distinct <= 3 and p.name != self.target:
                words = {
                    str(word).strip().lower() for word in p.column.values.drop_nulls().unique()
                }
                if words <= _PART_WORDS and {"train", "test"} <= words and len(words) == 3:
                    self._give(p.name, "split", f"says {', '.join(sorted(words))}", "split.by")
                    self.found.split, self.found.split_column = "column", p.name
                    self.found.split_why = f"the column '{p.name}' names the part of each row"

    # ---- texts

    def _texts(self, sentences: Sequence[str]) -> None:
        found, task = self.found, self.task
        target = self.target or self._class_beside(sentences)
        texts = [name for name in sentences if name != target]
        two = len(sentences) > 1 and (not target or self.known[target].is_sentence)
        if task == "translate" or (not task and two):
            target = target or (texts[1] if len(texts) > 1 else "")
            if not texts or not target:
                raise DataError(f"{self.table.source} has no two columns of sentences to translate")
            found.task, found.why = "translate", "two columns of sentences"
            self._give(target, "target", "sentences", "target")
        else:
            if not texts:
                texts = [p.name for p in self._free() if p.kind == "text" and p.name != target][:1]
            if not target or not texts:
                raise DataError(
                    f"{self.table.source} has sentences and no column of classes: name what is to "
                    f"be learnt as target, one of {', '.join(self.table.names)}",
                    "target",
                )
            found.task = "classify_text"
            found.why = f"sentences, and {self.known[target].distinct} classes in '{target}'"
            self._give(target, "target", f"{self.known[target].distinct} values", "target")
            self._find_labels(target)
        text = next(name for name in texts if name != target)
        words = self.known[text].words
        self._give(text, "text", f"sentences, {words:.0f} words on average", "columns.text")
        for p in self._free():
            if p.name not in (*self.ids, self.time):
                self._give(p.name, "ignore", "neither the text nor its class", "columns.text")
        for name in filter(None, (*self.ids, self.time)):
            self._give(name, "ignore", "orders nothing: texts are drawn at random", "")
        if not found.split_column:
            found.split_why = "texts at random"
        found.sequences = len(self.table)

    # ---- steps of sequences

    def _steps(self) -> None:
        self._find_time()
        if self._wide():
            return
        self._find_id()
        self._count_sequences()
        if self._words_of_sentences():
            return
        if not self.target:
            self.target = self._likely_target()
        self._choose_task()
        if not self.found.split_column:
            self._choose_split()

    def _words_of_sentences(self) -> bool:
        """True if rows are words with tags: texts, an id, and no numbers beside."""
        free = self._free()
        texts = [p for p in free if p.kind == "text"]
        if self.task != "label_words" and (
            self.task or not self.id or len(texts) < 2 or len(texts) < len(free) or self.time
        ):
            return False
        if not self.id or len(texts) < 2:
            raise DataError(f"{self.table.source} has no id of sentences, or no words and labels")
        target = self.target or min(texts[1:], key=lambda p: (p.distinct, p.name)).name
        word = max((p for p in texts if p.name != target), key=lambda p: p.distinct)
        found = self.found
        found.task = "label_words"
        found.why = f"a word a row in '{word.name}', a label for it in '{target}'"
        self._give(word.name, "text", f"{word.distinct:,} words", "columns.text")
        self._give(target, "target", f"{self.known[target].distinct} labels", "target")
        for p in self._free():
            self._give(p.name, "ignore", "neither the word nor its label", "columns.text")
        if not found.split_column:
            found.split_why = "sentences at random"
        return True

    def _likely_target(self) -> str:
        if self.task in ("forecast", "anomaly"):
            return ""
        free = [p for p in self._free() if p.kind not in ("time",)]
        if self.task == "forecast_many":
            return self._likely_series()
        classes = [p for p in free if p.is_class()]
        named = [
            p for p in free if named_as(p.name, LABELS) and (p.is_class() or p.column.is_number)
        ]
        if named:
            return named[-1].name
        kept = [
            p for p in classes if p.name in self.found.constant and not named_as(p.name, PEOPLE)
        ]
        if self.id and len(kept) == 1:
            return kept[0].name
        dated = bool(self.time) and self.known[self.time].kind == "time"
        if self.id and dated and (alone := self._only([p.name for p in self._measured()])):
            return alone
        last = free[-1] if free else None
        if last is not None and last.is_class() and last.distinct <= 20:
            return last.name
        return ""

    def _choose_task(self) -> None:
        found, task, target = self.found, self.task, self.target
        if task == "anomaly":
            self._watch()
            return
        if not target:
            self._forecast_all()
            return
        p = self.known[target]
        kept = bool(self.id) and target in found.constant
        if task == "forecast" and self.id and found.sequences > 1:
            self._refuse_many()
        if task == "forecast_many":
            self._refuse_doubled(p)
        if task:
            found.task, found.why = task, "as asked"
        elif self.more_targets and kept and all(map(is_flag, self._targets())):
            found.task = "classify_recordings"
            found.why = f"{len(self._targets())} columns of 0 and 1 keep their value in a sequence"
        elif self.more_targets:
            found.task = "regress"
            every = {p.name for p in self._targets()} <= found.constant
            count = len(self._targets())
            found.why = f"{count} numbers are to be found in each row"
            if every:
                found.why = f"{count} numbers are to be found of each sequence"
        elif kept and separator_of(p.column):
            found.task = "classify_recordings"
            found.why = f"'{target}' keeps its labels through a sequence"
        elif p.is_class() and kept:
            found.task = "classify_recordings"
            found.why = f"'{target}' keeps one of {p.distinct} values through a sequence"
        elif p.is_class() and self._counts_in_time(p):
            self._forecast_many(p, "the task 'label_frames' would take its values for classes")
        elif p.is_class() or p.kind == "text":
            found.task = "label_frames"
            changes = "changes within a sequence" if self.id else "stands in each row"
            found.why = f"'{target}' has {p.distinct} values, and {changes}"
            if p.distinct <= 1:
                found.why = f"'{target}' has one value in all rows, and nothing can be learnt"
            elif p.kind == "whole" and p.distinct > 2 and self._many_in_time(p):
                hint = "the task 'forecast_many' would forecast it as a number"
                found.why = f"{found.why}; {hint}"
        elif not p.column.is_number:
            raise DataError(
                f"the target '{target}' of {self.table.source} holds no value: every cell is empty"
                if p.kind == "empty"
                else f"the target '{target}' of {self.table.source} holds neither classes nor "
                "numbers",
                "target",
            )
        elif self._many_in_time(p):
            self._forecast_many(p, "the task 'regress' would find it from the columns beside it")
        elif self.time and not self.id and self.known[self.time].kind == "time":
            found.task = "forecast"
            found.why = f"one series in time, and the number '{target}' to come"
        else:
            found.task = "regress"
            found.why = (
                f"'{target}' is one number for a sequence"
                if kept
                else (f"'{target}' is a number in each row")
            )
            if also := self._tells_too(p):
                hint = f"told apart by '{also}' no time stands twice, and it can be forecast"
                found.why = f"{found.why}; {hint}"
        self._give(target, "target", words_of(p), "target")
        if found.task == "classify_recordings":
            self._find_labels(target)

    def _watch(self) -> None:
        """Every number is watched, and a column of 0 and 1, where there is one, judges."""
        found = self.found
        found.task, found.why = "anomaly", "as asked: labels only judge"
        judges = [p for p in self._free() if named_as(p.name, JUDGES) and is_flag(p)]
        name = self.target or (judges[-1].name if judges else "")
        if name:
            self._give(name, "target", "0 and 1: judges, and is never learnt", "target")

    def _forecast_all(self) -> None:
        found = self.found
        if self.task == "forecast" and self.id and found.sequences > 1:
            self._refuse_many()
        if self.task == "forecast_many" and not self.id:
            raise DataError(
                f"many series need a column that tells them apart, and {self.table.source} has "
                f"none that plainly does: name it as id, one of {', '.join(self.table.names[:12])}",
                "id",
            )
        if self.id or not self.time:
            numbers = [p.name for p in self._free() if p.column.is_number]
            dates = [f"; '{c.name}': {c.note}" for c in self.table.columns if c.style == "unsure"]
            raise DataError(
                f"{self.table.source} has no column that is plainly what is to be learnt: name it "
                f"as target, one of {', '.join((numbers or list(self.table.names))[:12])}"
                f"{''.join(dates)}",
                "target",
            )
        found.task = "forecast"
        found.why = "time and numbers, and no column of classes"

    def _choose_split(self) -> None:
        found = self.found
        if found.task == "anomaly":
            found.split_why = (
                "in time, each series by itself: the last 40 % judge, the 20 % before them set the "
                "threshold, and what comes before is learnt as normal"
            )
            return
        if found.task == "forecast_many":
            found.split_why = (
                "in time, each series by itself: the last 15 % judge, the 15 % before them "
                "validate, in whole horizons"
            )
            return
        if found.task == "forecast":
            found.split_why = "in time: the last 15 % judge, the 15 % before them validate"
            return
        groups = [
            p
            for p in self._free()
            if named_as(p.name, PEOPLE) and p.name in found.constant and p.distinct >= 3
        ]
        if groups and found.task in STEPS:
            found.split, found.split_column = "group", groups[0].name
            found.split_why = f"the same '{groups[0].name}' never stands in two parts"
            self._give(groups[0].name, "split", "a group of sequences", "split.by")
        elif found.sequences < _FEW:
            found.split = "time"
            found.split_why = "few sequences: the end of each judges"
        else:
            found.split_why = "whole sequences at random" + (
                ", of each class by itself" if found.task == "classify_recordings" else ""
            )

    def _set_rest(self) -> None:
        series = self.found.task in SERIES
        if self.found.task == "forecast_many" and self.time:
            self._set_known()
        target = self.known.get(self.target)
        for p in self._free():
            if target is not None and is_copy(p, target):
                self._give(p.name, "ignore", f"a copy of '{self.target}'", "columns.ignore")
                continue
            kept = p.name in self.found.constant
            static = kept and self.found.task in (*STEPS, "forecast_many") and bool(self.id)
            if static and p.kind in ("text", "whole") and p.distinct > 0.5 * self.found.sequences:
                why = f"{p.distinct:,} values for {self.found.sequences:,} sequences: a name"
                self._give(p.name, "ignore", why, "columns.ignore")
            elif p.kind == "text" and series and p.distinct <= max(_MOST_LEVELS, p.rows // _OFTEN):
                where = ", one for a sequence" if static else ""
                why = f"{p.distinct} values{where}"
                self._give(p.name, "static" if static else "category", why, "columns.category")
            elif p.column.is_number:
                why = "one value for a sequence" if static else words_of(p)
                self._give(p.name, "static" if static else "number", why, "columns.ignore")
            elif p.kind == "time":
                self._give(p.name, "ignore", "another column of times", "time")
            else:
                why = f"a text of {p.distinct:,} values"
                self._give(p.name, "ignore", why, "columns.category")


__all__ = ["Guess", "Role", "guess"]
