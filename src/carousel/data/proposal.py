"""A complete recipe for a table of one's own: what was guessed, written down with its reasons."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from carousel.config import Config
from carousel.config.columns import (
    FORECASTS,
    SPLIT,
    STEPS,
    ColumnsConfig,
    listed,
)
from carousel.data.countdown import cap_of
from carousel.data.files.text import suffix_of
from carousel.data.guesses import Guess, guess
from carousel.data.proposal_words import comments_of
from carousel.data.sequences import behind_the_end, ids_of, sequences_of
from carousel.data.sized import size_of
from carousel.data.sizes import (
    Sections,
    Size,
    longer_season,
    season_of,
    seasons_of_many,
    settings,
)
from carousel.data.store.opened import beginning
from carousel.data.table import Table, is_table, read_table
from carousel.errors import DataError

_HELD = {
    **{"classify_text": "text", "label_words": "text", "translate": "text"},
    "classify": "pictures",
}
_MAPPINGS = {
    "classify": "many-to-one",
    "classify_recordings": "many-to-one",
    "classify_text": "many-to-one",
}
_HEADS = {
    "columns": "what each column is for",
    "split": "who trains, who validates, who judges",
    "frames": "how sequences are cut and held out",
    "pictures": "how images are made alike and held out",
    "model": "the network",
    "regularization": "against overfitting",
    "regress": "what is to be found",
    "forecast": "how much is read, and how much is to come",
    "many": "what all series share",
    "anomaly": "what is unusual, and how many false alarms there may be",
    "training": "how long, in what batches",
}


def has_columns(path: Path) -> bool:
    """True if a path is a table with named columns. Raises `DataError` if nothing is there."""
    if not path.exists():
        raise DataError(f"there is no {path}")
    if not is_table(path):
        return False
    if suffix_of(path) == ".txt":
        return False
    return suffix_of(path) != ".tsv" or _has_header(path)


def _has_header(path: Path) -> bool:
    """True if a .tsv names its columns: those of sentences, such as label and text, need not."""
    try:
        table = read_table(path)
    except DataError:
        return False
    for column in table.columns:
        if len(column.name.split()) > 4 or (column.name in column.texts()):
            return False
    return True


@dataclass(frozen=True)
class Proposal:
    """A table, what was guessed of it, the step between its rows in words, and the recipe."""

    path: Path
    table: Table
    guess: Guess
    step: str
    sections: Sections
    comments: dict[str, str]

    @property
    def config(self) -> Config:
        """The recipe as a configuration. Raises `ConfigError`."""
        return Config.from_dict({"task": self.guess.task, **self.sections})

    def toml(self) -> str:
        """The recipe with a comment wherever there is a reason."""
        heads = [f"{self.path.name}: {self.guess.why}.", f"Split: {self.guess.split_why}."]
        return commented(heads, self.guess.task, self.sections, self.comments)

    def to_json(self) -> dict[str, Any]:
        """Everything that was found, as JSON can hold it."""
        kinds = {column.name: column for column in self.table.columns}
        return {
            "path": str(self.path),
            "rows": len(self.table),
            "sequences": self.guess.sequences,
            "step": self.step,
            "notes": list(self.table.notes),
            "columns": [
                {
                    "name": name,
                    "type": kinds[name].kind,
                    "role": role.role,
                    "why": role.why,
                    "change": role.change,
                    "missing": kinds[name].missing,
                    "odd": kinds[name].odd,
                    "note": kinds[name].note,
                }
                for name, role in self.guess.roles.items()
            ],
            "task": {"name": self.guess.task, "why": self.guess.why},
            "split": {
                "by": self.guess.split,
                "column": self.guess.split_column,
                "why": self.guess.split_why,
            },
            "recipe": {"task": self.guess.task, **self.sections},
        }


def commented(heads: list[str], task: str, sections: Sections, comments: dict[str, str]) -> str:
    """A recipe as TOML, below some lines of comment, with a comment behind keys that have one."""
    import tomli_w

    lines = [*(f"# {head}" for head in heads), "", f'task = "{task}"']
    for section, values in sections.items():
        head = f"  # {_HEADS[section]}" if section in _HEADS else ""
        lines += ["", f"[{section}]{head}"]
        for key, value in values.items():
            written = tomli_w.dumps({key: value}).rstrip("\n")
            why = comments.get(f"{section}.{key}", "")
            lines.append(f"{written}  # {why}" if why else written)
    return "\n".join(lines) + "\n"


def short_name(path: Path) -> str:
    """The name of a file or folder as runs can be called by it."""
    return re.sub(r"[^\w.-]+", "-", path.name.split(".")[0]).strip("-.") or "data"


def propose(
    path: str | Path,
    target: str = "",
    id: str = "",
    time: str = "",
    task: str = "",
    *,
    files: Mapping[str, str] | None = None,
    table: Table | None = None,
    found: Guess | None = None,
) -> Proposal:
    """Read a table, guess what it is for, and make a recipe of it; files: of the validation and the
    test part, by part; table, found: where they are known already. Raises `DataError`."""
    path = Path(path)
    table = beginning(read_table(path) if table is None else table)
    if found is None:
        found = guess(table, target=target, id=id, time=time, task=task)
    columns = _columns(found)
    step, gap = _steps(table, found, columns)
    columns["gap"] = gap
    size = size_of(table, found)
    sections = _sections(path, table, found, columns, step, size)
    _put(sections, found, files or {})
    if found.task == "regress" and (cap := cap_of(table, found)):
        sections["regress"] = {"cap": cap}
        found.why += ", and counts down to the end of each sequence"
    return Proposal(path, table, found, step, sections, comments_of(table, found, columns, size))


def _put(sections: Sections, found: Guess, files: Mapping[str, str]) -> None:
    """Name the files of parts in the recipe, and leave out what they make idle."""
    if not files:
        return
    sections["data"] |= files
    said = ", ".join(f"the {part} part is {file}" for part, file in files.items())
    drawn = [part for part in ("validation", "test") if part not in files]
    if drawn:
        found.split_why = f"{said}; the {drawn[0]} part: {found.split_why}"
        return
    found.split_why = said
    sections.pop("split", None)
    for held in ("frames", "text", "pictures"):
        for part in files:
            sections.get(held, {}).pop(part, None)
        if not sections.get(held, {"": ""}):
            sections.pop(held)


def _columns(found: Guess) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for role in ("id", "time", "target", "text", "file"):
        if names := found.named(role):
            columns[role] = listed(names)
    if found.wide:
        columns["wide"] = listed([block.setting for block in found.wide])
    if found.separator:
        columns["separator"] = found.separator
    statics = found.named("static")
    if statics and found.task in (*STEPS, "forecast_many"):
        columns["static"] = listed(statics)
    if known := found.named("known"):
        columns["known"] = listed(known)
    return columns


def _steps(table: Table, found: Guess, columns: dict[str, Any]) -> tuple[str, str]:
    """The step between rows in words, and what is to be done with gaps."""
    if "time" not in columns or found.task not in (*STEPS, *FORECASTS):
        return "", "fill"
    roles = ColumnsConfig(id=columns.get("id", ""), time=columns["time"])
    try:
        return sequences_of(table, roles).step, "fill"
    except DataError:  # to fill the gaps would make a far larger table
        if found.task == "forecast":
            return "", "fill"
        found.gap = "cut"
        return sequences_of(table, replace(roles, gap="cut")).step, "cut"


def _sections(
    path: Path, table: Table, found: Guess, columns: dict[str, Any], step: str, size: Size
) -> Sections:
    task = found.task
    kept = found.named("static") + found.named("known")
    texts = {n for n in kept if table[n].kind == "text"}
    category = [n for n, r in found.roles.items() if r.role == "category" or n in texts]
    if category:
        columns["category"] = listed(category)
    ignored = found.named("ignore")
    if ignored:
        columns["ignore"] = listed(ignored)
    if task not in (*STEPS, *FORECASTS) or not columns.get("time"):
        columns.pop("gap", None)
    what = f"'{listed(found.named('target'))}'" if found.named("target") else "every number"
    sections: Sections = {
        "recipe": {
            "name": short_name(path),
            "summary": f"{what} of {path.name}",
            "mapping": "many-to-one" if size.whole else _MAPPINGS.get(task, "many-to-many"),
        },
        "data": {"name": "table", "path": str(path)},
        "columns": columns,
    }
    if task in SPLIT:
        split = {"by": found.split}
        sections["split"] = split | (
            {"column": found.split_column} if found.split in ("group", "column") else {}
        )
    made = settings(task, size, korean=_is_korean(table, found))
    if task == "forecast":
        sections["forecast"] = _forecast(table, found, columns, step)
    if task == "forecast_many":
        sections |= _forecast_many(table, found, columns, step)
    held = _HELD.get(task, "frames" if task in STEPS else "")
    if held and found.split != "column":
        share = 0.1 if held == "text" else 0.15
        made[held] = {**made.get(held, {}), "validation": share, "test": share}
    if "data" in made:
        sections["data"] |= made["data"]
    order = (
        "pictures",
        "anomaly",
        "frames",
        "text",
        "model",
        "loss",
        "regularization",
        "optimizer",
        "schedule",
        "training",
    )
    return {**sections, **{name: made[name] for name in order if name in made}}


def _forecast(table: Table, found: Guess, columns: dict[str, Any], step: str) -> dict[str, Any]:
    rows = len(table)
    season, context, horizon = season_of(step, rows)
    alone = not (found.named("number") or found.named("category")) or not found.named("target")
    made: dict[str, Any] = {"context": context, "horizon": horizon}
    if season > 1:
        made["season"] = season
    if table[columns["time"]].kind == "time":
        made["calendar"] = True
    made |= {"linear": True, "ridge": True}
    if alone:
        made["independent"] = True
    return made


def _forecast_many(table: Table, found: Guess, columns: dict[str, Any], step: str) -> Sections:
    """Sections of many series: the horizon is that of the rows to come where there are such."""
    ids = found.named("id")
    codes = ids_of(table, ids)[0]
    coming = np.zeros(0, np.int64)
    if found.named("known"):
        rows = behind_the_end(table, codes, columns["time"], columns["target"])
        coming = np.unique(codes[rows], return_counts=True)[1]
    lengths = np.bincount(codes)
    usual = int(np.median(lengths)) - (int(np.median(coming)) if len(coming) else 0)
    season, context, horizon = seasons_of_many(step, usual)
    if len(coming):
        horizon = int(np.median(coming))
    made: dict[str, Any] = {"context": context, "horizon": horizon}
    if season > 1:
        made["season"] = season
    if columns.get("time") and table[columns["time"]].kind == "time":
        made["calendar"] = True
    made["distribution"] = "quantile"
    sections: Sections = {"forecast": made}
    if more := longer_season(step, season, context):
        sections["many"] = {"seasons": str(more)}
    return sections


def _is_korean(table: Table, found: Guess) -> bool:
    for name in found.named("text"):
        letters = "".join(table[name].texts()[:500])
        hangul = sum("가" <= letter <= "힣" for letter in letters)
        if hangul > 0.3 * max(1, sum(letter.isalpha() for letter in letters)):
            return True
    return False
