"""Feed a served detector or forecaster with the rows of a series, and print what it says.

    carousel train anomaly-nab --run-dir runs/nab
    carousel serve nab=runs/nab
    python examples/feed.py nab nyc_taxi

    carousel train forecast-bike --run-dir runs/bike
    carousel serve bike=runs/bike
    python examples/feed.py bike

A file of one's own, with a row for each step and the columns of training: `--file series.csv`. Its
first column is taken for the time, where it is none of the model's columns.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

from carousel.client import Client
from carousel.errors import CarouselError

Step = dict[str, str | float | None]


def rows_of(text: str, columns: list[str]) -> Iterator[Step]:
    """Rows of a CSV as steps: the columns of the model by name, null where a cell is empty."""
    reader = csv.DictReader(text.splitlines())
    first = (reader.fieldnames or [""])[0]
    for row in reader:
        step: Step = {} if first in columns else {"time": row[first]}
        step |= {name: cell_of(row[name]) for name in columns if name in row}
        yield step


def cell_of(cell: str) -> str | float | None:
    """A number, a word, or nothing."""
    try:
        return float(cell) if cell else None
    except ValueError:
        return cell


def published(series: str) -> str:
    """Text of a series of the published set that a recipe was trained on."""
    from carousel.data import sources

    if series:
        return sources.text("nab-known-cause", f"{series}.csv")
    from carousel.config import Config
    from carousel.data.sets import bike_sharing

    bike = bike_sharing.read(Config(task="forecast")).series
    lines = [",".join(("time", *bike.columns))]
    for stamp, values in zip(bike.stamps, bike.values.tolist(), strict=True):
        lines.append(",".join((str(stamp), *map(repr, values))))
    return "\n".join(lines)


def show(step: Step, answer: dict[str, object]) -> None:
    """Print an alarm."""
    if answer.get("anomaly"):
        when = step.get("time", "")
        print(f"{when}  score {answer['score']:.2f}  {answer['columns']}")


def main() -> None:
    """Feed one stream."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", help="name of the model on the server")
    parser.add_argument("series", nargs="?", default="", help="series of training, and stream")
    parser.add_argument("--file", type=Path, help="a CSV; else the published set of the recipe")
    parser.add_argument("--url", default="http://127.0.0.1:8866", help="as carousel serve said it")
    parser.add_argument("--rows", type=int, default=2000, help="how many are sent")
    parser.add_argument("--at-once", type=int, default=50, help="steps of a request")
    asked = parser.parse_args()
    with Client(asked.url) as client:
        known = {one["model"]: one for one in client.models()}
        if (facts := known.get(asked.model)) is None:
            raise SystemExit(f"feed: no model {asked.model!r} is served there: {', '.join(known)}")
        text = asked.file.read_text() if asked.file else published(asked.series)
        steps = [*rows_of(text, facts["columns"])][: asked.rows]
        stream = client.stream(asked.model, asked.series or "feed")
        alarms, last = 0, None
        for first in range(0, len(steps), asked.at_once):
            some = steps[first : first + asked.at_once]
            for step, answer in zip(some, stream.steps(some), strict=True):
                show(step, answer)
                alarms += bool(answer.get("anomaly"))
                last = answer
    if facts["task"] == "anomaly":
        print(f"{len(steps)} steps of {asked.series or 'the series'}, {alarms} alarms")
    elif last and last.get("forecast"):
        for row in last["forecast"]:
            print(row)
    else:
        print(f"no forecast yet: {last}")


if __name__ == "__main__":
    try:
        main()
    except (CarouselError, OSError) as error:  # OSError: no server there, or no such file
        raise SystemExit(f"feed: {error}") from None
