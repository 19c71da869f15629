"""One-to-many: a sentence about an image."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from carousel import layers
from carousel.config import Config
from carousel.data.captioned import CaptionedImages
from carousel.data.ragged import Buckets
from carousel.data.tokens import Tokens
from carousel.errors import require_extra
from carousel.tasks.caption import scores as caption_scores
from carousel.tasks.caption.network import Captioner, caption, image_of, mean_loss
from carousel.tasks.caption.scores import measure
from carousel.tasks.caption.trained import TrainedCaptioner, longest_of
from carousel.tasks.shared import network, samples
from carousel.tasks.shared.beam_search import Search
from carousel.tasks.shared.decoder import shifted
from carousel.tasks.shared.losses import Batch, Carry, StepLoss
from carousel.tasks.shared.samples import Sample, Told, likeness
from carousel.tasks.shared.subject import WriterSubject
from carousel.tasks.shared.task import Task


class CaptionTask(Task):
    """Training of a `Captioner` under teacher forcing; captions of similar length share a batch.

    An image with several captions is seen once with each in an epoch. Every epoch ends with the
    loss of the validation part, and with scores of its greedy captions.
    """

    validation_metrics = ("bleu", "exact_match", "perplexity", "loss")
    unit = "tokens"
    trained = TrainedCaptioner

    def __init__(self, config: Config, seed: int, parts: CaptionedImages | None = None) -> None:
        require_extra("scoring sentences", "text", "sacrebleu")  # now, not after the training
        network.check(config)
        self.config = config
        self.data = CaptionedImages.read(config) if parts is None else parts
        train = self.data.train
        texts = [text for some in train.captions for text in some]
        self.tokens = Tokens.fit(texts, config.text)
        self._train = self.tokens.encode(texts)
        self._images = image_of(train)
        self.longest = longest_of(self._train.lengths)
        self._batches = Buckets(self._train.lengths, config.training.batch_size, seed)

    @property
    def parted(self) -> CaptionedImages:
        return self.data

    @property
    def batches_per_epoch(self) -> int:
        return len(self._batches)

    @property
    def subject(self) -> WriterSubject[CaptionTask]:
        return WriterSubject(self)

    def build_model(self) -> Captioner:
        return Captioner(len(self.tokens), self.config, self._given)

    @property
    def _given(self) -> tuple[int, int, int] | None:
        """The shape of features in place of images."""
        if not self.config.pictures.features:
            return None
        h, w, features = self.data.train.images.shape[1:]
        return h, w, features

    def train_batches(self, epoch: int, start: int) -> Iterator[Batch]:
        highest = self.config.decoder.scheduled_sampling
        total = max(1, self.config.training.epochs * len(self._batches) - 1)
        for number, index in enumerate(self._batches.epoch(epoch, start), start):
            images = self.data.train.images[self._images[index]]
            batch: Batch = (images, *shifted(*self._train.pad(index), len(self.tokens)))
            if highest:
                done = min(1.0, (epoch * len(self._batches) + number) / total)
                batch = (*batch, torch.tensor(highest * done))
            yield batch

    def loss(self, model: nn.Module, batch: Batch, carry: Carry = ()) -> StepLoss:
        scored = cast(Captioner, model).score(*batch)
        count = int((batch[2] >= 0).sum())
        return StepLoss(scored.objective / count, {"loss": scored.loss.detach()}, count)

    def metrics(self, means: dict[str, float]) -> dict[str, float]:
        return {"perplexity": math.exp(min(means["loss"], 700.0)), **means}

    def validate(self, model: nn.Module) -> dict[str, float]:
        assert isinstance(model, Captioner)
        held = self.data.validation
        search = Search(1, self.config.decoder.length_penalty)
        best = caption(model, held.images, search, self.longest)
        found = measure([self.tokens.decode(some[0].tokens) for some in best], held.captions)
        means = self.metrics({"loss": mean_loss(model, held, self.tokens)})
        return {name: {**found, **means}[name] for name in self.validation_metrics}

    def samples(self, most: int) -> list[Sample]:
        held = self.data.validation
        return [
            Sample(
                held.names[i],
                picture="" if self._given else samples.picture(held.images[i]),
                wanted=samples.short(held.captions[i][0]),
            )
            for i in samples.spread(len(held), most).tolist()
        ]

    def answers(self, model: nn.Module, most: int) -> list[Told]:
        held = self.data.validation
        index = samples.spread(len(held), most)
        found = self.finish(model).predict(held.images[index], beam=1)
        return [
            Told(
                1 - max(likeness(answer.text, wanted) for wanted in held.captions[i]),
                samples.short(answer.text),
            )
            for i, answer in zip(index.tolist(), found, strict=True)
        ]

    def baselines(self) -> dict[str, dict[str, float]]:
        """The most frequent caption, and the first one of the image whose pixels are nearest."""
        train, test = self.data.train, self.data.test
        often = Counter(text for some in train.captions for text in some).most_common(1)[0][0]
        guesses = {
            "most_frequent": [often] * len(test),
            "nearest_image": [train.captions[i][0] for i in nearest(train.images, test.images)],
        }
        return {name: measure(guess, test.captions) for name, guess in guesses.items()}

    def account(self) -> dict[str, Any]:
        facts = {"vocabulary": len(self.tokens), "signatures": caption_scores.signatures()}
        return {**self.data.account(), **facts}

    def finish(self, model: nn.Module) -> TrainedCaptioner:
        assert isinstance(model, Captioner)
        return TrainedCaptioner(model, self.config, self.tokens, self.longest)

    def describe(self, model: nn.Module) -> str:
        assert isinstance(model, Captioner)
        train = self.data.train
        example = model.places.new_zeros(1, 2, model.decoder.recurrent.input_size)
        shape = "x".join(map(str, train.images.shape[1:]))
        return (
            f"{len(train):,} images ({shape}) with {len(self._train):,} captions to train on, "
            f"{len(self.data.validation):,} to validate; {len(self.tokens):,} tokens\n"
            f"a map of {model.shape[0]} x {model.shape[1]} places; decoder on "
            f"{layers.explain(model.decoder.recurrent, example)}"
        )


def nearest(known: Tensor, asked: Tensor) -> list[int]:
    """For each image asked (N, …) the known one with the least squared distance of pixels."""
    from sklearn.neighbors import NearestNeighbors  # takes a second to import
    from threadpoolctl import threadpool_limits

    x, y = (part.flatten(1).numpy().astype(np.float32) / 255 for part in (known, asked))
    with threadpool_limits(1):
        found = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(x).kneighbors(y)
    return [int(row[0]) for row in found[1]]


TASK = CaptionTask
