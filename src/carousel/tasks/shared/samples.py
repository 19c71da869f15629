"""A few validation examples, and what a model says of them: the same ones after every epoch."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from carousel.tasks.shared.answers import ClassAnswer

MOST_TEXT = 400  # characters that are kept of a text
MOST_STEPS = 300  # of words and frames


@dataclass(frozen=True)
class Sample:
    """An example as a person looks at it. JSON can hold it.

    name: of the example. given: what was read, where it is text; picture: where it is one, a PNG
    as a data URL. wanted: what is to be found, as text. words: those that are labelled one by one;
    stripe: what is to be found at each step, by name. curve: what was known, and then the truth,
    None where nothing was measured.
    """

    name: str
    given: str = ""
    picture: str = ""
    wanted: str = ""
    words: tuple[str, ...] = ()
    stripe: tuple[str, ...] = ()
    curve: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class Told:
    """Answer of a model to a sample, in the sample's shape.

    wrong: how wrong it is, the larger the worse; samples are ordered by it. found: as text.
    stripe: at each step. low, middle, high: a forecast with its interval.
    """

    wrong: float
    found: str = ""
    stripe: tuple[str, ...] = ()
    low: tuple[float, ...] = ()
    middle: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


def spread(count: int, most: int) -> Tensor:
    """Numbers of at most so many examples, evenly over all of them.

    >>> spread(10, 4), spread(2, 4)
    (tensor([0, 3, 6, 9]), tensor([0, 1]))
    """
    most = min(count, most)
    return torch.linspace(0, count - 1, most).long() if most else torch.empty(0, dtype=torch.long)


def short(text: str) -> str:
    """The text, cut where it is long."""
    return text if len(text) <= MOST_TEXT else f"{text[: MOST_TEXT - 1]}…"


def picture(image: Tensor) -> str:
    """A uint8 image, (H, W) or (C, H, W) with one or three channels, as a data URL."""
    from PIL import Image

    values = image.cpu().numpy()
    if values.ndim == 3:
        values = values[0] if len(values) == 1 else np.moveaxis(values, 0, -1)
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def of_classes(answers: Sequence[ClassAnswer], wanted: Sequence[str]) -> list[Told]:
    """Answers to samples where each answer is one class; wanted: their true classes.

    wrong is one minus the probability of the true class.

    >>> of_classes([ClassAnswer("dog", {"cat": 0.25, "dog": 0.75})], ["cat"])[0].found
    'dog (75%)'
    """
    return [
        Told(round(1 - a.probabilities[true], 4), f"{a.label} ({a.probability:.0%})")
        for a, true in zip(answers, wanted, strict=True)
    ]


def likeness(found: str, wanted: str) -> float:
    """chrF of one sentence, in [0, 1]: how many pieces of up to six letters the two share.

    >>> round(likeness("a dog", "a dog"), 3)
    1.0
    """
    from sacrebleu import sentence_chrf  # slow to import

    return round(sentence_chrf(found, [wanted]).score / 100, 4)


def of_steps(wanted: Sequence[str], found: Sequence[str]) -> Told:
    """An answer that is a label at each step; an empty label is one that nobody knows.

    >>> of_steps(("a", "b", ""), ("a", "a", "a")).wrong
    0.5
    """
    known = [(w, f) for w, f in zip(wanted, found, strict=True) if w]
    wrong = sum(w != f for w, f in known) / max(len(known), 1)
    return Told(round(wrong, 4), stripe=tuple(found[:MOST_STEPS]))


def rounded(values: Any) -> tuple[float, ...]:
    """Numbers with the digits that a chart shows: five, and five of what they spread over.

    >>> rounded([123456.7, 0.0]), rounded([1e8 + 0.123456, 1e8 + 1])
    ((123460.0, 0.0), (100000000.1235, 100000001.0))
    """
    numbers = np.asarray(values, dtype=float)
    finite = numbers[np.isfinite(numbers)]
    size, spread = (float(f(finite)) if finite.size else 0.0 for f in (_largest, np.ptp))
    more = math.floor(math.log10(size / spread)) if spread > 0 else 0
    places = min(17, 5 + max(0, more))
    return tuple(float(f"{v:.{places}g}") for v in numbers.tolist())


def _largest(numbers: np.ndarray[Any, Any]) -> float:
    return float(np.abs(numbers).max())
