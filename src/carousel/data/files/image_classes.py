"""Images of one's own with a class each: a folder for each class, or arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from carousel.config import Config
from carousel.data.counting import unit_of
from carousel.data.dealing import PARTS
from carousel.data.files.image_arrays import Block, is_array_file, read_blocks
from carousel.data.files.image_fit import (
    Look,
    fitted,
    is_picture,
    look_of,
    open_picture,
    picture_of_array,
    shape_of,
)
from carousel.data.files.images import unreadable
from carousel.data.labelled_images import ImageNotes, ImageParts, NamedImages, Shape
from carousel.data.shares import Fewest, Share, shares
from carousel.data.splits import split
from carousel.errors import ConfigError, DataError

if TYPE_CHECKING:
    from PIL import Image

_PART_FOLDERS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_LOOKED_AT = 200
_NAMED = 10


@dataclass(frozen=True)
class Entry:
    """An image that has not been read: a file, or a place in an array. label, group, part: what its
    folders say of it, "" where they do not."""

    name: str
    label: str = ""
    group: str = ""
    part: str = ""
    file: Path | None = None
    pixels: NDArray[np.uint8] | None = None

    def open(self) -> Image.Image:
        """The picture. Raises `DataError`."""
        if self.file is None:
            assert self.pixels is not None
            return picture_of_array(self.pixels)
        try:
            content = self.file.read_bytes()
        except OSError as error:
            why = "is not there" if isinstance(error, FileNotFoundError) else str(error)
            raise DataError(f"{self.name} {why}") from None
        return open_picture(content, self.name)

    def size(self) -> tuple[int, int] | None:
        """Pixels up and across, None where it cannot be read; a file's first bytes tell."""
        from PIL import Image

        if self.pixels is not None:
            return (self.pixels.shape[0], self.pixels.shape[1])
        try:
            with Image.open(str(self.file)) as picture:
                turned = picture.getexif().get(0x0112, 1) in (5, 6, 7, 8)
                width, height = picture.size
                return (width, height) if turned else (height, width)
        except unreadable():
            return None


def entries_in(path: Path, labelled: bool = True) -> tuple[list[Entry], list[str]]:
    """The images in a folder or an array file, and what is to be said of it. Raises `DataError`."""
    if not path.exists():
        raise DataError(f"there is no file or folder {path}")
    if path.is_dir() and not any(is_array_file(f) for f in path.iterdir()):
        return _of_folder(path, labelled)
    if path.is_dir() or is_array_file(path):
        return _of_blocks(read_blocks(path, labelled)), []
    raise DataError(
        f"{path} must be a folder with a folder of pictures for each class, a table with the "
        f"columns file and label, an .npz or .npy file, or IDX"
    )


def _of_blocks(blocks: Sequence[Block]) -> list[Entry]:
    parted = len({block.part for block in blocks}) > 1
    return [
        Entry(
            f"{block.source}[{place}]",
            "" if block.labels is None else block.labels[place],
            part=block.part if parted else "",
            pixels=block.pixels[place],
        )
        for block in blocks
        for place in range(len(block.pixels))
    ]


def _of_folder(root: Path, labelled: bool) -> tuple[list[Entry], list[str]]:
    files = [file for file in sorted(root.rglob("*")) if file.is_file()]
    shown = [f for f in files if not any(p[0] == "." for p in f.relative_to(root).parts)]
    pictures = [file for file in shown if is_picture(file)]
    tops = {file.relative_to(root).parts[0] for file in pictures if file.parent != root}
    said = {_PART_FOLDERS.get(top.lower(), "") for top in tops}
    parted = "train" in said and "" not in said
    found, loose = [], 0
    for file in pictures:
        *folders, _ = file.relative_to(root).parts
        part = _PART_FOLDERS[folders.pop(0).lower()] if parted and folders else ""
        label, group = (*folders, "", "")[:2]
        loose += not label
        if label or not labelled:
            name = str(file.relative_to(root))
            found.append(Entry(name, label, group, part, file))
    if not found:
        raise DataError(
            f"{root} must have a folder of pictures for each class (CLASS/picture.png); it has "
            f"{len(shown):,} files, {len(pictures):,} of them pictures"
        )
    notes = []
    if loose and labelled:
        notes.append(f"{loose:,} {unit_of(loose, 'pictures')} in no folder of a class: left out")
    if others := len(shown) - len(pictures):
        notes.append(f"{others:,} {unit_of(others, 'files')} of other kinds: not read")
    return found, notes


def in_order(labels: Iterable[str]) -> tuple[str, ...]:
    """Classes in their order: numbers by size, before words.

    >>> in_order(["10", "9", "b", "9", "a"])
    ('9', '10', 'a', 'b')
    """

    def key(label: str) -> tuple[bool, int, str]:
        return not label.isdecimal(), int(label) if label.isdecimal() else 0, label

    return tuple(sorted(set(labels), key=key))


def dealt(found: Sequence[Entry], config: Config, source: str) -> dict[str, list[int]]:
    """The numbers of the images in each part: as their folders say, else drawn; whole groups
    (CLASS/GROUP/FILE) where there are any, else of each class by itself. Raises `DataError`."""
    wanted = shares(config, config.pictures)
    given = {part: [i for i, one in enumerate(found) if one.part == part] for part in wanted}
    for part, file in config.data.files.items():
        if given[part]:
            raise DataError(
                f"{source} has a {part} part of its own, and data.{part} = '{file}' is that part: "
                f"leave one of them out"
            )
    if config.split.folds and any(given.values()):
        raise DataError(f"{source} says itself what judges, so there is nothing to fold")
    if any(given.values()):
        rest = [i for i, one in enumerate(found) if one.part in ("train", "")]
        wanted = {part: share for part, share in wanted.items() if not given[part]}
    else:
        rest = list(range(len(found)))
    held = {part: share for part, share in wanted.items() if share is not None}
    drawn = _drawn([found[i] for i in rest], held, config, source) if held else {}
    taken = {part: [rest[i] for i in numbers] for part, numbers in drawn.items()}
    parts = {**given, **taken}
    return {**parts, "train": taken.get("train", rest)}


def _drawn(
    found: Sequence[Entry], held: Mapping[str, Share], config: Config, source: str
) -> dict[str, list[int]]:
    seed, groups = config.data.split_seed, [one.group for one in found]
    if all(groups):
        if len(set(groups)) < len(held) + 1:
            raise DataError(
                f"{source} has pictures of {len(set(groups))} groups (CLASS/GROUP/picture), and "
                f"{Fewest(len(held) + 1)} are the least, one for each part"
            )
        index = split(len(found), held, seed, groups=groups)
    else:
        least = len(held) + 1
        for label, count in Counter(one.label for one in found).items():
            if count < least:
                raise DataError(
                    f"the class '{label}' of {source} has {count} {unit_of(count, 'images')}, and "
                    f"{least} are the least, one for each part: add some, or remove it"
                )
        index = split(len(found), held, seed, classes=[one.label for one in found])
    return {name: some.tolist() for name, some in index.items()}


def shape_for(found: Sequence[Entry], config: Config) -> tuple[Shape, str]:
    """Shape that these images get by `pictures.size` and `pictures.channels`, and why."""
    sizes = [size for one in found if (size := one.size()) is not None]
    if not sizes:
        raise DataError(f"none of the {len(found):,} pictures can be read, such as {found[0].name}")
    pictures = config.pictures
    color = pictures.channels == "auto" and _has_color(found)
    looks = [Look(height, width, color) for height, width in sizes]
    return shape_of(looks, pictures.size, pictures.channels)


def _has_color(found: Sequence[Entry]) -> bool:
    """True if one of some images, from all over, has colours: to open all would take long."""
    for number in np.linspace(0, len(found) - 1, min(len(found), _LOOKED_AT)).astype(int):
        try:
            if look_of(found[number].open()).color:
                return True
        except DataError:
            continue
    return False


def gather(
    part: str,
    found: Sequence[Entry],
    classes: Sequence[str],
    shape: Shape,
    fit: str,
    notes: ImageNotes,
) -> NamedImages:
    """The images of a part in one shape. One that cannot be read is left out and counted. Raises
    `DataError` if none can."""
    number = {name: i for i, name in enumerate(classes)}
    pixels, labels, names = [], [], []
    for one in found:
        try:
            picture = one.open()
        except DataError as error:
            notes.unreadable[part] = notes.unreadable.get(part, 0) + 1
            notes.named += [str(error)][: _NAMED - len(notes.named)]
            continue
        if (picture.height, picture.width) != shape[-2:]:
            notes.resized[part] = notes.resized.get(part, 0) + 1
        if len(shape) == 2 and picture.mode == "RGB" and look_of(picture).color:
            notes.recoloured[part] = notes.recoloured.get(part, 0) + 1
        pixels.append(fitted(picture, shape, fit))
        labels.append(number.get(one.label, -1))
        names.append(one.name)
    if not names:
        raise DataError(f"no image {part_words(part)} can be read: {notes.named[0]}")
    values = torch.from_numpy(np.stack(pixels))
    return NamedImages(values, torch.tensor(labels, dtype=torch.int64), tuple(names))


def part_words(part: str) -> str:
    return f"of the {part} part" if part else "of what was given"


def parts_of(
    found: Sequence[Entry],
    dealt: Mapping[str, Sequence[int]],
    config: Config,
    source: str,
    words: Iterable[str] = (),
) -> ImageParts:
    """Parts of images that have been dealt out; the test part is read when it is asked for."""
    classes = in_order(one.label for one in found)
    if len(classes) < 2:
        raise DataError(f"{source} must have at least two classes; it has {len(classes)}")
    some = {part: [found[i] for i in dealt.get(part, ())] for part in PARTS}
    shape, why = shape_for(some["train"], config)
    notes = ImageNotes(words=[*words, f"images are read as {why}"])
    groups = {one.group for one in found}
    if "" not in groups:
        notes.words.append(f"{len(groups):,} groups of pictures: none stands in two parts")

    def read(part: str) -> NamedImages:
        if not some[part]:  # it has a file of its own, or nothing judges
            empty = torch.empty((0, *shape), dtype=torch.uint8)
            return NamedImages(empty, torch.empty(0, dtype=torch.int64))
        return gather(part, some[part], classes, shape, config.pictures.fit, notes)

    return ImageParts(read("train"), read("validation"), lambda: read("test"), classes, notes)


def read_parts(config: Config) -> ImageParts:
    """The parts of `data.path`. Raises `ConfigError` or `DataError`."""
    if not config.data.path:
        raise ConfigError(
            "data.name = 'images' needs data.path, a folder with a folder of pictures for each "
            "class, or arrays (docs/tasks/classify.md)"
        )
    path = Path(config.data.path)
    found, words = entries_in(path)
    return parts_of(found, dealt(found, config, str(path)), config, str(path), words)


READERS = {"classify": {"images": read_parts}}
