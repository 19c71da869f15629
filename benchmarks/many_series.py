"""Times forecasts for a long table of many series, with reading and writing.

    python benchmarks/many_series.py FOLDER --series 100000

Writes a made table of daily sales (counts with a week, of very different sizes; series begin on
28 different days), trains a small network on the first 2,000 series, and then runs `carousel
predict RUN TABLE --out` in processes of their own, of CSV and of Parquet. Prints the seconds on
the clock and of the processor and the largest memory of each, from `wait4`, Python's start
included.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars

import carousel

STEPS = 120
"""Days of the longest series."""
_RECIPE = """task = "forecast_many"
[data]
path = "some.csv"
[columns]
id = "item"
time = "day"
target = "sold"
[forecast]
context = 56
horizon = 28
season = 7
distribution = "{distribution}"
[training]
epochs = 2
"""


def table(series: int, seed: int = 0) -> polars.DataFrame:
    """Sales of so many items, a row for each item and day."""
    generator = np.random.default_rng(seed)
    late = np.arange(series) % 28  # days by which an item begins later
    size = np.exp(generator.normal(1.0, 1.5, series))
    days = np.arange(STEPS)
    week = 1 + 0.5 * np.sin(2 * np.pi * (days[None] + np.arange(series)[:, None] % 7) / 7)
    sold = generator.poisson(size[:, None] * week)
    kept = days[None] >= late[:, None]
    item, day = np.nonzero(kept)
    dates = np.datetime64("2026-01-01") + days
    names = polars.Series([f"item{number:06d}" for number in range(series)])
    return polars.DataFrame({"item": names.gather(item), "day": dates[day], "sold": sold[kept]})


def timed(words: list[str]) -> tuple[float, float, float]:
    """Seconds on the clock and of the processor, and GB, of a command. Raises `RuntimeError`."""
    start = time.monotonic()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(words)} ended with {process.returncode}")
    return time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e6


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("folder", type=Path)
    asked.add_argument("--series", type=int, default=100_000)
    asked.add_argument(
        "--distributions", nargs="+", default=["quantile", "negative-binomial"], metavar="NAME"
    )
    given = asked.parse_args()
    given.folder.mkdir(exist_ok=True)
    made = table(given.series)
    files = {kind: given.folder / f"sales.{kind}" for kind in ("csv", "parquet")}
    made.write_csv(files["csv"])
    made.write_parquet(files["parquet"])
    size = {kind: file.stat().st_size / 1e6 for kind, file in files.items()}
    print(f"{given.series:,} series, {len(made):,} rows: " + ", ".join(
        f"{kind} {count:.0f} MB" for kind, count in size.items()))  # fmt: skip
    made.filter(polars.col("item") < "item002000").write_csv(given.folder / "some.csv")
    del made
    for distribution in given.distributions:
        recipe = given.folder / f"{distribution}.toml"
        recipe.write_text(_RECIPE.format(distribution=distribution))
        with contextlib.chdir(given.folder):
            run = carousel.train(recipe.name, run_dir=f"run-{distribution}", threads=1, quiet=True)
        for kind, file in files.items():
            out = given.folder / f"forecasts.{kind}"
            command = str(Path(sys.executable).with_name("carousel"))
            words = [command, "predict", str(given.folder / run.path), str(file)]
            clock, processor, memory = timed([*words, "--out", str(out)])
            print(
                f"{distribution}, {kind}: {clock:.1f} s on the clock, {processor:.1f} s of the "
                f"processor, {memory:.2f} GB, {out.stat().st_size / 1e6:.0f} MB written",
                flush=True,
            )


if __name__ == "__main__":
    main()
