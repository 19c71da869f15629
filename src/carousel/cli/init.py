"""`carousel init`."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from carousel.cli.column_rows import rows_of
from carousel.cli.exits import Exit
from carousel.cli.output import JsonOption, LangOption, print_json, print_out, table_of
from carousel.cli.refusal import SMALL, is_small, refusal
from carousel.config import Config
from carousel.errors import ConfigError, DataError, command
from carousel.terminal import notice

if TYPE_CHECKING:
    from carousel.data.audit import Finding
    from carousel.data.proposal import Proposal

Target = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="What is to be learnt, in a table.")
]
Id = Annotated[str | None, typer.Option(metavar="COLUMN", help="What tells sequences apart.")]
Time = Annotated[str | None, typer.Option(metavar="COLUMN", help="What orders their steps.")]
Validation = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Data of the same kind that choose the epoch."),
]
Test = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Data of the same kind that judge.")
]
Task = Annotated[str | None, typer.Option(metavar="TASK", help="Task, if another one is meant.")]


def init(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="A table, another file, or a folder of yours.")
    ],
    target: Target = None,
    id: Id = None,
    time: Time = None,
    task: Task = None,
    validation: Validation = None,
    test: Test = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.toml",
            help="Recipe to write [default: DATA's name]; -: print it.",
        ),
    ] = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read data of your own, say what each column is and why, and write a recipe to train it.

    Nothing is asked and nothing of the data is changed. Every guess is a line of the recipe. Exit
    code 1 if the audit of the data has a severe finding, or training would refuse the data.

    Example: carousel init pumps.csv --target state
    """  # fmt: skip
    from carousel.coach.words import language
    from carousel.data.image_proposal import has_images
    from carousel.data.proposal import has_columns

    given = {"target": target, "id": id, "time": time, "task": task}
    files, spoken = files_of(validation, test), language(lang)
    if not has_columns(data):
        roles = {name: value for name, value in given.items() if value}
        if has_images(data) and task in (None, "classify"):
            _images(data, roles, files, output, as_json, spoken)
            return
        _other(data, roles, files, output, as_json, spoken)
        return
    from carousel.data.proposal import propose
    from carousel.data.said import said_comments

    made = propose(data, target or "", id or "", time or "", task or "", files=files)
    text = said_comments(made.toml(), spoken)
    held = _read_parts(made) if files else []  # what is written can be read
    made.config.check_data()
    if output == "-":
        print(text, end="")
        return
    from carousel.data.audit import audit

    path = _free(output, data)
    found = audit(made.table, made.config, known=made.guess.profiles)
    path.write_text(text, encoding="utf-8")
    refused = refusal(made.config) if len(made.table) <= SMALL else ""
    if as_json:
        findings = [finding.to_dict(spoken) for finding in found]
        print_json({**made.to_json(), "audit": findings, "refused": refused, "wrote": str(path)})
    else:
        show(made, spoken)
        for line in held:
            print_out(line)
        show_audit(found, spoken)
        _show_written(path, text, spoken, refused)
    if refused or any(finding.severity == "severe" for finding in found):
        raise typer.Exit(Exit.FOUND)


def files_of(validation: Path | None, test: Path | None) -> dict[str, str]:
    """Files of parts that were named, by part."""
    named = {"validation": validation, "test": test}
    return {part: str(file) for part, file in named.items() if file is not None}


def _read_parts(made: Proposal) -> list[str]:
    """Lines on the parts that have files. Raises `DataError` for one that does not
    suit."""
    from carousel.data import sets
    from carousel.data.held import completed, said_of

    config = made.config.check_data()
    return said_of(completed(sets.find(config.task, config.data.name)(config, made.table), config))


def show_audit(found: list[Finding], language: str) -> None:
    """Print what an audit found, line by line."""
    from carousel.data.audit.finding import texts

    words = texts(language)["words"]
    if not found:
        print_out(words["none"])
        return
    for finding in found:
        for line in finding.lines(language):
            print_out(line)
    severe = sum(finding.severity == "severe" for finding in found)
    total = words["single" if len(found) == 1 else "total"]
    print_out(total.format(count=len(found), severe=severe))


def show(made: Proposal, language: str) -> None:
    """Print what was found: the columns, the task and the split."""
    from carousel.config.columns import ColumnsConfig
    from carousel.data.proposal_words import in_words
    from carousel.data.said import said, words

    found, known = made.guess, words(language)
    line = in_words(made.table, found, ColumnsConfig(), made.step)
    print_out(f"{made.path}: {said(line, language)}")
    for note in made.table.notes:
        print_out(said(note, language))
    heads = ("column", "type", "role", "why", "change with")
    table = table_of(*(known.get(head, head) for head in heads))
    for name, kind, role, why, change in rows_of(made.table.columns, found.roles):
        table.add_row(name, known.get(kind, kind), role, said(why, language), change)
    print_out(table)
    print_out(f"{known.get('task', 'task')}: {found.task} ({said(found.why, language)})")
    print_out(f"{known.get('split', 'split')}: {said(found.split_why, language)}")


def _show_written(path: Path, text: str, language: str, refused: str = "") -> None:
    """Say where the recipe is, and what to do with it, or why training would refuse the data. text:
    of one that has reasons."""
    from carousel.data.said import words

    known, count = words(language), len(text.splitlines())
    plain = known.get("wrote_plain", "wrote {path}")
    wrote = known.get("wrote", "wrote {path} ({count} lines, each guess with its reason)")
    print_out((wrote if count else plain).format(path=path, count=count))
    if refused:
        print_out(f"{known.get('refused', 'training refuses it as it is')}: {refused}")
        return
    first, then = known.get("next", "next"), known.get("then", "then")
    print_out(f"{first}: {command('check', path)}    {then}: {command('train', path)}")


def _free(output: str | None, data: Path) -> Path:
    """The file to write, which must not be there. Raises `ConfigError`."""
    path = Path(output or f"{data.name.split('.')[0] or data.stem}.toml")
    if path.suffix != ".toml":
        raise ConfigError(f"a recipe is a .toml file, got '{path}'", "output")
    if path.exists():
        raise ConfigError(f"{path} is there already: name another output, or remove it", "output")
    return path


def _images(
    data: Path,
    given: dict[str, str],
    files: dict[str, str],
    output: str | None,
    as_json: bool,
    language: str,
) -> None:
    """A recipe for images: a folder for each class, or arrays."""
    from carousel.data.image_proposal import propose_images
    from carousel.data.said import said, said_comments

    given.pop("task", None)
    refuse_roles(data, given)
    made = propose_images(data, files)
    made.config  # noqa: B018  # what is written can be read
    text = said_comments(made.toml(), language)
    if output == "-":
        print(text, end="")
        return
    path = _free(output, data)
    path.write_text(text, encoding="utf-8")
    if as_json:
        print_json({**made.to_json(), "wrote": str(path)})
        return
    for line in made.lines():
        print_out(said(line, language))
    _show_written(path, text, language)


def refuse_roles(data: Path, given: dict[str, str]) -> None:
    """Raise `ConfigError` for a role of a column where there are no columns."""
    for role in given:
        raise ConfigError(f"{data} has no named columns, so {role} means nothing to it", role)


def chosen_columns(data: Path, recipe: str, given: dict[str, str]) -> dict[str, str]:
    """Settings of [text] that a column of labels, named or numbered, means in a file of labelled
    words. Raises `ConfigError` for any other role, and a column that is not there."""
    from carousel.data.files.columns import read_columns
    from carousel.data.files.text import read_text

    label = given.get("target", "") if recipe == "own-label-words" else ""
    refuse_roles(
        data, {role: name for role, name in given.items() if not label or role != "target"}
    )
    if not label:
        return {}
    read_columns(read_text(data), data, label=label)
    return {"label": label}


def _other(
    data: Path,
    given: dict[str, str],
    files: dict[str, str],
    output: str | None,
    as_json: bool,
    language: str,
) -> None:
    """A recipe for what is no table with named columns: by its kind, from the recipes own-…"""
    from carousel.data.said import said
    from carousel.recipes import path_of, suited

    names = suited.suited(data)
    if "task" in given:
        wanted = f"own-{given.pop('task').replace('_', '-')}"
        names = tuple(name for name in (wanted, *names) if name == wanted)
    if not names or names[0] not in suited.READS:
        raise DataError(_of_no_kind(data))
    chosen = chosen_columns(data, names[0], given)
    recipe = path_of(names[0]).read_text(encoding="utf-8")
    import tomli_w

    where = tomli_w.dumps({"data": {"path": str(data), **files}})
    head, found, rest = recipe.partition("[model]")
    head = head.replace("[text]\n", "[text]\n" + tomli_w.dumps(chosen))
    text = f"# {data.name}: {suited.READS[names[0]]}.\n{head}{where}\n{found}{rest}"
    if output == "-":
        print(text, end="")
        return
    path = _free(output, data)
    path.write_text(text, encoding="utf-8")
    refused = refusal(Config.from_dict(tomllib.loads(text))) if is_small(data) else ""
    task = task_of(names[0])
    if as_json:
        told = {"task": {"name": task}, "refused": refused, "wrote": str(path)}
        print_json({"path": str(data), **told})
        raise typer.Exit(Exit.FOUND if refused else Exit.DONE)
    lines = [f"{data}: read as {suited.READS[names[0]]}"]
    for other in names[1:]:
        again = command("init", data, "--task", task_of(other))
        lines.append(f"or as {suited.READS[other]}: {again}")
    for line in (*lines, f"task: {task}"):
        print_out(said(line, language))
    _show_written(path, "", language, refused)
    if refused:
        raise typer.Exit(Exit.FOUND)


def _of_no_kind(data: Path) -> str:
    from carousel.data.table import is_table as has_suffix

    tables = sorted(file for file in data.glob("*") if has_suffix(file)) if data.is_dir() else []
    if tables:
        return (
            f"{data} is a folder with a table beside other files: if {tables[0].name} names them "
            f"and their classes, {command('init', tables[0])} reads them"
        )
    suffix = f"the suffix '{data.suffix}'" if data.suffix else "no suffix"
    named = "" if data.is_dir() else f" (a table is known by its suffix, and it has {suffix})"
    return f"{data} is of a kind that nothing here reads{named}: carousel recipes lists them"


def recipe_for(
    data: Path, given: dict[str, str], files: dict[str, str] | None = None
) -> Config | None:
    """Configuration that `train` makes of data: of a table and of images that of `init`, of other
    data the recipe for its kind. None if nothing here reads it. files: of parts, by part."""
    from carousel import recipes
    from carousel.data.image_proposal import has_images, propose_images
    from carousel.data.proposal import has_columns, propose
    from carousel.recipes import suited

    if has_columns(data):
        named = (given.get(name, "") for name in ("target", "id", "time", "task"))
        made = propose(data, *named, files=files)
        why = made.guess.why
        notice(f"{data}: {made.guess.task}, {why if why.startswith('as ') else f'as {why}'}")
        for column in made.table.columns:
            if column.style == "unsure":  # without its dates a series is none
                notice(f"'{column.name}': {column.note}")
        return made.config
    roles = {name: value for name, value in given.items() if name != "task"}
    task = given.get("task", "")
    if has_images(data) and task in ("", "classify"):
        refuse_roles(data, roles)
        found = propose_images(data, files)
        notice(f"{data}: classify, as {found.why}")
        return found.config
    names = [name for name in suited.suited(data) if task in ("", task_of(name))]
    if not names:
        return None
    chosen = chosen_columns(data, names[0], roles)
    notice(f"{data}: read as {suited.READS[names[0]]}, by {names[0]}")
    return recipes.load(names[0])[0].override(
        {"data.path": str(data), **{f"text.{name}": value for name, value in chosen.items()}}
    )


def task_of(recipe: str) -> str:
    """The task of a recipe for data of one's own."""
    return recipe.removeprefix("own-").replace("-", "_")
