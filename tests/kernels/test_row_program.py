"""Operations on a few rows, on every instruction set that this machine has, beside NumPy's."""

import gc
import weakref

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

from carousel.kernels import RowProgram, supported_isas


@pytest.fixture(params=supported_isas())
def isa(request, monkeypatch):
    monkeypatch.setenv("CAROUSEL_ISA", request.param)
    return request.param


def drawn(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def blank(*shape):
    return np.full(shape, np.nan, np.float32)


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 7])
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (3, 37), (16, 16), (50, 5), (387, 18)])
def test_a_product_is_that_of_numpy(isa, rows, inputs, outputs):
    x, weight, bias = drawn(rows, inputs), drawn(outputs, inputs) / inputs, drawn(outputs)
    plain, added, program = blank(rows, outputs), blank(rows, outputs), RowProgram()
    program.product(x, weight, None, plain)
    program.product(x, weight, bias, added)
    program.run()
    wanted = x.astype(np.float64) @ weight.T.astype(np.float64)
    np.testing.assert_allclose(plain, wanted, atol=1e-6)
    np.testing.assert_allclose(added, wanted + bias, atol=1e-6)


def test_a_row_has_the_same_bits_whatever_stands_beside_it(isa):
    x, weight, bias = drawn(7, 45), drawn(21, 45), drawn(21)
    together, program = blank(7, 21), RowProgram()
    program.product(x, weight, bias, together)
    alone = [blank(1, 21) for _ in x]
    for row, y in zip(x, alone, strict=True):
        program.product(row[None], weight, bias, y)
    program.run()
    assert np.array_equal(np.concatenate(alone), together)


def test_weights_and_inputs_are_read_when_it_runs(isa):
    x, weight, y, program = drawn(2, 5), drawn(3, 5), blank(2, 3), RowProgram()
    program.product(x, weight, None, y)
    for array in (x, weight):
        program.run()
        array *= -2.0
        before = y.copy()
        program.run()
        np.testing.assert_allclose(y, -2.0 * before, rtol=1e-5)


def test_copies_go_by_the_distances_of_both_sides(isa):
    x, padded, program = drawn(2, 5, 3), np.zeros((2, 9, 3), np.float32), RowProgram()
    program.copy(x, padded[:, 2:7])
    program.copy(x[:, 2:0:-1], padded[:, :2])
    windows = as_strided(padded, (2, 4, 3, 3), (108, 24, 4, 12), writeable=False)
    seen = blank(2, 4, 3, 3)
    program.copy(windows, seen)
    program.run()
    wanted = np.pad(x, ((0, 0), (2, 2), (0, 0)), "reflect")
    wanted[:, 7:] = 0.0
    assert np.array_equal(padded, wanted)
    for place in range(4):
        assert np.array_equal(seen[:, place], wanted[:, 2 * place : 2 * place + 3].swapaxes(1, 2))


@pytest.mark.parametrize("size", [1, 8, 37])
def test_functions_are_those_of_numpy(isa, size):
    x = 4.0 * drawn(3, size)
    functions = {
        "relu": lambda v: np.maximum(v, 0),
        "sigmoid": lambda v: 1 / (1 + np.exp(-v.astype(np.float64))),
        "tanh": lambda v: np.tanh(v.astype(np.float64)),
    }
    for kind, function in functions.items():
        y, program = blank(3, size), RowProgram()
        program.pointwise(kind, x, y)
        program.run()
        np.testing.assert_allclose(y, function(x), atol=1e-6)
    pairs, y, program = drawn(3, 2 * size), blank(3, size), RowProgram()
    program.magnitude(pairs, y)
    program.run()
    np.testing.assert_allclose(y, np.hypot(pairs[:, :size], pairs[:, size:]), atol=1e-6)


@pytest.mark.parametrize("kind", ["relu", "sigmoid", "tanh"])
def test_what_is_no_number_stays_so(isa, kind):
    x, program = np.float32([np.nan, 1.0]), RowProgram()
    program.pointwise(kind, x, x)
    program.run()
    assert np.isnan(x).tolist() == [True, False]


def packed():
    """Numbers that stand five bytes apart."""
    return np.zeros(4, [("flag", "u1"), ("number", np.float32)])["number"]


def unwritten():
    y = blank(2, 5)
    y.flags.writeable = False
    return y


def refused():
    x, w, y = drawn(2, 5), drawn(3, 5), blank(2, 3)
    yield "other inputs", lambda p: p.product(x, drawn(3, 4), None, y), ValueError
    yield "other outputs", lambda p: p.product(x, w, None, blank(2, 4)), ValueError
    yield "another bias", lambda p: p.product(x, w, drawn(4), y), ValueError
    yield "turned weights", lambda p: p.product(x, drawn(5, 3).T, None, y), ValueError
    yield "another shape", lambda p: p.copy(x, y), ValueError
    yield "half a pair", lambda p: p.magnitude(x, blank(2, 2)), ValueError
    yield "a row that is no matrix", lambda p: p.product(x[0], w, None, y[0]), ValueError
    yield "between numbers", lambda p: p.copy(packed(), blank(4)), ValueError
    yield "a result that is read alone", lambda p: p.pointwise("relu", x, unwritten()), ValueError
    yield "numbers of 64 bits", lambda p: p.pointwise("relu", y, y.astype(np.float64)), TypeError
    yield "no such function", lambda p: p.pointwise("sine", y, y), KeyError


@pytest.mark.parametrize(("name", "add", "error"), [*refused()])
def test_arrays_that_do_not_fit_are_refused(name, add, error):
    with pytest.raises(error):
        add(RowProgram())


def test_who_has_the_call_has_the_arrays():
    program, x, y = RowProgram(), drawn(2, 5), blank(2, 5)
    program.pointwise("relu", x, y)
    run, seen = program.run, weakref.ref(x)
    del program, x
    gc.collect()
    assert seen() is not None
    run()
    assert np.array_equal(y, np.maximum(seen(), 0))
