"""Indoor movement, which has no split of its own: of each class shares are drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from carousel.data import sources
from carousel.data.files.text import decode
from carousel.data.source import Source

if TYPE_CHECKING:
    from carousel.config import Config
    from carousel.data.labelled_recordings import Example, LabelledRecordings

SOURCE = Source(
    "Indoor movement: 314 walks heard by 4 radio anchors, does a person leave the room",
    "CC BY 4.0",
    "Bacciu et al. 2014",
    "https://archive.ics.uci.edu/static/public/348/",
    archives=("indoor+user+movement+prediction+from+rss+data.zip", "IndoorMovement.zip"),
    suffix=".csv",
    digest="627fe3e266e9c23bb2f4f7b146a78faae1ce303ad558bfeecf6432ae57dbb35e",
)

_CLASSES = ("stays", "leaves")


def read(config: Config) -> LabelledRecordings:
    """The parts; with `data.hold_out` a pair of rooms that judges."""
    from carousel.data.labelled_recordings import LabelledRecordings, by_group, usual

    found, held = list(_walks()), config.data.hold_out
    parts = by_group(found, held) if held else usual(found, config)
    return LabelledRecordings.whole(found, _CLASSES, parts)


def _walks() -> Iterator[Example]:
    from carousel.data.files.recordings import read_frames
    from carousel.data.labelled_recordings import Example

    files = sources.read_all("indoor-movement")

    def table(file: str) -> dict[str, str]:
        rows = decode(files[file], file).split()[2:]  # the header has a space in it
        return dict(row.split(",") for row in rows)

    places = table("MovementAAL_DatasetGroup.csv")
    for number, target in table("MovementAAL_target.csv").items():
        file = f"MovementAAL_RSS_{number}.csv"
        frames = read_frames(decode(files[file], file), file)
        name, group = f"walk-{int(number):03}", f"rooms-{places[number]}"
        yield Example.of(name, frames, _CLASSES[int(target) > 0], group)


READERS = {"classify_recordings": {"indoor-movement": read}}
