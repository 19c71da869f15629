"""Folders of recordings with a folder for each class: tables of numbers, or sounds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from carousel.config import Config, SoundConfig
from carousel.data.files.recordings import TABLES, Frames, alike, read_frames, say_large
from carousel.data.files.sounds import SUFFIXES, log_mel, read_sound
from carousel.data.files.text import read_text, stem_of, suffix_of
from carousel.errors import ConfigError, DataError

if TYPE_CHECKING:
    from carousel.data.labelled_recordings import Example, LabelledRecordings


def read_recording(path: Path, sound: SoundConfig) -> Frames:
    """A custom recording: a sound file, or a .csv of numbers with a header, a row per step.

    Raises `DataError`.
    """
    if path.suffix.lower() in SUFFIXES:
        values = log_mel(read_sound(path, sound.rate), sound).numpy()
        return Frames(values, [""] * len(values))
    return read_frames(read_text(path), str(path))


def read_classes(path: str | Path, sound: SoundConfig) -> tuple[list[Example], tuple[str, ...]]:
    """The recordings of a folder CLASS/FILE, or CLASS/GROUP/FILE, and the names of the classes.

    Files are .csv or sound, of one kind; hidden ones are no recordings. Raises `DataError`.
    """
    from carousel.data.labelled_recordings import Example

    root = Path(path)
    if not root.is_dir():
        raise DataError(f"there is no folder {root}")
    kinds = {*TABLES, *SUFFIXES}
    files = [file for file in sorted(root.rglob("*")) if suffix_of(file) in kinds]
    files = [f for f in files if not any(p[0] == "." for p in f.relative_to(root).parts)]
    sounds = [file for file in files if file.suffix.lower() in SUFFIXES]
    if not files or 0 < len(sounds) < len(files):
        found = f"{sounds[0]} and {len(files) - len(sounds)} .csv files" if files else "no files"
        raise DataError(
            f"{root} must hold .csv files of the same columns, or sound files, in a folder for "
            f"each class; it has {found}"
        )
    say_large(files)
    read, places = {}, {}
    for file in files:
        label, *groups = file.relative_to(root).parts[:-1] or ("",)
        if not label or len(groups) > 1:
            raise DataError(f"{file} must stand in {root}/CLASS/ or {root}/CLASS/GROUP/")
        read[str(file)] = read_recording(file, sound)
        places[str(file)] = (
            str(file.relative_to(root).with_name(stem_of(file))),
            label,
            "".join(groups),
        )
    examples = [
        Example.of(name, frames, label, group)
        for frames, (name, label, group) in zip(alike(read).values(), places.values(), strict=True)
    ]
    return examples, tuple(sorted({str(example.label) for example in examples}))


def read_parts(config: Config) -> LabelledRecordings:
    """The parts of `data.path`: shares of each class, or of the groups where there are any; with
    `data.hold_out` a group that judges."""
    from carousel.data.labelled_recordings import LabelledRecordings, by_group, usual

    if not config.data.path:
        raise ConfigError(
            "data.name = 'recordings' needs data.path, a folder with a folder for each class"
        )
    found, classes = read_classes(config.data.path, config.sound)
    held, grouped = config.data.hold_out, any(example.group for example in found)
    parts = by_group(found, held) if held else usual(found, config, grouped)
    return LabelledRecordings.whole(found, classes, parts, sound=not found[0].columns)


READERS = {"classify_recordings": {"recordings": read_parts}}
