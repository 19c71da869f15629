"""Labelled images that a trained model never saw (see `carousel.data.files.judged`)."""

from __future__ import annotations

from dataclasses import replace

import torch

from carousel.config import Config
from carousel.config.columns import ColumnsConfig
from carousel.data.counting import unit_of
from carousel.data.files.image_classes import Entry, entries_in, gather
from carousel.data.files.images import read_images
from carousel.data.files.judged import Judged, Source, table_in, unknown_in
from carousel.data.files.table_images import entries_of
from carousel.data.labelled_images import ImageNotes, NamedImages, Shape
from carousel.data.table import Table, is_table
from carousel.errors import DataError

_USUAL = ColumnsConfig(file="file", target="label")


def images(
    path: Source, config: Config, classes: tuple[str, ...], shape: Shape
) -> Judged[NamedImages]:
    """All images with a class in a folder, a table of names (its columns `file` and `label` where
    the model was trained on none) or arrays, in the shape of training. Raises `DataError`."""
    found, words = labelled(path, config)
    source = path.source if isinstance(path, Table) else str(path)
    unknown = unknown_in((one.label for one in found), classes, source)
    known = [one for one in found if one.label in classes]
    notes = ImageNotes()
    part = gather("", known, classes, shape, config.pictures.fit, notes)
    return Judged(part, (*words, *in_words(notes, shape)), unknown)


def digits(path: Source, classes: tuple[str, ...]) -> Judged[NamedImages]:
    """Digits as those of MNIST in a folder for each class, in files that `read_images` reads.
    Raises `DataError`."""
    if isinstance(path, Table):
        raise DataError("digits are judged in a folder with a folder of images for each class")
    folders = sorted(one for one in path.glob("*") if one.is_dir() and one.name[0] != ".")
    files = [file for one in folders for file in sorted(one.iterdir()) if file.is_file()]
    if not files:
        raise DataError(f"{path} must be a folder with a folder of images for each class")
    unknown = unknown_in((file.parent.name for file in files), classes, str(path))
    known = [file for file in files if file.parent.name in classes]
    read = [read_images(file) for file in known]
    labels = [
        classes.index(f.parent.name) for f, some in zip(known, read, strict=True) for _ in some
    ]
    names = tuple(
        str(f.relative_to(path)) for f, some in zip(known, read, strict=True) for _ in some
    )
    part = NamedImages(torch.cat(read), torch.tensor(labels), names)
    return Judged(part, (), unknown)


def labelled(path: Source, config: Config) -> tuple[list[Entry], list[str]]:
    """The images with a class, and what is to be said of them. Raises `DataError`."""
    if isinstance(path, Table) or (path.is_file() and is_table(path)):
        columns = config.columns if config.columns.file else _USUAL
        found, _, words = entries_of(table_in(path), replace(config, columns=columns))
        return found, words
    return entries_in(path)


def in_words(notes: ImageNotes, shape: Shape) -> list[str]:
    """Lines on what became of images while they were read."""
    size = " x ".join(map(str, shape[-2:]))
    told = (
        (notes.resized, f"of another size: made {size}"),
        (notes.recoloured, "in color: read as grey"),
        (notes.unreadable, "that cannot be read: left out"),
    )
    lines = [
        f"{count:,} {unit_of(count, 'images')} {what}"
        for counts, what in told
        if (count := sum(counts.values()))
    ]
    return [*lines, *notes.named]
