"""Steps by column name, in order, and as tokens; what does not fit is named."""

import numpy as np
import pytest

from carousel.serve.columns import Columns
from carousel.serve.sessions import Refused

TABLE = Columns(4, ["flow", "city", "kind=a", "kind=b"], {"city": ["Seoul", "Busan"]})


def test_a_step_is_read_by_name_and_other_keys_are_left_alone():
    assert TABLE.wanted == ["flow", "city", "kind"]
    steps = [
        {"flow": 1.5, "city": "Busan", "kind": "b", "time": "09:00"},
        {"kind": "a", "city": 1, "flow": 2},
    ]
    assert TABLE.read(steps).tolist() == [[1.5, 2, 0, 1], [2, 1, 1, 0]]
    assert TABLE.read([[1, "Seoul", 0, 1]]).tolist() == [[1, 1, 0, 1]]


BAD = [
    ([{"city": "Busan", "kind": "b"}], "column 'flow' is missing in step 0: it has city, kind"),
    ([{"flow": 1, "city": "Busan"}], "column 'kind' is missing"),
    ([{"flow": 1, "city": "Jeju", "kind": "b"}], "'Jeju', which training had not: known are Seoul"),
    ([{"flow": 1, "city": "Seoul", "kind": "c"}], "'c', which training had not: known are a, b"),
    ([{"flow": None, "city": "Seoul", "kind": "a"}], "column 'flow' of step 0 is None"),
    ([{"flow": "x" * 99, "city": 1, "kind": "a"}], "column 'flow' of step 0 is 'xxx"),
    ([[1, 1, 1, 1], [1, 1, 1, float("nan")]], "column 'kind=b' of step 1 is nan"),
    ([[1, 1, 10**400, 1]], "column 'kind=a' of step 0 is inf|column 'kind=a' of step 0 is 1000"),
    ([[1, 1, 1]], "step 0 has 3 numbers, expected 4 \\(flow, city"),
    ([[1, 1, 1, 1], {"flow": 1}], "step 0 is .*every step is an object, or every is a list"),
    ([], "at least one step"),
    ({"flow": 1}, "a list of at least one step"),
    ("steps", "a list of at least one step"),
    ([[[1], 1, 1, 1]], r"column 'flow' of step 0 is \[1\]"),
]


@pytest.mark.parametrize(("steps", "message"), BAD)
def test_what_does_not_fit_is_named(steps, message):
    with pytest.raises(Refused, match=message) as refused:
        TABLE.read(steps)
    assert refused.value.status == 400
    assert len(str(refused.value)) < 500


def test_arrays_are_checked_alike():
    x = np.zeros((2, 3, 4), np.float32)
    assert TABLE.checked(x) is x
    x[1, 2, 1] = np.inf
    with pytest.raises(Refused, match="column 'city' of step 2 is inf"):
        TABLE.checked(x)
    with pytest.raises(Refused, match="a step has 4 numbers"):
        TABLE.checked(np.zeros((2, 3, 5)))


def test_tokens_are_words_or_numbers():
    one = Columns(1, words={"the": 0, "dog": 1})
    assert one.read(["dog", 0, [1]]).tolist() == [1, 0, 1]
    for steps in (["cat"], [-1], [1.5], [True], [[1, 0]], [2**40], [None]):
        with pytest.raises(Refused, match="step 0"):
            one.read(steps)
    two = Columns(2, words={})
    assert two.read([[1, 2], [0, 3]]).tolist() == [[1, 2], [0, 3]]
    with pytest.raises(Refused, match="a step is 2 numbers of tokens"):
        two.read([1])
