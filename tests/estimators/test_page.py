"""The page of the estimators: its examples run, and every estimator and argument is on it."""

import doctest
import inspect
from pathlib import Path

import pytest

from carousel import estimators

PAGE = Path(__file__).parents[2] / "docs" / "estimators.md"


@pytest.mark.slow
def test_the_examples_of_the_page_run():
    found = doctest.testfile(str(PAGE), module_relative=False)
    assert found.attempted > 10
    assert found.failed == 0


@pytest.mark.parametrize("name", estimators.__all__)
def test_every_estimator_and_argument_is_on_the_page(name):
    text = PAGE.read_text(encoding="utf-8")
    assert f"\n## {name}\n" in text
    arguments = list(inspect.signature(getattr(estimators, name)).parameters)
    assert [argument for argument in arguments if f"`{argument}`" not in text] == []
