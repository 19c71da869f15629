"""Scenes of digits, made with `data.split_seed`: see `carousel.data.digit_scenes`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from carousel.config import Config
    from carousel.data.captioned import CaptionedImages


def read(config: Config) -> CaptionedImages:
    """The parts; the scenes of the test part are made when it is asked for."""
    from carousel.data.captioned import Captioned, CaptionedImages
    from carousel.data.digit_scenes import as_tensor, scenes

    def part(name: str) -> Captioned:
        pictures, captions = scenes(config.data, config.scenes, name)
        names = [f"{name}-{number:05}" for number in range(len(captions))]
        return Captioned(names, as_tensor(pictures), [[c] for c in captions])

    return CaptionedImages(part("train"), part("validation"), lambda: part("test"))


READERS = {"caption": {"digit-scenes": read}}
