"""Values to try next, from those of a configuration."""

from __future__ import annotations

import functools
import shlex
from pathlib import Path

from carousel import recipes
from carousel.config import Config
from carousel.config.readers import settings
from carousel.run.layout import CONFIG


def suggestions(
    config: Config | None, run: str = "", recipe: str = ""
) -> dict[str, str | int | float]:
    """Names that the lines of advice may use; empty where no configuration is known.

    run: the folder of the run. recipe: what a command was given as recipe, ready for a shell; where
    nothing was, the run's own, or the one that the configuration names.

    >>> suggestions(Config())["lower_rate"]
    '0.0002'
    """
    if config is None:
        return {}
    rate, model = config.optimizer.learning_rate, config.model
    dropout, training = config.regularization.dropout, config.training
    return {
        "rate": f"{rate:.3g}",
        "lower_rate": f"{rate / 5:.2g}",
        "much_lower_rate": f"{rate / 30:.2g}",
        "higher_rate": f"{rate * 5:.2g}",
        "much_higher_rate": f"{rate * 30:.2g}",
        "smaller_hidden": max(1, model.hidden_size // 2),
        "larger_hidden": model.hidden_size * 2,
        "more_layers": model.num_layers + 1,
        "fewer_layers": max(1, model.num_layers - 1),
        "more_dropout": f"{0.5 if dropout < 0.3 else min(0.7, dropout + 0.2):.2g}",
        "less_dropout": f"{dropout / 2:.2g}",
        "more_epochs": training.epochs * 2,
        "fewer_epochs": max(1, training.epochs // 2),
        "larger_batch": training.batch_size * 2,
        "wider_context": config.forecast.context * 2,
        **({"recipe": recipe} if (recipe := recipe or recipe_of(config, run)) else {}),
        **({"run": shlex.quote(run)} if run else {}),
    }


def recipe_of(config: Config, run: str = "") -> str:
    """Word that names a recipe on the command line, quoted for a shell: its name, or, of a custom
    one, the configuration in the folder of its run. Empty where neither is known.

    >>> recipe_of(Config().override(["recipe.name='my own'"]), "runs/my own-1")
    "'runs/my own-1/config.toml'"

    On other data than the recipe's own, it takes the data too:

    >>> recipe_of(recipes.load("rul-cmapss")[0].override(["data.path=my pumps"]))
    "rul-cmapss --set data.path='my pumps'"

    A file that says `own-…` as its name has settings and data that the recipe of that name lacks:

    >>> recipe_of(Config().override(["recipe.name=own-label-words"]), "runs/words-1")
    'runs/words-1/config.toml'
    """
    name, based_on, data = config.recipe.name, config.recipe.based_on, config.data
    if based_on in (*recipes.names(), *recipes.own_names()):
        what = f"data.path={shlex.quote(data.path)}" if data.path else f"data.name={data.name}"
        return f"{based_on} --set {what}"
    if name in recipes.names() and not based_on:
        return name
    return shlex.quote(str(Path(run) / CONFIG)) if run else ""


def settings_of(line: str) -> list[str]:
    """The assignments of a line of `--set`s; none of a command.

    >>> settings_of("--set model.cell=lstm --set model.forget_bias=2.0")
    ['model.cell=lstm', 'model.forget_bias=2.0']
    """
    return [part.strip() for part in line.split("--set ")[1:]] if line.startswith("--set ") else []


def fits(line: str, config: Config | None) -> bool:
    """True if a line of advice can be pasted for this task and cell.

    >>> fits("--set text.bptt=70", Config()), fits("--set model.forget_bias=2.0", Config())
    (False, True)
    """
    if config is None:
        return not line.startswith("carousel ")  # there is no recipe
    given = settings_of(line)
    if config.training.budget and "training.epochs=" in line:
        return False  # the time decides
    changed = config.override(given) if given else config
    if changed.model.layer_norm and not changed.model.reset_after:
        return False
    return not any(
        settings(Config)[name].idle(changed)
        # What a metric is called is known to its task alone; this one is of one task.
        or (name == "training.monitor" and value == "macro_f1" and config.task != "label_frames")
        for name, _, value in (assignment.partition("=") for assignment in given)
    )


@functools.lru_cache(maxsize=1024)  # every look asks again
def in_force(line: str, config: Config | None) -> bool:
    """True if a line of `--set`s changes nothing.

    >>> in_force("--set model.cell=lstm", Config())
    True
    """
    settings = settings_of(line)
    return config is not None and bool(settings) and config.override(settings) == config
