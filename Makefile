# Needs Python >= 3.11 with venv, pip, make and a C++17 compiler; everything else goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := pyproject.toml constraints.txt CMakeLists.txt $(wildcard native/*)

.PHONY: demo test check install clean

install: $(VENV)/.installed

# Editable: Python sources are used in place; a change of the native code installs again.
# The constraints hold for the isolated build environment too.
$(VENV)/.installed: $(SOURCES)
	$(PYTHON) -m venv $(VENV)
	PIP_CONSTRAINT=constraints.txt $(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

demo: install
	$(BIN)/carousel train mnist-rows

test: install
	$(BIN)/python -m pytest

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) build .mypy_cache .pytest_cache .ruff_cache
