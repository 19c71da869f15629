"""`carousel inspect`: look into a model at one example, write the pictures, say what is in them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from carousel.coach import inspection_page, pictures
from carousel.coach.inside import Reading, left_at_the_end, look, spread_of_lives
from carousel.coach.traces import Trace
from carousel.errors import ConfigError
from carousel.run.layout import LOOK

_MOST = 5


@dataclass(frozen=True)
class Inspection:
    """Results of `inspect`: numbers for each layer and direction, and the files that show them."""

    title: str
    measured: str
    value: float
    layers: list[dict[str, Any]]
    notes: list[str]
    files: list[Path]


def inspect(
    model: nn.Module,
    output: Callable[[], Tensor],
    folder: Path,
    *,
    title: str,
    measured: str,
    steps: Sequence[str] = (),
    image: Tensor | None = None,
    level: int | None = None,
) -> Inspection:
    """Look into the recurrent layers of a model while it computes `output`.

    Args:
        model: any module with recurrent layers, Carousel's or torch's.
        output: runs it and returns the scalar that is differentiated.
        folder: gets inside.html, its content as inside.json, a .png for each layer and direction.
        title, measured, steps, image: see `carousel.tasks.shared.example.Example`.
        level: show only this level of stacked layers, counted from 0.

    Raises `RunError` where there is nothing to look into, `ConfigError` for a level that is not
    there.
    """
    value, readings = look(model, output)
    chosen = [(r, [t for t in r.traces if level in (None, t.layer)]) for r in readings]
    if not any(traces for _, traces in chosen):
        deepest = max(t.layer for r in readings for t in r.traces)
        raise ConfigError(f"layer must lie between 0 and {deepest}, got {level}", "layer")
    folder.mkdir(parents=True, exist_ok=True)
    drawn = image.cpu().numpy() if image is not None else None
    files = [folder / "inside.html", folder / LOOK]
    layers, notes = [], []
    for reading, traces in chosen:
        own = drawn if drawn is not None and len(drawn) == len(reading.influence) else None
        for found in traces:
            path = folder / f"{_file_name(reading, found)}.png"
            pictures.draw(reading, found, title, measured, steps, path, own)
            files.append(path)
            layers.append(_facts(reading, found, steps))
        notes += _notes(reading)
    if steps and not pictures.drawable("".join(steps)):
        notes.append(
            "the font of the .png pictures lacks some of the characters: read their names in the "
            "page inside.html"
        )
    inspection_page.write(files[0], title, measured, value, chosen, steps, drawn)
    return Inspection(title, measured, value, layers, notes, files)


def _file_name(reading: Reading, found: Trace) -> str:
    way = "-backward" if found.reverse else ""
    return f"{reading.name or 'model'}-layer{found.layer}{way}"


def _notes(reading: Reading) -> list[str]:
    notes = []
    if reading.calls > 1:
        notes.append(f"'{reading.name}' is called {reading.calls} times: the first is shown")
    if reading.rows > 1:
        notes.append(f"'{reading.name}' reads {reading.rows} rows at once: the first is shown")
    return notes


def _facts(reading: Reading, found: Trace, steps: Sequence[str]) -> dict[str, Any]:
    """The numbers of one layer and direction, as JSON can hold them."""
    lives, half_life = spread_of_lives(found), found.half_life
    opened, left = pictures.opening(found), left_at_the_end(found)
    names = steps if len(steps) == len(reading.influence) else ()
    return {
        "name": reading.name,
        "layer": found.layer,
        "direction": "backward" if found.reverse else "forward",
        "cell": found.cell,
        "units": found.output.shape[2],
        "difference_from_the_fast_path": reading.difference,
        "half_life": lives
        and {name: life if math.isfinite(life) else None for name, life in lives.items()},
        "let_in_most": None if opened is None else _largest(opened, names),
        "influence_most": _largest(reading.influence, names),
        "kept_per_step": None if found.kept is None else float(found.kept.mean()),
        "first_left_at_the_end": None if left is None else float(left[-1 if found.reverse else 0]),
        "influence": reading.influence.tolist(),
        "let_in": None if opened is None else opened.tolist(),
        "left_at_the_end": None if left is None else left.tolist(),
        "half_lives": None if half_life is None else _finite(half_life),
    }


def _largest(values: NDArray[Any], names: Sequence[str]) -> list[dict[str, Any]]:
    best = np.argsort(-values, kind="stable")[:_MOST].tolist()
    return [
        {"step": t, **({"name": names[t]} if names else {}), "value": float(values[t])}
        for t in best
    ]


def _finite(values: Tensor) -> list[float | None]:
    return [v if np.isfinite(v) else None for v in values.tolist()]
