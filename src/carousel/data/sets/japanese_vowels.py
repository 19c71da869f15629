"""Japanese vowels, of the UEA archive: its own test part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carousel.config import Config
from carousel.data.source import Source

if TYPE_CHECKING:
    from carousel.data.labelled_recordings import LabelledRecordings

SOURCE = Source(
    "Japanese vowels: 640 utterances of 9 speakers, 12 coefficients, 7 to 29 steps",
    "CC BY 4.0",
    "Kudo et al. 1999",
    "https://www.timeseriesclassification.com/aeon-toolkit/",
    archives=("JapaneseVowels.zip",),
    packed={
        "JapaneseVowels_TRAIN.ts": (
            "68a430eabd919cc77f40b1f5f3bc0dcafacc1486bca9260785aeb7d262cc78cd"
        ),
        "JapaneseVowels_TEST.ts": (
            "b3d41d6a0ca3bcad3afb9ca7d4365382aa51341e2e58bae2a574babdda5b9462"
        ),
    },
)


def read(config: Config) -> LabelledRecordings:
    """The parts."""
    from carousel.data.files.ts import published_parts

    return published_parts("japanese-vowels", config)


READERS = {"classify_recordings": {"japanese-vowels": read}}
