"""A trained captioner: says what is in an image, offers alternatives, shows where it looked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carousel.config import Config, PicturesConfig
from carousel.data.captioned import CaptionedImages, picture_of
from carousel.data.files.image_features import KINDS, read_features
from carousel.data.tokens import Tokens
from carousel.errors import ConfigError, DataError
from carousel.tasks.caption import scores as caption_scores
from carousel.tasks.caption.network import Captioner, caption, looks, mean_loss, picture_shape
from carousel.tasks.caption.plots import LookPanel, draw_looks
from carousel.tasks.shared.beam_search import Search
from carousel.tasks.shared.task import Json, Notice, Request, Shown, Table, TrainedModel

_KINDS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
_DRAWN = 3
_SHOWN = 5


Images = Sequence[str | Path] | str | Path | NDArray[np.generic] | Tensor
"""Names of files, one or several, or arrays."""


@dataclass(frozen=True)
class Caption:
    """A caption; log_probability of its tokens and its end; score: what the search ranks by."""

    text: str
    log_probability: float
    score: float
    tokens: tuple[int, ...]


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

    @classmethod
    def restore(cls, config: Config, facts: dict[str, Any]) -> TrainedCaptioner:
        tokens = Tokens.restore(facts["tokens"])
        given = facts.get("given") and tuple(facts["given"])
        return cls(Captioner(len(tokens), config, given), config, tokens, facts["longest"])

    def facts(self) -> dict[str, Any]:
        known = {"tokens": self.tokens.facts(), "longest": self.longest}
        return known if self.model.given is None else {**known, "given": [*self.model.given]}

    def caption(self, images: Images, beam: int | None = None) -> list[str]:
        """The best caption of each image. beam: of the search; the configuration's if None.

        images: names of files of any size and kind, one or several, or uint8 (N, C, side, side) as
        in training.
        Of a model of features: files of them, or an array (N, h, w, F). Raises `DataError` for
        what is no image, or has not the features of the training.
        """
        search = self._search(beam or self.config.decoder.beam, 1)
        return [some[0].text for some in self.alternatives(images, search)]

    def alternatives(self, images: Images, search: Search | None = None) -> list[list[Caption]]:
        """The best captions of each image, best first; as many as the search wants."""
        found = caption(self.model, self._pixels(images), search or self._search(), self.longest)
        return [
            [
                Caption(self.tokens.decode(h.tokens), h.log_probability, h.score, (*h.tokens,))
                for h in hypotheses
            ]
            for hypotheses in found
        ]

    def looks(self, image: Tensor, told: Caption) -> LookPanel:
        """Where the decoder looked for each word of a caption of an image (C, side, side)."""
        words = [self.tokens.label(number) for number in told.tokens]
        weights = looks(self.model, image, list(told.tokens))[: len(words)]
        return LookPanel(image, words, weights)

    def _pixels(self, images: Images) -> Tensor:
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

    def _search(self, beam: int = 0, best: int = 1) -> Search:
        return Search(beam or self.config.decoder.beam, self.config.decoder.length_penalty, best)

    # ---- judging

    def _judge(self, part: str) -> dict[str, Any]:
        data = self.as_trained(CaptionedImages(self.config), part)
        held = data.part(part)
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
        images = CaptionedImages(self.config).part(report["part_drawn"]).images[:_DRAWN]
        told = [some[0] for some in self.alternatives(images)]
        picture = folder / f"attention{suffix}.png"
        draw_looks([self.looks(i, t) for i, t in zip(images, told, strict=True)], picture)
        return [picture]

    # ---- the command line

    def answer(self, request: Request) -> Iterator[Shown]:
        options = request.only("caption", "beam", "best", "attention")
        given = self.model.given is not None
        files = _files(request.input, KINDS if given else _KINDS)
        best = options.get("best", 1)
        beam = options.get("beam", max(self.config.decoder.beam, best))
        if best > beam:
            raise ConfigError(f"--best must be at most --beam, got {best} and {beam}")
        picture = options.get("attention")
        if picture is not None and given:
            raise ConfigError("--attention draws on an image, and this model reads features")
        if picture is not None and len(files) > 1:
            raise ConfigError(f"--attention draws one image, there are {len(files)}")
        if given:  # a file may have those of many images
            known = {n: each for file in files for n, each in read_features(file).items()}
            files, pixels = [*map(Path, known)], self._pixels(files)
        else:
            pixels = self._pixels(files)
        found = self.alternatives(pixels, self._search(beam, best))
        if request.as_json:
            yield Json([_as_json(str(f), some) for f, some in zip(files, found, strict=True)])
        elif best == 1 and len(files) == 1:
            yield f"{found[0][0].text}\n"
        elif best == 1:
            table = Table(("image", "caption"), [])
            for file, some in zip(files, found, strict=True):
                table.rows.append((file.name, some[0].text))
            yield table
        else:
            for file, some in zip(files, found, strict=True):
                if len(files) > 1:
                    yield f"{file.name}\n"
                told = [(f"{t.score:.4f}", f"{t.log_probability:.2f}", t.text) for t in some]
                yield Table(("score", "log P", "caption"), [(*row,) for row in told])
        if picture is not None:
            draw_looks([self.looks(pixels[0], found[0][0])], picture)
            yield Notice(f"attention drawn to {picture}")


def _named(images: Sequence[str | Path] | str | Path) -> list[Path]:
    """The files that images are named by; a single name is one image."""
    names = [images] if isinstance(images, str | Path) else list(images)
    for number, name in enumerate(names, 1):
        if not isinstance(name, str | Path):
            raise DataError(f"image {number} must be the name of a file, got {type(name).__name__}")
    return [Path(name) for name in names]


def _files(source: Path | None, kinds: Sequence[str] = _KINDS) -> list[Path]:
    if source is None:
        raise ConfigError("name an image, or a folder of them")
    if not source.is_dir():
        return [source]
    files = [file for file in sorted(source.iterdir()) if file.suffix.lower() in kinds]
    if not files:
        raise DataError(f"{source} has no image ({', '.join(kinds)})")
    return files


def _as_json(name: str, some: list[Caption]) -> dict[str, Any]:
    return {
        "image": name,
        "caption": some[0].text,
        "alternatives": [
            {"text": t.text, "score": t.score, "log_probability": t.log_probability} for t in some
        ],
    }
