"""Checks the wheel in a folder: `python tools/wheel/check.py dist constraints.txt`.

Its tag, size and contents; then an environment of its own, without extras and without a compiler to
find: what a stranger's `pip install` gives imports, computes and passes the tests named below.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

# Bytes. 15 MB are aimed at; kernels of bfloat16, of eight bits and of more cells made it 15.28,
# those of S6 and of single steps, the server, sweeps and imported tables 15.85, pre-training,
# counts and many series in every verb 16.03, packed as small as deflate can. MNIST is 11.4.
LARGEST = 16_250_000
PLATFORM = "manylinux" if sys.platform == "linux" else ""
CONTENTS = [
    "carousel/py.typed",
    "carousel/_native.pyi",
    "carousel/_native.abi3.so",
    "carousel/export/c/helpers.c",
    "carousel/data/embedded/mnist/train-images-idx3-ubyte.gz",
]
FOREIGN = ("libtorch", "libgomp", "libc10", "libstdc++", "tests/", "native/")
HARNESS = ["pytest", "pytest-timeout", "hypothesis", "jsonschema", "pandas", "pyarrow"]
# Every task's predictions (but of translation, which needs an extra), the kernels against torch,
# trainings from tables.
TESTS = [
    "tests/test_first_generation.py",
    "tests/test_doctor.py",
    "tests/kernels/test_native.py",
    "tests/kernels/test_isa.py",
    "tests/layers/test_lengths.py",
    "tests/training/test_own_data.py",
]


def contents(wheel: Path) -> None:
    """Raise SystemExit if the wheel is too large, lacks a file or has one that is not ours."""
    names = zipfile.ZipFile(wheel).namelist()
    wrong = [f"{name} is missing" for name in CONTENTS if name not in names]
    wrong += [f"{name} does not belong" for name in names if any(f in name for f in FOREIGN)]
    size = wheel.stat().st_size
    if size > LARGEST:
        wrong.append(f"{size:,} bytes are more than {LARGEST:,}")
    if "-cp311-abi3-" not in wheel.name or PLATFORM not in wheel.name:
        wrong.append("its name is not that of one wheel for every Python of a platform")
    if wrong:
        sys.exit(f"{wheel.name}: {'; '.join(wrong)}")
    print(f"{wheel.name}: {size / 1e6:.1f} MB")


def install(wheel: Path, constraints: Path) -> Path:
    """A new environment with the wheel and what it asks for; its Python."""
    home = Path("build") / f"installed-{constraints.stem}"
    shutil.rmtree(home, ignore_errors=True)
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--no-compile", "--constraint", constraints]
    subprocess.run([*pip, "--only-binary", ":all:", wheel, *HARNESS], check=True)
    return python


def run(python: Path, *arguments: str) -> None:
    """Run in the environment, with nothing but itself on the path."""
    kept = {name: os.environ[name] for name in ("HOME", "CAROUSEL_DATA") if name in os.environ}
    # joblib counts cores with a program that is not there, unless it may use fewer.
    cores = {"LOKY_MAX_CPU_COUNT": "1"}
    where = {**kept, **cores, "PATH": str(python.parent.absolute())}
    done = subprocess.run([python, *arguments], env=where, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def check_alone(wheel: Path, constraints: Path) -> None:
    """Saved models predict and stream where NumPy and nanobind-backend are all there is."""
    home = Path("build") / f"alone-{constraints.stem}"
    shutil.rmtree(home, ignore_errors=True)
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--constraint", constraints]
    subprocess.run([*pip, "--only-binary", ":all:", wheel, "numpy", "nanobind-backend"], check=True)
    listed = [python, "-m", "pip", "list", "--format", "json"]
    names = json.loads(subprocess.run(listed, capture_output=True, check=True).stdout)
    found = sorted({one["name"] for one in names} - {"pip", "setuptools"})
    if found != ["carousel-rnn", "nanobind-backend", "numpy"]:
        sys.exit(f"{home} must have the wheel, numpy and nanobind-backend alone, and has {found}")
    run(python, "tools/wheel/alone.py", "tests/fixtures/first_generation")


def main(folder: Path, constraints: Path) -> None:
    """Check the one wheel of the folder."""
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        sys.exit(f"{folder} must have one wheel and has {len(wheels)}: make wheel")
    contents(wheels[0])
    check_alone(wheels[0], constraints)
    python = install(wheels[0], constraints)
    code = (
        "import shutil, carousel; "
        "assert not any(map(shutil.which, ('cc', 'c++', 'gcc', 'cmake'))); "
        "assert 'build/installed-' in carousel.__file__, carousel.__file__"
    )
    run(python, "-c", code)
    run(python, "-m", "pytest", "--quiet", "--thin", "-k", "not translate", *TESTS)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
