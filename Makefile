# Needs Python >= 3.11 with venv, pip, make and a C++17 compiler; everything else goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := pyproject.toml constraints.txt CMakeLists.txt $(wildcard native/*)

# Without Python; CMakeLists.txt alone knows the compiler's flags.
STRESS := $(BIN)/cmake -S . -DCAROUSEL_STRESS=ON
JOBS ?= 2

.PHONY: demo test test-rest test-all check docs stub symbols sanitize install clean

install: $(VENV)/.installed

# Editable: Python sources are used in place; a change of the native code installs again.
# The constraints hold for the isolated build environment too.
$(VENV)/.installed: $(SOURCES)
	$(PYTHON) -m venv $(VENV)
	PIP_CONSTRAINT=constraints.txt $(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

demo: install
	$(BIN)/carousel train mnist-rows

# What a newcomer runs, in minutes: every test but the slow ones, with each value of each parameter
# at least once; test-rest is what that leaves out, test-all everything.
PYTEST := $(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile

test: install
	$(PYTEST) --thin

test-rest: install
	$(PYTEST) --rest

test-all: install
	$(PYTEST)

# What mypy knows of the compiled module, written by nanobind from the module itself; `make check`
# compares.
STUB := src/carousel/_native.pyi
WRITE_STUB := $(BIN)/python -m nanobind.stubgen --quiet --module carousel._native --output-file

stub: install
	$(WRITE_STUB) $(STUB)

check: install symbols
	$(WRITE_STUB) build/_native.pyi
	@diff -u $(STUB) build/_native.pyi || { echo "$(STUB) is not what the module has: make stub"; exit 1; }
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The documentation as a site, in build/site: strict, every link checked, nothing fetched by a reader.
docs: install
	$(BIN)/python tools/site/assemble.py build/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --clean
	$(BIN)/python tools/site/check.py build/site

# The kernels of one instruction set share no symbol with those of another: the linker would take
# one of them for both. Each object defines its table, and nothing that is weak or unique.
symbols: install
	$(STRESS) -B build/plain >/dev/null
	$(BIN)/cmake --build build/plain --parallel $(JOBS) >/dev/null
	@for object in build/plain/CMakeFiles/kernels_*.dir/native/kernels.cpp.o; do \
	    symbols=$$(nm --extern-only --defined-only "$$object") || exit 1; \
	    others=$$(echo "$$symbols" | grep -vE ' [RD] _ZN8carousel[0-9]+kernels_[a-z0-9]+E$$'); \
	    if [ -z "$$symbols" ] || [ -n "$$others" ]; then \
	        echo "$$object must define its table of kernels alone, but defines: $$symbols"; exit 1; \
	    fi; \
	done

# Random problems of the kernels under the address, undefined-behaviour and thread sanitizers.
sanitize: install
	for kind in address,undefined thread; do \
	    $(STRESS) -B build/$$kind -DCAROUSEL_SANITIZE=$$kind >/dev/null && \
	    $(BIN)/cmake --build build/$$kind --parallel $(JOBS) >/dev/null && \
	    build/$$kind/stress 30 || exit 1; \
	done

clean:
	rm -rf $(VENV) build .mypy_cache .pytest_cache .ruff_cache
