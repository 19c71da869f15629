"""The pages of docs/tasks name files that are there."""

import re
from pathlib import Path

import pytest

from carousel import tasks

ROOT = Path(__file__).parents[1]
FILES = {file.name for file in (ROOT / "src").rglob("*.py")}


@pytest.mark.parametrize("task", tasks.names())
def test_the_files_that_a_page_names_are_there(task):
    page = (ROOT / "docs" / "tasks" / f"{task}.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w./]+\.py)`", page)
    assert named
    assert [name for name in named if Path(name).name not in FILES] == []
    assert [name for name in named if name.startswith("src/") and not (ROOT / name).exists()] == []
