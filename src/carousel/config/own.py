"""Custom data in place of a recipe's set, and what of the recipe was chosen for that set."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from carousel.config.columns import STEPS, TABLES
from carousel.config.keys import DROPPED, KEPT, closest
from carousel.config.readers import of_set
from carousel.errors import ConfigError

#: What `data.name` says of custom data, by task; of "generate", "lines" for a folder.
WORDS = {
    "classify": "images",
    "forecast": "series",
    "anomaly": "series",
    "classify_text": "sentences",
    "label_words": "columns",
    "translate": "pairs",
    "caption": "images",
    "classify_recordings": "recordings",
    "label_frames": "recordings",
    "regress": "recordings",
    "generate": "text",
    "forecast_many": "series",
}
#: What it says of a table whose columns have roles (`carousel.config.columns`), in any task.
TABLE = "table"
#: Tasks that read a published set where nobody says what to read.
_DEFAULT_SETS = ("classify",)
_ALIASES = {*WORDS.values(), "lines", TABLE}
#: What tells the folder of an imported table from others.
IMPORTED = "store.json"
_CSV = {".csv", ".tsv"}
_OTHER_TABLES = {
    *(".parquet", ".pq", ".ndjson", ".jsonl", ".json", ".arrow", ".ipc", ".feather"),
    *(".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"),
}


def is_own(name: str) -> bool:
    """True if a `data.name` means custom data."""
    return name in _ALIASES


def word_of(task: str, path: str, columns: Mapping[str, Any] | None = None) -> str:
    """The `data.name` of custom data at a path; empty for a task that reads none.

    columns: the section of that name; whoever writes one means a table.
    """
    if task == "generate" and Path(path).is_dir():
        return "lines"
    if task in TABLES and (_has_roles(columns or {}) or _is_table(task, path)):
        return TABLE
    return WORDS.get(task, "")


def _has_roles(columns: Mapping[str, Any]) -> bool:
    return any(value for role, value in columns.items() if role not in ("gap", "embed"))


def is_plain_table(path: str | Path) -> bool:
    """True of an imported table, and of a name that only tables have."""
    suffixes = {suffix.lower() for suffix in Path(path).suffixes}
    return bool(suffixes & _OTHER_TABLES) or (Path(path) / IMPORTED).is_file()


def _is_table(task: str, path: str) -> bool:
    """True if a file's name says that it is a table that no other reader of the task reads."""
    if is_plain_table(path):
        return True
    suffixes = {suffix.lower() for suffix in Path(path).suffixes}
    return task in (*STEPS, "classify") and bool(suffixes & _CSV) and Path(path).is_file()


def named(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The tables of a configuration with a `data.name` where nobody wrote one: a path alone means
    custom data, and without either there is none, but for the task that reads MNIST."""
    task, data = values.get("task", "classify"), values.get("data", {})
    if task not in WORDS or not isinstance(data, Mapping) or "name" in data:
        return values
    path = str(data.get("path", ""))
    if not path and task in _DEFAULT_SETS:
        return values
    columns = values.get("columns", {})
    name = word_of(task, path, columns if isinstance(columns, Mapping) else {}) if path else ""
    return {**values, "data": {**data, "name": name}}


def check(task: str, name: str, path: str, files: Mapping[str, str] | None = None) -> None:
    """Raise `ConfigError` unless either a published set or custom data are named.

    files: for the validation and the test part; they go with a path alone, and are other files.
    """
    if task not in WORDS:
        return
    for part, file in (files or {}).items():
        if not path:
            raise ConfigError(
                f"data.{part} = '{file}' is a file for one part of data of your own, and data.path "
                f"names none to train on: set it"
            )
        same = [p for p, other in (files or {}).items() if p != part and other == file]
        if same or Path(file).absolute() == Path(path).absolute():
            raise ConfigError(
                f"data.{part} = '{file}' is the file of data.{same[0] if same else 'path'} too: "
                f"each part needs data of its own"
            )
    if path and not is_own(name):
        raise ConfigError(
            f"data.name = '{name}' asks for a published set, and data.path = '{path}' data of your "
            f"own: name one of them (a path alone is enough).{closest(name, [word_of(task, path)])}"
        )
    if not path and not name:
        raise ConfigError(
            f"the task '{task}' needs data: data.path = data of your own (docs/tasks/{task}.md "
            f"says what they look like), or data.name = a published set (carousel data list)"
        )


def resolve(
    old: dict[str, Any],
    new: dict[str, Any],
    given: Collection[str],
    default: dict[str, Any],
    root: type,
) -> None:
    """Mend `new`, which is `old` with the settings in `given` changed, where these change the data.

    A path alone means custom data, under the name that its task has for it. What `old` chose
    for its own set goes back to `default`, but for what is in `given`, and is written down in
    `recipe.dropped`. The eight words for custom data mean the same in every task. root: the
    class of the configuration. Raises `ConfigError` if a published set and a path are both given.
    """
    data, task = new["data"], new["task"]
    if task in WORDS and not data["path"] and is_own(data["name"]) and data["name"] != "lines":
        data["name"] = WORDS[task]  # whose reader says that a path is missing
    elif task in WORDS and data["path"]:
        stays = task in TABLES and data["name"] == TABLE
        if task == "generate" and "data.name" in given:
            stays = data["name"] in ("text", "lines")
        if not stays and ("data.name" not in given or is_own(data["name"])):
            data["name"] = word_of(task, str(data["path"]), new["columns"])
        check(task, data["name"], data["path"])
    before, now = old["data"]["name"], data["name"]
    if before != now and not is_own(before):
        _release(old, new, given, default, root)


def _release(
    old: dict[str, Any],
    new: dict[str, Any],
    given: Collection[str],
    default: dict[str, Any],
    root: type,
) -> None:
    dropped = _differing(new, default, of_set(root, DROPPED), given)
    for key in dropped:
        section, name = key.split(".")
        new[section][name] = default[section][name]
    recipe, set_name = old["recipe"], old["data"]["name"]
    if recipe == default["recipe"]:
        return  # nobody said anything of it
    name, path = new["data"]["name"], Path(str(new["data"]["path"]))
    mine = path.name if is_own(name) else name
    short = re.sub(r"[^\w.-]+", "-", path.stem if is_own(name) else name).strip("-.") or "data"
    # A recipe for custom data has no set: its settings were chosen for whatever comes.
    taken_over = _differing(new, default, of_set(root, KEPT), given) if set_name else {}
    new["recipe"] = {
        **default["recipe"],
        "name": f"{new['task'].replace('_', '-')}-{short}",
        "summary": f"{mine}, with network and training of {recipe['name']}",
        "mapping": recipe["mapping"],
        "based_on": recipe["name"],
        "dropped": _written(dropped),
        "taken_over": _written(taken_over),
        **{k: v for k, v in new["recipe"].items() if f"recipe.{k}" in given},
    }


def _differing(
    values: dict[str, Any], default: dict[str, Any], keys: Iterable[str], given: Collection[str]
) -> dict[str, Any]:
    """Keys, of these, that are not at their default and that nobody gave, with their values."""
    found = {}
    for key in keys:
        section, name = key.split(".")
        if key not in given and values[section][name] != default[section][name]:
            found[key] = values[section][name]
    return found


def _written(settings: dict[str, Any]) -> str:
    shown = {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in settings.items()}
    return " ".join(f"{key}={value}" for key, value in shown.items())
