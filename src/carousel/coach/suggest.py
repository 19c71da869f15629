"""Values to try next, from those of a configuration."""

from __future__ import annotations

from carousel.config import Config


def suggestions(config: Config | None) -> dict[str, str | int | float]:
    """What the lines of advice may name; empty where no configuration is known.

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
        "wider_window": config.text.bptt * 2,
        "wider_context": config.forecast.context * 2,
        "recipe": config.recipe.name,
    }
