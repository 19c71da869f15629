"""Section on how data of one's own become parts."""

from __future__ import annotations

from dataclasses import dataclass

from carousel.config import groups
from carousel.config.columns import SPLIT
from carousel.config.keys import key


@dataclass(frozen=True)
class SplitConfig:
    """Split of data of one's own into parts; how many go to each is said by `frames.validation` and
    `frames.test`, or those of `text`. Files of one's own for a part: `data.validation`,
    `data.test`.

    by: "sequence" draws whole sequences, or sentences, of a table, of each class by itself; "group"
        draws all of a value of `split.column` together, such as a person; "time" takes the latest
        to judge and those before them to validate, of few sequences the end of each; "column" reads
        the part in `split.column`: train, validation or test.
    column: of "group" and "column".
    test, validation: groups that judge, or choose the epoch, by name, with commas between (or a
        list); by "sequence" the sequences of these ids. Without them they are drawn.
    folds: cut what is split into so many folds, of which one judges in each run, as
        `carousel train --folds` does; 0: a single split by shares.
    fold: which of the folds judges, counted from 0; -1: none does, and all but the validation part
        is trained on.
    """

    by: str = key(
        "sequence",
        choices=("sequence", "group", "time", "column"),
        tasks=SPLIT,
        when=("data.name=table",),
    )
    column: str = key("", tasks=SPLIT, when=("data.name=table", "split.by=group|column"))
    test: str = key(
        "", tasks=SPLIT, when=("data.name=table", "split.by=group|sequence"), names=True
    )
    validation: str = key(
        "", tasks=SPLIT, when=("data.name=table", "split.by=group|sequence"), names=True
    )
    folds: int = key(0, low=0, tasks=groups.OWN, when=("data.path!=",))
    fold: int = key(0, low=-1, tasks=groups.OWN, when=("split.folds!=0",))
