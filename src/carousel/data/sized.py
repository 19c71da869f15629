"""Size of the data that a table holds, which settings follow from."""

from __future__ import annotations

from pathlib import Path

from carousel.config import SoundConfig
from carousel.data.guesses import Guess
from carousel.data.sizes import Size
from carousel.data.table import Table, read_table
from carousel.errors import DataError

#: Steps of a recording in a file, of which none has been read: a second of a sound has 100.
_STEPS_OF_A_FILE = 100


def size_of(table: Table, found: Guess) -> Size:
    """Size of a table by what was guessed of it."""
    roles = ("number", "static", "category", "known")
    inputs = [name for role in roles for name in found.named(role)]
    texts = found.named("text")
    if found.task in ("classify_text", "translate"):
        return Size(len(table), len(table))
    if found.named("file"):
        first = table[found.named("file")[0]].texts()[0]
        features = _features_of_a_file(Path(table.source).parent / first)
        return Size(found.sequences, _STEPS_OF_A_FILE * found.sequences, features)
    if found.task == "label_words":
        return Size(found.sequences, len(table), len(texts))
    if found.wide:
        steps, features = len(found.wide[0].columns) * len(table), len(found.wide) + len(inputs)
        return Size(len(table), steps, features, 1, found.task == "regress")
    targets = len(found.named("target")) or len(inputs)
    features = len(inputs) + (len(found.named("target")) if found.task == "forecast" else 0)
    kept = bool(found.named("id")) and set(found.named("target")) <= set(found.constant)
    whole = found.task == "regress" and kept
    return Size(found.sequences, len(table), features, targets, whole)


def _features_of_a_file(file: Path) -> int:
    """Numbers of a step of a recording in a file: of a sound, those that it is turned into."""
    from carousel.data.files.sounds import SUFFIXES  # imports torch

    if file.suffix.lower() in SUFFIXES:
        return SoundConfig().mels
    try:
        return len(read_table(file, fewest=1).columns)
    except DataError:  # which is told when it is read
        return 1
