"""Sections on tables of one's own: the role of each column, and how rows become parts."""

from __future__ import annotations

import math
from dataclasses import dataclass

from carousel.config.keys import key
from carousel.config.keys import listed as listed
from carousel.config.keys import names_in as names_in

LABELLED = ("classify_recordings", "classify_text")
#: Say the steps that come after those of a series, or of many.
FORECASTS = ("forecast", "forecast_many")
SERIES = ("classify_recordings", "label_frames", "regress", *FORECASTS)
STEPS = ("classify_recordings", "label_frames", "regress")
TEXTS = ("classify_text", "label_words", "translate")
#: Can be dealt out in several ways: a series is cut in time, and pairs by their sentences.
SPLIT = (*STEPS, "classify_text", "label_words", "classify")
#: Read a column of times.
TIMED = (*SERIES, "anomaly")
#: Read tables with a row for each sequence.
WIDE = ("classify_recordings", "regress")
#: Read tables that name files.
FILES = ("classify_recordings", "classify")
#: Read tables with named columns.
TABLES = (*TIMED, *TEXTS, "classify")
#: Levels up to which a category is a column for each; of more, each level has an embedding.
FEW_LEVELS = 8
_WIDEST = 50


@dataclass(frozen=True)
class ColumnsConfig:
    """Roles of a table's columns, by name, with commas between several; a name that has a comma
    stands in quotation marks. Columns that are not named are numbers to read.

    id: what tells sequences apart (several columns together, too): rows of the same value are the
        steps of one sequence, or the words of one sentence. Empty: the table is one sequence.
    time: orders the steps of a sequence. Empty: the order of the rows does.
    target: what is to be learnt; of anomalies, the 0 and 1 that judge.
        Of a classification, several columns of 0 and 1 are labels, of which any may hold at once.
    separator: of a target whose cells hold several labels, such as "drama;war": what stands between
        them.
    ordinal: the classes are numbers that rank, such as one to five stars: the network learns
        thresholds between them, and errors count by their distance.
    known: columns whose values are known for the steps to come, such as prices or holidays: the
        table that a forecast goes on from has rows for them, without a target.
    static: columns that keep one value through a sequence.
    weight: a column with one number from 0 on for each series, the same in all its rows: how much
        the series counts in what is learnt, and in metrics that are told besides those in which all
        count alike, such as the mean price of what it sells. It is not read.
    category: columns of words, or of numbers that are names. Of up to 8 values, each becomes a
        column of its own, 1 where it stands; of more, each has a row of numbers that is learnt.
    embed: learn such rows; false: a column of its own for each of the 50 most frequent values, and
        one for the others.
    text: the column of sentences, or of words to label.
    file: a column with names of files beside the table: recordings (sounds or tables), or images.
    wide: the steps of a sequence stand in the columns of one row, from the first to the last one,
        such as "t1..t100"; several numbers of a step as "x_1..x_24, y_1..y_24". Empty cells at the
        end make a sequence shorter.
    ignore: columns that are not read.
    step: time from step to step, such as "15 minutes" or "1 day" (empty: the most frequent one).
    gap: where steps are missing, "fill" puts them in with the values before, "cut" begins another
        sequence, and "error" refuses the table.
    """

    id: str = key("", tasks=(*STEPS, "label_words", "anomaly", "forecast_many"))
    time: str = key("", tasks=TIMED)
    target: str = key("", tasks=TABLES)
    separator: str = key("", tasks=LABELLED)
    ordinal: bool = key(False, tasks=LABELLED)
    known: str = key("", tasks=FORECASTS)
    static: str = key("", tasks=(*STEPS, "forecast_many"))
    weight: str = key("", tasks=("forecast_many",))
    category: str = key("", tasks=SERIES)
    embed: bool = key(True, tasks=SERIES)
    text: str = key("", tasks=TEXTS)
    file: str = key("", tasks=FILES)
    wide: str = key("", tasks=WIDE)
    ignore: str = key("", tasks=TABLES)
    step: str = key("", tasks=(*STEPS, "forecast_many"))
    gap: str = key("fill", choices=("fill", "cut", "error"), tasks=SERIES)


def embedding_size(levels: int) -> int:
    """Numbers that stand for each level of a category: min(50, ⌈1.6 n^0.56⌉).

    The rule of fastai (Howard and Gugger 2020, arXiv:2002.04688), which has 600 for 50.

    >>> embedding_size(9), embedding_size(100), embedding_size(10_000)
    (6, 22, 50)
    """
    return min(_WIDEST, math.ceil(1.6 * math.pow(levels, 0.56)))
