"""Cross-validation: every unit of one's own data judges once, in a run of its own; then one model
is trained on all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from carousel import tasks
from carousel.config import Config
from carousel.config.columns import SPLIT
from carousel.config.keys import listed, names_in
from carousel.config.own import TABLE
from carousel.data.counting import unit_of
from carousel.data.files.classes import read_classes
from carousel.data.shares import fold_of
from carousel.data.table import read_table
from carousel.errors import ConfigError, DataError, RunError
from carousel.run import layout
from carousel.run.fold_results import FINAL, FORMAT, read_folds, write_folds
from carousel.scores import HIGHER_IS_BETTER
from carousel.training import session
from carousel.training.display import make_display
from carousel.training.loop import Interrupted
from carousel.training.preparation import Preparation, Settings, checked_threads
from carousel.training.team import Place

_FEWEST = 3


@dataclass(frozen=True)
class TrainedFolds:
    """Folds that have all been trained: the folder, and what folds.json says."""

    path: Path
    result: dict[str, Any]


def train_folds(
    recipe: str | Config,
    overrides: Settings = (),
    *,
    folds: int = 0,
    leave_one_out: str = "",
    seed: int | None = None,
    threads: int | None = None,
    device: str = "cpu",
    run_dir: str | Path | None = None,
    quiet: bool = False,
) -> TrainedFolds:
    """Train and judge a recipe for data of one's own once for each fold, then train it on all.

    Args:
        recipe, overrides, seed, threads, device, quiet: as `carousel.train` takes them.
        folds: number of folds of what `split.by` names: sequences, groups, or blocks of time.
        leave_one_out: a column; each of its values judges once, such as each person. "group" of a
            folder CLASS/GROUP/FILE means its groups.
        run_dir: the folder, new or empty; runs/<recipe>-folds-<time> if None.

    Every run is an ordinary one, in a folder of its own. The last, `final`, is trained on all but a
    validation part that is drawn as in the folds; what is told of it as a test is the mean over the
    folds. All splits are read before the first run. Raises `ConfigError`, `DataError`, `RunError`,
    and `Interrupted`, after which `resume_folds` goes on.

    >>> found = train_folds("pumps.toml", folds=5)            # doctest: +SKIP
    >>> found.result["mean"]["accuracy"], found.result["spread"]["accuracy"]  # doctest: +SKIP
    (0.93, 0.02)
    """
    _check_alone()
    ready = Preparation.of(recipe, overrides, seed)
    if bool(folds) == bool(leave_one_out):
        raise ConfigError("say how many folds, or which column is to be left out one by one")
    if not ready.config.data.path:
        raise ConfigError(
            f"folds are made of data of your own, and data.name = '{ready.config.data.name}' is a "
            f"published set with parts of its own"
        )
    plan = _by_value(ready.config, leave_one_out) if leave_one_out else _by_fold(ready, folds)
    for one in (*plan["folds"], plan["final"]):
        tasks.find(ready.config.task)(ready.config.override(one["settings"]), ready.seed)
    path = Path(run_dir) if run_dir else layout.new_path(Path("runs"), _name(ready.config))
    if path.exists() and any(path.iterdir()):
        raise RunError(f"{path} is not empty: name a new folder, or continue the folds in it")
    path.mkdir(parents=True, exist_ok=True)
    content = {
        "format": FORMAT,
        "recipe": ready.config.recipe.name,
        "task": ready.config.task,
        "seed": ready.seed,
        "threads": checked_threads(threads),
        "device": device,
        **plan,
        "finished": False,
        "config": ready.config.to_dict(),
    }
    write_folds(path, content)
    return _go_on(path, content, quiet)


def resume_folds(path: str | Path, *, quiet: bool = False) -> TrainedFolds:
    """Continue folds that were interrupted: what has ended is not repeated, and the run that was
    going on ends as it would have. Raises `RunError` if there are none, or all have ended."""
    _check_alone()
    path = Path(path)
    content = read_folds(path)
    if content["finished"]:
        raise RunError(f"all folds in {path} are finished: train them anew in another folder")
    return _go_on(path, content, quiet)


def _check_alone() -> None:
    if Place.found().size > 1:
        raise ConfigError("cross-validation trains in one process: start it without torchrun")


def _name(config: Config) -> str:
    return f"{config.recipe.name}-folds"


def _by_fold(ready: Preparation, folds: int) -> dict[str, Any]:
    """The plan for folds that are cut by `split.by`. Raises `ConfigError`."""
    config = ready.config

    def fold(number: int) -> dict[str, Any]:
        return {"split.folds": folds, "split.fold": number}

    found = fold_of(config.override(fold(0)))
    assert found is not None
    by = config.split.by if config.data.name == TABLE and config.task in SPLIT else ""
    by = by or ("time" if config.task in ("forecast", "anomaly") else "sequence")
    unit = {
        "sequence": "whole sequences or examples",
        "group": f"whole groups ('{config.split.column}')",
        "time": "time",
    }[by]
    how = f"{folds} folds of {unit}"
    if by == "time":
        how += ": each trains on what comes before the block that judges, and the first block of "
        how += f"{folds + 1} judges nothing"
    return {
        "by": by,
        "column": config.split.column,
        "how": how,
        "folds": [
            {"run": f"fold-{n + 1}", "judges": f"fold {n + 1}", "settings": fold(n)}
            for n in range(folds)
        ],
        "final": {"run": FINAL, "settings": fold(-1)},
    }


def _by_value(config: Config, column: str) -> dict[str, Any]:
    """The plan for values of a column that are left out one by one. Raises `ConfigError` and
    `DataError`."""
    if config.split.test or config.data.test:
        raise ConfigError(
            "split.test or data.test names what judges, and each group is to judge once: leave it "
            "out"
        )
    if config.data.name == TABLE and config.task in SPLIT:
        values = sorted(set(read_table(config.data.path)[column].texts()) - {""})
        common = {"split.by": "group", "split.column": column}
        before = config.split.column
        if before and before != column:  # it was not read as it split, and is not now
            common["columns.ignore"] = listed([*names_in(config.columns.ignore), before])
        settings = [{**common, "split.test": listed([value])} for value in values]
    elif config.task == "classify_recordings" and column == "group" and config.data.name != TABLE:
        examples, _ = read_classes(config.data.path, config.sound)
        values = sorted({example.group for example in examples} - {""})
        common, settings = {}, [{"data.hold_out": value} for value in values]
    else:
        raise ConfigError(
            f"groups to leave out are those of a column of a table, or the folders CLASS/GROUP of "
            f"recordings (column 'group'); {config.data.path} has neither for the task "
            f"'{config.task}'"
        )
    if len(values) < _FEWEST:
        raise DataError(
            f"{config.data.path}: '{column}' has {len(values)} values, and three are the least: "
            f"one to judge, one to validate, one to train on"
        )
    last = {**common, "split.folds": len(values), "split.fold": -1}
    return {
        "by": "group",
        "column": column,
        "how": f"each of {len(values)} values of '{column}' judges once",
        "folds": [
            {"run": f"fold-{n}", "judges": value, "settings": some}
            for n, (value, some) in enumerate(zip(values, settings, strict=True), 1)
        ],
        "final": {"run": FINAL, "settings": last},
    }


def _go_on(path: Path, content: dict[str, Any], quiet: bool) -> TrainedFolds:
    display = make_display(quiet)
    base = Config.from_stored(content["config"])
    display.say(f"{content['how']}; in {path}")
    try:
        for number, one in enumerate(content["folds"], 1):
            if "test" in one:
                continue
            display.say(f"\n{number} of {len(content['folds'])}: {one['judges']} judges")
            result = _run(path / one["run"], base, one, content, quiet)
            one |= {key: result[key] for key in ("test", "baseline", "metric", "kept_epoch")}
            one["parts"] = result.get("parts", {})
            write_folds(path, content)
        content |= summary(content["folds"])
        write_folds(path, content)
        display.say(f"\nlast: {FINAL}, on all but the validation part")
        result = _run(path / FINAL, base, content["final"], content, quiet)
    except Interrupted:
        raise Interrupted(path) from None
    content["final"] |= {key: result[key] for key in ("epochs", "kept_epoch", "validation")}
    content["final"]["parts"] = result.get("parts", {})
    content["final"]["how"] = _how(base, content)
    content["finished"] = True
    write_folds(path, content)
    return TrainedFolds(path, content)


def _how(base: Config, content: dict[str, Any]) -> str:
    """Sentence on how the last run's validation part and epoch were chosen."""
    held = content["final"]["parts"].get("validation", {})
    size = ", ".join(f"{count:,} {unit_of(count, what)}" for what, count in held.items())
    if "validation" in base.data.files:
        chosen = f"the file {base.data.validation}"
    elif content["by"] == "time":
        chosen = "the latest share"
    else:
        chosen = f"drawn by its share with data.split_seed = {base.data.split_seed}"
    epochs = content["final"]["epochs"]
    return (
        f"trained on all but a validation part ({chosen}: {size}), which chose epoch "
        f"{content['final']['kept_epoch']} of {epochs}"
    )


def _run(
    path: Path, base: Config, one: dict[str, Any], content: dict[str, Any], quiet: bool
) -> dict[str, Any]:
    """The result of a fold's run."""
    how = {name: content[name] for name in ("seed", "threads", "device")}
    return session.train_in(path, base.override(one["settings"]), quiet=quiet, **how).result


def summary(folds: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and spread (the standard deviation of a sample) of each metric over the folds, of the
    network and of the baselines; and in how many folds it beats each.

    >>> runs = [{"metric": "accuracy", "test": {"accuracy": a},
    ...          "baseline": {"linear": {"accuracy": 0.5}}} for a in (0.25, 0.75)]
    >>> found = summary(runs)
    >>> found["mean"], round(found["spread"]["accuracy"], 3), found["beats"]
    ({'accuracy': 0.5}, 0.354, {'linear': 1})
    """
    metric = folds[0]["metric"]
    sign = 1 if HIGHER_IS_BETTER[metric] else -1
    named = [n for n in folds[0]["baseline"] if all(n in one["baseline"] for one in folds)]
    baselines = {name: [one["baseline"][name] for one in folds] for name in named}
    return {
        "metric": metric,
        "metric_higher_is_better": sign > 0,
        "mean": dict(_over([one["test"] for one in folds], fmean)),
        "spread": dict(_over([one["test"] for one in folds], stdev)),
        "baseline": {
            name: {"mean": dict(_over(some, fmean)), "spread": dict(_over(some, stdev))}
            for name, some in baselines.items()
        },
        "beats": {
            name: sum(
                sign * one["test"][metric] > sign * theirs[metric]
                for one, theirs in zip(folds, some, strict=True)
            )
            for name, some in baselines.items()
            if all(metric in theirs for theirs in some)
        },
    }


def _over(rows: list[dict[str, float]], how: Any) -> Iterator[tuple[str, float]]:
    for name in rows[0]:
        if all(isinstance(row.get(name), float) for row in rows):
            yield name, float(how([row[name] for row in rows]))
