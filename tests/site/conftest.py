"""The scripts of tools/site as modules."""

import importlib
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "tools" / "site"


@pytest.fixture(scope="session")
def script():
    """A script of tools/site by its name."""

    def load(name):
        sys.path.insert(0, str(SCRIPTS))
        try:
            return importlib.import_module(name)
        finally:
            sys.path.remove(str(SCRIPTS))

    return load


@pytest.fixture(scope="session")
def assembly(script):
    return script("assemble").Assembly()
