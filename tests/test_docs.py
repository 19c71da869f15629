"""What the documentation says can be done can be done."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
import torch
import typer

import carousel
from carousel import cli, recipes

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
READMES = [ROOT / "README.md", ROOT / "README.ko.md"]
each_readme = pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)


def blocks(page, *languages):
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```(?:{'|'.join(languages)})\n(.*?)^```", text, re.M | re.S)


def commands(page, program):
    for block in blocks(page, "bash", "console"):
        for line in block.splitlines():
            line = line.partition(" > ")[0]  # what the shell does with what is printed
            words = shlex.split(line.removeprefix("$ "), comments=True)
            if program in words:
                yield words[words.index(program) + 1 :]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_command_of_every_page_is_one_the_command_line_takes(page):
    verbs = typer.main.get_command(cli.app).commands
    for verb, *arguments in commands(page, "carousel"):
        if verb.startswith("-"):  # carousel --help, carousel --version
            continue
        context = verbs[verb].make_context(verb, list(arguments))  # raises on unknown options
        recipe = context.params.get("recipe")
        own = recipe and (Path(recipe).suffix or recipe.endswith("/"))  # a file or folder of theirs
        if verb == "train" and recipe and not own:
            config, _ = recipes.load(context.params["recipe"])
            config.override(context.params["assignments"] or ())


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_make_target_of_every_page_exists(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for target, *_ in commands(page, "make"):
        assert target in targets


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_relative_link_of_every_page_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target and not target.startswith("#"):
            assert (page.parent / target.partition("#")[0]).exists(), target


@each_readme
def test_the_readme_is_read_in_a_minute(readme):
    assert len(readme.read_text(encoding="utf-8").splitlines()) <= 150


@each_readme
def test_the_python_examples_of_the_readme_run(readme, capsys):
    scope = {}
    for example in blocks(readme, "python"):
        exec(example, scope)
    layer, x, output = scope["layer"], scope["x"], scope["output"]
    twin = torch.nn.LSTM(28, 128, batch_first=True)
    twin.load_state_dict(layer.state_dict())
    torch.testing.assert_close(layer(x)[0], twin(x)[0])
    assert output[1, 4:].eq(0).all()
    assert output[2].eq(0).all()
    assert isinstance(scope["model"][1], carousel.GRU)
    assert "native" in capsys.readouterr().out


def test_both_readmes_have_the_same_blocks_sections_and_links():
    english, korean = READMES
    for language in ("bash", "python"):
        bare = [
            [re.sub(r"\s*#.*", "", line) for line in "".join(blocks(page, language)).splitlines()]
            for page in (english, korean)
        ]
        assert bare[0] == bare[1]
    # What is printed may be in Korean; its numbers are the same.
    printed = [[sorted(re.findall(r"\d[\d.,]*\d|\d", text)) for text in blocks(page, "text")]
               for page in (english, korean)]  # fmt: skip
    assert printed[0] == printed[1]
    shapes = []
    for page in (english, korean):
        text = page.read_text(encoding="utf-8")
        found = set(re.findall(r"\]\(([^)\s]+)\)", text)) - {"README.md", "README.ko.md"}
        links = {link.replace(".ko.md", ".md") for link in found}
        shapes.append((re.findall(r"^#+ ", text, re.M), text.count("\n|"), links))
    assert shapes[0] == shapes[1]


def test_a_link_to_a_section_of_a_readme_leads_to_a_heading_of_it():
    """The site has another first page, and so drops these anchors before it checks links."""
    headings = {
        page: {
            re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
            for title in re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
        }
        for page in READMES
    }
    for page in PAGES:
        for target, anchor in re.findall(r"\]\(([^)\s#]+)#([^)\s]+)\)", page.read_text("utf-8")):
            known = headings.get((page.parent / target).resolve())
            assert known is None or anchor in known, f"{page}: {target}#{anchor}"


def test_architecture_has_the_layers_of_the_contract():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    assert "\n".join(layers) in text


def test_architecture_names_every_folder_and_module():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    package = Path(carousel.__file__).parent
    for path in package.iterdir():
        if path.is_dir() and (path / "__init__.py").exists():
            assert re.search(rf"^  {path.name}/ ", text, re.M), path.name
        elif path.suffix == ".py" and not path.name.startswith("_"):
            assert re.search(rf"^  {path.name} ", text, re.M), path.name


def test_architecture_names_only_files_that_are_there():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    folders = (ROOT, ROOT / "native", Path(carousel.__file__).parent)
    named = re.findall(r"`([\w-]+/[\w/*.{},-]*\.\w+)`", text)
    assert len(named) > 60
    for name in named:
        head, brace, rest = name.partition("{")
        inside, _, tail = rest.partition("}")
        for each in [head + one + tail for one in inside.split(",")] if brace else [name]:
            assert any(list(folder.glob(each.replace("NAME", "*"))) for folder in folders), each


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_pages_list_baselines_as_train_does_the_best_first(page):
    rows = r"^ [^\n]*\(baseline\) +[\d.]+% *\n"
    for table in re.findall(rf"(?:{rows})+", page.read_text(encoding="utf-8"), re.M):
        shares = [float(share) for share in re.findall(r"([\d.]+)% *$", table, re.M)]
        assert shares == sorted(shares, reverse=True)
