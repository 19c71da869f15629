"""docs/compatibility.md: each row has a state, and a test that holds it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "compatibility.md"
ROWS = [
    [cell.strip() for cell in line.strip("| \n").split(" | ")]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| tool"))
]


def links(text):
    return {(PAGE.parent / target).resolve() for target in re.findall(r"\]\((\S+?)\)", text)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_row_has_a_state_and_tests(row):
    assert row[1] in ("ours", "torch's", "not")
    assert links(row[-1]) or "by hand" in " ".join(row)
    assert all(target.is_file() for target in links(row[-1]))


def test_every_test_of_this_folder_holds_a_row():
    here = set(Path(__file__).parent.glob("test_*.py")) - {Path(__file__)}
    assert here <= set().union(*(links(row[-1]) for row in ROWS))
