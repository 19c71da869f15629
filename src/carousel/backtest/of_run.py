"""A backtest of a trained model, which forecasts as it is."""

from __future__ import annotations

from pathlib import Path

from carousel import tasks
from carousel.backtest.judged import Backtested, described, ended, forecast, make
from carousel.backtest.plan import Plan
from carousel.bundle import load
from carousel.errors import DataError
from carousel.run import layout
from carousel.run.backtest_results import forecasts_of, write_backtest
from carousel.run.writing import note_use_of_test
from carousel.tasks.shared.origins import Origins, check_forecasts, origins_of

FOLDER = "backtest"  # in that of the run


def is_model(path: Path) -> bool:
    """True if a path is the folder of a run or of a bundle."""
    return path.is_dir() and (layout.is_run(path) or (path / layout.MODEL_FACTS).is_file())


def of_run(folder: Path, windows: int, step: int | None, path: Path | None) -> Backtested:
    """Forecast with a trained model from origins behind all that it was trained and validated
    on; what an earlier backtest of it left there is replaced.

    Raises `DataError` for origins before that, and for data that are not those of training.
    """
    trained = load(folder)
    config = trained.config
    check_forecasts(config.task, tasks.find(config.task))
    horizon = config.forecast.horizon
    plan = Plan(windows, step or horizon, 0, horizon)
    seed = layout.RunFolder.open(folder).seed if layout.is_run(folder) else 0
    task = tasks.find(config.task)(config, seed, trained.parts)
    trained.as_trained(task.parted, "test")
    found = origins_of(task)
    _refuse_seen(folder, plan, found)
    path = path or folder / FOLDER
    make(path)
    note_use_of_test(folder, "backtest")
    content = {
        **described(config, plan, found),
        "of": "run",
        "run": str(folder),
        "trainings": [{"run": None, "windows": [n + 1 for n in range(windows)]}],
    }
    with layout.holding(path, "backtest"):
        write_backtest(path, content)
        forecast(found, trained, plan.origins).save(forecasts_of(path, 1))
        content["notes"] = [*dict.fromkeys((*content["notes"], *found.notes))]
        return ended(path, content)


def _refuse_seen(folder: Path, plan: Plan, found: Origins) -> None:
    first, unseen = plan.origins[0], found.unseen
    if first <= unseen:
        return
    fits = max(0, (unseen - plan.horizon) // plan.step + 1)
    advice = f"ask for at most {fits}, or a smaller step, or" if fits else "so"
    raise DataError(
        f"{folder} was trained and validated on all but the last {unseen:,} steps, and the first "
        f"of {plan.windows} windows begins {first:,} steps before the end, where it would forecast "
        f"what it has seen: {advice} name its recipe, which is trained before the first origin"
    )
