"""Every tutorial runs, from its first block to its last, and its notebook holds the same code."""

import shlex
from pathlib import Path

import pytest
import torch

LEARN = Path(__file__).parents[2] / "docs" / "learn"
NAMES = sorted(page.stem for page in LEARN.glob("*.md") if "." not in page.stem)
NAMES.remove("index")
each_tutorial = pytest.mark.parametrize("name", NAMES)


def page(name, language=""):
    return (LEARN / f"{name}{language}.md").read_text(encoding="utf-8")


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@each_tutorial
def test_every_block_of_a_tutorial_runs_in_order(
    name, script, carousel, tmp_path, monkeypatch, one_thread
):
    monkeypatch.chdir(tmp_path)
    tutorials = script("tutorials")
    scope = {"__name__": "tutorial"}
    ran = {"python": 0, "bash": 0}
    for cell in tutorials.cells(tutorials.small(page(name))):
        if cell.kind == "python":
            exec(compile(cell.text, f"{name}.md", "exec"), scope)
            ran["python"] += 1
        elif cell.kind == "bash":
            for line in cell.text.splitlines():
                program, *arguments = shlex.split(line, comments=True)
                assert program == "carousel"
                code, out, err = carousel(*arguments)
                # `coach` says with 1 that something is wrong with a run of so few steps.
                assert code == 0 or (code == 1 and arguments[0] == "coach"), f"{line}\n{out}{err}"
                ran["bash"] += 1
    assert ran["python"]


@each_tutorial
def test_a_tutorial_names_only_replacements_that_it_has(name, script):
    assert "<!--" not in script("tutorials").small(page(name))


@each_tutorial
def test_a_notebook_holds_the_code_of_its_page_and_no_links_of_the_site(name, script, tmp_path):
    import json

    tutorials = script("tutorials")
    made = json.loads(tutorials.write(LEARN / f"{name}.md", tmp_path).read_text(encoding="utf-8"))
    assert (made["nbformat"], made["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in made["cells"]}) == len(made["cells"])
    code = ["".join(c["source"]) for c in made["cells"] if c["cell_type"] == "code"]
    blocks = [c for c in tutorials.cells(page(name)) if c.kind != "markdown"]
    assert len(code) == len(blocks)
    for written, block in zip(code, blocks, strict=True):
        sign = "!" if block.kind == "bash" else ""
        lines = block.text.strip("\n").splitlines()
        assert written.splitlines() == [sign + line for line in lines]
    words = "".join("".join(c["source"]) for c in made["cells"] if c["cell_type"] == "markdown")
    assert "](" not in words


def test_a_replacement_that_a_tutorial_has_not_is_an_error(script):
    with pytest.raises(ValueError, match=r"'a' is to be replaced by 'b'"):
        script("tutorials").small("<!-- small: a => b -->\nc\n")


@pytest.mark.parametrize(
    "path",
    [LEARN.parent / "index.md", *sorted(LEARN.parent.glob("concepts/*.md"))],
    ids=lambda path: path.name,
)
def test_the_python_of_a_page_of_concepts_and_of_the_first_page_runs(path, script):
    scope = {"__name__": "page"}
    for cell in script("tutorials").cells(path.read_text(encoding="utf-8")):
        if cell.kind == "python":
            exec(compile(cell.text, path.name, "exec"), scope)
