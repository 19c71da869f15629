"""`carousel completion`, and what can be completed besides verbs, options and files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from carousel.errors import ConfigError

PROGRAM = "carousel"
VARIABLE = "_CAROUSEL_COMPLETE"  # how the scripts ask: its name is typer's
_LOAD = {
    "bash": 'eval "$(carousel completion bash)"        # in ~/.bashrc',
    "zsh": 'eval "$(carousel completion zsh)"         # in ~/.zshrc, after compinit',
    "fish": "carousel completion fish | source         # in ~/.config/fish/config.fish",
}


def completion(
    shell: Annotated[
        str,
        typer.Argument(
            metavar="bash|zsh|fish", autocompletion=lambda incomplete: [*_LOAD], show_default=False
        ),
    ],
) -> None:
    """Print the script that completes verbs, options, recipes and settings in a shell.

    Example: carousel completion bash > ~/.local/share/bash-completion/completions/carousel
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    if shell not in _LOAD:
        raise ConfigError(f"the shell must be one of {', '.join(_LOAD)}; got '{shell}'")
    script = get_completion_script(prog_name=PROGRAM, complete_var=VARIABLE, shell=shell)
    if shell == "bash":  # no blank after section.key=
        nospace = "    [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace\n    return 0"
        script = script.replace("    return 0", nospace)
    print(f"{script}\n\n# {_LOAD[shell]}")  # zsh reads the first line


def prepare() -> None:
    """Have typer answer the scripts of `completion` in our shells."""
    from typer.completion import completion_init  # type: ignore[attr-defined]

    completion_init()


def recipe_names(incomplete: str) -> Iterator[tuple[str, str]]:
    """Recipes that begin so, each with what it does; files are the shell's to complete."""
    from carousel import recipes
    from carousel.recipes import suited

    for name in recipes.names():
        if name.startswith(incomplete):
            yield name, recipes.load(name)[0].recipe.summary
    for name in recipes.own_names():
        if name.startswith(incomplete):
            yield name, suited.READS[name]


def settings(incomplete: str) -> Iterator[tuple[str, str]]:
    """Settings that begin so, as --set takes them; after the =, the values of a choice.

    >>> [name for name, _ in settings("model.ce")]
    ['model.cell=']
    >>> [name for name, _ in settings("model.cell=ls")]
    ['model.cell=lstm']
    """
    from carousel.config import Config
    from carousel.config.readers import settings as every_setting
    from carousel.config.reference import meaning

    known = every_setting(Config)
    name, equals, _ = incomplete.partition("=")
    if equals and name in known:
        choices = known[name].limits.get("choices", ())
        if known[name].kind is bool:
            choices = ("true", "false")
        yield from ((f"{name}={c}", "") for c in choices if f"{name}={c}".startswith(incomplete))
        return
    for name, setting in known.items():
        if name.startswith(incomplete):
            yield f"{name}=", meaning(setting)


def data_sets(incomplete: str) -> Iterator[tuple[str, str]]:
    """Published data sets that begin so, each with its title."""
    from carousel.data import sources

    for name, source in sources.known().items():
        if name.startswith(incomplete):
            yield name, source.title
