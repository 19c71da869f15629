"""Pages for learners are in Korean too, and say what the pages in English say."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
# Not translated: look-ups, measurements, and guides whose pages a translation would only follow.
ENGLISH = {
    *(
        "board.md",
        "command-line.md",
        "compare.md",
        "compatibility.md",
        "estimators.md",
        "export.md",
        "gallery.md",
        "inspect.md",
        "int8.md",
        "json.md",
    ),
    "memory-cells.md",
    *(
        "options.md",
        "own-data.md",
        "parallel-cells.md",
        "performance.md",
        "precision.md",
        "predict.md",
    ),
    *(
        "processes.md",
        "report.md",
        "results.md",
        "runs.md",
        "runtime.md",
        "scale.md",
        "serve.md",
        "settings.md",
        "sweep.md",
    ),
}
ENGLISH_FOLDERS = {"experiments", "lab", "reference"}
PAGES = sorted(
    path.relative_to(DOCS).as_posix()
    for path in DOCS.rglob("*.md")
    if not path.name.endswith(".ko.md")
)
TRANSLATED = [
    page for page in PAGES if page not in ENGLISH and page.partition("/")[0] not in ENGLISH_FOLDERS
]
WRITTEN_BY_PROGRAMS = {"audit.md", "coach/rules.md"}


def korean_of(page):
    return DOCS / page.replace(".md", ".ko.md")


def test_learn_concepts_tasks_and_the_coach_are_among_the_translated():
    folders = {page.partition("/")[0] for page in TRANSLATED}
    assert {"learn", "concepts", "tasks", "coach", "coach.md", "index.md"} <= folders


def test_the_list_of_english_pages_names_pages_that_are_there_and_not_translated():
    assert set(PAGES) >= ENGLISH
    assert [page for page in ENGLISH if korean_of(page).exists()] == []


def without_words(block):
    """A block without its comments; of what is printed, which may be in Korean, its numbers."""
    if block.startswith("```text"):
        return sorted(re.findall(r"\d[\d.,]*\d|\d", block))
    return re.sub(r"\s*#.*", "", block)


@pytest.mark.parametrize("page", TRANSLATED)
def test_a_page_has_its_translation_in_korean(page):
    text = korean_of(page).read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```|`[^`]*`|^\|.*?$", "", text, flags=re.M | re.S)
    assert len(re.findall("[가-힣]", prose)) > len(re.findall("[A-Za-z]", prose)) / 3


@pytest.mark.parametrize("page", sorted(set(TRANSLATED) - WRITTEN_BY_PROGRAMS))
def test_a_translation_has_the_code_headings_rows_and_links_of_its_page(page, script):
    """A change of a page in English is a change of its translation: see CONTRIBUTING.md."""
    shapes = []
    for path in (DOCS / page, korean_of(page)):
        text = path.read_text(encoding="utf-8")
        prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
        targets = re.findall(r"\]\(([^)\s]+)\)", prose)
        links = {target.replace(".ko.md", ".md") for target in targets}
        code = [without_words(one) for one in re.findall(r"^```.*?^```", text, re.M | re.S)]
        rows = prose.count("\n|")
        shapes.append((code, len(script("assemble").headings(text)), rows, links))
    assert shapes[0] == shapes[1], f"translate the change of docs/{page}: {korean_of(page).name}"
