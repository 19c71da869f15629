"""A recipe for images of one's own in a folder or in arrays, by how many there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carousel.config import Config
from carousel.data.counting import unit_of
from carousel.data.files.image_classes import dealt, entries_in, in_order, shape_for
from carousel.data.proposal import commented, short_name
from carousel.data.sizes import Sections, Size, rules, settings
from carousel.errors import DataError

_PARTS = ("train", "validation", "test")
_SHOWN = 20


@dataclass(frozen=True)
class ImageProposal:
    """Images of one's own: how many of each class, what there is to say of them, how they are dealt
    out, and the recipe."""

    path: Path
    classes: dict[str, int]
    notes: tuple[str, ...]
    parts: dict[str, int]
    split: str
    sections: Sections
    comments: dict[str, str]

    @property
    def config(self) -> Config:
        """The recipe as a configuration. Raises `ConfigError`."""
        return Config.from_dict({"task": "classify", **self.sections})

    @property
    def why(self) -> str:
        """Images, and their classes, in words."""
        count = sum(self.classes.values())
        return f"{count:,} images of {len(self.classes)} classes"

    def toml(self) -> str:
        """The recipe with a comment wherever there is a reason."""
        heads = [f"{self.path.name}: {self.why}.", f"Split: {self.split}."]
        return commented(heads, "classify", self.sections, self.comments)

    def lines(self) -> list[str]:
        """Lines that say what was found."""
        told = [f"{name} ({count:,})" for name, count in [*self.classes.items()][:_SHOWN]]
        more = f" and {len(self.classes) - _SHOWN:,} more" if len(self.classes) > _SHOWN else ""
        parts = ", ".join(f"{name} {count:,}" for name, count in self.parts.items())
        return [
            f"{self.path}: {self.why}",
            f"classes: {', '.join(told)}{more}",
            *self.notes,
            "task: classify (a class for each image)",
            f"split: {self.split}: {parts}",
        ]

    def to_json(self) -> dict[str, Any]:
        """Everything that was found, as JSON can hold it."""
        return {
            "path": str(self.path),
            "images": sum(self.classes.values()),
            "classes": self.classes,
            "notes": list(self.notes),
            "task": {"name": "classify", "why": self.why},
            "split": {"by": self.split, "parts": self.parts},
            "recipe": {"task": "classify", **self.sections},
        }


def has_images(path: Path) -> bool:
    """Tell from the names in it that the likeliest task for a file or folder is that of images."""
    from carousel.recipes import suited

    return path.exists() and suited.suited(path)[:1] == ("own-classify",)


def propose_images(path: str | Path, files: Mapping[str, str] | None = None) -> ImageProposal:
    """Look at the images in a folder or in arrays, and make a recipe for them; files: of the
    validation and the test part, by part. Raises `DataError` where they cannot be trained on."""
    path = Path(path)
    found, words = entries_in(path)
    counts = Counter(one.label for one in found)
    classes = {name: counts[name] for name in in_order(counts)}
    if len(classes) < 2:
        raise DataError(f"{path} must have at least two classes; it has {len(classes)}")
    made: Sections = {
        "recipe": {
            "name": short_name(path),
            "summary": f"{len(classes)} classes of images in {path.name}",
            "mapping": "many-to-one",
        },
        "data": {"name": "images", "path": str(path), **(files or {})},
    }
    parts = dealt(found, Config.from_dict({"task": "classify", **made}), str(path))
    trained = [found[i] for i in parts["train"]]
    shape, why = shape_for(trained, Config.from_dict({"task": "classify", **made}))
    size = Size(len(trained), len(trained) * shape[-2], shape[-1], len(classes))
    for name, keys in settings("classify", size).items():
        made[name] = {**made.get(name, {}), **keys}
    drawn = not any(one.part for one in found)
    if drawn:
        made["pictures"] |= {p: 0.15 for p in ("validation", "test") if p not in (files or {})}
    unread = sum(one.size() is None for one in found)
    if unread:
        words.append(
            f"{unread:,} {unit_of(unread, 'images')} cannot be read: they will be left out"
        )
    comments = dict(rules("classify", size))
    comments["pictures.size"] += f"; here {why}"
    notes = (*words, f"images are read as {why}")
    split = "whole groups" if all(one.group for one in found) else "of each class by itself"
    split = split if drawn else "as folders or arrays say, the rest drawn"
    if files:
        split = ", ".join([f"the {part} part is {file}" for part, file in files.items()])
    sizes = {name: len(parts.get(name, ())) for name in _PARTS if name not in (files or {})}
    return ImageProposal(path, classes, notes, sizes, split, made, comments)
