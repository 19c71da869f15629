"""Steps of `carousel predict` for a language model: continue a prompt, or score a text."""

from __future__ import annotations

from collections.abc import Iterator

from carousel import scores
from carousel.cli.given import Request, keywords, refuse_others
from carousel.errors import ConfigError
from carousel.tasks.generate.sampling import Sampling
from carousel.tasks.generate.trained import TrainedLanguageModel
from carousel.tasks.shared.given import unknown_notice
from carousel.tasks.shared.task import Json, Shown

_DRAWING = ("temperature", "top_k", "top_p")


def write(model: TrainedLanguageModel, request: Request) -> Iterator[Shown]:
    """Text after a prompt, token by token as it is drawn; or the score of a text in a file."""
    options = dict(request.options)
    refuse_others(model, request, keywords(model.predict) | {"prompt"})
    if request.input is not None:
        if options:
            raise ConfigError("give a text to score, or a --prompt to write on from, not both")
        yield from _score(model, request)
        return
    prompt = options.pop("prompt", "")
    yield from unknown_notice(model.unknown_in(prompt))
    if request.as_json:
        (answer,) = model.predict([prompt], **options)
        yield Json(answer.to_json())
        return
    sampling = Sampling(**{name: options[name] for name in _DRAWING if name in options})
    for number in range(options.get("samples", 1)):
        if number and model.kind != "line":
            yield "\n" + "-" * 20 + "\n"
        yield prompt.partition(":")[2].strip() if model.kind == "line" else prompt
        seed = options.get("seed", 0) + number
        yield from model.generate(prompt, options.get("length", 200), sampling, seed)
        yield "\n"


def _score(model: TrainedLanguageModel, request: Request) -> Iterator[Shown]:
    assert request.input is not None
    (text,) = model.read(request.input).inputs
    result = model.score(text)
    if request.as_json:
        yield Json(result)
        return
    tokens, unknown = result.pop("tokens"), result.pop("unknown")
    what = "words" if model.kind == "word" else "characters"
    yield f"{tokens:,} {what}, {unknown:.2%} of them unknown; {scores.sentence(result)}\n"
