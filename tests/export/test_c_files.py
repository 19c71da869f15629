"""What else is true of the C: its compilers, its errors, several streams, numbers out of bounds."""

import subprocess

import numpy as np
import pytest
import torch
from c_programs import (
    STRICT,
    library,
    need,
    passes,
    passes_on_cortex,
    ran,
    uneven,
    written,
)
from torch import nn

import carousel
from carousel.errors import ConfigError
from carousel.export.c import format as c_format
from carousel.export.c.text import words
from carousel.export.describing import subject_of
from carousel.export.formats import Asked
from carousel.layers.pooling import Pooling


def small():
    return uneven(
        nn.Sequential(carousel.LSTM(3, 6, 2), carousel.GRU(6, 5), nn.Linear(5, 2), nn.Softmax(-1))
    )


def test_its_test_fails_where_the_c_differs_from_the_model(tmp_path):
    written(small(), tmp_path)
    text = (tmp_path / "net.c").read_text()
    wrong = text.replace("1.0f + net_exp_minus", "1.001f + net_exp_minus", 1)
    assert wrong != text
    (tmp_path / "net.c").write_text(wrong)
    with pytest.raises(AssertionError, match=r"number 0: .* in place of "):
        passes(tmp_path)
    compared = c_format.compare(subject_of(small()), Asked("net"), tmp_path)
    assert not compared.difference <= compared.tolerance


@pytest.mark.parametrize(
    ("cc", "standard"),
    [("clang", "-std=c99"), ("g++", "-std=c++11"), ("clang++", "-std=c++14"), ("gcc", "-std=c17")],
)
def test_every_compiler_takes_it_without_a_warning(cc, standard, tmp_path):
    cpp = ("-x", "c++") if "++" in cc else ()
    passes(written(small(), tmp_path), cc=cc, flags=(standard, "-O1", *cpp))


def test_it_runs_on_aarch64(tmp_path):
    need("qemu-aarch64-static")
    cc, flags = "aarch64-linux-gnu-gcc", ("-std=c99", "-O3", "-static")
    passes(written(small(), tmp_path), cc=cc, flags=flags, run=("qemu-aarch64-static",))


def test_it_runs_on_a_cortex_m4(tmp_path):
    assert "largest difference" in passes_on_cortex(written(small(), tmp_path))


def test_it_needs_neither_libm_nor_memory_of_its_own(tmp_path):
    written(small(), tmp_path)
    ran([need("gcc"), "-std=c99", "-O2", "-c", "net.c", "-o", "net.o"], tmp_path)
    names = [line.split()[-1] for line in ran([need("nm"), "-u", "net.o"], tmp_path).splitlines()]
    assert set(names) <= {"memcpy", "memset", "_GLOBAL_OFFSET_TABLE_", "__stack_chk_fail"}
    data = ran(["nm", "net.o"], tmp_path).splitlines()
    assert not [line for line in data if line.split()[-2] in ("b", "B", "d", "D")]


def test_functions_are_as_exact_as_they_say(tmp_path):
    functions = {
        "sigmoid": (nn.Sigmoid(), lambda x: 1 / (1 + np.exp(-x)), 2e-7),
        "tanh": (nn.Tanh(), np.tanh, 2e-7),
        "gelu": (nn.GELU(), lambda x: nn.GELU()(torch.from_numpy(x)).numpy(), 2e-6),
        "silu": (nn.SiLU(), lambda x: x / (1 + np.exp(-x)), 1e-5),
    }
    x = np.linspace(-60, 60, 200_001).astype(np.float32)[:, None]
    for name, (module, exact, allowed) in functions.items():
        line = nn.Linear(1, 1)
        nn.init.ones_(line.weight)
        nn.init.zeros_(line.bias)
        (tmp_path / name).mkdir()
        found = library(nn.Sequential(line, module), tmp_path / name)
        y = found.run(found.state(), x, 1)
        assert np.abs(y - exact(x.astype(np.float64))).max() < allowed, name


def test_streams_do_not_know_of_each_other_and_pieces_give_the_same_bits(tmp_path):
    found = library(small(), tmp_path)
    x = np.random.default_rng(0).normal(size=(2, 12, 3)).astype(np.float32)
    whole = [found.run(found.state(), part, 2) for part in x]
    states = [found.state(), found.state()]
    for start, end in ((0, 5), (5, 6), (6, 12)):
        for number in (0, 1):
            piece = found.run(states[number], x[number, start:end], 2)
            np.testing.assert_array_equal(piece, whole[number][start:end])


def test_a_state_that_is_reset_begins_again(tmp_path):
    found = library(small(), tmp_path)
    x = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    state = found.state()
    first = found.run(state, x, 2)
    assert not np.array_equal(found.run(state, x, 2), first)
    found.call("reset", state)
    np.testing.assert_array_equal(found.run(state, x, 2), first)


@pytest.mark.parametrize("cell", [carousel.LSTM, carousel.GRU, carousel.RNN, carousel.MinLSTM])
def test_nan_stays_nan_and_large_numbers_stay_numbers(cell, tmp_path):
    found = library(uneven(cell(2, 9)), tmp_path)
    x = np.array([[1e4, -1e4], [1e30, -1e30], [np.nan, 0.0]], np.float32)
    y = found.run(found.state(), x, 9)
    if cell is not carousel.MinLSTM:  # whose states are as large as its inputs
        assert np.isfinite(y[:2]).all()
    assert np.isnan(y[2]).any()


def test_sequences_that_do_not_fit_are_refused_and_none_is_an_answer_of_zeros(tmp_path):
    layer = carousel.GRU(3, 4, batch_first=True, bidirectional=True)
    found = library(uneven(nn.Sequential(layer, Pooling("mean", 8))), tmp_path)
    assert found.run(found.state(), np.zeros((1025, 3), np.float32), 8) is None
    assert len(found.run(found.state(), np.ones((1024, 3), np.float32), 8)) == 1
    np.testing.assert_array_equal(found.run(found.state(), np.ones((0, 3), np.float32), 8), 0)


def test_fast_math_is_refused(tmp_path):
    written(small(), tmp_path)
    command = [need("gcc"), *STRICT, "-ffast-math", "-c", "net.c"]
    with pytest.raises(AssertionError, match="compile this file without -ffast-math"):
        ran(command, tmp_path)


def test_any_stem_gives_names_that_c_takes(tmp_path):
    stem = "3 my-net.v2"
    assert "n3_my_net_v2: " in passes(written(small(), tmp_path, stem), stem)


def test_without_a_compiler_it_says_that_nothing_was_compared(tmp_path, monkeypatch):
    monkeypatch.setenv("CC", "/no/such/compiler")
    subject = subject_of(small())
    c_format.write(subject, Asked("net"), tmp_path)
    compared = c_format.compare(subject, Asked("net"), tmp_path)
    assert compared.cases == 0
    assert "no C compiler" in compared.note


def test_the_example_compiles_and_runs(tmp_path):
    written(small(), tmp_path)
    text = c_format.example(subject_of(small()).network, Asked("net"))
    (tmp_path / "main.c").write_text(text)
    ran([need("gcc"), *STRICT, "-std=c99", "net.c", "main.c", "-o", "main"], tmp_path)
    lines = ran(["./main"], tmp_path).split()
    assert len(lines) == 200
    assert len(text.splitlines()) <= 20


@pytest.mark.parametrize("cc", ["gcc", "clang++"])
def test_large_tables_keep_every_bit(cc, tmp_path):
    floats = np.random.default_rng(0).integers(0, 2**32, 4097, np.uint32).view(np.float32)
    floats[:3] = (-0.0, 1e-45, 3.4028235e38)
    bytes_ = np.arange(-128, 128).astype(np.int8)[:251]
    text = f"""\
#include <stdint.h>
#include <stdio.h>
{words("floats", floats, "numbers")}{words("bytes", bytes_)}
int main(void) {{
    fwrite(floats, 4, {floats.size}, stdout);
    fwrite(bytes, 1, {bytes_.size}, stdout);
    return 0;
}}
"""
    (tmp_path / "words.c").write_text(text)
    cpp = ("-x", "c++", "-std=c++11") if "++" in cc else ("-std=c99",)
    ran([need(cc), *STRICT, *cpp, "words.c", "-o", "words"], tmp_path)
    found = subprocess.run([str(tmp_path / "words")], capture_output=True, timeout=60, check=True)
    assert found.stdout == floats.tobytes() + bytes_.tobytes()


def test_what_has_no_c_is_refused_by_name(tmp_path):
    broken = small()
    broken[2].weight.data[0, 0] = torch.inf
    with pytest.raises(ConfigError, match=r"dense layer, 5 inputs, 2 outputs .* not finite"):
        c_format.write(subject_of(broken), Asked("net"), tmp_path)
    assert not list(tmp_path.iterdir())
