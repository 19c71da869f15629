"""The site has every page, every verb and every public name."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import carousel
from carousel import tasks
from carousel.cli import reference
from carousel.tasks.shared import answers
from carousel.tasks.shared.task import TrainedModel

ROOT = Path(__file__).parents[2]
API = ROOT / "docs" / "reference" / "api"
# Packages whose `__all__` users may rely on; settings have a page of their own.
PUBLIC = ["carousel"] + [
    f"carousel.{name}"
    for name in ("bulk", "cells", "estimators", "kernels", "layers", "report", "tasks", "training")
]


def resolve(path):
    """Object of a dotted path, as mkdocstrings finds it."""
    names = path.split(".")
    for end in range(len(names), 0, -1):
        try:
            found = importlib.import_module(".".join(names[:end]))
        except ModuleNotFoundError:
            continue
        for name in names[end:]:
            found = getattr(found, name)
        return found
    raise AssertionError(path)


@pytest.fixture(scope="module")
def documented():
    paths = [
        path
        for page in API.glob("*.md")
        for path in re.findall(r"^::: (\S+)$", page.read_text(encoding="utf-8"), re.M)
    ]
    assert len(paths) == len(set(paths))
    return [resolve(path) for path in paths]


def named_in(module):
    """Public objects of a module, without its own modules."""
    module = importlib.import_module(module)
    found = [getattr(module, name) for name in module.__all__]
    return [one for one in found if not inspect.ismodule(one)]


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_has_its_page(module, documented):
    missing = [one for one in named_in(module) if not any(one is known for known in documented)]
    assert missing == [], "add `::: name` to a page of docs/reference/api"


def test_every_trained_model_and_answer_has_its_page(documented):
    for module in pkgutil.walk_packages(tasks.__path__, "carousel.tasks."):
        importlib.import_module(module.name)

    def below(kind):
        for one in kind.__subclasses__():
            yield one
            yield from below(one)

    models = {one for one in below(TrainedModel) if not inspect.isabstract(one)}
    assert len(models) >= len(tasks.names())
    told = {one for one in vars(answers).values() if inspect.isclass(one)}
    told = {one for one in told if one.__module__ == answers.__name__}
    told |= {one for one in below(answers.Answer) if one.__module__.startswith("carousel.")}
    assert (models | told) - set(documented) == set()


def test_every_public_name_says_what_it_is(documented):
    assert [one for one in documented if callable(one) and not inspect.getdoc(one)] == []


def test_the_page_of_the_verbs_is_what_the_parser_takes():
    written = (ROOT / "docs" / "reference" / "verbs.md").read_text(encoding="utf-8")
    assert written == reference.page(), (
        "run: python -m carousel.cli.reference docs/reference/verbs.md"
    )
    for verb in carousel.cli.typer.main.get_command(carousel.cli.app).commands:
        assert f"\n## carousel {verb}\n" in written


def test_every_page_is_in_the_navigation_and_every_entry_has_a_page(assembly):
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    entries = re.findall(r"^ +- (?:[\w -]+: )?(\S+\.md)$", text.partition("\nnav:\n")[2], re.M)
    assert len(entries) == len(set(entries)) > 40
    pages = {
        page
        for page in assembly.pages
        if not page.endswith(".ko.md") and not page.startswith("source/")
    }
    assert pages - set(entries) == set(), "add them to nav in mkdocs.yml"
    assert set(entries) - pages == set()


def test_the_tables_of_the_performance_page_are_those_of_the_lab_notes(script):
    performance = script("performance")
    text = performance.PAGE.read_text(encoding="utf-8")
    assert text == performance.page(text), "run: python tools/site/performance.py"
    sections = {*performance.SECTIONS, *performance.ALONE}
    assert set(re.findall(r"<!-- (.+?): start -->", text)) == sections
    assert text.count("| rows LSTM training |") == 3  # time, memory, and products of bfloat16


def test_the_picture_of_speed_shows_every_ratio_of_the_performance_page(script, tmp_path):
    picture, performance = script("speed_picture"), script("performance")
    found = picture.ratios(performance.PAGE.read_text(encoding="utf-8"))
    assert set(found) == {(use, c) for use in picture._USES for c in ("LSTM", "GRU", "RNN")}
    assert min(found["training", "LSTM"]) < 1  # the losses, too
    assert sum(map(len, found.values())) == 3 * (42 + 6 + 9)
    picture.draw(found, tmp_path / "speed.png")
    assert (tmp_path / "speed.png").stat().st_size > 10_000
