"""Saved models put together from a bundle, task by task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from carousel.errors import ConfigError
from carousel.runtime.answers import Linear, Pool, Targets, sigmoid, softmax
from carousel.runtime.cell import Cell
from carousel.runtime.detect import Detector
from carousel.runtime.files import Bundle, read
from carousel.runtime.forecast import Forecaster
from carousel.runtime.inputs import Pixels, Reader, Tokens, Values
from carousel.runtime.model import Model
from carousel.runtime.stack import Stack


def load(path: str | Path, threads: int = 1) -> Model | Forecaster | Detector:
    """A saved model, from a run's folder or a bundle's, ready to predict and to be streamed.

    threads: of a call; they change no bit of an answer. Nothing of torch is imported; no code of
    the bundle is run. Raises `RunError` for a folder that cannot be read, and `ConfigError`, which
    names what it is, for a model that the runtime cannot compute.

    >>> from carousel import runtime
    >>> model = runtime.load("runs/frames-gesture-20261124-090000")      # doctest: +SKIP
    >>> model.predict(values)  # (T, F), to probabilities (T, C)          # doctest: +SKIP
    >>> model.step(values[:1])                                            # doctest: +SKIP
    """
    return assembled(read(path), threads)


def assembled(bundle: Bundle, threads: int = 1) -> Model | Forecaster | Detector:
    """A saved model, from what was read of it; see `load`."""
    config, task = bundle.config, bundle.config.task
    if task not in _TASKS:
        raise ConfigError(
            f"a model of the task '{task}' can neither be served nor streamed yet: "
            f"{_known()}: answer with carousel predict, or load it with carousel.load, which needs "
            "torch"
        )
    for name, chosen in (
        ("columns.ordinal", config.columns.ordinal),
        ("model.adaptive_softmax", config.model.adaptive_softmax),
        ("training.seeds, an average of several networks", _has(bundle, "members.")),
        ("text.characters, letters of words", _has(bundle, "spelled.")),
        ("data.name = 'moving-digits', whose frames are pictures", _has(bundle, "pictures.")),
    ):
        if chosen:
            raise _lacking(name)
    cell = Cell.of(config.model, config.regularization)
    stack = Stack(cell, bundle.weights, config.model.bidirectional, threads)
    return _TASKS[task](bundle, stack)


def _lacking(what: str) -> ConfigError:
    return ConfigError(f"{what}: {_known()}: load it with carousel.load, which needs torch")


def _known() -> str:
    tasks = ", ".join(sorted(_TASKS))
    return (
        f"the runtime without torch has no such model (it has those of the tasks {tasks}, with "
        "dense heads)"
    )


def _has(bundle: Bundle, prefix: str) -> bool:
    return any(name.startswith(prefix) for name in bundle.weights)


def _model(
    bundle: Bundle,
    stack: Stack,
    names: Sequence[str],
    reader: Reader,
    tell: Callable[[Any], Any],
    *,
    pooled: bool,
) -> Model:
    weights = bundle.weights
    tied = "head.weight" not in weights
    head = Linear(weights["embedding.weight" if tied else "head.weight"], weights["head.bias"])
    pool = Pool(bundle.config.model.pooling, weights) if pooled else None
    return Model(bundle.config.task, tuple(names), reader, stack, pool, head, tell)


def _values(bundle: Bundle) -> Values:
    facts, tables = bundle.facts, _tables(bundle, "categories.embeddings")
    counts = {name: len(levels) for name, levels in facts.get("levels", {}).items()}
    places = enumerate(facts.get("columns", ()))
    levels = {place: counts[name] for place, name in places if name in counts}
    return Values(facts["scaler"], bundle.config.frames.differences, levels, tables)


def _tables(bundle: Bundle, prefix: str) -> list[Any]:
    count = sum(name.startswith(f"{prefix}.") for name in bundle.weights)
    return [bundle.weights[f"{prefix}.{number}.weight"] for number in range(count)]


def _label_frames(bundle: Bundle, stack: Stack) -> Model:
    classes = bundle.facts["classes"]
    return _model(bundle, stack, classes, _values(bundle), softmax, pooled=False)


def _classify_recordings(bundle: Bundle, stack: Stack) -> Model:
    tell = sigmoid if bundle.facts.get("several") else softmax
    classes = bundle.facts["classes"]
    return _model(bundle, stack, classes, _values(bundle), tell, pooled=True)


def _regress(bundle: Bundle, stack: Stack) -> Model:
    whole = bundle.facts.get("targets")
    names = () if whole is None else [*whole]
    targets = [bundle.facts["target"]] if whole is None else [*whole.values()]
    pooled = whole is not None
    return _model(bundle, stack, names, _values(bundle), Targets(targets), pooled=pooled)


def _classify(bundle: Bundle, stack: Stack) -> Model:
    facts, data = bundle.facts, bundle.config.data
    shape = facts.get("shape", (28, 28))
    reader = Pixels(facts["scaler"], shape, data.view, data.patch, data.permutation)
    return _model(bundle, stack, facts["classes"], reader, softmax, pooled=True)


def _classify_text(bundle: Bundle, stack: Stack) -> Model:
    tell = sigmoid if bundle.facts.get("several") else softmax
    reader = Tokens([bundle.weights["embedding.weight"]], features=False)
    return _model(bundle, stack, bundle.facts["classes"], reader, tell, pooled=True)


def _label_words(bundle: Bundle, stack: Stack) -> Model:
    reader = Tokens(_tables(bundle, "embeddings"), features=True)
    return _model(bundle, stack, bundle.facts["labels"], reader, softmax, pooled=False)


def _generate(bundle: Bundle, stack: Stack) -> Model:
    reader = Tokens([bundle.weights["embedding.weight"]], features=False)
    return _model(bundle, stack, bundle.facts["vocabulary"], reader, softmax, pooled=False)


_TASKS: dict[str, Callable[[Bundle, Stack], Model | Forecaster | Detector]] = {
    "anomaly": Detector,
    "classify": _classify,
    "classify_recordings": _classify_recordings,
    "classify_text": _classify_text,
    "forecast": Forecaster,
    "generate": _generate,
    "label_frames": _label_frames,
    "label_words": _label_words,
    "regress": _regress,
}
