# Needs Python >= 3.11 with venv, pip, make and a C++17 compiler; everything else goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := pyproject.toml constraints.txt CMakeLists.txt $(wildcard native/*)

# Without Python; CMakeLists.txt alone knows the compiler's flags.
STRESS := $(BIN)/cmake -S . -DCAROUSEL_STRESS=ON
JOBS ?= 2
SHELL := /bin/bash

.PHONY: demo test test-rest test-all check docs stub symbols sanitize install clean wheel sdist test-wheel test-floor \
    neon portable

install: $(VENV)/.installed

# Editable: Python sources are used in place; a change of the native code installs again.
# What builds is installed first and the build keeps its objects, so that a change compiles what it
# touches, and `make wheel` nothing.
PIP := PIP_CONSTRAINT=constraints.txt CMAKE_BUILD_PARALLEL_LEVEL=$(JOBS) $(BIN)/pip
BUILD := --no-build-isolation --config-settings build-dir=build/wheel

$(VENV)/.core: $(SOURCES)
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet scikit-build-core nanobind cmake ninja
	$(PIP) install --quiet $(BUILD) --editable .
	touch $@

# With what tests, checks and the documentation need; nothing is compiled again.
$(VENV)/.installed: $(VENV)/.core
	$(PIP) install --quiet $(BUILD) --editable '.[dev]'
	touch $@

demo: $(VENV)/.core
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
	$(BIN)/mypy tests/typing/user_code.py
	$(BIN)/pyright --pythonpath $(BIN)/python --project tests/typing
	$(BIN)/lint-imports

# One wheel for every Python from 3.11 on, in dist/. It brings no library along: libgomp is torch's, for
# a second one would be a second pool of threads.
wheel: install
	rm -rf build/linked dist/*.whl
	$(PIP) wheel --quiet --no-deps $(BUILD) --wheel-dir build/linked .
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/auditwheel repair -z 9 --exclude libgomp.so.1 --wheel-dir dist build/linked/*.whl

sdist: install
	$(BIN)/python -m build --sdist --no-isolation --outdir dist

# The wheel in an environment of its own; with the oldest versions that pyproject.toml allows.
test-wheel: wheel
	$(BIN)/python tools/wheel/check.py dist constraints.txt

test-floor: wheel
	$(BIN)/python tools/wheel/check.py dist constraints-floor.txt

# The documentation as a site, in build/site: strict, every link checked, nothing fetched by a reader.
# To search it, serve it: python -m http.server --directory build/site
docs: install
	$(BIN)/python tools/site/assemble.py build/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --clean
	$(BIN)/python tools/site/check.py build/site

# The kernels of one instruction set share no symbol with those of another: the linker would take
# one of them for both. Each object defines its table, and nothing that is weak or unique.
symbols: install
	$(STRESS) -B build/plain >/dev/null
	$(BIN)/cmake --build build/plain --parallel $(JOBS) >/dev/null
	@for object in build/plain/CMakeFiles/{kernels_*.dir/native/*kernels,int8_*.dir/native/int8_kernels,tiles_*.dir/native/tiles_bf16}.cpp.o; do \
	    symbols=$$(nm --extern-only --defined-only "$$object") || exit 1; \
	    others=$$(echo "$$symbols" | grep -vE ' [RD] _ZN8carousel[0-9]+((kernels|scan_kernels|few_rows_kernels|int8)_[a-z0-9]+|bf16_tiles)E$$'); \
	    if [ -z "$$symbols" ] || [ -n "$$others" ]; then \
	        echo "$$object must define its table alone, but defines: $$symbols"; exit 1; \
	    fi; \
	done

# Random problems of the kernels under the address, undefined-behaviour and thread sanitizers.
sanitize: install
	for kind in address,undefined thread; do \
	    $(STRESS) -B build/$$kind -DCAROUSEL_SANITIZE=$$kind >/dev/null && \
	    $(BIN)/cmake --build build/$$kind --parallel $(JOBS) >/dev/null && \
	    build/$$kind/stress 30 || exit 1; \
	done

# The kernels for aarch64, compiled across by GCC, and run under an emulator: right or wrong, no times.
# One file is compiled, and most of the minute goes there; the random problems take seconds.
neon: install
	$(STRESS) -B build/aarch64 -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ -DCMAKE_SYSTEM_NAME=Linux \
	    -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_EXE_LINKER_FLAGS=-static >/dev/null
	$(BIN)/cmake --build build/aarch64 --parallel $(JOBS) >/dev/null
	qemu-aarch64-static build/aarch64/stress 60

# The kernels by other compilers, where they are installed: clang, and GCC for aarch64. What is not there is named.
portable: install
	@if command -v clang++ >/dev/null; then \
	    $(STRESS) -B build/clang -DCMAKE_CXX_COMPILER=clang++ >/dev/null && \
	    $(BIN)/cmake --build build/clang --parallel $(JOBS) >/dev/null && build/clang/stress 10 || exit 1; \
	else echo "clang: no clang++, not built"; fi
	@if command -v aarch64-linux-gnu-g++ >/dev/null && command -v qemu-aarch64-static >/dev/null; then \
	    $(MAKE) --no-print-directory neon || exit 1; \
	else echo "aarch64: no aarch64-linux-gnu-g++ or no qemu-aarch64-static, not run"; fi

clean:
	rm -rf $(VENV) build .mypy_cache .pytest_cache .ruff_cache
