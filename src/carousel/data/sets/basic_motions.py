"""Basic motions, of the UEA archive: its own test part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carousel.config import Config
from carousel.data.source import Source

if TYPE_CHECKING:
    from carousel.data.labelled_recordings import LabelledRecordings

SOURCE = Source(
    "Basic motions: 80 recordings of a watch, 4 activities, 6 channels, 100 steps",
    "no licence stated; research use",
    "Bagnall et al. 2018",
    "https://www.timeseriesclassification.com/aeon-toolkit/",
    archives=("BasicMotions.zip",),
    packed={
        "BasicMotions_TRAIN.ts": (
            "8dc43cc6306cb679c888c01e26f91772ac4441a916da43bac8b79734a538b9d6"
        ),
        "BasicMotions_TEST.ts": (
            "79213102bc6fca1a398ad98ce1185dff0208fa3d1465e687f48288946b0ff8dc"
        ),
    },
)


def read(config: Config) -> LabelledRecordings:
    """The parts."""
    from carousel.data.files.ts import published_parts

    return published_parts("basic-motions", config)


READERS = {"classify_recordings": {"basic-motions": read}}
