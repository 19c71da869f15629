"""Confirmation of what a sweep found: other seeds first, and the test part last, for the chosen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import tomli_w

from carousel import training
from carousel.config import Config
from carousel.run.durable import replace_durably
from carousel.run.sweep_results import BEST
from carousel.sweep.ledger import RUN, Ledger
from carousel.sweep.plan import Plan
from carousel.sweep.space import Value, settled
from carousel.sweep.summary import here

_TEST = "test "


def found(ledger: Ledger) -> dict[str, Any]:
    """Findings of the confirming runs: validation by setting and seed, which setting is chosen by
    its mean, and which runs are of it."""
    plan = ledger.plan
    values: dict[str, dict[str, float]] = {}
    runs: dict[str, list[str]] = {}
    for trial in ledger.trials():
        if trial.value is not None and trial.params:
            setting = str(trial.params["setting"])
            values.setdefault(setting, {})[str(trial.params["seed"])] = trial.value
            runs.setdefault(setting, []).append(str(trial.user_attrs[RUN]))
    spreads = {name: spread(one) for name, one in values.items()}
    best, recipe = spreads.get("best"), spreads.get("recipe")
    chosen = "best"
    if best and recipe:
        sign = 1 if plan.higher else -1
        chosen = "best" if sign * best["mean"] > sign * recipe["mean"] else "recipe"
    return {"validation": spreads, "chosen": chosen, "runs": sorted(runs.get(chosen, ()))}


def spread(values: Mapping[str, float]) -> dict[str, Any]:
    """Mean and standard deviation (of a sample; None of one value) of values by their seeds.

    >>> spread({"1": 0.25, "2": 0.75})["mean"]
    0.5
    """
    std = stdev(values.values()) if len(values) > 1 else None
    return {"mean": fmean(values.values()), "std": std, "values": dict(values)}


def open_test(ledger: Ledger, confirmed: Mapping[str, Any]) -> dict[str, Any]:
    """Judge the chosen runs that this machine has on the test part; returns every metric's spread
    over the runs that have been judged anywhere."""
    for name in confirmed["runs"]:
        path = here(ledger.folder, name)
        if path is not None:
            result = training.judge(path).result
            ledger.study.set_user_attr(_TEST + name, result.get("test", {}))
    judged = {
        name.removeprefix(_TEST): values
        for name, values in ledger.study.user_attrs.items()
        if name.startswith(_TEST)
    }
    metrics = dict.fromkeys(metric for one in judged.values() for metric in one)
    return {
        metric: spread({run: one[metric] for run, one in judged.items() if metric in one})
        for metric in metrics
    }


def write_recipe(folder: Path, plan: Plan, best: Mapping[str, Value], about: str) -> Path:
    """Write the recipe with these settings as best.toml; `about` is its first line."""
    config = plan.config.override(settled(plan.config, best))
    values = _told(config.to_dict(), Config().to_dict())
    values["task"] = config.task
    info = values.setdefault("recipe", {})
    info |= {"name": f"{plan.config.recipe.name}-best", "based_on": plan.config.recipe.name}
    for idle in ("expected", "minutes"):
        info.pop(idle, None)
    path = folder / BEST
    replace_durably(path, f"# {about}\n{tomli_w.dumps(values)}".encode())
    return path


def _told(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Values that are not the defaults."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            if inner := _told(value, defaults[name]):
                found[name] = inner
        elif value != defaults[name]:
            found[name] = value
    return found
