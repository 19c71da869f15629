"""Free spoken digits: takes 0 to 4 of each digit and speaker judge, 5 to 9 validate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from carousel.data import sources
from carousel.data.source import Source

if TYPE_CHECKING:
    from carousel.config import Config, SoundConfig
    from carousel.data.labelled_recordings import Example, LabelledRecordings

SOURCE = Source(
    "Free spoken digits: 3,000 recordings of 10 digits by 6 speakers, 8 kHz, English",
    "CC BY-SA 4.0",
    "Jackson et al. 2018",
    "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/",
    archives=("v1.0.10.tar.gz", "recordings.tar.xz"),
    suffix=".wav",
    digest="1801eae019c063377d98f831d3f93574f259475df7332bb0e3d1b080fb5e6959",
)

_CLASSES = tuple("0123456789")
_VALIDATION_TAKES = range(5, 10)


def read(config: Config) -> LabelledRecordings:
    """The parts; with `data.hold_out` a speaker that judges."""
    from carousel.data.labelled_recordings import LabelledRecordings, by_group

    found, held = list(_digits(config.sound)), config.data.hold_out
    parts = by_group(found, held) if held else _by_take(found)
    return LabelledRecordings.whole(found, _CLASSES, parts, sound=True)


def _digits(sound: SoundConfig) -> Iterator[Example]:
    from carousel.data.files.sounds import log_mel, read_sound
    from carousel.data.labelled_recordings import Example

    for file, content in sources.read_all("fsdd").items():
        digit, speaker, _ = file.split("_")
        features = log_mel(read_sound(content, sound.rate, file), sound)
        yield Example(Path(file).stem, features, digit, speaker)


def _by_take(found: list[Example]) -> dict[str, list[Example]]:
    parts: dict[str, list[Example]] = {"train": [], "validation": [], "test": []}
    for example in found:
        take = int(example.name.rpartition("_")[2])
        late = "validation" if take in _VALIDATION_TAKES else "train"
        parts["test" if take < _VALIDATION_TAKES.start else late].append(example)
    return parts


READERS = {"classify_recordings": {"fsdd": read}}
