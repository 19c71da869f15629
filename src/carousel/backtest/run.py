"""A backtest from a recipe, or from a trained model, to what was measured."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from carousel import tasks
from carousel.backtest.judged import Backtested, described, ended, forecast, make
from carousel.backtest.of_run import is_model, of_run
from carousel.backtest.plan import ONCE, Plan, refit_of
from carousel.config import Config
from carousel.data.record import DataRecord
from carousel.errors import ConfigError, DataError, RunError
from carousel.run import layout
from carousel.run.backtest_results import (
    forecasts_of,
    is_backtest,
    read_backtest,
    run_of,
    write_backtest,
)
from carousel.tasks.shared.origins import check_forecasts, cut_at, origins_of
from carousel.terminal import say
from carousel.training import Interrupted, Place
from carousel.training.preparation import Preparation, checked_threads, using_threads
from carousel.training.session import train_in

Settings = Iterable[str] | Mapping[str, Any]
WINDOWS = 8


def backtest(
    recipe: str | Path | Config,
    overrides: Settings = (),
    *,
    windows: int = WINDOWS,
    step: int | None = None,
    refit: str | int | None = None,
    seed: int | None = None,
    threads: int | None = None,
    run_dir: str | Path | None = None,
    quiet: bool = False,
) -> Backtested:
    """Forecast from several origins in the past, as if what came later were not known, and judge
    the forecasts by what came (rolling origin: Tashman 2000).

    Args:
        recipe: name of a recipe, path of a TOML file, or a `Config`: trained on what comes before
            the first origin. Or the folder of a run or a bundle: its model forecasts as it is.
        overrides: as `carousel.train` takes them; of a recipe alone.
        windows: origins; the last window ends with the data.
        step: steps from one origin to the next; the horizon if None.
        refit: "once" trains before the first origin, "every" before each, a number before each
            so many windows; of a recipe alone, "once" if None.
        seed: of every training; the recipe's own, else 0, if None.
        threads: CPU threads; torch's current number if None.
        run_dir: the backtest's folder; runs/<recipe>-backtest, or "backtest" in the run, if None.
        quiet: say nothing.

    Scaling, validation part, intervals and baselines are taken from before the origin alone. Every
    training is an ordinary run. The same call goes on with a backtest that was interrupted, and
    repeats no training that has ended. Raises `ConfigError`, `DataError` and `RunError` for what
    the user can mend, such as origins within what a run was trained or validated on, and
    `Interrupted`.

    >>> found = backtest("forecast-sunspots", windows=8, refit="every")   # doctest: +SKIP
    >>> found.result["overall"]["network"]["mase"]                        # doctest: +SKIP
    0.7...
    """
    for name, value in (("windows", windows), ("step", step)):
        if value is not None and value < 1:
            raise ConfigError(f"{name} must be at least 1, got {value}", name)
    if (size := Place.found().size) > 1:
        raise ConfigError(
            f"a backtest trains in one process, and {size} were begun to train together: begin one"
        )
    overrides = overrides if isinstance(overrides, Mapping | str) else [*overrides]
    folder = None if isinstance(recipe, Config) or not is_model(Path(recipe)) else Path(recipe)
    path = None if run_dir is None else Path(run_dir)
    if folder is not None:
        _refuse_training(folder, {"refit": refit, "seed": seed, "settings": overrides or None})
        with using_threads(threads):
            return of_run(folder, windows, step, path)
    ready = Preparation.of(recipe if isinstance(recipe, Config) else str(recipe), overrides, seed)
    check_forecasts(ready.config.task, tasks.find(ready.config.task))
    horizon = ready.config.forecast.horizon
    plan = Plan(windows, step or horizon, refit_of(ONCE if refit is None else refit), horizon)
    path = path or Path("runs") / f"{ready.config.recipe.name}-backtest"
    return _of_recipe(ready, plan, path, checked_threads(threads), quiet)


def _refuse_training(folder: Path, given: Mapping[str, Any]) -> None:
    """Raise `ConfigError` for what only a training reads."""
    for name, value in given.items():
        if value is not None:
            raise ConfigError(
                f"{name} is of trainings, and a trained model forecasts as it is: leave it out, or "
                f"name its recipe, such as {folder / layout.CONFIG}",
                *([] if name == "settings" else [name]),
            )


def _of_recipe(ready: Preparation, plan: Plan, path: Path, threads: int, quiet: bool) -> Backtested:
    """Train before each origin that asks for it, and forecast the windows up to the next."""
    content = _begun(ready, plan, path)
    if content["finished"]:
        _tell(f"the backtest {path} is finished already", quiet)
        return Backtested(path, content)
    with layout.holding(path, "backtest"):
        for number, windows in enumerate(plan.trainings, 1):
            file, one = forecasts_of(path, number), content["trainings"][number - 1]
            if file.is_file() and "epochs" in one:
                continue
            _tell(f"\n{number} of {len(plan.trainings)}: training before {_of(windows)}", quiet)
            config = ready.config.override(cut_at(plan.origins[windows[0]], plan.judged(windows)))
            try:
                trained = train_in(
                    path / run_of(number), config, seed=ready.seed, threads=threads, quiet=quiet
                )
            except Interrupted:
                raise Interrupted(path) from None
            with using_threads(threads):
                task = tasks.find(config.task)(config, ready.seed)
                origins = [plan.origins[n] for n in windows]
                found = origins_of(task)
                forecast(found, trained.load(), origins).save(file)
            content["notes"] = [*dict.fromkeys((*content["notes"], *found.notes))]
            one |= {k: trained.result[k] for k in ("epochs", "kept_epoch", "seconds")}
            write_backtest(path, content)
        return ended(path, content)


def _of(windows: range) -> str:
    first, last = windows[0] + 1, windows[-1] + 1
    return f"window {first}" if first == last else f"windows {first} to {last}"


def _tell(text: str, quiet: bool) -> None:
    if not quiet:
        say(text)


def _begun(ready: Preparation, plan: Plan, path: Path) -> dict[str, Any]:
    """The backtest in a folder, or a new one. Raises `ConfigError`, `DataError` and `RunError`
    before anything is written."""
    config = ready.config.override(cut_at(plan.origins[0], plan.judged(range(plan.windows))))
    try:
        task = tasks.find(config.task)(config, ready.seed)
    except DataError as error:
        raise DataError(
            f"{error} (the first of {plan.windows} windows begins {plan.origins[0]:,} steps before "
            "the end: fewer of them, or a smaller step, leave more to train on)"
        ) from error
    content = {
        **described(config, plan, origins_of(task)),
        "of": "recipe",
        "seed": ready.seed,
        "data": DataRecord.of(config, task.parted).fingerprint,
        "config": config.to_dict(),
        "trainings": [
            {"run": run_of(n), "windows": [w + 1 for w in windows]}
            for n, windows in enumerate(plan.trainings, 1)
        ],
    }
    if is_backtest(path):
        return _same(path, json.loads(json.dumps(content)))
    make(path)
    write_backtest(path, content)
    return content


def _same(path: Path, content: dict[str, Any]) -> dict[str, Any]:
    """The backtest in a folder. Raises `RunError` if it is another one than what is asked for."""
    before = read_backtest(path)
    names = {"of": "kind", "plan": "plan", "seed": "seed", "data": "data", "config": "settings"}
    if other := [said for key, said in names.items() if before.get(key) != content[key]]:
        raise RunError(
            f"{path} holds a backtest with another {' and '.join(other)}: name a new folder, or "
            "ask for the same again to go on with it"
        )
    return before
