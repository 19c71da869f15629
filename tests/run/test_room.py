"""The room of the run folder is its only one: SQL and the names of its files stand nowhere else."""

import ast
import re
from pathlib import Path

import pytest

import carousel
from carousel.run import events, layout

SOURCES = Path(carousel.__file__).parent
# The user's own config.toml, and the states of a server's streams, a database of its own.
OTHERS = {SOURCES / "places.py", SOURCES / "serve" / "store.py"}
OUTSIDE = [
    path
    for path in sorted(SOURCES.rglob("*.py"))
    if path.parent.name != "run" and path not in OTHERS
]
FILES = {
    layout.CONFIG,
    layout.DATA,
    layout.EVENTS,
    layout.CHECKPOINTS,
    layout.MODEL_FACTS,
    layout.LOOK,
    layout.RESULT,
    layout.NOTES,
    layout.RANGE_PICTURE,
}
SQL = re.compile(r"\b(SELECT|INSERT|DELETE|UPDATE)\b.*\b(points|events|signals|meta)\b", re.DOTALL)


def trespasses(source):
    """What a source says that only the room may say."""
    tree = ast.parse(source)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name == "sqlite3"]
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and (text in FILES or SQL.search(text)):
            found.append(text)
    return found


def test_nothing_outside_names_a_file_of_a_run_or_asks_its_tables():
    found = {str(path): trespasses(path.read_text(encoding="utf-8")) for path in OUTSIDE}
    assert {path: what for path, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "source", ["import sqlite3", "p / 'result.json'", "db.execute('SELECT name FROM signals')"]
)
def test_who_does_is_found_out(source):
    assert trespasses(source)


def test_every_kind_of_event_has_a_name_of_its_own():
    known = [cls for cls in vars(events).values() if isinstance(cls, type)]
    known = [cls for cls in known if issubclass(cls, events.Event) and cls is not events.Event]
    assert len(events.kinds()) == len(known)


def test_a_name_that_is_no_kind_is_an_error():
    with pytest.raises(ValueError, match="no kind of event 'epochs'"):
        events.kind_of("epochs")


def test_what_is_not_known_is_not_written():
    assert events.Facts(parameters=3, higher_is_better=False).body() == {
        "parameters": 3,
        "higher_is_better": False,
    }
