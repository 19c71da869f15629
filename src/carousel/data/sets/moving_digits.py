"""Films of moving digits, made with `data.split_seed`: see `carousel.data.moving_digits`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from carousel.config import Config
    from carousel.data.recordings import LabelledFrames


def read(config: Config) -> LabelledFrames:
    """The parts; the films of the test part are made when it is asked for."""
    from carousel.data.moving_digits import CLASSES, films
    from carousel.data.recordings import LabelledFrames

    return LabelledFrames.lazily(partial(films, config.data, config.scenes), CLASSES)


READERS = {"label_frames": {"moving-digits": read}}
