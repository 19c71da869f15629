"""A long table of series that a small network forecasts in seconds."""

import math
import random
from datetime import date, timedelta

import torch

from carousel.config import Config


def many_rows(count=12, seed=0, longest=70):
    """Rows of daily series of unequal length and very different size, each with a season of 7; one
    in three has its peak on another day, which its region says."""
    chance = random.Random(seed)
    rows = []
    for number in range(count):
        size, length = 10.0 ** (number % 4), longest - 3 * (number % 5)
        region = ("north", "south", "east")[number % 3]
        first = date(2024, 1, 1) + timedelta(number % 5)
        for t in range(length):
            wave = math.sin(2 * math.pi * (t + number % 5 + 2 * (number % 3)) / 7)
            offer = int(chance.random() < 0.2)
            value = size * (5 + wave + 0.5 * offer + 0.01 * t + chance.gauss(0, 0.1))
            rows.append((f"s{number}", first + timedelta(t), f"{value:.5f}", offer, region))
    return rows


def write_many(folder, rows=None, name="many.csv"):
    lines = ["shop,day,sold,offer,region"]
    lines += [",".join(map(str, row)) for row in (many_rows() if rows is None else rows)]
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def stirred(task):
    """A model with random weights: nothing of it is zero, so that every input counts."""
    torch.manual_seed(1)
    model = task.build_model()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return task.finish(model)


def numbers(answers):
    """Forecasts of `sold` by the names of their series."""
    return {one.series: one.values["sold"] for one in answers}


def many_config(path, *more):
    return Config(task="forecast_many").override(
        [
            f"data.path='{path}'",
            "columns.id=shop",
            "columns.time=day",
            "columns.target=sold",
            "columns.static=region",
            "columns.category=region",
            "forecast.context=14",
            "forecast.horizon=4",
            "forecast.season=7",
            "many.mixtures=2",
            "many.windows=8",
            "model.cell=gru",
            "model.hidden_size=8",
            "optimizer.learning_rate=1e-2",
            "optimizer.clip_norm=1",
            "training.epochs=6",
            "training.batch_size=32",
            *more,
        ]
    )
