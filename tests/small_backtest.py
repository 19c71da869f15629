"""Backtests of a small series that take a moment."""

import dying
from small_series import series_config

from carousel.backtest import backtest
from carousel.backtest.judged import windows_in

SHORT = ("training.epochs=2", "coach.enabled=false")


def small_backtest(series, folder, *more, **how):
    """Backtest the small network on a file; two epochs unless `more` says otherwise."""
    given = {"windows": 3, "seed": 3, "threads": 1, "quiet": True, "run_dir": folder}
    return backtest(series_config(series, *SHORT, *more), **{**given, **how})


def forecasts_in(found):
    """Forecasts of every forecaster by name, (windows, steps, series)."""
    windows = windows_in(found.path, found.result)
    return {name: one.forecast for name, one in windows.found.items()}


def changed_after(series, folder, row):
    """The series in another file, with other targets from a row (counted from 0) on."""
    lines = series.read_text().splitlines()
    for n in range(row + 1, len(lines)):
        day, wave, size = lines[n].split(",")
        lines[n] = f"{day},{float(wave) * -3 + 50},{int(size) + 4}"
    folder.mkdir()
    path = folder / series.name
    path.write_text("\n".join(lines) + "\n")
    return path


def backtest_and_die(series, folder, steps, **how):
    """Begin a backtest, and be killed, as by SIGKILL, after so many steps of training."""
    dying.die_after(steps, "after a step")
    small_backtest(series, folder, **how)
