"""Inspection of a model as one HTML file that needs nothing else, not even a network."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel.coach.inside import Reading, left_at_the_end, order_of_units, spread_of_lives
from carousel.coach.pictures import NEGATIVE, POSITIVE, limit, opening
from carousel.coach.traces import Trace

_PAGE = Path(__file__).with_name("page.html")


def write(
    path: Path,
    title: str,
    measured: str,
    value: float,
    readings: Sequence[tuple[Reading, Sequence[Trace]]],
    steps: Sequence[str],
    image: NDArray[np.generic] | None = None,
) -> None:
    """The page of an example. readings: layers with the levels and directions to show.

    steps: names of the steps, or none. image (T, F): the input itself, uint8. The page shows maps
    that say the step, the unit and the value under a finger or a pointer, in dark and in light.
    The same content is written beside it as .json, for the board.
    """
    content = {
        "steps": list(steps),
        "negative": NEGATIVE,
        "positive": POSITIVE,
        "gates": _gate_colors(),
        "image": None if image is None else _packed(image.astype(np.float64).T, 0.0, 255.0),
        "layers": [_layer(reading, found) for reading, chosen in readings for found in chosen],
    }
    about = {"title": title, "measured": measured, "value": value}
    told = json.dumps({**about, **content}, ensure_ascii=False)
    path.with_suffix(".json").write_text(told, encoding="utf-8")
    # In a script element only "<" could end it or open another.
    data = json.dumps(content, ensure_ascii=False).replace("<", "\\u003c")
    text = _PAGE.read_text(encoding="utf-8")
    lead = f"Influence is the size of the gradient of {measured} (here {value:.4g})."
    filled = {"TITLE": html.escape(title), "LEAD": html.escape(lead), "DATA": data}
    # In one pass: what is filled in may itself look like a place to fill.
    text = re.sub("@(TITLE|LEAD|DATA)@", lambda place: filled[place[1]], text)
    path.write_text(text, encoding="utf-8")


def _layer(reading: Reading, found: Trace) -> dict[str, Any]:
    order, lives = order_of_units(found), spread_of_lives(found)
    opened, left = opening(found), left_at_the_end(found)
    maps = []
    for name, part in found.parts.items():
        values = part[:, 0].double().cpu().numpy().T
        rows = order if len(order) == len(values) else np.arange(len(values))
        gate = name in found.gates
        end = 1.0 if gate else limit(values)
        maps.append(
            {
                "name": f"{found.spec.words[name]} {name}",
                "gate": gate,
                "units": rows.tolist(),
                **_packed(values[rows], 0.0 if gate else -end, end),
            }
        )
    return {
        "name": f"{reading.name}, {found}: {found.cell}, {found.output.shape[2]} units",
        "influence": _numbers(reading.influence),
        "opened": None if opened is None else _numbers(opened),
        "left": None if left is None else _numbers(left),
        "halfLives": None if lives is None else _numbers(np.array(list(lives.values()))),
        "maps": maps,
    }


def _packed(values: NDArray[np.float64], low: float, high: float) -> dict[str, Any]:
    """A map (rows, T) in 256 levels."""
    levels = np.rint((values.clip(low, high) - low) / (high - low) * 255).astype(np.uint8)
    data = base64.b64encode(levels.tobytes()).decode()
    return {"rows": len(values), "low": low, "high": high, "data": data}


def _numbers(values: NDArray[Any]) -> list[float | None]:
    return [float(f"{v:.4g}") if np.isfinite(v) else None for v in values.tolist()]


def _gate_colors() -> str:
    """The colours of 0 to 1: matplotlib's viridis, which is even and safe for the colour-blind."""
    from matplotlib import colormaps

    colors = (np.asarray(colormaps["viridis"](np.arange(256)))[:, :3] * 255).round()
    return base64.b64encode(colors.astype(np.uint8).tobytes()).decode()
