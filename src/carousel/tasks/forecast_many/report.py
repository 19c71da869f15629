"""Report of a judgement of many series: metrics, the hardest series, and examples."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from carousel.data.many_series import ManySeriesParts
from carousel.tasks.forecast_many.scores import by_series, intervals, means, naive_errors
from carousel.tasks.forecast_many.windows import Frame, Origins

_HARDEST, _EXAMPLES = 8, 3


def of_test(
    frame: Frame,
    windows: Origins,
    found: NDArray[np.float64],
    parts: ManySeriesParts,
    part: str,
) -> dict[str, Any]:
    """Metrics of a part and their detail. found: (low, forecast, high) of its windows, (3, n, K).

    "hardest": the series with the largest MASE, each with its metrics; "mase_per_step": of each
    step ahead; "examples": windows of three series, from the easiest to the hardest.
    """
    settings = frame.config.forecast
    naive = naive_errors(parts, settings.season, part)
    truth, of = frame.truth(windows).numpy(), windows.series.numpy()
    low, guess, high = found
    interval = None if settings.distribution == "none" else (low, high)
    each = by_series(truth, guess, of, naive, interval)
    judged = np.flatnonzero(~np.isnan(each["mae"]))
    order = judged[np.argsort(-np.nan_to_num(each["mase"][judged]), kind="stable")]
    names = parts.series.names
    report: dict[str, Any] = {**means(each, parts.series.weights), **intervals(each)}
    report |= {
        "windows": len(windows),
        "series_judged": len(judged),
        "mase_undefined": int((naive[judged] <= 0).sum()),
        "mase_per_step": _per_step(truth, guess, of, naive),
        "hardest": [
            {"series": names[i], **{k: _plain(v[i]) for k, v in each.items()}}
            for i in order[:_HARDEST].tolist()
        ],
        "examples": _examples(frame, windows, found, order),
    }
    return report


def _per_step(
    truth: NDArray[np.float64],
    guess: NDArray[np.float64],
    of: NDArray[np.int64],
    naive: NDArray[np.float64],
) -> list[float | None]:
    scaled = np.abs(guess - truth)[naive[of] > 0] / naive[of][naive[of] > 0][:, None]
    inside = ~np.isnan(scaled)
    count = inside.sum(0)
    sums = np.where(inside, scaled, 0.0).sum(0)
    return [float(a / b) if b else None for a, b in zip(sums, count, strict=True)]


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _examples(
    frame: Frame, windows: Origins, found: NDArray[np.float64], order: NDArray[np.int64]
) -> list[dict[str, Any]]:
    chosen = order[::-1][np.linspace(0, len(order) - 1, min(_EXAMPLES, len(order))).astype(int)]
    of = windows.series.numpy()
    series, pace = frame.series, frame.series.pace
    examples = []
    for number in dict.fromkeys(chosen.tolist()):
        place = int(np.flatnonzero(of == number)[-1])
        one = windows.take(torch.tensor([place]))
        before = frame.contexts(one)[0].tolist()
        after = frame.truth(one)[0].tolist()
        low, guess, high = found[:, place].tolist()
        count = series.starts[number] + pace.every * (int(one.start) - series.firsts[number])
        examples.append(
            {
                "series": series.names[number],
                "start": f"{pace.text(count)} ('{series.names[number]}')",
                "truth": [*before, *(None if v != v else v for v in after)],
                "low": low,
                "forecast": guess,
                "high": high,
            }
        )
    return examples
