"""Parts of backtests of a recipe and of a trained model: the folder, the forecasts, the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from carousel import scores
from carousel.backtest import picture, table
from carousel.backtest.measured import summary
from carousel.backtest.plan import Plan
from carousel.backtest.windows import NETWORK, Forecast, joined, partial
from carousel.config import Config
from carousel.errors import RunError
from carousel.run.backtest_results import (
    FORMAT,
    PICTURE,
    forecasts_of,
    is_backtest,
    write_backtest,
)
from carousel.tasks.shared.origins import Origins
from carousel.tasks.shared.task import TrainedModel

if TYPE_CHECKING:
    import polars


@dataclass(frozen=True)
class Backtested:
    """A backtest that has ended: its folder, and what backtest.json says."""

    path: Path
    result: dict[str, Any]

    def forecasts(self) -> polars.DataFrame:
        """A row for each step of each series in each window: what came, and what was forecast."""
        return table.frame(windows_in(self.path, self.result), self.result)


def windows_in(path: Path, result: dict[str, Any]) -> Forecast:
    """The forecasts of a backtest that has ended. Raises `RunError` if they cannot be read."""
    return joined(_parts(path, result))


def _parts(path: Path, result: dict[str, Any]) -> list[Forecast]:
    files = [forecasts_of(path, n + 1) for n in range(len(result["trainings"]))]
    return [Forecast.load(file) for file in files]


def described(config: Config, plan: Plan, found: Origins) -> dict[str, Any]:
    """Contents of backtest.json that are known before it begins."""
    each = found.truth(plan.origins).times.reshape(plan.windows, plan.horizon, -1)
    return {
        "format": FORMAT,
        "recipe": config.recipe.name,
        "task": config.task,
        "season": config.forecast.season,
        "plan": {**asdict(plan), "origins": [*plan.origins]},
        "series": [*found.series],
        "notes": [*found.notes],
        "windows": [
            {
                "number": n + 1,
                "origin": origin,
                "first": str(each[n, 0].min()),
                "last": str(each[n, -1].max()),
            }
            for n, origin in enumerate(plan.origins)
        ],
        "finished": False,
    }


def forecast(windows: Origins, trained: TrainedModel, origins: Sequence[int]) -> Forecast:
    """Windows from these origins: what came, and what network and baselines forecast."""
    found = {NETWORK: windows.forecasts(trained, origins), **windows.baselines(origins)}
    return Forecast(windows.truth(origins), found, windows.scale)


def ended(path: Path, content: dict[str, Any]) -> Backtested:
    """Measure what was forecast, write it down, and draw it."""
    parts = _parts(path, content)
    windows = joined(parts)
    content["notes"] += [
        f"{scores.baseline(name)} is left out: it has no forecast at some of the origins"
        for name in partial(parts)
    ]
    content |= summary(windows, content["series"])
    if lost := int(np.isnan(windows.found[NETWORK].forecast[0]).all(0).sum()):
        content["notes"].append(
            f"too short for the first window, and without a forecast there: {lost:,} series"
        )
    if (few := len(content["per_series"][NETWORK])) < (count := len(content["series"])):
        content["notes"].append(
            f"of {count:,} series, the {few:,} with the largest errors of the network are listed; "
            "the forecasts of all are written with --out"
        )
    per_window = content.pop("per_window")
    for n, one in enumerate(content["windows"]):
        one["measured"] = int((~np.isnan(windows.truth.values[n])).sum())
        one["scores"] = {name: scores[n] for name, scores in per_window.items()}
    picture.draw(windows, content, path / PICTURE)
    content["finished"] = True
    write_backtest(path, content)
    return Backtested(path, content)


def make(path: Path) -> None:
    """Make the folder. Raises `RunError` if it cannot be, or holds something else."""
    if path.is_dir() and any(path.iterdir()) and not is_backtest(path):
        raise RunError(f"{path} is not empty, and holds no backtest: name a new folder")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"the folder {path} cannot be made: {error.strerror}") from None
