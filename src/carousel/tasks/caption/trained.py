"""A trained captioner: says what is in an image, offers alternatives, shows where it looked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carousel.config import Config, PicturesConfig
from carousel.data.captioned import Captioned, CaptionedImages
from carousel.data.files.captions import picture_of, read_all
from carousel.data.files.image_features import KINDS, read_features
from carousel.data.tokens import Tokens
from carousel.errors import ConfigError, DataError
from carousel.tasks.caption import scores as caption_scores
from carousel.tasks.caption.network import Captioner, caption, looks, mean_loss, picture_shape
from carousel.tasks.caption.plots import LookPanel, draw_looks
from carousel.tasks.shared.answers import Alternative, CaptionAnswer
from carousel.tasks.shared.beam_search import (
    Hypothesis,
    Search,
    alternatives_of,
)
from carousel.tasks.shared.task import Given, Notice, Shown, TrainedModel

_KINDS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
_DRAWN = 3
_SHOWN = 5


Images = Sequence[str | Path] | str | Path | NDArray[np.generic] | Tensor
"""Names of files, one or several, or arrays."""


def longest_of(lengths: Tensor) -> int:
    """The most tokens that a caption may have, its end included: half as many again as in training.

    >>> longest_of(torch.tensor([4, 10]))
    16
    """
    return math.ceil(1.5 * int(lengths.max())) + 1


class TrainedCaptioner(TrainedModel):
    """A trained captioner with its tokens.

    >>> model = carousel.load("runs/caption-digits-20261125-090000")  # doctest: +SKIP
    >>> model.caption(["scene.png"])                                 # doctest: +SKIP
    ['at the top left a large four and in the middle a small seven']
    """

    model: Captioner

    def __init__(self, model: Captioner, config: Config, tokens: Tokens, longest: int) -> None:
        super().__init__(model, config)
        self.tokens, self.longest = tokens, longest
        self._judged: dict[str, Tensor] = {}  # the first images of each part, to be drawn

    @classmethod
    def restore(cls, config: Config, facts: dict[str, Any]) -> TrainedCaptioner:
        tokens = Tokens.restore(facts["tokens"])
        given = facts.get("given") and tuple(facts["given"])
        return cls(Captioner(len(tokens), config, given), config, tokens, facts["longest"])

    def facts(self) -> dict[str, Any]:
        known = {"tokens": self.tokens.facts(), "longest": self.longest}
        return known if self.model.given is None else {**known, "given": [*self.model.given]}

    # ---- answering

    def encode(self, inputs: Images) -> tuple[Tensor, Tensor]:
        """Pixels or features of images, and the token (N, 1) that begins a caption."""
        pixels = self._pixels(inputs)
        return pixels, torch.full((len(pixels), 1), self.model.decoder.end)

    def example_inputs(self) -> tuple[Tensor, Tensor]:
        """A black image, or features that are zero."""
        if self.model.given is not None:
            return self.encode(torch.zeros(1, *self.model.given))
        channels, side = picture_shape(self.config)
        return self.encode(torch.zeros(1, channels, side, side, dtype=torch.uint8))

    def decode(self, found: Sequence[Sequence[Hypothesis]]) -> list[CaptionAnswer]:
        """Answers of what a search found with the network, for each image the best first."""
        return [CaptionAnswer(alternatives_of(some, self.tokens)) for some in found]

    def predict(
        self, inputs: Images, *, beam: int | None = None, best: int = 1
    ) -> list[CaptionAnswer]:
        """Captions of images: names of files of any size and kind, one or several, or uint8
        (N, C, side, side) as in training. Of a model of features: files of them, or an array
        (N, h, w, F).

        beam: of the search; the configuration's if None. best: how many alternatives of each.
        Raises `DataError` for what is no image, or has not the features of the training.
        """
        return self._search(inputs, Search.of(self.config.decoder, best, beam))

    def caption(self, images: Images, beam: int | None = None) -> list[str]:
        """The best caption of each image; input as for `predict`."""
        return [answer.text for answer in self.predict(images, beam=beam)]

    def alternatives(self, images: Images, search: Search | None = None) -> list[list[Alternative]]:
        """The best captions of each image, best first; as many as the search wants."""
        search = search or Search.of(self.config.decoder)
        return [[*answer.alternatives] for answer in self._search(images, search)]

    def _search(self, images: Images, search: Search) -> list[CaptionAnswer]:
        return self.decode(caption(self.model, self._pixels(images), search, self.longest))

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(KINDS if self.model.given is not None else _KINDS)

    @property
    def wants(self) -> str:
        return "name an image, or a folder of them"

    def read(self, path: Path) -> Given:
        """The image in a file, or those of a folder; a file of features may have many."""
        files = _files(path, self.kinds)
        pixels = self._pixels(files)
        if self.model.given is not None:
            files = [Path(name) for file in files for name in read_features(file)]
        facts = tuple({"image": str(file)} for file in files)
        return Given(pixels, facts, tuple(file.name for file in files), noun="image")

    def check_attention(self, count: int) -> None:
        """Raise `ConfigError` unless `draw_attention` can draw what so many inputs give."""
        if self.model.given is not None:
            raise ConfigError(
                "attention draws on an image, and this model reads features", "attention"
            )
        if count > 1:
            raise ConfigError(f"attention draws one image, there are {count}", "attention")

    def draw_attention(self, image: Tensor, answer: CaptionAnswer, path: Path) -> list[Notice]:
        """Draw where the decoder looked, as PNG; returns what there is to say of the picture."""
        draw_looks([self.looks(image, answer.alternatives[0])], path)
        return [Notice(f"attention drawn to {path}")]

    def looks(self, image: Tensor, told: Alternative) -> LookPanel:
        """Attention of the decoder for each word of a caption of an image (C, side, side)."""
        words = [self.tokens.label(number) for number in told.tokens]
        weights = looks(self.model, image, list(told.tokens))[: len(words)]
        return LookPanel(image, words, weights)

    def _pixels(self, images: Images) -> Tensor:
        if isinstance(images, list) and images and all(isinstance(i, Tensor) for i in images):
            images = torch.stack(images)  # as they were read, one by one
        if self.model.given is not None:
            return self._features(images, self.model.given)
        channels, side = picture_shape(self.config)
        if isinstance(images, np.ndarray | Tensor):
            pixels = torch.as_tensor(images)
            if pixels.dim() != 4 or pixels.shape[1:] != (channels, side, side):
                raise DataError(
                    f"images must have the shape (N, {channels}, {side}, {side}), got "
                    f"{tuple(pixels.shape)}"
                )
            if pixels.dtype != torch.uint8:
                raise DataError(f"images must be uint8, 0 to 255; got {pixels.dtype}")
            return pixels
        how = PicturesConfig(side, channels == 3)
        none = torch.empty(0, channels, side, side, dtype=torch.uint8)
        read = [picture_of(file, how) for file in _named(images)]
        return torch.stack(read) if read else none

    def _features(self, images: Images, given: tuple[int, int, int]) -> Tensor:
        if isinstance(images, np.ndarray | Tensor):
            values = torch.as_tensor(images, dtype=torch.float32)
        else:
            read = [each for file in _named(images) for each in read_features(file).values()]
            if len({tuple(each.shape) for each in read}) > 1:
                raise DataError("the files have features of different shapes")
            values = torch.stack(read) if read else torch.empty(0, *given)
        if values.dim() != 4 or tuple(values.shape[1:]) != given:
            raise DataError(
                f"features must have the shape {given}, as in training; got "
                f"{tuple(values.shape[1:])}"
            )
        return values

    # ---- judging

    def _judge(self, part: str) -> dict[str, Any]:
        data = self.as_trained(self.data(CaptionedImages), part)
        return self._report(data.part(part), part)

    def _judge_new(self, path: Path) -> dict[str, Any]:
        if self.model.given is None and self.config.data.name != "images":
            raise DataError(
                "a model of the published scenes is not judged on images of your own: train on "
                "those, or judge it on its validation or test part"
            )
        held, unreadable = read_all(path, self.config)
        left_out = f"{unreadable:,} images cannot be read and are left out"
        return {**self._report(held, "new"), "notes": [left_out] if unreadable else []}

    def _report(self, held: Captioned, part: str) -> dict[str, Any]:
        """Metrics and details on images with captions. part: names them."""
        self._judged[part] = held.images[:_DRAWN].clone()
        found = self.caption(held.images)
        greedy = self.caption(held.images, beam=1)
        loss = mean_loss(self.model, held, self.tokens)
        return {
            **caption_scores.measure(found, held.captions),
            "exact_match_greedy": caption_scores.exact(greedy, held.captions),
            "perplexity": math.exp(min(loss, 700.0)),
            "loss": loss,
            "search": {
                "beam": self.config.decoder.beam,
                "length_penalty": self.config.decoder.length_penalty,
            },
            "signatures": caption_scores.signatures(),
            "captions": [
                {"image": name, "caption": text, "references": some}
                for name, text, some in zip(held.names, found, held.captions, strict=True)
            ],
            "part_drawn": part,
        }

    def present(self, report: dict[str, Any]) -> Iterator[Shown]:
        for example in report["captions"][:_SHOWN]:
            yield f"{example['image']}\n  caption:   {example['caption']}\n"
            yield f"  reference: {example['references'][0]}\n\n"
        search = report["search"]
        yield f"beam {search['beam']}, length penalty {search['length_penalty']:g}\n"
        for name, signature in report["signatures"].items():
            yield f"{name}: {signature}\n"

    def draw(self, report: dict[str, Any], folder: Path, suffix: str) -> list[Path]:
        if self.model.given is not None:
            return []  # nobody knows what it looked at
        part = report["part_drawn"]
        if part not in self._judged:  # of a report that another process made
            self._judged[part] = self.data(CaptionedImages).part(part).images[:_DRAWN]
        images = self._judged[part]
        told = [some[0] for some in self.alternatives(images)]
        picture = folder / f"attention{suffix}.png"
        draw_looks([self.looks(i, t) for i, t in zip(images, told, strict=True)], picture)
        return [picture]


def _named(images: Sequence[str | Path] | str | Path) -> list[Path]:
    """The files that images are named by; a single name is one image."""
    names = [images] if isinstance(images, str | Path) else list(images)
    for number, name in enumerate(names, 1):
        if not isinstance(name, str | Path):
            raise DataError(f"image {number} must be the name of a file, got {type(name).__name__}")
    return [Path(name) for name in names]


def _files(source: Path, kinds: Sequence[str] = _KINDS) -> list[Path]:
    if not source.is_dir():
        return [source]
    files = [file for file in sorted(source.iterdir()) if file.suffix.lower() in kinds]
    if not files:
        raise DataError(f"{source} has no image ({', '.join(kinds)})")
    return files
