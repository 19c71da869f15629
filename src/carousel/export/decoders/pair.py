"""`Pair`: a trained translator or captioner beside its description, to be compared with files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from carousel.data.ragged import Ragged
from carousel.export import modules
from carousel.export.decoders.description import Attention, EncoderDecoder, Sight
from carousel.export.description import Dense, Network, Value
from carousel.layers.convolution import ConvolutionalMap
from carousel.layers.memory_attention import AdditiveAttention, MemoryAttention
from carousel.tasks.caption.network import Captioner, caption
from carousel.tasks.caption.trained import TrainedCaptioner
from carousel.tasks.shared.beam_search import Search
from carousel.tasks.shared.decoder import NEVER, Decoder, Memory
from carousel.tasks.shared.task import TrainedModel
from carousel.tasks.translate.network import LENGTH_MARGIN, most_tokens, translate
from carousel.tasks.translate.trained import TrainedTranslator

Numbers = NDArray[Any]
Given = Mapping[str, Numbers]
_GREEDY = Search(beam=1)


@dataclass(frozen=True, eq=False)
class Pair:
    """A model of an encoder and a decoder, which is exported.

    network: its description. model: the module that has both. remember: the memory of inputs by
    their names. greedy: the model's own sentence about each row, found by a search of one beam.
    longest: the most tokens of the sentence about each row, its end included.
    """

    network: EncoderDecoder
    model: nn.Module
    decoder: Decoder
    remember: Callable[[Given], Memory]
    greedy: Callable[[Given], list[list[int]]]
    longest: Callable[[Given], list[int]]


def pair_of(trained: TrainedModel) -> Pair | None:
    """The pair of a model that writes sentences, with attention; None for any other."""
    if isinstance(trained, TrainedTranslator):
        return _translator(trained)
    if isinstance(trained, TrainedCaptioner):
        return _captioner(trained)
    return None


def _translator(trained: TrainedTranslator) -> Pair:
    model, factor = trained.model, trained.config.translate.length_factor
    tokens = Value("tokens", "int64", ("batch", "time"), "numbers of the source's tokens")
    reader = Network(
        "encoder",
        (
            modules.embedding(model.embedding),
            modules.recurrent(model.recurrent),
            *modules.layers_of(model.pooling),
        ),
        (tokens,),
        (),
    )
    facts = {
        "task": "translate",
        "longest": {"times_tokens": factor, "and": LENGTH_MARGIN, "counts": "the end, too"},
        "sources": trained.sources.facts(),
        "targets": "as the sources" if model.own_embedding is None else trained.targets.facts(),
    }
    names = tuple(map(trained.targets.name, range(len(trained.targets))))
    network = _network("translator", tokens, reader, model.decoder, names, facts)

    def sources(given: Given) -> Ragged:
        lengths = given["lengths"].tolist()
        rows = zip(torch.from_numpy(given["tokens"]), lengths, strict=True)
        return Ragged.of(row[:count] for row, count in rows)

    def remember(given: Given) -> Memory:
        return model.remember(*map(torch.from_numpy, (given["tokens"], given["lengths"])))

    def longest(given: Given) -> list[int]:
        counts: list[int] = most_tokens(torch.from_numpy(given["lengths"]), factor).tolist()
        return counts

    def greedy(given: Given) -> list[list[int]]:
        return [some[0].tokens for some in translate(model, sources(given), _GREEDY, factor)]

    return Pair(network, model, model.decoder, remember, greedy, longest)


def _captioner(trained: TrainedCaptioner) -> Pair:
    model, most = trained.model, trained.longest
    pixels = _seen(model, trained)
    facts = {
        "task": "caption",
        "longest": {"tokens": most, "counts": "the end, too"},
        "targets": trained.tokens.facts(),
    }
    names = tuple(map(trained.tokens.name, range(len(trained.tokens))))
    network = _network("captioner", pixels, _sight(model), model.decoder, names, facts)

    def remember(given: Given) -> Memory:
        return model.remember(torch.from_numpy(given[pixels.name]))

    def greedy(given: Given) -> list[list[int]]:
        images = torch.from_numpy(given[pixels.name])
        return [some[0].tokens for some in caption(model, images, _GREEDY, most)]

    def longest(given: Given) -> list[int]:
        return [most] * len(given[pixels.name])

    return Pair(network, model, model.decoder, remember, greedy, longest)


def _seen(model: Captioner, trained: TrainedCaptioner) -> Value:
    shape = tuple(trained.example_inputs()[0].shape[1:])
    if model.given is not None:
        return Value("features", "float32", ("batch", *shape), "places and their features")
    return Value("pixels", "uint8", ("batch", *shape), "channels, rows and columns, 0 to 255")


def _sight(model: Captioner) -> Sight:
    places = modules.array(model.places)
    if isinstance(model.map, ConvolutionalMap):
        side = int(model.shape[0])  # of the map: `pictures` wants none of it
        return Sight(modules.pictures(model.map, side).stages, None, places)
    assert isinstance(model.map, nn.Linear)
    return Sight((), modules.dense(model.map), places)


def _network(
    name: str,
    given: Value,
    encoder: Network | Sight,
    decoder: Decoder,
    vocabulary: tuple[str, ...],
    facts: dict[str, Any],
) -> EncoderDecoder:
    step = Network(
        "decoder",
        (modules.embedding(decoder.embedding), modules.recurrent(decoder.recurrent)),
        (Value("token", "int64", ("batch", "time")),),
        (),
        has_lengths=False,
    )
    weight, bias = decoder.readout()
    ends = {"start": decoder.end, "end": decoder.end, "never": [*NEVER]}
    return EncoderDecoder(
        name,
        given,
        encoder,
        modules.dense(decoder.bridge),
        decoder.starts,
        _attention(decoder.attention),
        step,
        modules.dense(decoder.combine),
        Dense(modules.array(weight), modules.array(bias)),
        vocabulary,
        {**facts, **ends},
    )


def _attention(attention: MemoryAttention) -> Attention:
    if isinstance(attention, AdditiveAttention):
        v: Tensor = attention.score.weight
        return Attention(
            modules.dense(attention.key), modules.dense(attention.query), modules.array(v)
        )
    project = attention.project
    return Attention(modules.dense(project) if isinstance(project, nn.Linear) else None)
