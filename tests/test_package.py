"""The package as a whole: its public names, what importing it loads, and its examples."""

import ast
import doctest
import importlib
import importlib.metadata
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import carousel
from carousel.cells.table import SPECS

HEAVY = [
    "torch", "numpy", "sklearn", "matplotlib", "lightning_fabric", "typer", "rich", "PIL", "pooch",
    "nicegui", "psutil", "tensorboardX", "polars", "pandas",
    "starlette", "redis", "optuna", "distributed",
]  # fmt: skip


@pytest.mark.parametrize("name", carousel.__all__)
def test_public_name_resolves_and_is_documented(name):
    member = getattr(carousel, name)
    assert member.__doc__
    assert name in dir(carousel)


def test_public_names_are_distinct_and_cover_every_lazy_one():
    assert len(set(carousel.__all__)) == len(carousel.__all__)
    assert set(carousel._HOME) <= set(carousel.__all__)


def test_unknown_name_raises_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'GLU'"):
        _ = carousel.GLU


def test_version_is_that_of_the_distribution():
    assert carousel.__version__ == importlib.metadata.version("carousel-rnn")


def loaded_by(statement):
    """Which of the heavy packages a fresh interpreter has loaded after the statement."""
    code = f"import sys\n{statement}\nprint(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_loads_nothing_heavy():
    assert loaded_by("import carousel") == set()


def test_layers_load_torch_and_nothing_else_heavy():
    loaded = loaded_by("import carousel; carousel.LSTM")
    assert "torch" in loaded
    assert loaded <= {"torch", "numpy"}  # torch itself loads numpy


def test_layers_do_not_load_the_compiler_of_torch():
    """It takes as long to import as the rest of torch."""
    code = "import sys, carousel; carousel.LSTM(3, 5); print('torch._dynamo' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_only_kernels_and_the_runtime_import_the_compiled_module():
    folder = Path(carousel.__file__).parent
    importers = {
        path.relative_to(folder).parts[0]
        for path in folder.rglob("*.py")
        if re.search(r"^\s*(from|import) .*\b_native\b", path.read_text(), re.M)
    }
    assert importers == {"kernels", "runtime"}


QUESTIONS = [
    "What",
    "Whether",
    "Which",
    "How",
    "Where",
    "Who",
    "When",
    "Of",
    "Those",
    "That",
    "By",
    "From",
    "To",
    "In",
    "As",
]


def test_docstrings_begin_with_a_noun_or_a_verb():
    """A docstring that begins as a question or in the middle of a sentence is hard to find."""
    found = []
    for path in Path(carousel.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                text = ast.get_docstring(node) or ""
                if text.startswith("The same") or text.partition(" ")[0].rstrip(",") in QUESTIONS:
                    found.append(f"{path.name}: {text.splitlines()[0]}")
    assert not found


def modules_with_examples():
    for found in pkgutil.walk_packages(carousel.__path__, "carousel."):
        if found.name == "carousel._native":  # compiled: no Python source
            continue
        try:
            module = importlib.import_module(found.name)
        except ModuleNotFoundError as error:  # of an extra that is not installed
            if error.name not in HEAVY:
                raise
            continue
        tests = doctest.DocTestFinder().find(module)
        if any(not e.options.get(doctest.SKIP) for test in tests for e in test.examples):
            yield found.name


@pytest.mark.parametrize("name", list(modules_with_examples()))
def test_examples_in_docstrings_are_true(name):
    results = doctest.testmod(importlib.import_module(name))
    assert results.attempted > 0
    assert results.failed == 0


@pytest.mark.parametrize("name", carousel.cells.__all__)
def test_every_cell_has_an_example(name):
    assert ">>>" in getattr(carousel.cells, name).__doc__


@pytest.mark.parametrize("name", [*(spec.layer for spec in SPECS), "explain"])
def test_every_layer_has_an_example(name):
    assert ">>>" in getattr(carousel, name).__doc__


def test_every_task_has_its_page_and_its_test():
    from carousel import tasks

    root = Path(__file__).parent.parent
    for name in tasks.names():
        assert (root / "docs" / "tasks" / f"{name}.md").is_file(), name
        assert (root / "tests" / "tasks" / name / f"test_{name}.py").is_file(), name


@pytest.mark.slow
def test_estimators_are_loaded_when_they_are_asked_for():
    assert "sklearn" in loaded_by("import carousel; carousel.estimators")
