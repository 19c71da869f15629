"""The network of captions: convolutions to a map of places, and a decoder that attends to it."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from carousel.config import Config
from carousel.data.captioned import Captioned
from carousel.data.ragged import Ragged, by_length
from carousel.data.tokens import Tokens
from carousel.layers.convolution import ConvolutionalMap
from carousel.tasks.shared.beam_search import Hypothesis, Search, beam_search
from carousel.tasks.shared.decoder import NEVER, Decoder, Memory, Scored, shifted
from carousel.tasks.shared.network import evaluating, make_dropout, start

_TOGETHER = 100


def picture_shape(config: Config) -> tuple[int, int]:
    """Channels, and pixels up and across, of the images that a network reads."""
    if config.data.name == "digit-scenes":
        return 1, config.scenes.side
    return (3 if config.pictures.color else 1), config.pictures.side


class Captioner(nn.Module):
    """P(caption | image), from images (B, C, side, side) uint8 and captions, batch first.

    m_s = dropout(map(image)_s + p_s);  s = [m_1, …, m_S]

    map is that of a `ConvolutionalMap` with S places; p_s, learnt, says where the place is: it
    begins as noise, because places that are alike cannot be told apart by attention. m is the
    memory and s, its places side by side, the summary of the `Decoder` (see
    `carousel.tasks.decoder`), much as in Xu et al. 2015 (arXiv:1502.03044), soft attention. Pixels
    are scaled to [0, 1]: black is nothing. Where features (B, h, w, F) are given, map is linear.
    """

    def __init__(
        self, vocabulary: int, config: Config, given: tuple[int, int, int] | None = None
    ) -> None:
        """given: (h, w, F) of features that are read in place of images."""
        super().__init__()
        features = config.encoder.features
        self.given = given
        self.map: nn.Module
        if given is None:
            channels, side = picture_shape(config)
            encoder = dataclasses.asdict(config.encoder)
            self.map = ConvolutionalMap(channels, (side, side), **encoder)
            self.shape = self.map.shape
        else:
            self.map, self.shape = nn.Linear(given[2], features), given[:2]
        self.places = nn.Parameter(0.3 * torch.randn(self.shape[0] * self.shape[1], features))
        self.dropout = make_dropout(config.regularization.dropout)
        start(self, config)
        self.decoder = Decoder(vocabulary, features, self.places.numel(), config)

    def forward(self, images: Tensor, tokens: Tensor) -> Tensor:
        """Logits (B, T, V + 1) of what follows tokens (B, T), images having been seen."""
        logits: Tensor = self.decoder(tokens, self.remember(images))
        return logits

    def score(
        self, images: Tensor, tokens: Tensor, targets: Tensor, own: Tensor | None = None
    ) -> Scored:
        """The loss of targets (B, T) after tokens (B, T) were read, and images seen."""
        return self.decoder.score(tokens, targets, self.remember(images), own)

    def remember(self, images: Tensor) -> Memory:
        """Encode images (B, C, side, side), or features (B, h, w, F), for the decoder."""
        if self.given is None:
            seen = self.map(images.float() / 255).flatten(2).transpose(1, 2)
        else:
            seen = self.map(images.flatten(1, 2))
        values = self.dropout(seen + self.places)
        return self.decoder.remember(values, None, values.flatten(1))


def caption(
    model: Captioner, images: Tensor, search: Search, longest: int
) -> list[list[Hypothesis]]:
    """The best captions of each image, best first, of at most `longest` tokens, the end included.

    <unk> is never written. Which images are searched together changes nothing.
    """
    found: list[list[Hypothesis]] = []
    end = model.decoder.end
    with evaluating(model) as device:
        for some in torch.split(images, _TOGETHER) if len(images) else ():
            cursor = model.decoder.cursor(model.remember(some.to(device)))
            limits = torch.full((len(some),), longest, device=device)
            found += beam_search(cursor, limits, end, NEVER, search)
    return found


def looks(model: Captioner, image: Tensor, tokens: list[int]) -> Tensor:
    """Attention of the decoder for each token of a caption, its end included: (T + 1, h, w)."""
    with evaluating(model) as device:
        read = torch.tensor([[model.decoder.end, *tokens]], device=device)
        weights = model.decoder.weights(read, model.remember(image[None].to(device)))[0]
    return weights.view(-1, *model.shape).cpu()


def mean_loss(model: Captioner, part: Captioned, tokens: Tokens) -> float:
    """Cross-entropy per token of all captions of a part, ends included, in nats."""
    captions: Ragged = tokens.encode(text for some in part.captions for text in some)
    images, loss, count = image_of(part), 0.0, 0
    with evaluating(model) as device:
        for index in by_length(captions.lengths, _TOGETHER):
            read, said = shifted(*captions.pad(index), len(tokens))
            batch = (part.images[images[index]], read, said)
            loss += float(model.score(*(tensor.to(device) for tensor in batch)).loss)
            count += int((said >= 0).sum())
    return loss / count


def image_of(part: Captioned) -> Tensor:
    """The number of the image of each caption."""
    counts = torch.tensor([len(some) for some in part.captions])
    return torch.arange(len(part)).repeat_interleave(counts)
